/* Telling somebody who looks elsewhere that it is their turn: a sound and a notification of the browser.

   Both are off until the shopper switches them on, and this browser alone remembers it. The sound is made here, so
   there is no file to load at the moment when everybody's turn comes. */

const SWITCHES = ["sound", "notify"];

function remembered(what) {
  try {
    return localStorage.getItem(`line-${what}`) === "on";
  } catch {
    return false; // a browser that keeps nothing
  }
}

function remember(what, on) {
  try {
    localStorage.setItem(`line-${what}`, on ? "on" : "off");
  } catch {
    // It holds for this page then.
  }
}

/** Hertz, and seconds from the start. */
const CHIME = [[587, 0], [740, 0.16], [880, 0.32]];
const TONE_SECONDS = 0.3;
/** Loud enough to be heard in the next room, and no more. */
const VOLUME = 0.25;
export const CHIME_MS = 700;

let audio = null;

/** Browsers let a page sound only after somebody has pressed something on it, so the chime waits for that. */
function chime() {
  audio ??= new AudioContext();
  if (audio.state === "suspended") audio.resume();
  for (const [hertz, start] of CHIME) {
    const [tone, volume] = [audio.createOscillator(), audio.createGain()];
    const at = audio.currentTime + start;
    tone.frequency.value = hertz;
    volume.gain.setValueAtTime(0, at);
    volume.gain.linearRampToValueAtTime(VOLUME, at + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.001, at + TONE_SECONDS);
    tone.connect(volume).connect(audio.destination);
    tone.start(at);
    tone.stop(at + TONE_SECONDS);
  }
}

/** The switches of a page, and what they do when the turn comes. */
export function signalsOf(page) {
  const buttons = Object.fromEntries(SWITCHES.map((what) => [what, page.querySelector(`[data-switch=${what}]`)]));
  const note = page.querySelector("[data-switch-note]");
  const possible = {
    sound: "AudioContext" in window,
    notify: "Notification" in window && window.isSecureContext,
  };
  const on = {};

  function set(what, value) {
    on[what] = value;
    buttons[what].setAttribute("aria-pressed", String(value));
  }

  async function press(what) {
    let value = !on[what];
    note.textContent = "";
    if (what === "notify" && value && (await Notification.requestPermission()) !== "granted") {
      note.textContent = note.dataset.blocked;
      value = false;
    }
    set(what, value);
    remember(what, value);
    if (what === "sound" && value) chime();
  }

  for (const what of SWITCHES) {
    if (!buttons[what] || !possible[what]) continue;
    buttons[what].hidden = false;
    set(what, remembered(what) && (what !== "notify" || Notification.permission === "granted"));
    buttons[what].addEventListener("click", () => press(what));
  }

  return {
    /** Whether somebody wants to be called while they look elsewhere. */
    areOn: () => SWITCHES.some((what) => on[what]),
    /** Call the shopper; the promise is kept when the sound is over. */
    async call(title) {
      if (on.notify && document.hidden) {
        try {
          const shown = new Notification(title, { tag: "holdfast-turn" });
          shown.addEventListener("click", () => window.focus());
        } catch {
          set("notify", false); // Chrome on Android has the word and not the thing
        }
      }
      if (!on.sound) return;
      chime();
      await new Promise((done) => setTimeout(done, CHIME_MS));
    },
  };
}
