/* A form with data-submit-once is sent once, however often the button is pressed. The server is safe without this; it
   spares the shopper the doubt. */

const PATIENCE_MS = 15000;

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!("submitOnce" in form.dataset)) return;
  if ("busy" in form.dataset) {
    event.preventDefault();
    return;
  }
  form.dataset.busy = "";
  form.setAttribute("aria-busy", "true");
  setTimeout(() => release(form), PATIENCE_MS);
});

export function release(form) {
  delete form.dataset.busy;
  form.removeAttribute("aria-busy");
}

// A page that comes back from the browser's history must be usable.
window.addEventListener("pageshow", () => {
  document.querySelectorAll("form[data-busy]").forEach(release);
});
