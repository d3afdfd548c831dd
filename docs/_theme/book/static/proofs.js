/* Proofs: a switch marks the phrases that the build has proven; pressing one shows what proved it.
   Without this file the same list stands folded at the page's end. */
(function () {
  "use strict";
  const list = document.querySelector(".proofs");
  const phrases = [...document.querySelectorAll(".held")];
  if (!list || !phrases.length) return;
  const root = document.documentElement;
  const items = [...list.querySelectorAll("li")];

  const button = document.createElement("button");
  button.type = "button";
  button.className = "proof-switch";
  button.textContent = `Show what is proven (${phrases.length})`;
  button.setAttribute("aria-pressed", "false");
  const contents = document.querySelector(".contents");
  if (!contents) return; /* a page without parts: the folded list is at hand */
  contents.append(button);

  const panel = document.createElement("aside");
  panel.className = "proof-panel";
  panel.setAttribute("aria-label", "Proof");
  panel.hidden = true;
  const said = document.createElement("div");
  said.setAttribute("role", "status");
  const close = document.createElement("button");
  close.type = "button";
  close.textContent = "Close";
  panel.append(said, close);
  document.body.append(panel);

  let open = null;

  function shut() {
    if (open) open.setAttribute("aria-expanded", "false");
    panel.hidden = true;
    said.replaceChildren();
    open = null;
  }

  function show(phrase) {
    const again = phrase === open;
    shut();
    if (again) return;
    const item = items.find((one) => one.dataset.proof === phrase.dataset.proof);
    if (!item) return;
    panel.hidden = false;
    said.replaceChildren(...[...item.cloneNode(true).childNodes]);
    phrase.setAttribute("aria-expanded", "true");
    open = phrase;
  }

  function mark(on) {
    root.toggleAttribute("data-proving", on);
    button.setAttribute("aria-pressed", String(on));
    if (!on) shut();
    for (const phrase of phrases) {
      if (on) {
        phrase.tabIndex = 0;
        phrase.setAttribute("role", "button");
        phrase.setAttribute("aria-expanded", "false");
      } else for (const name of ["tabindex", "role", "aria-expanded"]) phrase.removeAttribute(name);
    }
  }

  button.addEventListener("click", () => mark(!root.hasAttribute("data-proving")));
  close.addEventListener("click", () => {
    const from = open;
    shut();
    if (from) from.focus();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && open) close.click();
  });
  for (const phrase of phrases) {
    phrase.addEventListener("click", (event) => {
      if (!root.hasAttribute("data-proving") || event.target.closest("a, label, summary")) return;
      event.preventDefault();
      show(phrase);
    });
    phrase.addEventListener("keydown", (event) => {
      if (event.target !== phrase || !["Enter", " "].includes(event.key)) return;
      event.preventDefault();
      show(phrase);
    });
  }
})();
