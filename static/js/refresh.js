/* A page that waits for something looks again by itself while somebody looks at it: data-refresh-seconds. */

const element = document.querySelector("[data-refresh-seconds]");
const period = Number(element?.dataset.refreshSeconds) * 1000;

function again() {
  if (document.hidden) {
    document.addEventListener("visibilitychange", () => location.reload(), { once: true });
  } else {
    location.reload();
  }
}

if (period > 0) setTimeout(again, period * (0.9 + Math.random() * 0.3));
