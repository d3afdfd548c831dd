/* Exercises: each named wrong answer gets its own hint. Without this file the browser checks the field. */
(function () {
  "use strict";
  const FRACTION = /^\s*([+\-−–]?)\s*(\d+)\s*\/\s*(\d+)\s*$/;

  /* What a text may mean: itself, and a fraction its decimals. */
  function readings(text) {
    const found = FRACTION.exec(text);
    if (!found || !Number(found[3])) return [text];
    const sign = "-−–".includes(found[1]) && found[1] ? "-" : "";
    return [text, sign + (Number(found[2]) / Number(found[3])).toFixed(12)];
  }

  function matches(pattern, texts) {
    const whole = new RegExp("^(?:" + pattern + ")$", "u");
    return texts.some((text) => whole.test(text));
  }

  /* The words that the exercise has for an attempt, and whether it is right. */
  function judge(known, attempt) {
    const read = attempt.map(readings);
    for (const verdict of [known.answer, ...known.known]) {
      if (verdict.patterns.every((pattern, place) => matches(pattern, read[place]))) {
        return { right: verdict === known.answer, words: verdict.words };
      }
    }
    if (known.readable && !read.every((texts) => matches(known.readable, texts.slice(0, 1)))) {
      return { right: false, words: known.unread };
    }
    if (known.names.length > 1) {
      const missed = known.names.filter((name, place) => !matches(known.answer.patterns[place], read[place]));
      return { right: false, words: "Not yet. Look again at " + missed.join(", ") + "." };
    }
    return { right: false, words: known.again };
  }

  /* The reader's answers field by field; null while one is missing. */
  function answers(form) {
    const boxes = [...form.querySelectorAll('input[type="text"]')];
    if (boxes.length) return boxes.map((box) => box.value.trim() || null);
    const names = new Set([...form.querySelectorAll('input[type="radio"]')].map((one) => one.name));
    return [...names].map((name) => form.elements[name].value || null);
  }

  function arm(form) {
    const known = JSON.parse(form.dataset.exercise);
    const result = form.querySelector(".result");
    const boxes = form.querySelectorAll('input[type="text"]');
    for (const spare of form.querySelectorAll(".yes, .no, .why")) spare.remove();
    for (const box of boxes) {
      box.removeAttribute("pattern");
      box.required = false;
    }
    for (const button of form.querySelectorAll("button[hidden]")) button.hidden = false;

    function say(words, right) {
      result.textContent = words && (right ? "✓ " : "≠ ") + words;
      result.dataset.right = right;
      for (const box of boxes) box.setAttribute("aria-invalid", String(!right));
    }

    form.addEventListener("input", () => {
      result.textContent = "";
      for (const box of boxes) box.removeAttribute("aria-invalid");
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const attempt = answers(form);
      if (attempt.includes(null)) {
        say(attempt.length > 1 ? "Answer all of them first." : "Answer first.", false);
        return;
      }
      const { right, words } = judge(known, attempt);
      result.textContent = ""; /* or the same words said twice are heard once */
      setTimeout(() => say(words, right), 30);
    });
  }

  for (const form of document.querySelectorAll("form[data-exercise]")) arm(form);
  window.exercise = { judge };
})();
