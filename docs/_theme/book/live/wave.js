/* The wave: what Python draws after each node of a backward pass, one frame at a time. */

kinds.wave = function (box) {
  const { start, said, arrives, edges, gradients } = JSON.parse(box.dataset.wave);
  const figure = figureOf(box), sheets = all(figure, "svg"), live = box.querySelector(".said");
  const node = (svg, key) => svg.querySelector('[data-node="' + key + '"]');
  const nodes = [], roads = [], cells = [];
  sheets.forEach((svg, k) => {
    for (const [key, words] of Object.entries(gradients)) node(svg, key).insertAdjacentHTML("beforeend", words[k]);
    arrives.forEach((at, key) => nodes.push({ key, at, box: node(svg, key).querySelector(".node"), gradient: node(svg, key).querySelector(".g") }));
    for (const [place, drawn] of Object.entries(edges)) {
      const road = svg.querySelector('[data-edge="' + place + '"]');
      roads.push({ road, key: parseInt(place), own: road.innerHTML, other: drawn[k] });
    }
  });
  all(figure, "tbody tr").slice(0, arrives.length).forEach((row, key) => cells.push({ cell: row.cells[3], words: nodes[key].gradient.textContent, at: arrives[key] }));
  let step = start;

  function show(speak) {
    step = Math.max(0, Math.min(step, arrives.length));
    for (const { key, at, box, gradient } of nodes) {
      box.classList.toggle("now", key === step - 1);
      gradient.style.display = at <= step ? "" : "none";
    }
    for (const { road, key, own, other } of roads) road.innerHTML = (key < step) === (key < start) ? own : other;
    for (const { cell, words, at } of cells) cell.textContent = at <= step ? words : "";
    for (const svg of sheets) svg.querySelector("desc").textContent = said[step];
    if (speak) live.textContent = said[step];
    box.querySelector("[data-do=back]").disabled = step === 0;
    box.querySelector("[data-do=forward]").disabled = step === arrives.length;
  }

  const move = (by) => { step += by; show(true); };
  press(box, "back", () => move(-1));
  press(box, "forward", () => move(1));
  press(box, "rewind", () => move(-step));
  press(box, "reset", () => move(start - step));
  stepKeys(box.querySelector(".steps"), move);
  box.hidden = false;
  live.textContent = said[step];
  show();
};
