/* What somebody looked at lately: kept in their browser alone, shown in <div data-recent="/recent/">.
   data-seen is the product of this page: it is remembered, and not shown. */

const KEY = "recently-viewed";
const KEPT = 5;
const SHOWN = 4;
const TIMEOUT_MS = 5000;

function remembered() {
  try {
    const slugs = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(slugs) ? slugs.filter((slug) => typeof slug === "string") : [];
  } catch {
    return [];
  }
}

function remember(slugs) {
  try {
    localStorage.setItem(KEY, JSON.stringify(slugs.slice(0, KEPT)));
  } catch {
    // A browser that keeps nothing is nobody's fault.
  }
}

async function fill(panel, slugs) {
  try {
    const address = `${panel.dataset.recent}?${new URLSearchParams(slugs.map((slug) => ["p", slug]))}`;
    const answer = await fetch(address, {
      headers: { Accept: "text/html", "X-Requested-With": "fetch" },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const html = answer.ok ? (await answer.text()).trim() : "";
    if (!html) throw new Error(`No panel: ${answer.status}`);
    panel.innerHTML = html;
  } catch {
    panel.remove();
  }
}

const panel = document.querySelector("[data-recent]");
if (panel) {
  const seen = panel.dataset.seen;
  const others = remembered().filter((slug) => slug !== seen);
  if (seen) remember([seen, ...others]);
  if (others.length) fill(panel, others.slice(0, SHOWN));
  else panel.remove();
}
