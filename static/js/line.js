/* The waiting room. One small document, the same for everybody, says what is being served; this page works out the rest:

     serving number = base + rate * (min(now, until) - at)        (seconds, on the server's clock)

   A place is served when the serving number has reached it; then the ticket is traded for an admission. Nothing is asked
   while nobody looks at the page, unless somebody wants to be called: the place is kept on the server's side of things. */

import { clockFrom, hear } from "./clock.js";
import { drawnPlace } from "./draw.js";
import { EXACT_TO, figure, rounded, waitInWords } from "./figures.js";
import { signalsOf } from "./turn.js";
import { said } from "./words.js";

/** Between two looks at the document, at the most. While the units may be gone within DISTANT_SECONDS everybody looks so
    often that they hear of it within three; who is far from the front and from a sell-out looks less often, and a hidden
    page whose shopper wants to be called, too. */
const POLL_MS = { early: 15000, soon: 4000, distant: 10000, usual: 1900, near: 1500, hidden: 15000 };
/** Far from the front is a longer wait than this. */
const DISTANT_SECONDS = 60;
/** Seconds before the opening from which the document is asked for more often. */
const SOON_SECONDS = 60;
/** Near the front: this many people ahead, or this many seconds of waiting. */
const NEAR = { ahead: 20, seconds: 30 };
const FAILURES_TO_SAY_SO = 2;
/** How many people ahead are worth saying aloud when the number falls below. */
const MILESTONES = [10000, 5000, 1000, 500, 100, 50, 20, 10, 5, 1];
const OVER = ["ended", "cancelled", "sold_out"];
/** Seconds after which a document that nobody carried on says nothing about a wait any more, as on the server. */
const SILENT_SECONDS = 10;
/** A page is not loaded again sooner than this, whatever the document says: a document that has stood still for long
    must not make everybody reload for ever. */
const YOUNGEST_RELOAD_MS = 5000;

const page = document.querySelector("[data-line]");
const { ticket, documentUrl, ticketUrl, admissionUrl, saleUrl, name, limit, inside, phase: firstPhase } = page.dataset;
const now = clockFrom(page.dataset.now);
const find = (what) => page.querySelector(`[data-${what}]`);
const signals = signalsOf(page);

let place = page.dataset.place ? Number(page.dataset.place) : null;
let line = null;
let failures = 0;
let entering = false;
let called = false;
let saidAhead = Infinity;
let saidUnits = null;
let pollTimer = 0;

/** Somewhere in the last quarter of a time, so that the crowd's looks are spread and nobody's comes late. */
const jitter = (ms) => ms * (0.75 + Math.random() * 0.25);
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

function show(what, text) {
  const element = find(what);
  if (element && element.textContent !== text) element.textContent = text;
}

function reveal(what, isShown) {
  find(what)?.toggleAttribute("hidden", !isShown);
}

function revealAll(what, isShown) {
  for (const element of page.querySelectorAll(`[data-${what}]`)) element.hidden = !isShown;
}

function say(text) {
  show("announce", text);
}

const numbers = new Intl.NumberFormat(document.documentElement.lang);

/** Whether places are being served. Paused before its opening, a sale has its lobby as before. */
function isRunning() {
  return line.phase === "open" || (line.phase === "paused" && now() >= Date.parse(line.opens_at));
}

/** Whether the line stands still because nobody carries it on. */
function isSilent() {
  return isRunning() && now() - Date.parse(line.serving.until) > SILENT_SECONDS * 1000;
}

function servingNumber() {
  const { base, rate, at, until } = line.serving;
  const seconds = (Math.min(now(), Date.parse(until)) - Date.parse(at)) / 1000;
  return base + rate * Math.max(0, seconds);
}

function peopleAhead() {
  return Math.max(0, Math.ceil(place - 1 - servingNumber()));
}

/** Seconds until the turn comes, at the pace of the longer run; null: nobody can say. */
function secondsToWait(ahead) {
  const { pace } = line.serving;
  return pace && ahead < line.units_left && !isSilent() ? ahead / pace : null;
}

/** Whether units are left after some seconds even if everybody inside, and everybody called by then, takes all they may. */
function unitsLast(seconds) {
  return line.units_left > (Number(inside) + seconds * line.serving.pace) * Number(limit);
}

function chanceInWords(ahead) {
  if (line.phase === "paused") return said("Nothing is lost: you keep your place.");
  if (line.units_left === 0) return "";
  if (ahead < line.units_left) return said("There are units for you, if they last until your turn.");
  return said("More people are ahead of you than units are left. Holds that are not paid come back, so some of those who stay will get one.");
}

function sayHowUnitsStand() {
  const left = line.units_left;
  if (left === 0 && saidUnits !== 0 && saidUnits !== null) {
    say(said("Every unit is held by somebody who is paying. It is not sold out: what is not paid comes back to the line."));
  } else if (left > 0 && saidUnits === 0) {
    say(said("Units came back: {left} left.", { left: numbers.format(left) }));
  }
  saidUnits = left;
}

function render() {
  if (!line) return;
  show("units-left", numbers.format(line.units_left));
  show("waiting", figure(line.waiting));
  revealAll("lobby", !isRunning());
  revealAll("running", isRunning());
  revealAll("placed", place !== null);
  reveal("drawing", place === null);
  reveal("connection", failures >= FAILURES_TO_SAY_SO || isSilent());
  if (place === null || !isRunning()) return;

  for (const element of page.querySelectorAll("[data-in-phase]")) {
    element.hidden = element.dataset.inPhase !== line.phase;
  }
  show("place-shown", figure(place));
  reveal("all-held", line.phase === "open" && line.units_left === 0);
  sayHowUnitsStand();
  const ahead = peopleAhead();
  show("ahead", numbers.format(rounded(ahead)));
  reveal("about", ahead > EXACT_TO);
  show("ahead-words", said(ahead === 1 ? "person ahead of you" : "people ahead of you"));
  reveal("rounding", Math.max(place, ahead) > EXACT_TO);
  show("chance", chanceInWords(ahead));
  show("wait", line.phase === "paused" ? "–" : waitInWords(secondsToWait(ahead)));
  const progress = find("progress");
  if (progress) {
    progress.hidden = false;
    progress.max = place;
    progress.value = Math.min(place, Math.max(0, servingNumber()));
  }
  if (!called) document.title = `${ahead > 0 ? said("{ahead} ahead", { ahead: figure(ahead) }) : said("Almost there")} · ${name}`;

  const passed = MILESTONES.find((milestone) => ahead <= milestone && saidAhead > milestone);
  if (passed !== undefined && saidAhead !== Infinity) {
    say(said(ahead === 1 ? "One person ahead of you." : "{ahead} people ahead of you.", { ahead: figure(ahead) }));
  }
  if (passed !== undefined || saidAhead === Infinity) saidAhead = ahead;

  if (line.phase === "open" && place <= servingNumber() + 1e-6) enter();
}

/** The sale is over: say so at once, with what the server put here for it. A reload of everybody would help nobody. */
function finish() {
  const words = page.querySelector(`template[data-over="${line.phase}"]`).content.cloneNode(true);
  const voice = find("announce");
  const headline = words.querySelector("h1").textContent;
  for (const element of [...page.children]) {
    if (!("keep" in element.dataset)) element.remove();
  }
  page.append(words);
  voice.textContent = headline;
  document.title = `${headline} · ${name}`;
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
  await wait(jitter(Math.max(1000, YOUNGEST_RELOAD_MS - performance.now())));
  location.reload();
}

function retryAfter(answer) {
  return Math.max(1, Number(answer.headers.get("Retry-After")) || 2) * 1000;
}

/** After the opening: the place that the draw gave, worked out here from what is published, so that a crowd does not
    have to ask. A browser without cryptography, as on a page that came over plain HTTP, asks; each a moment apart. */
async function findPlace() {
  const [, shopper, number] = ticket.split(":");
  if (number !== "draw") return line.draw_size + Number(number);
  if (crypto.subtle) return drawnPlace(line.seed, shopper, line.draw_size);
  await wait(Math.random() * 1500);
  try {
    const answer = await post(ticketUrl, { ticket });
    if (answer.ok) return (await answer.json()).place;
    await wait(retryAfter(answer));
  } catch {
    // Asked again with the next document.
  }
  return null;
}

/** Call the shopper, once. Nobody is let in while they look elsewhere: their time inside would run. */
async function callShopper() {
  if (called) return;
  called = true;
  document.title = `${said("Your turn")} · ${name}`;
  await signals.call(document.title);
}

async function enter() {
  if (entering) return;
  if (document.hidden) {
    await callShopper();
    return;
  }
  entering = true;
  try {
    const answer = await post(admissionUrl, { ticket });
    if (answer.status === 201) {
      say(said("It is your turn. You are being let in."));
      await callShopper();
      location.assign(saleUrl);
      return;
    }
    if (answer.status === 425 || answer.status === 429 || answer.status === 503) {
      const told = await answer.json().catch(() => ({}));
      show("entry", said(told.detail ?? ""));
      await wait(jitter(retryAfter(answer)));
    } else if ((await answer.json().catch(() => ({}))).code === "limit_reached") {
      location.assign(saleUrl);
      return;
    } else {
      // Something that a page explains better than a script.
      reveal("enter-form", true);
      await wait(jitter(5000));
    }
  } catch {
    await wait(jitter(3000));
  }
  entering = false;
}

async function poll() {
  clearTimeout(pollTimer);
  if (document.hidden && !signals.areOn()) return;
  try {
    // What this browser has would be what it knows already; a cache on the way may answer for a second.
    const answer = await fetch(documentUrl, { cache: "no-cache", headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(String(answer.status));
    line = await answer.json();
    hear(line.now, now);
    failures = 0;
  } catch {
    failures += 1;
    reveal("connection", failures >= FAILURES_TO_SAY_SO);
  }
  if (line && failures === 0) {
    if (OVER.includes(line.phase)) {
      finish();
      return;
    }
    // A document from before this page was made, as when nobody renews it, says nothing that the page does not know.
    const isNews = Date.parse(line.now) > Date.parse(page.dataset.now);
    if (line.phase !== firstPhase && !isRunning() && isNews) {
      await reload();
      return;
    }
    if (isRunning() && place === null && line.draw_size !== null) place = await findPlace();
    render();
  }
  clearTimeout(pollTimer);
  pollTimer = setTimeout(poll, jitter(pause()) * Math.min(4, 1 + failures));
}

function pause() {
  if (document.hidden) return POLL_MS.hidden;
  if (!line) return POLL_MS.near;
  if (isRunning()) {
    if (place === null) return POLL_MS.near;
    const ahead = peopleAhead();
    const seconds = secondsToWait(ahead);
    const isNear = ahead <= NEAR.ahead || (seconds !== null && seconds <= NEAR.seconds);
    if (line.phase !== "open" || isNear) return POLL_MS.near;
    return seconds > DISTANT_SECONDS && unitsLast(DISTANT_SECONDS / 2) ? POLL_MS.distant : POLL_MS.usual;
  }
  const secondsToOpening = (Date.parse(line.opens_at) - now()) / 1000;
  if (secondsToOpening <= 0) return POLL_MS.near;
  const ms = secondsToOpening > SOON_SECONDS ? POLL_MS.early : POLL_MS.soon;
  // The first look after the opening falls behind it, a moment apart for each shopper.
  return ms < secondsToOpening * 1000 ? ms : (secondsToOpening * 1000 + 700) / 0.75;
}

if (!OVER.includes(firstPhase) && !("admitted" in page.dataset)) {
  poll();
  setInterval(render, 1000);
  document.addEventListener("visibilitychange", poll);
}
// Somebody who went in and came back: the browser kept the page as it was when it let them go.
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
