/* Hearts: <a data-wish="slug"> leads to a page that asks. Here each becomes a button that is pressed or not, and
   <span data-wish-count> tells how many there are. When the wishlist is switched off or fails, the links stay. */

const TIMEOUT_MS = 5000;
const HEARTS = "/wishlist/hearts/";
/** Whoever never sent a form has no wishlist, and nothing is asked for before they press a heart. */
const HAS_SENT_A_FORM = /(?:^|; )csrftoken=/;
let token = "";

async function ask() {
  const answer = await fetch(HEARTS, {
    headers: { "X-Requested-With": "fetch" },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (!answer.ok) throw new Error(`Not told: ${answer.status}`);
  const known = await answer.json();
  token = known.token;
  return known.products;
}

function showCount(count) {
  document.querySelectorAll("[data-wish-count]").forEach((place) => {
    place.textContent = count;
    place.hidden = count === 0;
  });
}

async function press(button) {
  const isWished = button.getAttribute("aria-pressed") === "true";
  button.setAttribute("aria-pressed", String(!isWished));
  try {
    if (!token) await ask();
    const answer = await fetch(button.dataset.url, {
      method: "POST",
      headers: { "X-CSRFToken": token, "X-Requested-With": "fetch" },
      body: new URLSearchParams({ action: isWished ? "remove" : "add" }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (!answer.ok) throw new Error(`Not kept: ${answer.status}`);
    const kept = await answer.json();
    button.setAttribute("aria-pressed", String(kept.is_wished));
    showCount(kept.count);
  } catch {
    button.setAttribute("aria-pressed", String(isWished));
  }
}

function enhance(link, wished) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = link.className;
  button.dataset.url = link.href;
  button.innerHTML = link.innerHTML;
  button.setAttribute("aria-pressed", String(wished.has(link.dataset.wish)));
  button.addEventListener("click", () => press(button));
  link.replaceWith(button);
}

async function start() {
  try {
    const wished = new Set(HAS_SENT_A_FORM.test(document.cookie) ? await ask() : []);
    const enhanceAll = () =>
      document.querySelectorAll("a[data-wish]").forEach((link) => enhance(link, wished));
    enhanceAll();
    // Panels that come later (static/js/fragments.js) bring products of their own.
    new MutationObserver(enhanceAll).observe(document.body, { childList: true, subtree: true });
    showCount(wished.size);
  } catch {
    // The links stay: they lead to a page that does the same.
  }
}

start();
