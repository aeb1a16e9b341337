/* How the line's figures are told. The server says the same without JavaScript: flashsale/showing.py. */

import { said } from "./words.js";

/** Up to here a number is exact. */
export const EXACT_TO = 100;

const numbers = new Intl.NumberFormat(document.documentElement.lang);

/** Exact up to 100; above, to the nearest ten, and to three figures where that is coarser. */
export function rounded(number) {
  if (number <= EXACT_TO) return number;
  const unit = Math.max(10, 10 ** (String(number).length - 3));
  return Math.floor((number + unit / 2) / unit) * unit;
}

/** The number in words that own up to the rounding: "87", "about 12,300". */
export function figure(number) {
  const told = numbers.format(rounded(number));
  return number <= EXACT_TO ? told : said("about {number}", { number: told });
}

const whole = (number) => Math.max(1, Math.floor(number + 0.5));

/** An honest range, because nobody can know a wait to the second. `seconds` is null when nobody can say. */
export function waitInWords(seconds) {
  if (seconds === null) return "–";
  if (seconds < 45) return said("less than a minute");
  const [low, high] = [whole((seconds * 0.8) / 60), whole((seconds * 1.5) / 60)];
  if (high >= 120) return said("{low} to {high} hours", { low: Math.max(1, Math.floor(low / 60)), high: Math.ceil(high / 60) });
  if (low === high) return said(low === 1 ? "about {low} minute" : "about {low} minutes", { low });
  return said("{low} to {high} minutes", { low, high });
}
