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
