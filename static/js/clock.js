/* The server's clock, whatever the clock of this device says: the time the page was made, and what has passed since.

   It can only be late: by the way of the page to us, or by what the device slept. Who hears a later time from the
   server says so, and every countdown on the page follows. */

const answered = performance.getEntriesByType("navigation")[0]?.responseStart ?? performance.now();
let late = 0;

/** A function that returns the server's time in milliseconds since the epoch. `text` is ISO 8601. */
export function clockFrom(text) {
  const made = Date.parse(text);
  return () => made + (performance.now() - answered) + late;
}

/** Put every clock forward when the server has said a time that ours has not reached; never back. */
export function hear(text, now) {
  late += Math.max(0, Date.parse(text) - now());
}
