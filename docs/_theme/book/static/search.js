/* Search over the index that Sphinx writes: pages, their sections, and the names of the interface.
   Nothing is fetched, so it works from a disk as well. */
(function () {
  "use strict";
  const box = document.getElementById("search-results");
  const field = document.getElementById("find");
  const words = (text) => text.toLowerCase().match(/[\p{L}\p{N}_]+/gu) || [];

  /* The index has stems ("deriv"), the reader types words ("derivatives"): they match when one
     begins like the other up to its last letter. */
  function alike(word, stem) {
    const shorter = Math.min(word.length, stem.length);
    let same = 0;
    while (same < shorter && word[same] === stem[same]) same += 1;
    return same >= 3 && same >= shorter - (shorter > 4) ? same / Math.max(word.length, stem.length)
      : word === stem ? 1 : 0;
  }

  function best(word, text) {
    return Math.max(0, ...words(text).map((other) => alike(word, other)));
  }

  function* under(table, word) {
    for (const [stem, pages] of Object.entries(table)) {
      const score = alike(word, stem);
      if (score) for (const page of [pages].flat()) yield [page, score];
    }
  }

  function search(index, query) {
    const asked = words(query);
    const scores = index.docnames.map(() => asked.map(() => 0));
    asked.forEach((word, i) => {
      const add = (page, score) => { scores[page][i] = Math.max(scores[page][i], score); };
      for (const [page, score] of under(index.terms, word)) add(page, score);
      index.titles.forEach((title, page) => add(page, 8 * best(word, title)));
      for (const [title, places] of Object.entries(index.alltitles))
        for (const [page] of places) add(page, 4 * best(word, title));
    });
    return index.docnames
      .map((name, page) => ({
        name, title: index.titles[page], parts: parts(index, page, asked),
        all: asked.length > 0 && scores[page].every(Boolean),
        score: scores[page].reduce((sum, one) => sum + one, 0),
      }))
      .filter((result) => result.all)
      .sort((a, b) => b.score - a.score || a.title.localeCompare(b.title));
  }

  function parts(index, page, asked) {
    const found = [];
    for (const [title, places] of Object.entries(index.alltitles))
      for (const [where, anchor] of places)
        if (where === page && anchor && asked.some((word) => best(word, title) > 0.7))
          found.push([title, "#" + anchor]);
    for (const [prefix, names] of Object.entries(index.objects))
      for (const [where, , , anchor, name] of names)
        if (where === page && asked.some((word) => best(word, name) > 0.7)) {
          const full = prefix ? `${prefix}.${name}` : name;
          found.push([full, "#" + (anchor === "" ? full : anchor === "-" ? "py-" + full : anchor)]);
        }
    return found.slice(0, 4);
  }

  function link(text, address) {
    const a = document.createElement("a");
    a.textContent = text;
    a.href = address;
    return a;
  }

  function show(results, query) {
    const said = document.createElement("p");
    const count = results.length || "No";
    said.className = "quiet";
    said.textContent = `${count} ${results.length === 1 ? "page has" : "pages have"} “${query}”.`;
    const list = document.createElement("ul");
    list.className = "search";
    for (const { name, title, parts } of results) {
      const item = document.createElement("li");
      item.append(link(title, name + ".html"));
      if (parts.length) {
        const more = document.createElement("p");
        parts.forEach(([text, anchor], i) => {
          if (i) more.append(" · ");
          more.append(link(text, name + ".html" + anchor));
        });
        item.append(more);
      }
      list.append(item);
    }
    box.replaceChildren(said, list);
  }

  const query = new URLSearchParams(location.search).get("q") || "";
  field.value = query;
  window.Search = {
    setIndex(index) { if (query.trim()) show(search(index, query), query.trim()); },
  };
})();
