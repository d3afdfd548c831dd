"""Nothing that a result depends on may change without the result being made again."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from myst_nb_fork import fingerprint

SLOPE = "def slope(x):\n    return 2 * x\n"
USES = (
    "import sys\nsys.path.insert(0, {src!r})\nfrom slopes import slope\n"
    "assert slope(3) == 6, 'the page says six'\nslope(3)"
)


@pytest.fixture
def small(book):
    """Return a book of two pages, one of which uses ``src``; no page needs torch."""
    book.configure("nb_fork_preload = []")
    (book.src / "slopes.py").write_text(SLOPE)
    book.page("index", USES.format(src=str(book.src)))
    book.page("other", "print('other')", title="Other")
    return book


@pytest.mark.slow
def test_only_what_changed_runs_again(small):
    """Nothing, prose, a tag that hides, a lost site: 0 cells run; a cell's code: its page."""
    first = small.build()
    assert first.ran() == {"index", "other"}
    cold = first.files()
    again = small.build()
    assert again.ran() == set()
    assert again.files() == cold

    page = small.docs / "other.md"
    page.write_text(page.read_text() + "\nMore prose.\n")
    built = small.build()
    assert built.ran() == set()
    assert "More prose." in (built.folder / "other.html").read_text()

    small.page("other", ":tags: [hide-input]\nprint('other')", title="Other")
    assert small.build().ran() == set()

    assert small.build(to="_build/elsewhere/html").ran() == set()

    small.page("other", "print('another')", title="Other")
    built = small.build()
    assert built.ran() == {"other"}
    assert built.texts("other") == ["another\n"]


@pytest.mark.fault("a change in src, and back", "survived")
def test_a_change_in_the_sources_runs_everything_and_back_runs_nothing(small):
    """The stale number that plain notebook caches publish with exit code 0."""
    first = small.build("-W")
    assert first.code == 0, first.said

    (small.src / "slopes.py").write_text(SLOPE.replace("2", "3"))
    wrong = small.build("-W")
    assert wrong.code != 0
    assert "index.md, cell 1 (line 10)" in wrong.said
    assert "the page says six" in wrong.said
    assert wrong.ran() == {"other"}

    again = small.build("-W")
    assert again.code != 0, "a page that failed passes when it is built a second time"

    (small.src / "slopes.py").write_text(SLOPE)
    restored = small.build("-W")
    assert restored.code == 0, restored.said
    assert restored.ran() == set()
    assert restored.files() == first.files()


@pytest.mark.fault("a change in a file that a chapter reads, {}", "survived")
@pytest.mark.slow
@pytest.mark.parametrize("executor", ["fork", "stock"])
def test_a_file_that_a_chapter_reads_is_part_of_its_result(small, executor):
    """Found by watching what is opened; nobody has to declare it."""
    small.configure(f"nb_fork_executor = {executor!r}")
    data = small.root / "data.txt"
    data.write_text("one")
    small.page("other", f"print(open({str(data)!r}).read())")
    assert small.build().ran() == {"index", "other"}
    assert small.build().ran() == set()

    data.write_text("two")
    built = small.build()

    assert built.ran() == {"other"}
    assert built.texts("other") == ["two\n"]


@pytest.mark.fault("a clock that goes back", "survived")
@pytest.mark.slow
def test_an_edit_under_a_clock_that_went_back_is_seen(small):
    """Sphinx compares times; the content decides here."""
    data = small.root / "data.txt"
    data.write_text("one")
    small.page("index", f"print(open({str(data)!r}).read())")
    small.build()
    past = time.time() - 1_000_000

    small.page("other", "print('edited')")
    os.utime(small.docs / "other.md", (past, past))
    data.write_text("two")
    os.utime(data, (past, past))
    built = small.build()

    assert built.ran() == {"index", "other"}
    assert built.texts("other") == ["edited\n"]
    assert built.texts("index") == ["two\n"]


@pytest.mark.fault("a kept result that is damaged: {}", "survived")
@pytest.mark.slow
@pytest.mark.parametrize("damage", ["truncated", "garbage", "empty", "other", "folder"])
def test_a_damaged_result_is_made_again(small, damage):
    """Whatever is found in the store is checked before it is believed."""
    first = small.build()
    kept = sorted((small.docs / ".cache" / "results").rglob("*.json"))
    assert len(kept) == 2
    for path in kept:
        data = path.read_bytes()
        if damage == "folder":
            path.unlink()
            path.mkdir()
        else:
            wrong = data.replace(b"other", b"wrong").replace(b'"6"', b'"7"')
            assert wrong != data
            path.write_bytes(
                {
                    "truncated": data[: len(data) // 2],
                    "garbage": b"\x00\xff" * 100,
                    "empty": b"",
                    "other": wrong,
                }[damage]
            )

    built = small.build("-W", to="_build/again/html")

    assert built.code == 0, built.said
    assert built.ran() == {"index", "other"}
    assert built.texts() == first.texts()


@pytest.mark.slow
def test_force_neither_reads_nor_needs_the_store(small):
    """CI runs every cell, whatever an earlier build left."""
    small.build()

    built = small.build("-D", "nb_execution_mode=force", "-E")

    assert built.ran() == {"index", "other"}


@pytest.mark.slow
def test_the_two_executors_never_share_results(small):
    """A result of a real kernel may not hide a fault of the fork, nor the reverse."""
    small.build()

    assert small.build("-D", "nb_fork_executor=stock").ran() == {"index", "other"}
    assert small.build("-D", "nb_fork_executor=stock").ran() == set()


@pytest.mark.slow
def test_a_page_may_ask_for_a_real_kernel(small):
    """The flag in the front matter is enough; the other pages keep the fork."""
    small.page("other", "import zmq\nget_ipython().kernel.shell_stream is None", title="Other")
    assert small.build().texts("other") == ["True"]

    more = "execution: {executor: stock}"
    small.page("other", "get_ipython().kernel.shell_stream is None", title="Other", more=more)
    built = small.build()

    assert built.ran() == {"other"}
    assert built.texts("other") == ["False"]


@pytest.mark.slow
def test_only_a_few_states_are_kept(small):
    """Old states of the sources go; the present one never does."""
    for number in range(5):
        (small.src / "slopes.py").write_text(SLOPE + f"# {number}\n")
        built = small.build()
        assert built.ran() == {"index", "other"}

    assert len(list((small.docs / ".cache" / "results").iterdir())) == 3
    assert small.build().ran() == set()


@pytest.mark.fault("a change in the book's own programs", "survived")
@pytest.mark.slow
def test_a_change_in_the_books_own_programs_reads_every_page_again(small):
    """Results stay, but a directive of ours may now show them otherwise."""
    (small.docs / "own").mkdir()
    extension = small.docs / "own" / "sign.py"
    text = (
        "from docutils import nodes\n"
        "def setup(app):\n"
        "    role = lambda *a: ([nodes.inline(text='FIRST')], [])\n"
        "    app.add_role('sign', role)\n"
        "    return {'parallel_read_safe': True}\n"
    )
    extension.write_text(text)
    small.configure("sys.path.insert(0, 'own')\nextensions.append('sign')")
    small.configure("nb_fork_extensions = ['own']")
    page = small.page("other", "print('other')")
    page.write_text(page.read_text() + "\n{sign}`x`\n")
    assert "FIRST" in (small.build().folder / "other.html").read_text()

    extension.write_text(text.replace("FIRST", "SECOND"))
    built = small.build()

    assert "SECOND" in (built.folder / "other.html").read_text()
    assert built.ran() == set()


@pytest.mark.slow
def test_parallel_readers_give_the_same_bytes(book):
    """-j1, -j2 and -j auto, cold and from the store, in different folders."""
    for number in range(6):
        cell = f"import matplotlib.pyplot as plt\nplt.plot([{number}, 1])\nprint({number})"
        book.page(f"page{number}", cell, title=f"Page {number}")
    book.page("index", "1 + 1")

    one = book.build("-j1", "-W", to="_build/one/html")
    kept = book.build("-j2", "-W", to="_build/kept/html")
    two = book.build("-j2", "-W", "-D", "nb_fork_cache=.cache/two", to="_build/two/html")
    auto = book.build("-j", "auto", "-W", "-D", "nb_fork_cache=.cache/auto", to="_build/auto/html")

    assert one.ran() == two.ran() == auto.ran() == {"index", *(f"page{n}" for n in range(6))}
    assert kept.ran() == set()
    assert one.files() == two.files() == auto.files() == kept.files()


def test_the_fingerprint_sees_names_bytes_settings_and_versions(tmp_path, monkeypatch):
    """And neither order, nor caches of bytecode."""
    first, second = tmp_path / "a.py", tmp_path / "b.py"
    first.write_bytes(b"1")
    second.write_bytes(b"2")
    base = fingerprint.fingerprint([tmp_path], "x")
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.pyc").write_bytes(b"bytecode")
    assert fingerprint.fingerprint([tmp_path], "x") == base

    seen = {base, fingerprint.fingerprint([tmp_path], "y"), fingerprint.fingerprint([], "x")}
    first.write_bytes(b"12")
    second.write_bytes(b"")  # the same bytes in the same order, cut elsewhere
    seen.add(fingerprint.fingerprint([tmp_path], "x"))
    first.write_bytes(b"1")
    second.write_bytes(b"2")
    first.rename(tmp_path / "c.py")
    seen.add(fingerprint.fingerprint([tmp_path], "x"))
    (tmp_path / "c.py").rename(first)
    installed = tmp_path.parent / "installed"
    (installed / "torch-9.9.dist-info").mkdir(parents=True)
    monkeypatch.setattr(sys, "path", [*sys.path, str(installed)])
    seen.add(fingerprint.fingerprint([tmp_path], "x"))

    assert len(seen) == 6


@pytest.mark.slow
def test_a_kept_server_runs_only_what_it_may(small, monkeypatch):
    """Builds use the server that is kept for them, but not one of another installation."""
    from myst_nb_fork import serve

    small.page("other", "import os\nos.getppid()")
    with serve.Kept(small.docs) as variables:
        pid = variables["NB_FORK_SERVER"].partition(":")[0]
        assert small.build(**variables).texts("other") == [pid]

        address = Path(variables["NB_FORK_SERVER"].partition(":")[2])
        small.page("other", "import os\n(os.getppid(), 2)[0]")
        assert small.build(**variables).texts("other") == [pid]

        address.with_name("identity").write_text("another installation")
        small.page("other", "import os\n(os.getppid(), 3)[0]")
        built = small.build(**variables)
        assert built.ran() == {"other"}
        assert built.texts("other") != [pid]

    small.page("other", "import os\n(os.getppid(), 4)[0]")
    assert small.build(**variables).ran() == {"other"}, "the kept server has ended"


@pytest.mark.slow
def test_serve_rebuilds_on_save_with_one_server(small, leftovers):
    """A saved page is run by the process that ran it before, and all ends with Ctrl-C."""
    small.page("other", "import os\nprint('server', os.getppid(), 'first')")
    site = small.root / "site" / "html"
    program = [sys.executable, "-m", "myst_nb_fork.serve"]
    command = [*program, str(small.docs), str(site), "--port", "0"]
    with (small.root / "log").open("wb") as log:
        served = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        first = said(site, "first")
        deadline = time.monotonic() + 60
        while b"Waiting to detect" not in (small.root / "log").read_bytes():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        time.sleep(1)  # it says so before it watches
        small.page("other", "import os\nprint('server', os.getppid(), 'second')")
        second = said(site, "second")
    finally:
        os.killpg(served.pid, signal.SIGINT)
        served.wait(20)

    assert first == second
    deadline = time.monotonic() + 10
    while (left := leftovers(str(small.root))) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == []


def said(site, word):
    """Wait until the page says a word, and return the number of its server."""
    deadline = time.monotonic() + 90
    page = site / "other.html"
    while time.monotonic() < deadline:
        text = page.read_text() if page.exists() else ""
        if found := re.search(rf"^server (\d+) {word}$|>server (\d+) {word}$", text, re.MULTILINE):
            return found[1] or found[2]
        time.sleep(0.1)
    raise AssertionError(f"the page never said {word!r}")
