/* The page of somebody who is inside. Closing it tells the server, which gives the place to the next in line after a
   grace. A link or form of the shop is no leaving; after a reload the new page says that it is open. Without
   JavaScript, or when the message is lost, the admission runs out by itself. */

/** For how long after a click on a link or a button the page may go without having been left. */
const ON_THE_WAY_MS = 10000;
/** A page of this sale was closed: the server hears that this one is open, after it has heard of the other. */
const STILL_HERE_MS = 2000;

const form = document.querySelector("[data-inside]");
const name = `inside-${form.dataset.inside}`;
const pages = new BroadcastChannel(name);
let onTheWayUntil = 0;

function goOn() {
  onTheWayUntil = performance.now() + ON_THE_WAY_MS;
}

function sayThatItIsOpen() {
  setTimeout(() => fetch(location.href, { method: "HEAD" }).catch(() => {}), STILL_HERE_MS);
}

// A browser asks for the page again first, and closes the one before it when the answer is there.
if (sessionStorage.getItem(name)) {
  sessionStorage.removeItem(name);
  sayThatItIsOpen();
}
pages.addEventListener("message", sayThatItIsOpen);

document.addEventListener("submit", goOn);
document.addEventListener("click", (event) => {
  if (event.target.closest("a[href]")?.origin === location.origin) goOn();
});

addEventListener("pagehide", () => {
  if (performance.now() < onTheWayUntil) return;
  navigator.sendBeacon(form.dataset.awayUrl, new FormData(form));
  pages.postMessage("closed");
  sessionStorage.setItem(name, "closed");
});

// A page that comes back from the browser's history was not seen by the server.
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
