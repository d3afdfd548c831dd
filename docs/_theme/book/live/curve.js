/* The curve: a point on the loss of one neuron, its tangent, and the step that a rate would take. */

/* The loss at a weight and its slope, in PyTorch's order. */
function lossAt(w, { x, b, y }) {
  const e = w * x + b - y;
  return { w, loss: e * e, slope: 2 * e * x };
}

const stepped = (here, rate) => here.w - rate * here.slope;

/* A number as plots write it: no decimals that say nothing. */
function trimmed(value) {
  const words = number(value);
  const short = words.includes(".") && !words.includes("e") ? words.replace(/\.?0+$/, "") : words;
  return short === "−0" ? "0" : short;
}

if (typeof module === "object") Object.assign(module.exports, { lossAt, stepped, number, trimmed });

kinds.curve = function (box) {
  const start = JSON.parse(box.dataset.start), figure = figureOf(box);
  const sheets = all(figure, "svg").map(readSheet), rows = all(figure, "tbody tr");
  const slider = box.querySelector("input"), choice = box.querySelector("select");
  const live = box.querySelector(".said"), outputs = all(box, ".facts output");
  const [low, high] = sheets[0].plot.x;
  let w, walked; // where the point is, and where it has been since it was moved by hand

  function show(words, untouched) {
    const here = lossAt(w, start), next = lossAt(stepped(here, Number(choice.value)), start);
    const would = "A step of −" + choice.value + " × " + trimmed(here.slope) + " leads to w = " + trimmed(next.w) + ", L = " + trimmed(next.loss) + ".";
    for (const sheet of sheets) {
      place(sheet, here, next, walked, (at) => lossAt(at, start).loss);
      for (const label of sheet.labels) label.style.display = untouched ? "" : "none";
      if (untouched) sheet.label.textContent = "";
      sheet.words.textContent = "At w = " + trimmed(w) + ", L = " + trimmed(here.loss) + ", the slope is " + trimmed(here.slope) + ". " + would;
    }
    [here, next].forEach(({ w, loss, slope }, k) => {
      [...rows[k].children].forEach((cell, j) => (cell.textContent = trimmed([w, loss, slope][j])));
    });
    [w, here.loss, here.slope].forEach((value, k) => (outputs[k].value = number(value)));
    slider.value = w;
    slider.setAttribute("aria-valuetext", number(w) + ", loss " + number(here.loss) + ", slope " + number(here.slope));
    live.textContent = words;
    box.querySelector("[data-do=back]").disabled = !walked.length;
  }

  const told = ({ loss, slope }) => " Loss " + number(loss) + ", slope " + number(slope) + ".";
  const outside = (here) => (sheets[0].holds(here) ? "." : ", outside the picture.");
  const moved = (to) => { w = to; walked = []; show(""); };

  function forward() {
    const here = lossAt(w, start), next = lossAt(stepped(here, Number(choice.value)), start);
    walked.push(w);
    w = next.w;
    show(number(here.w) + " − " + choice.value + " × " + factor(here.slope) + " = " + number(w) + outside(next) + told(next));
  }
  function back() {
    if (!walked.length) return;
    w = walked.pop();
    const here = lossAt(w, start);
    show("Back at w = " + number(w) + outside(here) + told(here));
  }
  function reset() {
    choice.value = start.rate;
    w = start.w;
    walked = [];
    show("", true);
  }

  slider.min = low;
  slider.max = high;
  slider.addEventListener("input", () => moved(Number(slider.value)));
  choice.addEventListener("input", () => show(""));
  for (const sheet of sheets) drag(sheet, (at) => moved(Math.round(Math.min(high, Math.max(low, at)) * 100) / 100));
  press(box, "back", back);
  press(box, "forward", forward);
  press(box, "reset", reset);
  stepKeys(box.querySelector("[role=group]"), (way) => (way > 0 ? forward() : back()));
  box.hidden = false;
  reset();
};

const NS = "http://www.w3.org/2000/svg";
function drawn(name, attributes) {
  const made = document.createElementNS(NS, name);
  return set(made, attributes);
}
function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    element.setAttribute(name, typeof value === "number" ? value.toFixed(2) : value);
  }
  return element;
}

/* The parts of a drawing that move, and where its numbers lie. */
function readSheet(svg) {
  const group = svg.querySelector("[data-plot]"), point = svg.querySelector("[data-point]"), walk = svg.querySelector(".walk");
  const plot = JSON.parse(group.dataset.plot), { left, top, width, height, x, y } = plot;
  const labels = all(svg, "text.k"), tangent = svg.querySelector(".tangent");
  const label = drawn("text", { class: "k fw" }), grip = drawn("circle", { class: "grip", r: "22" });
  const visited = drawn("path", { class: "fwd dots" });
  group.append(label);
  group.insertBefore(visited, point);
  point.append(grip);
  return {
    svg, plot, point, walk, tangent, labels, label, grip, visited, words: svg.querySelector("desc"),
    reach: svg.classList.contains("tall") ? 84 : 130, // as Python draws it
    across: (w) => left + (width * (w - x[0])) / (x[1] - x[0]),
    down: (loss) => top + height * (1 - (loss - y[0]) / (y[1] - y[0])),
    holds: ({ w, loss }) => x[0] <= w && w <= x[1] && y[0] <= loss && loss <= y[1],
  };
}

/* Put everything in its place for a point and the one that a step leads to. */
function place(sheet, here, next, walked, lossOf) {
  const { svg, plot, point, walk, tangent, label, visited, across, down, holds } = sheet;
  const seen = holds(here), at = [across(here.w), down(here.loss)];
  for (const part of [point, walk, tangent, label]) part.style.display = seen ? "" : "none";
  visited.setAttribute("d", walked.map((w) => ({ w, loss: lossOf(w) })).filter(holds).map(({ w, loss }) => "M" + across(w).toFixed(2) + " " + down(loss).toFixed(2) + "h0").join(""));
  if (!seen) return;
  for (const circle of all(point, "circle")) set(circle, { cx: at[0], cy: at[1] });
  set(tangent, { d: along(sheet, at, here.slope) });

  const right = plot.left + plot.width, to = Math.min(right, Math.max(plot.left, across(next.w)));
  const way = Math.sign(to - at[0]), base = to - 8 * way, long = Math.abs(to - at[0]) >= 14; // else no arrow has room
  const [shaft, head] = all(walk, ".back"), drop = walk.querySelector(".dashed"), end = walk.querySelector(".open");
  set(shaft, { d: long ? path([at, [base, at[1]]]) : "" });
  set(head, { d: long ? path([[base, at[1] - 4], [to, at[1]], [base, at[1] + 4]]) + "Z" : "" });
  const level = Math.max(plot.top, down(next.loss));
  set(drop, { d: long && to === across(next.w) ? path([[to, at[1]], [to, level]]) : "" });
  set(end, { cx: to, cy: level });
  end.style.display = holds(next) ? "" : "none";

  setLabel(sheet, here, at, lossOf);
}

const path = (points) => "M" + points.map(([x, y]) => x.toFixed(2) + " " + y.toFixed(2)).join("L");

/* The tangent, as far as the field between the axes goes. */
function along({ plot, reach }, [x, y], slope) {
  const { left, top, width, height } = plot;
  const run = width / (plot.x[1] - plot.x[0]), rise = (-slope * height) / (plot.y[1] - plot.y[0]);
  const long = Math.hypot(run, rise), dx = run / long, dy = rise / long;
  const ends = [-reach, reach].map((far) => {
    const room = [[dx * far, left - x, left + width - x], [dy * far, top - y, top + height - y]];
    const share = Math.min(1, ...room.map(([go, less, more]) => (go ? Math.max(0, (go < 0 ? less : more) / go) : 1)));
    return [x + share * far * dx, y + share * far * dy];
  });
  return path(ends);
}

/* The point's numbers, above the arrow and inside the bowl: a curve that opens upwards is
   highest at the ends of what it passes under. */
function setLabel({ svg, plot, label, across, down }, here, [x, y], lossOf) {
  label.textContent = "";
  label.append(drawn("tspan", { class: "it" }), " = " + trimmed(here.w));
  label.firstChild.textContent = "w";
  if (plot.width > 400) {
    label.append(", ", drawn("tspan", { class: "it" }), " = " + trimmed(here.loss));
    label.children[1].textContent = "L";
  }
  const half = label.getComputedTextLength() / 2;
  const aside = Math.max(-1, Math.min(1, here.slope / 6)); // how far up the bowl's side
  const middle = x - aside * (half + 10);
  const under = (at) => down(lossOf(plot.x[0] + ((at - plot.left) / plot.width) * (plot.x[1] - plot.x[0])));
  set(label, { x: middle, y: Math.min(y - 14, under(middle - half - 4) - 8, under(middle + half + 4) - 8) });
}

/* Let a pointer take the point along the curve, by finger too. */
function drag({ svg, plot, grip }, move) {
  const at = (event) => {
    const { left, width } = svg.getBoundingClientRect();
    return ((event.clientX - left) * svg.viewBox.baseVal.width) / width;
  };
  // a style alone does not hold the page still: the grip paints nothing that a browser would ask
  grip.addEventListener("touchstart", (event) => event.preventDefault(), { passive: false });
  let off = null; // from the middle of the point to where it was taken
  grip.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    event.preventDefault();
    grip.setPointerCapture(event.pointerId);
    off = at(event) - Number(grip.getAttribute("cx"));
  });
  grip.addEventListener("pointermove", (event) => {
    if (off === null) return;
    move(plot.x[0] + ((at(event) - off - plot.left) / plot.width) * (plot.x[1] - plot.x[0]));
  });
  for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) grip.addEventListener(name, () => (off = null));
}
