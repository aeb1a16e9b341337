/* Optional panels: <div data-fragment="/url/"> is filled when it comes near the window. A panel that cannot be had (switched off,
   slow, failed) goes away quietly: the page is complete without it. */

const TIMEOUT_MS = 5000;

async function fill(panel) {
  try {
    const answer = await fetch(panel.dataset.fragment, {
      headers: { Accept: "text/html", "X-Requested-With": "fetch" },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const html = answer.ok ? (await answer.text()).trim() : "";
    if (!html) throw new Error(`No panel: ${answer.status}`);
    panel.innerHTML = html;
    panel.dataset.filled = "";
  } catch {
    panel.remove();
  }
}

const near = new IntersectionObserver(
  (entries) => {
    for (const entry of entries.filter((seen) => seen.isIntersecting)) {
      near.unobserve(entry.target);
      fill(entry.target);
    }
  },
  { rootMargin: "600px" },
);

document.querySelectorAll("[data-fragment]").forEach((panel) => near.observe(panel));
