/* The live neuron. The engine repeats PyTorch's rules for seven operations; the tests hold it to
   PyTorch's numbers. */

/* ---- the engine: values forward, gradients back, in PyTorch's order ---- */

const ACTIVATIONS = {
  identity: { op: "Clone", formula: "z", value: (z) => z, back: (g) => g },
  sigmoid: { op: "Sigmoid", formula: "σ(z)", value: (z) => 1 / (1 + Math.exp(-z)), back: (g, z, p) => g * (1 - p) * p },
  ReLU: { op: "Relu", formula: "relu(z)", value: (z) => (z > 0 ? z : 0), back: (g, z) => (z > 0 ? g : 0) },
  sine: { op: "Sin", formula: "sin(z)", value: Math.sin, back: (g, z) => g * Math.cos(z) },
};
const LEAVES = ["w", "x", "b", "y"];
const INPUTS = { L: ["e"], e: ["p", "y"], p: ["z"], z: ["u", "b"], u: ["w", "x"] };
const ORDER = ["L", "e", "y", "p", "z", "b", "u", "w", "x"]; // the engine's: leaves as soon as they can

function compute({ w, x, b, y, activation, frozen }) {
  const { value, back } = ACTIVATIONS[activation];
  const u = w * x, z = u + b, p = value(z), e = p - y, L = e * e;
  const v = { w, x, b, y, u, z, p, e, L };
  const tracked = Object.fromEntries(LEAVES.map((name) => [name, !frozen.includes(name)]));
  for (const name of ["u", "z", "p", "e", "L"]) tracked[name] = INPUTS[name].some((input) => tracked[input]);
  const rules = {
    L: (g) => [g * (2 * e)],
    e: (g) => [g, -g],
    p: (g) => [back(g, z, p)],
    z: (g) => [g, g],
    u: (g) => [g * x, g * w],
  };
  const gradients = Object.fromEntries(ORDER.map((name) => [name, null])), locals = {};
  if (tracked.L) gradients.L = 1;
  for (const name of ORDER) {
    if (!tracked[name] || !INPUTS[name]) continue;
    const unit = rules[name](1), sent = rules[name](gradients[name]);
    INPUTS[name].forEach((input, slot) => {
      if (!tracked[input]) return;
      locals[name + "." + slot] = unit[slot];
      gradients[input] = sent[slot];
    });
  }
  return { values: v, tracked, gradients, locals, order: ORDER.filter((name) => tracked[name]) };
}

/* What the engine does when it runs the node that is last among the first `step`. */
function said(state, step) {
  if (!state.tracked.L) return "All four are frozen: nothing was recorded, and backward has nowhere to go.";
  if (step === 0) return "Backward starts at L with 1.0000.";
  const name = state.order[step - 1], arrived = state.gradients[name];
  if (!INPUTS[name]) return name + ".grad = " + number(arrived) + ".";
  const sent = INPUTS[name].map((input, slot) =>
    state.tracked[input]
      ? input + " is sent " + number(arrived) + " × " + factor(state.locals[name + "." + slot]) + " = " + number(state.gradients[input])
      : input + " is frozen"
  );
  return name + " ran: " + sent.join("; ") + ".";
}

if (typeof module === "object") module.exports = { compute, number, said, ORDER, LEAVES };

kinds.neuron = function (box) {
  const start = JSON.parse(box.dataset.start), why = JSON.parse(box.dataset.why || "null");
  const figure = figureOf(box), drawings = all(figure, "svg").map(readDrawing);
  const rows = all(figure, "tbody tr");
  const sliders = all(box, "input[type=range]"), boxes = all(box, "input[type=checkbox]");
  const choice = box.querySelector("select"), live = box.querySelector(".said"), reason = box.querySelector(".reasons");
  let step = Infinity;

  function settings() {
    const now = { activation: choice.value, frozen: boxes.filter((one) => one.checked).map((one) => one.value) };
    for (const slider of sliders) now[slider.name] = Number(slider.value);
    return now;
  }

  function show(speak) {
    const state = compute(settings());
    step = Math.max(0, Math.min(step, state.order.length));
    const ran = new Set(state.order.slice(0, step));
    const arrived = (name) => name === "L" || Object.keys(INPUTS).some((to) => INPUTS[to].includes(name) && ran.has(to));
    for (const drawing of drawings) paint(drawing, state, arrived, step, choice.value);
    for (const row of rows) tell(row, state, arrived);
    for (const slider of sliders) slider.nextElementSibling.value = Number(slider.value).toFixed(1).replace("-", "−");
    if (speak) live.textContent = said(state, step);
    if (why) reason.replaceChildren(...LEAVES.map((name) => line(why[settings().frozen.join("")][name])));
    box.querySelector("[data-do=back]").disabled = step === 0;
    box.querySelector("[data-do=forward]").disabled = step === state.order.length;
  }

  const move = (by) => { step += by; show(true); };
  function reset() {
    for (const slider of sliders) slider.value = start[slider.name];
    for (const one of boxes) one.checked = start.frozen.includes(one.value);
    choice.value = start.activation;
    step = Infinity;
    show(true);
  }

  for (const control of [...sliders, ...boxes, choice]) {
    control.addEventListener("input", () => { step = Infinity; show(control.type !== "range"); });
    control.addEventListener("change", () => show(true));
  }
  press(box, "back", () => move(-1));
  press(box, "forward", () => move(1));
  press(box, "rewind", () => { step = 0; show(true); });
  press(box, "reset", reset);
  stepKeys(box.querySelector(".steps"), move);
  box.hidden = false;
  reset();
};

function line(words) {
  const item = document.createElement("li");
  item.textContent = words;
  return item;
}

/* The parts of a drawing by name: its boxes, and its roads by the box they enter. */
function readDrawing(svg) {
  const nodes = {}, roads = {}, names = {};
  for (const group of all(svg, "[data-node]")) {
    const name = group.querySelector(".t").textContent.split(" = ")[0].trim();
    names[group.dataset.node] = name;
    nodes[name] = group;
  }
  for (const road of all(svg, "[data-edge]")) {
    const [key, slot] = road.dataset.edge.split(".");
    roads[names[key] + "." + slot] = road;
  }
  const marks = {}; // the word under each leaf: trainable or frozen
  const words = all(svg, "text.n").filter((text) => ["trainable", "frozen"].includes(text.textContent));
  const middle = (element) => ["x", "y"].map((axis, k) => Number(element.getAttribute(axis)) + Number(element.getAttribute(["width", "height"][k]) || 0) / 2);
  for (const name of LEAVES) {
    const [x, y] = middle(nodes[name].querySelector("rect"));
    const far = (text) => Math.hypot(...middle(text).map((at, k) => at - [x, y][k]));
    marks[name] = words.reduce((near, text) => (far(text) < far(near) ? text : near));
  }
  const ops = all(svg, "text.c").find((text) => Object.values(ACTIVATIONS).some(({ op }) => op === text.textContent));
  return { nodes, roads, ops, marks, words: svg.querySelector("desc") };
}

function paint({ nodes, roads, ops, marks, words }, state, arrived, step, activation) {
  for (const [name, group] of Object.entries(nodes)) {
    const gradient = arrived(name) ? state.gradients[name] : null, waiting = state.tracked[name] && gradient === null;
    group.querySelector(".v").textContent = number(state.values[name]);
    const shown = group.querySelector(".g");
    shown.textContent = waiting ? "" : number(gradient);
    shown.classList.toggle("none", !state.tracked[name]);
    const rect = group.querySelector(".node");
    rect.classList.toggle("frozen", !state.tracked[name]);
    rect.classList.toggle("now", step > 0 && step < state.order.length && state.order[step - 1] === name);
  }
  for (const [place, road] of Object.entries(roads)) {
    const [name, slot] = place.split("."), input = INPUTS[name][slot];
    for (const part of all(road, ".back")) part.style.display = state.tracked[input] && arrived(input) ? "" : "none";
    const local = road.querySelector(".k");
    local.textContent = state.tracked[input] ? number(state.locals[place]) : "";
    local.style.fontSize = local.textContent.length > 7 ? "13px" : ""; // the gap is made for seven
    for (const part of all(road, ".fwd")) part.classList.toggle("dashed", !state.tracked[input]);
  }
  for (const name of LEAVES) marks[name].textContent = state.tracked[name] ? "trainable" : "frozen";
  nodes.p.querySelector(".t").textContent = "p = " + ACTIVATIONS[activation].formula;
  if (ops) ops.textContent = ACTIVATIONS[activation].op;
  words.textContent = ORDER.map((name) => name + " is " + number(state.values[name]) + ", its gradient " + number(arrived(name) ? state.gradients[name] : null)).join("; ") + ".";
}

function tell(row, state, arrived) {
  const name = row.querySelector("th").textContent, cells = all(row, "td");
  cells[1].textContent = number(state.values[name]);
  cells[2].textContent = number(arrived(name) ? state.gradients[name] : null);
  cells[3].textContent = (INPUTS[name] || []).map((input, slot) => "to " + input + ": " + (state.tracked[input] ? number(state.locals[name + "." + slot]) : "not recorded")).join("; ");
}
