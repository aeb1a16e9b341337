/* Countdowns: <time data-countdown datetime="..." data-now="...">.

   data-then="reload" loads the page again at the end, a little apart for each shopper.
   data-warn says aloud how much is left, in the nearest [data-announce].
   data-over is what stands there at the end, when the page does not know yet what comes next.
   In the same box [data-until-over] is hidden at the end and [data-when-over] shown. */

import { clockFrom } from "./clock.js";
import { said } from "./words.js";

/** Seconds before the end at which the time left is said aloud. */
const WARNINGS = [300, 60, 30];
const NEAR_SECONDS = 60;
const RELOAD_SPREAD_MS = 2000;

const two = (number) => String(number).padStart(2, "0");

export function clockFace(seconds) {
  const days = Math.floor(seconds / 86400);
  const hours = Math.floor((seconds % 86400) / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  if (days > 1) return said("{days} days", { days });
  if (days > 0 || hours > 0) return `${days * 24 + hours}:${two(minutes)}:${two(seconds % 60)}`;
  return `${minutes}:${two(seconds % 60)}`;
}

export function inWords(seconds) {
  if (seconds < 60) return said("{seconds} seconds left", { seconds });
  const minutes = Math.round(seconds / 60);
  return said(minutes === 1 ? "{minutes} minute left" : "{minutes} minutes left", { minutes });
}

function run(element) {
  const now = clockFrom(element.dataset.now);
  const end = Date.parse(element.dateTime);
  const box = element.closest("section, .card, .notice, form, aside, main");
  const voice = "warn" in element.dataset ? box?.querySelector("[data-announce]") : null;
  const left = () => Math.max(0, Math.ceil((end - now()) / 1000));
  // A short hold is near its end from the start: then the time left is said at once, as long as it is any use.
  let warned = left() <= NEAR_SECONDS ? [] : WARNINGS.filter((warning) => warning >= left());

  function tick() {
    const seconds = left();
    element.textContent = seconds > 0 ? clockFace(seconds) : element.dataset.over ?? clockFace(0);
    element.toggleAttribute("data-near", seconds <= NEAR_SECONDS);
    const due = WARNINGS.find((warning) => seconds <= warning && !warned.includes(warning));
    if (due && seconds > 0) {
      warned = WARNINGS.filter((warning) => warning >= seconds);
      if (voice) voice.textContent = inWords(seconds);
    }
    if (seconds > 0) {
      setTimeout(tick, 1000 - ((now() - end) % 1000 + 1000) % 1000 + 5);
      return;
    }
    box?.querySelector("[data-until-over]")?.setAttribute("hidden", "");
    box?.querySelector("[data-when-over]")?.removeAttribute("hidden");
    element.dispatchEvent(new CustomEvent("countdown:over", { bubbles: true }));
    if (element.dataset.then === "reload") {
      setTimeout(() => location.reload(), 300 + Math.random() * RELOAD_SPREAD_MS);
    }
  }

  if (left() > 0 || !element.dataset.then) tick();
  else element.textContent = clockFace(0);
}

document.querySelectorAll("[data-countdown]").forEach(run);
