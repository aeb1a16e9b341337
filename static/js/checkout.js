/* The checkout's prices follow the country, the way of delivery and the discount code in place. The server prices: this sends the form
   as its Update button would, and puts the parts of the answer that have changed where the old ones stood. Without it the button does the
   same by a reload. */

const SETTLE_MS = 400;
const TIMEOUT_MS = 8000;
/** What prices depend on. */
const PRICED = ["country", "delivery"];
/** Buttons that need no new page. */
const IN_PLACE = ["update", "remove-code"];

const form = document.querySelector("[data-checkout]");
let timer = 0;
let asked = 0;
let underway = null;

function put(answer) {
  for (const part of answer.querySelectorAll("[data-part]")) {
    const here = document.getElementById(part.id);
    if (!here || here.innerHTML === part.innerHTML) continue;
    const focused = here.contains(document.activeElement) ? document.activeElement : null;
    here.replaceChildren(...part.childNodes);
    if (focused) (document.getElementById(focused.id) ?? here.querySelector("input, button"))?.focus();
  }
  form.elements.seen_total.value = answer.querySelector("[name=seen_total]").value;
  // The way to pay stays as it is, a half-typed card in it; it is only out of sight while nothing is to be paid.
  const payment = document.querySelector("[data-payment]");
  if (payment) payment.hidden = answer.querySelector("[data-payment]").hidden;
  const said = answer.querySelector("[data-priced]").dataset.priced;
  const voice = document.querySelector("[data-priced]");
  if (voice.textContent !== said) voice.textContent = said;
}

function price(action) {
  underway = ask(action).finally(() => (underway = null));
}

async function ask(action) {
  clearTimeout(timer);
  const mine = (asked += 1);
  const body = new FormData(form);
  body.set("action", action);
  try {
    const answer = await fetch(location.pathname, { method: "POST", body, signal: AbortSignal.timeout(TIMEOUT_MS) });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (mine !== asked) return;
    if (!answer.ok || !page.querySelector("[data-checkout]")) throw new Error(`No price: ${answer.status}`);
    put(page);
  } catch {
    // The server says in full what is the matter: with a page of its own.
    if (mine === asked) send(action);
  }
}

function send(action) {
  const button = form.querySelector(`button[name=action][value="${action}"]`);
  if (button) form.requestSubmit(button);
}

/** Whoever orders meanwhile has seen the old price, and sends that one; the session must not be written by both. */
function hold(event) {
  if (event.submitter?.value !== "order") return;
  clearTimeout(timer);
  asked += 1;
  if (!underway) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  underway.then(() => form.requestSubmit(event.submitter));
}

function listen() {
  form.addEventListener("submit", hold);
  form.addEventListener("change", (event) => {
    if (!PRICED.includes(event.target.name)) return;
    clearTimeout(timer);
    // The arrow keys pass every country on the way to the one that is meant.
    timer = setTimeout(() => price("update"), SETTLE_MS);
  });
  form.addEventListener(
    "click",
    (event) => {
      const button = event.target.closest("button[name=action]");
      if (!button || !IN_PLACE.includes(button.value)) return;
      event.preventDefault();
      price(button.value);
    },
    true,
  );
  form.querySelector("[data-without-script]")?.setAttribute("hidden", "");
}

if (form) listen();
