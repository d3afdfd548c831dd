"""Planted faults, each in a real build: it stops with the cause, or it survives whole."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time

import pytest

pytestmark = pytest.mark.slow

# What ends a chapter, and what the build must say of it.
ENDINGS = {
    "hangs": ("while True:\n    pass", "ran for more than 8 seconds"),
    "sleeps": ("import ctypes\nctypes.CDLL(None).sleep(100)", "ran for more than 8 seconds"),
    "exits": ("import os\nos._exit(3)", "ended with exit code 3"),
    "crashes": ("import ctypes\nctypes.string_at(0)", "killed by SIGSEGV"),
    "aborts": ("import os\nos.abort()", "killed by SIGABRT"),
    "killed": ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "killed by SIGKILL"),
    "recurses": (
        "import sys\nsys.setrecursionlimit(10**9)\ndef f(n): return max([n], key=f)\nf(0)",
        "killed by SIGSEGV",
    ),
    "hungry": ("x = bytearray(1 << 40)", "MemoryError"),
    "greedy": ("import torch\ntorch.empty(1 << 38)", "can't allocate memory"),
    "leaking": ("x = []\nwhile True:\n    x.append(bytearray(1 << 24))", "MemoryError"),
    "raises": ("1 / 0", "ZeroDivisionError"),
    "broken": ("x = (1,", "SyntaxError"),
    "talks": ("for i in range(99):\n    print('x' * 10**6, flush=True)", "may show 64 MiB"),
    "writes": ("open('x', 'wb').truncate(2**40)", "File too large"),
    "mute": ("import sys\nsys.stdout = None", "what runs the cells failed"),
    "shouts": ("import os\nfor i in range(99):\n    os.write(1, b'x' * 10**6)", "may show 64 MiB"),
    "garbles": ("import json\njson.dumps = lambda *a, **k: '{}'\nprint(1)", "nobody understands"),
    "kills_server": ("import os\nos.kill(os.getppid(), 9)", "fork server"),
}


@pytest.mark.fault("chapters that hang, exit, crash, recurse, eat memory, {}", "stopped")
@pytest.mark.parametrize("jobs", ["-j1", "-j2"])
def test_every_ending_is_named_and_the_other_chapters_are_kept(book, jobs):
    """Chapter, cell, line and cause are said; good chapters are not run a second time."""
    book.configure("nb_execution_timeout = 8\nbook_memory = 2**29")
    for name, (source, _) in ENDINGS.items():
        book.page(name, "'first cell'", source, title=name)
    for name in ("index", "fine", "zuletzt"):
        book.page(name, f"print('{name}')", title=name)

    built = book.build("-W", jobs)

    assert built.code != 0
    for name, (_, cause) in ENDINGS.items():
        about = [p for p in built.said.split("WARNING: ") if f"{name}.md, cell 2 (line 14)" in p]
        assert about, f"{name}: {built.said}"
        assert cause in about[0], about[0]
    assert built.texts("hangs")[0] == "'first cell'"
    assert {"index", "fine", "zuletzt"} <= built.ran()
    for name in ENDINGS:
        (book.docs / f"{name}.md").unlink()
    repaired = book.build("-W")
    assert repaired.code == 0, repaired.said
    assert repaired.ran() == set()
    assert repaired.texts("fine") == ["fine\n"]


@pytest.mark.fault("a real kernel's chapter that {}", "stopped")
@pytest.mark.parametrize("name", ["hangs", "exits", "raises"])
def test_the_real_kernel_names_them_too(book, name):
    """The message of the other executor has chapter, cell and line as well."""
    book.configure("nb_execution_timeout = 3")
    book.page("index", "'first cell'", ENDINGS[name][0])

    built = book.build("-W", "-D", "nb_fork_executor=stock")

    assert built.code != 0
    assert "index.md, cell 2 (line 14)" in built.said


def source(book, version):
    """Change what the pages show without touching them."""
    (book.src / "version.py").write_text(f"VERSION = {version!r}\n")


def many(book, version):
    """Write a source and pages that show it, with figures, in a book that takes a moment."""
    source(book, version)
    use = f"import sys, time\nsys.path.insert(0, {str(book.src)!r})\nfrom version import VERSION\n"
    draw = "import matplotlib.pyplot as plt\nplt.title(VERSION)\nplt.plot([1, len(VERSION)]);"
    for number in range(4):
        wait = f"time.sleep(0.1)\nprint(VERSION, {number})"
        glue = "from myst_nb import glue\nglue('v', VERSION, display=False)"
        page = book.page(f"page{number}", use + wait, draw, glue, title=f"Page {number}")
        page.write_text(page.read_text() + "\nIt is {glue:text}`v`.\n")
    book.page("index", "1 + 1")


SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
# What a build says on its way; it is cut at a random moment after each.
STAGES = (
    "Running Sphinx",
    "updating environment",
    "running 5 of 5",
    "ran    page0",
    "ran    page1",
    "ran    page2",
    "ran    page3",
    "ran    page3",
    "looking for now-outdated",
    "pickling environment",
    "writing output",
    "dumping search index",
)


@pytest.mark.fault("an interrupt at twelve moments", "survived")
def test_an_interrupt_at_any_moment_leaves_nothing_that_is_trusted(book, leftovers):
    """Twelve builds of changed sources are cut; the build after each equals an undisturbed one."""
    book.configure("nb_fork_preload = ['matplotlib.pyplot']")
    many(book, "first")
    undisturbed = book.build("-W", "-j2")
    assert undisturbed.code == 0, undisturbed.said
    theirs = undisturbed.files()
    draw = random.Random(0)

    for number, stage in enumerate(STAGES):
        source(book, f"other {number}")
        how, delay = SIGNALS[number % 3], draw.uniform(0, 0.15)
        cut(book, stage, delay, how)
        deadline = time.monotonic() + 10
        while (left := leftovers(str(book.root))) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert left == [], f"{how.name} {delay:.2f} s after {stage!r}"

        source(book, "first")
        again = book.build("-W", "-j2", "-a")
        assert again.code == 0, again.said
        ours = again.files()
        different = [name for name in theirs if ours.get(name) != theirs[name]]
        assert different == [], f"{how.name} {delay:.2f} s after {stage!r}"


def cut(book, stage, delay, how):
    """Start a build and end it soon after a stage; Ctrl-C reaches the whole group."""
    process = book.start("-j2", PYTHONUNBUFFERED="1")
    for line in process.stdout:
        if stage.encode() in line:
            break
    time.sleep(delay)
    if how == signal.SIGINT:
        os.killpg(process.pid, how)
    else:
        process.send_signal(how)
    process.communicate(timeout=60)


def inside(namespace, script, *arguments):
    """Return a command that runs a shell script in a namespace of its own, or skip."""
    probe = subprocess.run(["unshare", namespace, "true"], capture_output=True, check=False)
    if shutil.which("unshare") is None or probe.returncode:
        pytest.skip(f"this system allows no namespace ({probe.stderr.decode().strip()})")
    return ["unshare", namespace, "sh", "-c", script, "sh", *arguments]


def run(command, cwd):
    done = subprocess.run(
        command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120, check=False
    )
    return done.returncode, done.stdout.decode("utf-8", "replace")


@pytest.mark.fault("no network at all", "survived")
def test_without_any_network_the_book_builds(book):
    """Not even a loopback device: a forked chapter needs no port."""
    many(book, "first")
    expected = book.build("-W", "-D", "nb_fork_cache=.cache/a", to="_build/a/html")

    code, said = run(inside("-rn", '"$@"', *book.command("-W", to="_build/b/html")), book.docs)

    assert code == 0, said
    assert "ran    page0.md" in said
    assert book.build("-W", to="_build/b/html").files() == expected.files()


@pytest.mark.fault("a full disk below the kept results", "survived")
def test_a_full_disk_below_the_store_costs_time_only(book):
    """Results that cannot be kept are not kept; the site is whole."""
    many(book, "first")
    expected = book.build("-W", "-D", "nb_fork_cache=.cache/a", to="_build/a/html")
    (book.docs / ".cache" / "full" / "results").mkdir(parents=True)
    script = (
        "mount -t tmpfs -o size=40k tmpfs .cache/full/results && "
        "head -c 40000 /dev/zero > .cache/full/results/filler; "
        '"$@"; code=$?; find .cache/full/results -name "*.json" -size +8 | wc -l; exit $code'
    )

    options = ("-W", "-D", "nb_fork_cache=.cache/full")
    code, said = run(inside("-rm", script, *book.command(*options, to="_build/b/html")), book.docs)

    assert code == 0, said
    assert book.build("-W", to="_build/b/html").files() == expected.files()


@pytest.mark.fault("a disk below the site, full at {} of it", "stopped")
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9])
def test_a_full_disk_below_the_site_stops_and_leaves_no_trap(book, share):
    """The build fails; with room again, the next one equals an undisturbed one."""
    many(book, "first")
    expected = book.build("-W", "-D", "nb_fork_cache=.cache/a", to="_build/a/html")
    site = book.docs / "_build" / "a"
    needed = sum(-(-path.stat().st_size // 4096) for path in site.rglob("*") if path.is_file())
    (book.docs / "_build" / "b").mkdir(parents=True)
    script = (
        f"mount -t tmpfs -o size={int(share * needed) * 4}k tmpfs _build/b && "
        '"$@"; code=$?; cp -a _build/b .kept; exit $code'
    )

    code, said = run(inside("-rm", script, *book.command("-W", to="_build/b/html")), book.docs)

    assert code != 0, said
    assert "No space left" in said
    shutil.rmtree(book.docs / "_build" / "b")
    (book.docs / ".kept").rename(book.docs / "_build" / "b")
    again = book.build("-W", to="_build/b/html")
    assert again.code == 0, again.said
    assert again.files() == expected.files()


@pytest.mark.fault("a read-only output folder", "stopped")
def test_a_read_only_site_stops_the_build_with_the_cause(book):
    """Nothing can be written; nothing is claimed."""
    many(book, "first")
    (book.docs / "_build" / "b").mkdir(parents=True)
    script = 'mount -t tmpfs -o ro tmpfs _build/b && "$@"'

    code, said = run(inside("-rm", script, *book.command("-W", to="_build/b/html")), book.docs)

    assert code != 0
    assert "Read-only file system" in said


@pytest.mark.fault("a read-only checkout", "survived")
def test_a_read_only_checkout_builds_elsewhere(book):
    """Where nothing can be kept beside the sources, the site is built all the same."""
    many(book, "first")
    expected = book.build("-W", to="_build/a/html")
    site = book.root.parent / "elsewhere"
    shutil.rmtree(book.docs / ".cache")
    script = 'mount --bind . . && mount -o remount,ro,bind . && cd "$PWD" && "$@"'
    command = book.command("-W", to=str(site / "html"))

    code, said = run(inside("-rm", script, *command), book.docs)

    assert code == 0, said
    page = (site / "html" / "page1.html").read_bytes()
    assert page == expected.files()["html/page1.html"]


@pytest.mark.fault("a path with spaces and non-Latin letters", "survived")
def test_a_folder_with_spaces_and_other_letters_changes_no_byte(book):
    """The same book in another folder has the same bytes, whatever the folder is called."""
    many(book, "first")
    for path in book.docs.glob("page*.md"):  # the pages name the folder of their sources
        path.write_text(path.read_text().replace(str(book.src), "/proc/self/cwd"))
        path.write_text(path.read_text().replace("from version import VERSION", "VERSION = 'v'"))
    expected = book.build("-W")
    assert expected.code == 0, expected.said

    other = type(book)(book.root.parent / "ein Buch, 書 и «ещё»")
    shutil.copytree(
        book.docs, other.docs, dirs_exist_ok=True, ignore=shutil.ignore_patterns("_*", ".c*")
    )
    built = other.build("-W", "-j2")

    assert built.code == 0, built.said
    assert built.ran() == expected.ran()
    assert built.files() == expected.files()
