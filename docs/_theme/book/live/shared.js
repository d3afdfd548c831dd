/* What all live figures share. The build puts this before the figures of a page, in one file
   and one function. Without it the figures stand still and no control is shown. */

const kinds = {}; // by name: what makes the controls of a figure work

/* A number as every figure of the book writes it. */
function number(value) {
  if (value === null) return "None";
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  let text = value.toFixed(4);
  if (size && (size < 5e-5 || size >= 99999.99995)) {
    const [head, power] = value.toExponential(2).split("e");
    text = head + "e" + Number(power);
  } else if (Object.is(value, -0)) text = "-0.0000";
  return text.replace(/-/g, "−");
}

const factor = (value) => (number(value).startsWith("−") ? "(" + number(value) + ")" : number(value));

const all = (within, selector) => [...within.querySelectorAll(selector)];
const figureOf = (box) => document.getElementById(box.dataset.figure);
const press = (box, name, act) => box.querySelector("[data-do=" + name + "]").addEventListener("click", act);

function stepKeys(within, move) {
  within.addEventListener("keydown", (event) => {
    const way = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!way) return;
    event.preventDefault();
    move(way);
  });
}

function begin() { // called at the end of the file
  if (typeof document === "undefined") return;
  const ready = () => {
    for (const box of all(document, "[data-live]")) kinds[box.dataset.live](box);
    document.documentElement.dataset.ready = "true";
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", ready);
  else ready();
}
