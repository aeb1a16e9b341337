/* The server's clock, whatever the clock of this device says: the time the page was made, and what has passed since. */

const loadedAt = performance.now();

/** A function that returns the server's time in milliseconds since the epoch. `text` is ISO 8601. */
export function clockFrom(text) {
  const made = Date.parse(text);
  return () => made + (performance.now() - loadedAt);
}
