/* The descent: walks that PyTorch made, shown step by step. */

kinds.descent = function (box) {
  const runs = JSON.parse(box.dataset.runs), start = JSON.parse(box.dataset.start);
  const rate = box.querySelector("select"), boxes = all(box, "input[type=checkbox]");
  const slider = box.querySelector("input[type=range]"), live = box.querySelector(".said");
  const figure = figureOf(box), svgs = all(figure, "svg[data-plane]"), body = figure.querySelector("tbody");
  const value = (shown) => Number(shown.replace("−", "-"));
  const run = () => runs[rate.value][boxes.filter((one) => one.checked).map((one) => one.value).join("")];

  function show(speak) {
    const walk = run(), step = Number(slider.value), [w, b, L] = walk[step];
    slider.nextElementSibling.value = String(step);
    for (const svg of svgs) {
      const { left, top, width, height, low, span } = JSON.parse(svg.dataset.plane);
      const across = (shown) => (left + (width * (value(shown) - low[0])) / span[0]).toFixed(2);
      const down = (shown) => (top + height * (1 - (value(shown) - low[1]) / span[1])).toFixed(2);
      const places = walk.slice(0, step + 1).map(([p, q]) => across(p) + " " + down(q));
      svg.querySelector(".walk").setAttribute("d", "M" + places.join("L"));
      svg.querySelector(".dots").setAttribute("d", places.map((place) => "M" + place + "h0").join(""));
      svg.querySelector(".here").setAttribute("cx", across(w));
      svg.querySelector(".here").setAttribute("cy", down(b));
      svg.querySelector("desc").textContent = told(step, w, b, L);
    }
    all(body, "tr").forEach((row, k) => all(row, "td").forEach((cell, j) => (cell.textContent = walk[k][j])));
    if (speak) live.textContent = told(step, w, b, L);
    box.querySelector("[data-do=back]").disabled = step === 0;
    box.querySelector("[data-do=forward]").disabled = step === walk.length - 1;
  }

  const told = (step, w, b, L) => "Step " + step + ": w = " + w + ", b = " + b + ", L = " + L + ".";
  const go = (step) => { slider.value = step; show(true); };
  function reset() {
    rate.value = start.rate;
    for (const one of boxes) one.checked = start.frozen.includes(one.value);
    go(slider.max);
  }

  for (const control of [rate, slider, ...boxes]) control.addEventListener("input", () => show(true));
  press(box, "back", () => go(Number(slider.value) - 1));
  press(box, "forward", () => go(Number(slider.value) + 1));
  press(box, "rewind", () => go(0));
  press(box, "reset", reset);
  stepKeys(box.querySelector("[role=group]"), (by) => go(Number(slider.value) + by));
  box.hidden = false;
  reset();
};
