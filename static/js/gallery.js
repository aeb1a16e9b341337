/* The pictures of a product, as large as they are: <div data-gallery>. Without this each picture is a link to its file.
   In the dialog the arrow keys go to the next picture, Escape closes, and plus and minus change the size. */

function open(gallery) {
  const dialog = gallery.querySelector("dialog");
  const links = [...gallery.querySelectorAll("[data-zoom]")];
  const picture = dialog.querySelector("[data-zoom-picture]");
  const count = dialog.querySelector("[data-zoom-count]");
  const size = dialog.querySelector("[data-zoom-size]");
  let shown = 0;

  function enlarge(large) {
    dialog.classList.toggle("zoom-large", large);
    size.setAttribute("aria-pressed", String(large));
  }

  function show(index) {
    shown = (index + links.length) % links.length;
    picture.src = links[shown].href;
    picture.alt = links[shown].querySelector("img").alt;
    if (links.length > 1) count.textContent = `${shown + 1} / ${links.length}`;
    enlarge(false);
  }

  links.forEach((link, index) =>
    link.addEventListener("click", (event) => {
      event.preventDefault();
      show(index);
      dialog.showModal();
    }),
  );
  dialog.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (event.target === dialog || (button && "zoomClose" in button.dataset)) dialog.close();
    else if (event.target === picture || button === size) enlarge(!dialog.classList.contains("zoom-large"));
    else if (button) show(shown + Number(button.dataset.zoomStep));
  });
  dialog.addEventListener("keydown", (event) => {
    const isLarge = dialog.classList.contains("zoom-large");
    const back = getComputedStyle(dialog).direction === "rtl" ? "ArrowRight" : "ArrowLeft";
    // A picture that is larger than the window is scrolled by the arrows.
    if (["ArrowLeft", "ArrowRight"].includes(event.key) && !isLarge) show(shown + (event.key === back ? -1 : 1));
    else if (event.key === "+" || event.key === "-") enlarge(event.key === "+");
  });
  dialog.addEventListener("close", () => links[shown].focus());
}

document.querySelectorAll("[data-gallery]").forEach((gallery) => gallery.querySelector("dialog") && open(gallery));
