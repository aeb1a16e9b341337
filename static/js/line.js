/* The waiting room. One small document, the same for everybody, says what is being served; this page works out the rest:

     serving number = base + rate * (min(now, until) - at)        (seconds, on the server's clock)

   A place is served when the serving number has reached it; then the ticket is traded for an admission. Nothing is asked
   while nobody looks at the page: the place is kept on the server's side of things. */

import { clockFrom } from "./clock.js";

const POLL_MS = { far: 15000, near: 4000, line: 3000 };
/** Seconds before the opening from which the document is asked for more often. */
const NEAR_SECONDS = 60;
const FAILURES_TO_SAY_SO = 2;
/** How many people ahead are worth saying aloud when the number falls below. */
const MILESTONES = [10000, 5000, 1000, 500, 100, 50, 20, 10, 5, 1];
const OVER = ["ended", "cancelled", "sold_out"];
/** A page is not loaded again sooner than this, whatever the document says: a document that has stood still for long
    must not make everybody reload for ever. */
const YOUNGEST_RELOAD_MS = 5000;

const page = document.querySelector("[data-line]");
const { ticket, documentUrl, ticketUrl, admissionUrl, saleUrl, name, phase: firstPhase } = page.dataset;
const now = clockFrom(page.dataset.now);
const find = (what) => page.querySelector(`[data-${what}]`);

let place = page.dataset.place ? Number(page.dataset.place) : null;
let line = null;
let failures = 0;
let entering = false;
let saidAhead = Infinity;
let saidUnits = null;
let pollTimer = 0;

const jitter = (ms) => ms * (0.75 + Math.random() * 0.5);
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

function show(what, text) {
  const element = find(what);
  if (element && element.textContent !== text) element.textContent = text;
}

function say(text) {
  show("announce", text);
}

const numbers = new Intl.NumberFormat(document.documentElement.lang);

function servingNumber() {
  const { base, rate, at, until } = line.serving;
  const seconds = (Math.min(now(), Date.parse(until)) - Date.parse(at)) / 1000;
  return base + rate * Math.max(0, seconds);
}

/** An honest range: nobody can know it to the second. */
function waitInWords(seconds) {
  if (seconds < 45) return "under a minute";
  const low = Math.max(1, Math.round((seconds * 0.8) / 60));
  const high = Math.max(1, Math.round((seconds * 1.5) / 60));
  if (low === high) return `about ${low} min`;
  return `${low} to ${high} min`;
}

function chanceInWords(ahead) {
  if (line.phase === "paused") return "Paused for a moment. Nothing is lost: you keep your place.";
  if (line.units_left === 0) {
    return "Every unit is held for somebody who is paying right now. What they do not pay comes back to the line.";
  }
  if (ahead < line.units_left) return "There are units for you, if they last until your turn.";
  return "More people are ahead of you than units are left. Holds that are not paid come back, so some of those who stay will get one.";
}

function render() {
  if (!line) return;
  show("units-left", numbers.format(line.units_left));
  show("waiting", numbers.format(line.waiting));
  if (line.units_left === 0 && saidUnits !== 0 && saidUnits !== null) {
    say("Every unit is held or sold. Holds that are not paid come back.");
  }
  saidUnits = line.units_left;
  if (place === null || !["open", "paused"].includes(line.phase)) return;

  const serving = servingNumber();
  const ahead = Math.max(0, Math.ceil(place - 1 - serving));
  show("ahead", numbers.format(ahead));
  show("ahead-words", ahead === 1 ? "person ahead of you" : "people ahead of you");
  show("place-shown", numbers.format(place));
  show("chance", chanceInWords(ahead));
  show("wait", line.serving.pace && ahead < line.units_left ? waitInWords(ahead / line.serving.pace) : "–");
  const progress = find("progress");
  if (progress) {
    progress.hidden = false;
    progress.max = place;
    progress.value = Math.min(place, Math.max(0, serving));
  }
  document.title = ahead > 0 ? `${numbers.format(ahead)} ahead · ${name}` : `Almost there · ${name}`;

  const passed = MILESTONES.find((milestone) => ahead <= milestone && saidAhead > milestone);
  if (passed !== undefined && saidAhead !== Infinity) say(`${numbers.format(ahead)} people ahead of you.`);
  if (passed !== undefined || saidAhead === Infinity) saidAhead = ahead;

  if (line.phase === "open" && place <= serving + 1e-6) enter();
}

async function post(url, body) {
  return fetch(url, {
    method: "POST",
    headers: {
      Accept: "application/json",
      "Content-Type": "application/json",
      "X-CSRFToken": page.querySelector("[name=csrfmiddlewaretoken]").value,
    },
    body: JSON.stringify(body),
  });
}

async function reload() {
  await wait(jitter(Math.max(800, YOUNGEST_RELOAD_MS - performance.now())));
  location.reload();
}

function retryAfter(answer) {
  return Math.max(1, Number(answer.headers.get("Retry-After")) || 2) * 1000;
}

/** After the opening: what did the draw say? Everybody asks, so each a moment apart. */
async function askForPlace() {
  find("drawing")?.removeAttribute("hidden");
  await wait(jitter(1200));
  try {
    const answer = await post(ticketUrl, { ticket });
    if (answer.ok) {
      const said = await answer.json();
      if (said.place !== null) {
        await reload();
        return;
      }
    }
    await wait(answer.ok ? 0 : retryAfter(answer));
  } catch {
    // Asked again with the next document.
  }
}

async function enter() {
  if (entering || document.hidden) return;
  entering = true;
  try {
    const answer = await post(admissionUrl, { ticket });
    if (answer.status === 201) {
      document.title = `Your turn · ${name}`;
      say("It is your turn. You are being let in.");
      location.assign(saleUrl);
      return;
    }
    if (answer.status === 425 || answer.status === 429 || answer.status === 503) {
      const told = await answer.json().catch(() => ({}));
      show("entry", told.detail ?? "");
      await wait(jitter(retryAfter(answer)));
    } else {
      // Something that a page explains better than a script.
      find("enter-form")?.removeAttribute("hidden");
      await wait(jitter(5000));
    }
  } catch {
    await wait(jitter(3000));
  }
  entering = false;
}

async function poll() {
  clearTimeout(pollTimer);
  if (document.hidden) return;
  try {
    const answer = await fetch(documentUrl, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(String(answer.status));
    line = await answer.json();
    failures = 0;
    find("connection")?.setAttribute("hidden", "");
  } catch {
    failures += 1;
    if (failures >= FAILURES_TO_SAY_SO) find("connection")?.removeAttribute("hidden");
  }
  if (line && failures === 0) {
    const changed = line.phase !== firstPhase;
    if (OVER.includes(line.phase) || (changed && place !== null) || (changed && line.phase !== "open")) {
      await reload();
      return;
    }
    if (line.phase === "open" && place === null && line.draw_size !== null) await askForPlace();
    render();
  }
  pollTimer = setTimeout(poll, jitter(pause()) * Math.min(4, 1 + failures));
}

function pause() {
  if (!line || line.phase === "open" || line.phase === "paused") return POLL_MS.line;
  const secondsToOpening = Date.parse(line.opens_at) / 1000 - now() / 1000;
  if (secondsToOpening > NEAR_SECONDS) return POLL_MS.far;
  // The first look after the opening is meant to fall behind it, a moment apart for each shopper.
  return secondsToOpening > 0 ? Math.min(POLL_MS.near, secondsToOpening * 1000 + 700) : 1500;
}

if (!OVER.includes(firstPhase) && !("admitted" in page.dataset)) {
  poll();
  setInterval(render, 1000);
  document.addEventListener("visibilitychange", poll);
}
