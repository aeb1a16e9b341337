/* What scripts say while a page stands open, in the language of the page; a page brings all its other words itself.

   A text is its English; what is in braces is filled in. */

const GERMAN = {
  "about {number}": "etwa {number}",
  "less than a minute": "weniger als eine Minute",
  "{low} to {high} hours": "{low} bis {high} Stunden",
  "about {low} minute": "etwa {low} Minute",
  "about {low} minutes": "etwa {low} Minuten",
  "{low} to {high} minutes": "{low} bis {high} Minuten",
  "{days} days": "{days} Tage",
  "{seconds} seconds left": "noch {seconds} Sekunden",
  "{minutes} minute left": "noch {minutes} Minute",
  "{minutes} minutes left": "noch {minutes} Minuten",
  "Nothing is lost: you keep your place.": "Nichts ist verloren: Du behältst deinen Platz.",
  "There are units for you, if they last until your turn.": "Für dich sind Stücke da, wenn sie bis zu dir reichen.",
  "More people are ahead of you than units are left. Holds that are not paid come back, so some of those who stay will get one.":
    "Vor dir sind mehr Menschen, als Stücke übrig sind. Was nicht bezahlt wird, kommt zurück, darum bekommen einige noch eins, die bleiben.",
  "Every unit is held by somebody who is paying. It is not sold out: what is not paid comes back to the line.":
    "Jedes Stück wird für jemanden gehalten, der gerade bezahlt. Es ist nicht ausverkauft: Was nicht bezahlt wird, kommt in die Schlange zurück.",
  "Units came back: {left} left.": "Es kamen Stücke zurück: noch {left}.",
  "person ahead of you": "Person vor dir",
  "people ahead of you": "Personen vor dir",
  "One person ahead of you.": "Eine Person vor dir.",
  "{ahead} people ahead of you.": "{ahead} Personen vor dir.",
  "{ahead} ahead": "{ahead} vor dir",
  "Almost there": "Gleich so weit",
  "Your turn": "Du bist dran",
  "It is your turn. You are being let in.": "Du bist an der Reihe. Du wirst hineingelassen.",
  "It is not your turn yet. You keep your place.": "Du bist noch nicht an der Reihe. Du behältst deinen Platz.",
  "As many shoppers as fit are inside. You keep your place.": "Drinnen sind so viele, wie hineinpassen. Du behältst deinen Platz.",
  "Every unit is held. Some may come back; you keep your place.":
    "Alle Stücke werden gehalten. Vielleicht kommen welche zurück; du behältst deinen Platz.",
  "The sale is not open.": "Die Aktion ist nicht offen.",
  "Every unit is sold.": "Jedes Stück ist verkauft.",
  "You have all the units that one shopper may have.": "Du hast alle Stücke, die eine Person haben darf.",
};

const WORDS = { de: GERMAN }[document.documentElement.lang] ?? {};

/** A text as the page's language says it: `said("{days} days", { days: 2 })`. */
export function said(text, values = {}) {
  return (WORDS[text] ?? text).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}
