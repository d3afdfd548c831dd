"""Firefox sets the same lines: a formula in a sentence does not push its line away."""

import http.server
import json
import os
import shutil
import subprocess
import threading

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]
NAMES = ("firefox-esr", "firefox")
PATIENCE = 90
PROBE = """<!doctype html><meta charset="utf-8"><title>probe</title>
<iframe src="/PAGE" style="width:1280px;height:3000px;border:0"></iframe>
<img src="/reported" alt=""><script>
document.querySelector("iframe").addEventListener("load", async (event) => {
  const doc = event.target.contentDocument, out = [];
  await doc.fonts.ready;
  await Promise.allSettled([...doc.fonts].map(f => f.load()));
  for (const p of doc.querySelectorAll("main p")) {
    if (!p.querySelector("math") || p.closest("form, .claim, .margin, figure, table")) continue;
    const line = parseFloat(getComputedStyle(p).lineHeight), tops = [];
    const walk = doc.createTreeWalker(p, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
      if (walk.currentNode.parentElement.closest("math")) continue;
      const range = doc.createRange();
      range.selectNodeContents(walk.currentNode);
      for (const r of range.getClientRects()) tops.push(r.top);
    }
    tops.sort((a, b) => a - b);
    const lines = tops.filter((t, i) => !i || t - tops[i - 1] > line / 2).length;
    out.push([p.getBoundingClientRect().height / (lines * line), p.textContent.slice(0, 50)]);
  }
  const tall = [...doc.querySelectorAll("mo")].some(m => m.getBoundingClientRect().height > 30);
  await fetch("/report", {method: "POST", body: JSON.stringify({out, tall,
    font: doc.fonts.check('20px "Book Maths"')})});
});
</script>"""


@pytest.fixture(scope="module")
def firefox():
    """The path of Firefox, where there is one."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        told = f"No Firefox found (looked for {', '.join(NAMES)})."
        (pytest.fail if os.environ.get("BOOK_REQUIRE_BROWSER") == "1" else pytest.skip)(told)
    return program


@pytest.fixture(scope="module")
def report(book, firefox, tmp_path_factory):
    """What Firefox measures on the chapter with the most formulas in its sentences."""
    page = max(book.chapters, key=lambda name: book.source(name).count("<math>"))
    arrived, told = threading.Event(), {}
    types = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            name = self.path.partition("?")[0].lstrip("/")
            if name == "reported":  # Firefox takes its picture, and ends, once this is there
                arrived.wait(PATIENCE)
            path = book.folder / name
            known = name == "probe" or path.is_file()
            body = PROBE.replace("PAGE", page).encode() if name == "probe" else b""
            body = path.read_bytes() if known and name != "probe" else body
            self.send_response(200 if known else 404)
            self.send_header("Content-Type", types.get(path.suffix or ".html", "font/woff2"))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self):
            told.update(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()
            arrived.set()

        def log_message(self, *_):
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    folder = tmp_path_factory.mktemp("firefox")
    shot = folder / "probe.png"
    command = [firefox, "--headless", "--no-remote", "--profile", str(folder)]
    process = subprocess.Popen(
        [*command, "--screenshot", str(shot), f"http://127.0.0.1:{server.server_address[1]}/probe"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert arrived.wait(PATIENCE), f"Firefox did not report within {PATIENCE} seconds"
    finally:
        process.terminate()
        process.wait(30)
        server.shutdown()
        server.server_close()
    return told


def test_formulas_do_not_push_lines_apart(report):
    """A paragraph with formulas is at most 1.35 times as tall as its lines of plain text."""
    assert len(report["out"]) > 3
    assert report["font"]
    assert [row for row in report["out"] if row[0] > 1.35] == []
