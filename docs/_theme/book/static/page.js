/* What every page does with a script: the light/dark switch, the search field, open details in print. */
(function () {
  "use strict";
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const switches = document.querySelectorAll(".scheme");

  function dark() {
    return root.dataset.theme ? root.dataset.theme === "dark" : system.matches;
  }

  function name() {
    for (const button of switches) {
      button.textContent = dark() ? "Light" : "Dark";
      button.ariaLabel = button.textContent + " page";
    }
  }

  /* Choosing what the system has anyway means following the system again. */
  function choose() {
    const wanted = dark() ? "light" : "dark";
    if ((wanted === "dark") === system.matches) delete root.dataset.theme;
    else root.dataset.theme = wanted;
    try {
      if (root.dataset.theme) localStorage.setItem("theme", wanted);
      else localStorage.removeItem("theme");
    } catch { /* a page from a file may not remember */ }
    name();
  }

  for (const button of switches) button.addEventListener("click", choose);
  system.addEventListener("change", name);
  name();

  /* Where the list of chapters hides the reader's place in it, scroll there. Not before the
     page is loaded: to ask for a height then makes a slow phone lay the page out twice. */
  addEventListener("load", () => {
    const list = document.querySelector(".chapters");
    const here = list.querySelector("li [aria-current]");
    if (here && here.offsetTop + here.offsetHeight > list.clientHeight)
      list.scrollTop = here.offsetTop - list.clientHeight / 2;
  });

  /* What a phone has left for later is laid out as soon as it has nothing else to do, a section
     at a time: a capture, a search and a jump then find the whole page. */
  const idle = window.requestIdleCallback || ((act) => setTimeout(act, 100));
  addEventListener("load", () => {
    const waiting = [...document.querySelectorAll("main > section > section")];
    idle(function layOut() {
      const section = waiting.shift();
      if (!section) return;
      section.style.contentVisibility = "visible";
      idle(layOut);
    });
  });

  const opened = [];
  addEventListener("beforeprint", () => {
    for (const box of document.querySelectorAll("details:not([open])")) {
      box.open = true;
      opened.push(box);
    }
  });
  addEventListener("afterprint", () => {
    for (const box of opened.splice(0)) box.open = false;
  });
  root.dataset.ready = "";
})();

/* Proofs: a switch marks the phrases that the build has proven; pressing one shows what proved it.
   Without this file the same list stands folded at the page's end. */
(function () {
  "use strict";
  const button = document.querySelector(".proof-switch");
  if (!button) return; /* a page without parts: the folded list is at hand */
  const phrases = [...document.querySelectorAll(".held")];
  const root = document.documentElement;
  const items = [...document.querySelectorAll(".proofs li")];

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
    /* Heard at the page, and only now: a phrase by itself is text. */
    document[on ? "addEventListener" : "removeEventListener"]("click", pressed);
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
  function pressed(event) {
    const phrase = event.target.closest(".held");
    if (!phrase || event.target.closest("a, label, summary")) return;
    event.preventDefault();
    show(phrase);
  }
  document.addEventListener("keydown", (event) => {
    if (!event.target.matches(".held[role]") || !["Enter", " "].includes(event.key)) return;
    event.preventDefault();
    show(event.target);
  });
})();
