/* What became of a purchase: asks until the state is another, then shows the page anew. */

const FIRST_MS = 600;
const SLOWEST_MS = 6000;
const HELD_MS = 8000;
/** A page is not loaded again sooner than this. */
const YOUNGEST_RELOAD_MS = 1500;

const element = document.querySelector("[data-purchase]");
const { state, statusUrl } = element.dataset;
let pause = state === "queued" ? FIRST_MS : HELD_MS;

const jitter = (ms) => ms * (0.8 + Math.random() * 0.4);

async function look() {
  if (document.hidden) {
    document.addEventListener("visibilitychange", look, { once: true });
    return;
  }
  try {
    const answer = await fetch(statusUrl, { headers: { Accept: "application/json" } });
    // 404: the click was lost before it counted, and the page says what to do.
    if (answer.status === 404 || (answer.ok && (await answer.json()).state !== state)) {
      setTimeout(() => location.reload(), Math.max(0, YOUNGEST_RELOAD_MS - performance.now()));
      return;
    }
    const wait = Number(answer.headers.get("Retry-After"));
    if (wait > 0) pause = Math.max(pause, wait * 1000);
  } catch {
    // The network is away: go on asking, more slowly.
  }
  if (state === "queued") pause = Math.min(pause * 1.4, SLOWEST_MS);
  setTimeout(look, jitter(pause));
}

setTimeout(look, jitter(pause));
