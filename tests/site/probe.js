/* What the tests ask a page of the book; loaded before anything of the page runs. */
window.__cls = 0; window.__pointed = [];
new PerformanceObserver(list => { for (const e of list.getEntries()) window.__cls += e.value; })
  .observe({type: "layout-shift", buffered: true});
const add = EventTarget.prototype.addEventListener;
EventTarget.prototype.addEventListener = function (kind, ...rest) {
  const whole = !(this instanceof Element); // the window, for which the tester itself listens too
  if (/^(mouse|pointer|touch|click|dblclick)/.test(kind)
    && (!whole || new Error().stack.includes("/_static/")))
    window.__pointed.push(whole ? document.documentElement : this);
  return add.call(this, kind, ...rest);
};

/* Of axe's rules all but two: the book promises a contrast of 4.5, not of 7; and a box that
   scrolls takes the focus, as another rule asks, although it is no control. */
const LEFT_OUT = ["color-contrast-enhanced", "focus-order-semantics"];

window.probe = {
  /* What axe finds in parts of a page, or in all of it, by all rules or by one. */
  axe: (parts, one) => axe.run(parts ? {include: parts.map((part) => [part])} : document, {
    runOnly: {type: "rule", values: one ? [one]
      : axe.getRules().map((rule) => rule.ruleId).filter((id) => !LEFT_OUT.includes(id))},
    resultTypes: ["violations"],
  }).then((found) => found.violations.flatMap(
    (fault) => fault.nodes.map((node) => fault.id + ": " + node.html.slice(0, 100)))),

  /* Lay out all of the page, which a phone does piece by piece: places count only then. */
  reveal: () => {
  const style = document.createElement("style");
  style.textContent = "main > section > section { content-visibility: visible !important }";
  document.head.append(style);
},

  /* Pages that scroll sideways, and boxes that scroll without a name or focus. */
  overflow: () => {
  const wide = document.documentElement.clientWidth, out = [];
  if (document.documentElement.scrollWidth > wide) {
    const who = [...document.querySelectorAll("main *, nav *, header *")]
      .find(e => e.getBoundingClientRect().right > wide + 1 && !e.closest("[tabindex]"));
    out.push(`page is ${document.documentElement.scrollWidth} wide: ${who && who.outerHTML.slice(0, 90)}`);
  }
  for (const e of document.querySelectorAll("main *")) {
    const style = getComputedStyle(e);
    if (!/auto|scroll/.test(style.overflowX) || e.scrollWidth <= e.clientWidth + 1) continue;
    if (e.tabIndex < 0 || !e.getAttribute("aria-label") || !e.getAttribute("role"))
      out.push(`box scrolls but has no focus or name: ${e.outerHTML.slice(0, 90)}`);
  }
  return out;
},

  /* Controls for the mouse alone: no focus, and no button under the figure that does the same. */
  pointed: () => window.__pointed
    .filter(e => e.tabIndex < 0 && (e === document.documentElement || !e.querySelector("a,button,input")))
    .filter(e => !document.querySelector(`.live[data-figure="${e.closest("figure")?.id}"] button`))
    .map(e => e.outerHTML.slice(0, 90)),

  /* Characters a line, size and leading of the running text. */
  measure: () => {
  const p = [...document.querySelectorAll("main p")].filter(p => p.textContent.length > 250
    && !p.closest(".margin, figure, .claim, .limits, form, dl"));
  if (!p.length) return null;
  const style = getComputedStyle(p[0]), probe = document.createElement("span");
  probe.style.cssText = "white-space:nowrap;position:absolute;visibility:hidden";
  probe.textContent = p.map(e => e.textContent.replace(/\s+/g, " ")).join(" ").slice(0, 2000);
  p[0].append(probe);
  const per = probe.getBoundingClientRect().width / probe.textContent.length;
  probe.remove();
  return {measure: p[0].getBoundingClientRect().width / per, size: parseFloat(style.fontSize),
          leading: parseFloat(style.lineHeight) / parseFloat(style.fontSize)};
},

  /* Words and lines of figures that are too faint on the page's ground. */
  contrast: () => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgb = c => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = c; canvas.fillRect(0, 0, 1, 1);
                     return [...canvas.getImageData(0, 0, 1, 1).data]; };
  const lum = c => { const [r, g, b] = c.map(v => (v /= 255) <= .04045 ? v / 12.92
    : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
  const ratio = (a, b) => { const [x, y] = [lum(a), lum(b)].sort((m, n) => n - m);
                            return (x + .05) / (y + .05); };
  const page = rgb(getComputedStyle(document.body).backgroundColor), out = [];
  const parts = ["text", "path", "rect", "circle", "line", "polyline"].map(tag => "main svg " + tag);
  for (const e of document.querySelectorAll(parts)) {
    const size = e.getBoundingClientRect(), own = e.closest("[data-node]")?.querySelector(".node");
    if (!(size.width || size.height) || !e.checkVisibility({opacityProperty: true})) continue;
    const under = own && own !== e ? getComputedStyle(own).fill : "none"; // the box that a word stands in
    const ground = under === "none" ? page : rgb(under);
    const s = getComputedStyle(e), text = e.tagName === "text";
    const paint = text || s.stroke === "none" ? s.fill : s.stroke;
    if (paint === "none" || e.closest("[data-decor]")) continue;
    const seen = ratio(rgb(paint).slice(0, 3), ground.slice(0, 3));
    if (seen < (text ? 4.5 : 3)) out.push(`${e.tagName}.${e.getAttribute("class")} ${paint} ${seen.toFixed(2)}`);
  }
  for (const i of document.querySelectorAll("main img")) if (!/\.svg([?#]|$)/.test(i.src))
    out.push(`an image with a ground of its own: ${i.src}`);
  return [...new Set(out)];
},

  /* Figures without words, without a number in them, or without their table. */
  unnamed: () => {
  const out = [];
  for (const e of document.querySelectorAll("figure svg[role=img], figure img, .output svg[role=img]")) {
    const words = e.tagName === "IMG" ? e.alt
      : [...e.querySelectorAll(":scope > title, :scope > desc")].map(x => x.textContent).join(" ");
    const shown = [...e.querySelectorAll("text")].filter(t => /\d/.test(t.textContent)).length;
    if (words.length < 20 || /\.(svg|png)\b/.test(words)) out.push(`says only ${JSON.stringify(words)}`);
    if (shown && !/\d/.test(words)) out.push(`names no number: ${words.slice(0, 60)}`);
    const box = e.closest("figure") || e.closest(".cell_output, .output");
    if (shown > 6 && !box.querySelector("table")) out.push(`has no table twin: ${words.slice(0, 60)}`);
  }
  for (const e of document.querySelectorAll("main svg:not(svg *, [role=img], [aria-hidden=true])"))
    out.push(`a drawing that is no image to a screen reader: ${e.outerHTML.slice(0, 80)}`);
  return out;
},

  /* How many drawings are seen. */
  drawings: () => [...document.querySelectorAll("main svg, main img")]
    .filter(e => e.getBoundingClientRect().width > 100).length,
};
