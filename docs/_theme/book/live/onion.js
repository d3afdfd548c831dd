/* The onion: one skin after the other. */

kinds.onion = function (box) {
  const drawings = all(figureOf(box), "svg"), live = box.querySelector(".said");
  const skins = all(drawings[0], "[data-layer]").length;
  let peeled = 0, whole = true; // whole: as Python drew it, every ring with its row

  function show() {
    for (const svg of drawings) {
      all(svg, "[data-layer]").forEach((ring, k) => ring.classList.toggle("off", k < peeled));
      all(svg, "[data-row]").forEach((row, k) => row.classList.toggle("later", !whole && k > peeled));
      all(svg, "[data-end]").forEach((end) => end.classList.toggle("later", !whole && peeled < skins));
    }
    const row = all(drawings[0], "[data-row]")[peeled];
    if (whole) live.textContent = "";
    else live.textContent = all(row, "text").map((text) => text.textContent).join(": ") + ".";
    box.querySelector("[data-do=back]").disabled = peeled === 0;
    box.querySelector("[data-do=forward]").disabled = peeled === skins;
  }

  function move(by) {
    whole = false;
    peeled = Math.max(0, Math.min(skins, peeled + by));
    show();
  }
  press(box, "back", () => move(-1));
  press(box, "forward", () => move(1));
  press(box, "rewind", () => move(-skins));
  press(box, "reset", () => { whole = true; peeled = 0; show(); });
  stepKeys(box.querySelector(".steps"), move);
  for (const svg of drawings) {
    all(svg, "[data-layer]").forEach((ring, k) => ring.addEventListener("click", () => move(k + 1 - peeled)));
  }
  box.hidden = false;
  show();
};
