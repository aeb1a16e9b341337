/* Stripe's part of a page. [data-stripe]: its card field in our form; what is typed goes to Stripe, and the form brings back
   an id. [data-stripe-action]: the bank's question, shown by Stripe's script. Without either this does nothing. */

const sources = new Map();

function load(source) {
  if (!sources.has(source)) {
    sources.set(
      source,
      new Promise((resolve, reject) => {
        const script = document.createElement("script");
        script.src = source;
        script.addEventListener("load", resolve, { once: true });
        script.addEventListener("error", reject, { once: true });
        document.head.append(script);
      }),
    );
  }
  return sources.get(source);
}

async function stripeOf(dataset) {
  await load(dataset.stripeScript);
  return window.Stripe(dataset.stripeKey);
}

function tell(place, text) {
  const error = place.querySelector("[data-stripe-error]");
  error.textContent = text;
  error.hidden = !text;
}

async function offerCard(place) {
  const form = place.closest("form");
  const input = form.querySelector("input[data-stripe-key]");
  const stripe = await stripeOf(input.dataset);
  const { color, fontFamily, fontSize } = getComputedStyle(place);
  const card = stripe.elements().create("card", { style: { base: { color, fontFamily, fontSize } } });
  place.querySelector("[data-stripe-field]").hidden = false;
  card.mount(place.querySelector("[data-stripe-card]"));
  let busy = false;
  form.addEventListener("submit", async (event) => {
    const choice = form.elements.namedItem("method");
    if (input.value || place.closest("[hidden]") || (choice && choice.value !== "stripe")) return;
    event.preventDefault();
    // Not yet sent: whoever guards against a second click must not see this one.
    event.stopPropagation();
    if (busy) return;
    busy = true;
    form.setAttribute("aria-busy", "true");
    tell(place, "");
    try {
      const answer = await stripe.createPaymentMethod({ type: "card", card });
      if (answer.error) {
        tell(place, answer.error.message);
      } else {
        input.value = answer.paymentMethod.id;
        // After this event: a form that is being sent is not sent again by a script.
        setTimeout(() => form.requestSubmit(event.submitter));
      }
    } finally {
      busy = false;
      if (!input.value) form.removeAttribute("aria-busy");
    }
  });
  // A page that comes back from the browser's history asks for a card again: an id serves once.
  window.addEventListener("pageshow", () => {
    input.value = "";
  });
}

async function offerAction(place) {
  const button = place.querySelector("button");
  const stripe = await stripeOf(place.dataset);
  button.hidden = false;
  button.addEventListener("click", async () => {
    button.disabled = true;
    tell(place, "");
    const answer = await stripe.handleNextAction({ clientSecret: place.dataset.stripeSecret });
    if (answer.error) tell(place, answer.error.message);
    // Done or not: the shop asks Stripe, and its page says what comes next.
    location.assign(place.dataset.stripeReturn);
  });
}

document.querySelectorAll("[data-stripe]").forEach(offerCard);
document.querySelectorAll("[data-stripe-action]").forEach(offerAction);
