/* Buy: sends the form of a sale's item as JSON, which the server answers fastest, and goes to the purchase. A refusal is
   shown where the shopper is. Whatever else happens (no network, no answer in time, signed out), the form is sent as it
   would be without JavaScript, under the same attempt: it stays one purchase. */

import { release } from "./submit-once.js";

const PATIENCE_MS = 8000;
/** Refusals that can be explained in place; the page after the form explains all others. */
const EXPLAINED = [
  "admission_not_valid", "busy", "limit_reached", "not_open", "sold_out", "too_many_requests", "unknown_item",
];
const ANY_PURCHASE = "00000000-0000-0000-0000-000000000000";

/** The cookie's own value spares the server to unmask the form's. */
function csrfToken(fields) {
  return document.cookie.match(/(?:^|;\s*)csrftoken=([^;]+)/)?.[1] ?? fields.get("csrfmiddlewaretoken");
}

async function send(form) {
  const fields = new FormData(form);
  const item = Number(fields.get("item"));
  const quantity = Number(fields.get("quantity"));
  const answer = await fetch(form.dataset.buy, {
    method: "POST",
    headers: {
      Accept: "application/json",
      "Content-Type": "application/json",
      "Idempotency-Key": `${fields.get("attempt")}:${item}:${quantity}`,
      "X-CSRFToken": csrfToken(fields),
    },
    body: JSON.stringify({ item, quantity }),
    signal: AbortSignal.timeout(PATIENCE_MS),
  });
  return { status: answer.status, said: await answer.json() };
}

function purchaseUrl(form, id) {
  return form.dataset.purchaseUrl.replace(ANY_PURCHASE, id);
}

function refusalOf(form) {
  return form.parentElement.querySelector("[data-refusal]");
}

function explain(form, { code, detail, purchase }) {
  const refusal = refusalOf(form);
  refusal.querySelector("[data-detail]").textContent = detail;
  for (const part of refusal.querySelectorAll("[data-for]")) {
    part.hidden = !part.dataset.for.split(" ").includes(code);
  }
  const link = refusal.querySelector("[data-own-purchase]");
  if (purchase) link.href = purchaseUrl(form, purchase);
  else link.parentElement.hidden = true;
  refusal.hidden = false;
}

async function buy(form) {
  refusalOf(form).hidden = true;
  let outcome;
  try {
    outcome = await send(form);
  } catch {
    form.submit();
    return;
  }
  const { status, said } = outcome;
  if (status === 202) {
    location.assign(purchaseUrl(form, said.id));
  } else if (EXPLAINED.includes(said.code)) {
    explain(form, said);
    release(form);
  } else {
    form.submit();
  }
}

document.addEventListener("submit", (event) => {
  if (event.defaultPrevented || !("buy" in event.target.dataset)) return;
  event.preventDefault();
  buy(event.target);
});
