/* Suggestions below a search: <input data-suggestions="/search/suggestions/">, a combobox with a list box as the ARIA
   Authoring Practices have it. The arrows choose, Enter goes there, Escape closes; without this it is a plain search. */

const PAUSE_MS = 150;
const TIMEOUT_MS = 3000;
const SHORTEST = 2;
let made = 0;

function attach(input) {
  const list = document.createElement("ul");
  list.id = `suggestions-${(made += 1)}`;
  list.className = "suggestions";
  list.role = "listbox";
  list.hidden = true;
  list.setAttribute("aria-label", input.labels?.[0]?.textContent.trim() ?? "");
  input.after(list);
  input.role = "combobox";
  input.setAttribute("aria-autocomplete", "list");
  input.setAttribute("aria-expanded", "false");
  input.setAttribute("aria-controls", list.id);

  let timer = 0;
  let asked = new AbortController();
  let chosen = -1;

  const options = () => [...list.children];

  function choose(index) {
    chosen = index;
    options().forEach((option, number) => option.setAttribute("aria-selected", String(number === index)));
    if (index < 0) input.removeAttribute("aria-activedescendant");
    else {
      input.setAttribute("aria-activedescendant", options()[index].id);
      options()[index].scrollIntoView({ block: "nearest" });
    }
  }

  function close() {
    asked.abort();
    clearTimeout(timer);
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    choose(-1);
  }

  function show(html) {
    list.innerHTML = html;
    options().forEach((option, number) => (option.id = `${list.id}-${number}`));
    list.hidden = !list.children.length;
    input.setAttribute("aria-expanded", String(!list.hidden));
    choose(-1);
  }

  async function ask() {
    const query = input.value.trim();
    if (query.length < SHORTEST) return close();
    asked.abort();
    asked = new AbortController();
    try {
      const answer = await fetch(`${input.dataset.suggestions}?${new URLSearchParams({ q: query })}`, {
        headers: { Accept: "text/html", "X-Requested-With": "fetch" },
        signal: AbortSignal.any([asked.signal, AbortSignal.timeout(TIMEOUT_MS)]),
      });
      // Suggestions are switched off while the load is high.
      show(answer.ok ? await answer.text() : "");
    } catch {
      // A newer question is under way, or nobody answers: the search works without.
    }
  }

  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, PAUSE_MS);
  });
  input.addEventListener("keydown", (event) => {
    const last = options().length - 1;
    if (event.key === "Escape" && !list.hidden) {
      event.preventDefault();
      close();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (list.hidden) return void ask();
      event.preventDefault();
      const next = event.key === "ArrowDown" ? chosen + 1 : chosen - 1;
      choose(next > last ? -1 : next < -1 ? last : next);
    } else if (event.key === "Enter" && chosen >= 0 && !list.hidden) {
      event.preventDefault();
      location.assign(options()[chosen].dataset.href);
    }
  });
  input.addEventListener("blur", close);
  // Before the field loses the focus, and with it the list.
  list.addEventListener("mousedown", (event) => {
    event.preventDefault();
    const option = event.target.closest("[data-href]");
    if (option && event.button === 0) location.assign(option.dataset.href);
  });
}

document.querySelectorAll("[data-suggestions]").forEach(attach);
