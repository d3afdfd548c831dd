"""Measure what it costs to build a book of executed torch chapters, ours and others'.

Every figure is CPU seconds of the whole process tree, the median of interleaved
rounds: wall time says more about what else the machine did. Run it with

    python tests/tools/bench/build.py [--rounds 3] [--small 5] [--large 20] [--peers FOLDER]

where FOLDER holds a virtual environment for each other tool (made when missing).
The results go to docs/back/build-bench.json, with what was missing and why.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import chapters
import peers
import results
from costs import Bench, Cost, adopt, clean, peak, seconds

ROOT = Path(__file__).parents[3]
SOURCES = ROOT / "src"
RESULT = ROOT / "docs" / "back" / "build-bench.json"
CONF = f"""\
import sys
from pathlib import Path
sys.path.insert(0, {str(SOURCES)!r})
project = "bench"
extensions = ["myst_nb", "sphinx_book_theme"]
html_theme = "sphinx_book_theme"
exclude_patterns = ["_build", ".cache"]
nb_fork_environment = dict(PYTHONPATH=str(Path("../src").resolve()))
nb_execution_timeout = 120
nb_execution_raise_on_error = True
nb_fork_sources = ["../src"]
nb_fork_preload = ["numpy", "torch", "matplotlib.pyplot", "matplotlib.backends.backend_svg"]
nb_fork_preload_when = {{"torch.optim": "torch._dynamo"}}
"""


def sphinx(*options: str, to: str = "_build/html") -> list[str]:
    """Return a command that builds the book in the present folder."""
    return [sys.executable, "-m", "sphinx", "-q", "-b", "html", *options, ".", to]


OURS = ("-D", "extensions=myst_nb,myst_nb_fork,sphinx_book_theme")


def fresh(docs: Path) -> Path:
    """Remove every result of an earlier build; matplotlib's list of fonts stays for all tools."""
    for name in ("_build", ".cache/results", ".jupyter_cache"):
        shutil.rmtree(docs / name, ignore_errors=True)
    return docs


def cold(bench: Bench, size: int, mode: str = "force") -> dict[str, Callable[[], Cost]]:
    """Return the contenders for a cold build of a book of so many chapters."""
    docs = bench.folder / f"book{size}" / "docs"
    if not docs.exists():
        chapters.write(docs.parent, size)
        (docs / "conf.py").write_text(CONF, encoding="utf-8")
    force = ("-D", f"nb_execution_mode={mode}")
    cells = [str(Path(__file__).with_name("limit.py")), str(size)]
    commands = {
        "ours -j1": sphinx(*OURS, *force, "-j1"),
        "ours -j2": sphinx(*OURS, *force, "-j2"),
        "stock -j1": sphinx(*force, "-j1"),
        "stock -j2": sphinx(*force, "-j2"),
        "limit: cells": [sys.executable, *cells],
        "limit: sphinx": sphinx("-D", "nb_execution_mode=off", "-j1"),
    }

    def measured(name: str, command: list[str]) -> Callable[[], Cost]:
        def run_and_look() -> Cost:
            cost = bench.measure(f"{size} {name}", command, fresh(docs))
            if name.startswith(("ours", "stock")):  # a fast build that lost its figures is no build
                figures = set((docs / "_build" / "html" / "_images").glob("*"))
                assert len(figures) == size, f"{name}: {len(figures)} figures in {size} chapters"
            return cost

        return run_and_look

    return {name: measured(name, command) for name, command in commands.items()}


def rebuilds(bench: Bench, size: int) -> None:
    """Measure a second build after: nothing, prose, one cell, one cell beside a kept server."""
    docs = bench.folder / f"book{size}" / "docs"
    edited = docs / "chapter001.md"
    text = edited.read_text(encoding="utf-8")
    for name, options in (("ours", OURS), ("stock", ())):
        command = sphinx(*options, "-D", "nb_execution_mode=cache")
        edited.write_text(text, encoding="utf-8")
        fresh(docs)
        bench.measure(f"{size} {name} cold, kept", command, docs)
        bench.measure(f"{size} {name} nothing", command, docs)
        edited.write_text(text + "\nMore prose.\n", encoding="utf-8")
        bench.measure(f"{size} {name} prose", command, docs)
        stamp = time.perf_counter_ns()
        cell = text.replace("loss.backward()\n", f"loss.backward()  # {stamp}\n", 1)
        edited.write_text(cell, encoding="utf-8")
        bench.measure(f"{size} {name} cell", command, docs)
    kept(bench, size, docs, edited, cell)
    edited.write_text(text, encoding="utf-8")


def book(bench: Bench) -> None:
    """Measure our own book, cold, with two readers, and what its chapters' processes took."""
    folder = bench.folder / "own"
    options = ("-D", "nb_execution_mode=cache", "-D", f"nb_fork_cache={folder / 'cache'}")
    to = str(folder / "site" / "html")
    for name, executor in (("ours", "fork"), ("stock", "stock")):
        for left in ("site", "cache/results"):
            shutil.rmtree(folder / left, ignore_errors=True)
        command = sphinx(*options, "-D", f"nb_fork_executor={executor}", "-j2", to=to)
        bench.measure(f"own book {name} -j2", command, ROOT / "docs")
        if name == "ours":
            kept = [path.read_bytes() for path in (folder / "cache" / "results").rglob("*.json")]
            taken = sum(json.loads(text.partition(b"\n")[2])["cpu"] for text in kept)
            bench.note("own book chapters", Cost(taken, 0.0))


def kept(bench: Bench, size: int, docs: Path, edited: Path, text: str) -> None:
    """Measure one changed cell beside a server that is already there (nox -s serve).

    The server is no child of the build, so what it spends meanwhile is added.
    """
    sys.path.insert(0, str(SOURCES))
    from myst_nb_fork import serve

    command = sphinx(*OURS, "-D", "nb_execution_mode=cache")
    with serve.Kept(docs) as variables:
        env = {**variables, **clean(bench.folder, docs)}
        pid = int(variables["NB_FORK_SERVER"].partition(":")[0])
        for word in ("warm", "served"):
            edited.write_text(text.replace("  # ", f"  # {word} ", 1), encoding="utf-8")
            before, begun = seconds(pid), time.perf_counter()
            builder = subprocess.Popen(command, cwd=docs, env=env, stdout=subprocess.DEVNULL)
            _, status, usage = os.wait4(builder.pid, 0)
            builder.returncode = status
            assert status == 0
            spent = usage.ru_utime + usage.ru_stime + seconds(pid) - before
            cost = Cost(spent, time.perf_counter() - begun)
    bench.note(f"{size} ours cell, served", cost)


def main() -> None:
    """Measure everything that was asked for and write the results."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--small", type=int, default=5)
    options.add_argument("--large", type=int, default=20)
    options.add_argument("--peers", type=Path, help="folder of the other tools' environments")
    options.add_argument("--only", help="measure only contenders whose name holds this text")
    options.add_argument("--to", type=Path, default=RESULT)
    wanted = options.parse_args()
    adopt()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        bench = Bench(Path(folder))
        measure(bench, wanted)
        wanted.to.write_text(
            json.dumps(results.report(bench, wanted), indent=1) + "\n", encoding="utf-8"
        )
    print(f"written to {wanted.to}")


def measure(bench: Bench, wanted: argparse.Namespace) -> None:
    """Measure all contenders, one of each a round, so that a busy minute hits them alike."""
    contenders: dict[str, Callable[[], object]] = {
        "import torch": lambda: bench.measure(
            "import torch", [sys.executable, "-c", "import torch"], bench.folder
        ),
        "import sphinx, myst_nb": lambda: bench.measure(
            "import sphinx, myst_nb",
            [sys.executable, "-c", "import sphinx.cmd.build, myst_nb.sphinx_ext"],
            bench.folder,
        ),
    }
    for size in (wanted.small, wanted.large):
        contenders |= {f"{size} {k}": run for k, run in cold(bench, size).items()}
    contenders["rebuilds"] = lambda: rebuilds(bench, wanted.small)
    contenders["book"] = lambda: book(bench)
    if wanted.peers:
        contenders |= peers.contenders(bench, wanted.small, wanted.peers.resolve())
    for number in range(wanted.rounds):
        print(f"round {number + 1} of {wanted.rounds}", flush=True)
        for name, measured in contenders.items():
            if not wanted.only or wanted.only in name:
                measured()
    memory(bench, wanted.small, wanted.only)


def memory(bench: Bench, size: int, only: str | None) -> None:
    """Measure the peak memory of a parallel build, ours and stock, in a run of its own."""
    docs = bench.folder / f"book{size}" / "docs"
    for name, options in (("ours", OURS), ("stock", ())):
        if only and only not in "memory":
            continue
        command = sphinx(*options, "-D", "nb_execution_mode=force", "-j2")
        env = {**os.environ, **clean(bench.folder, docs)}
        most = peak(command, fresh(docs), env)
        bench.costs[f"{size} {name} memory"] = [Cost(0.0, 0.0, most)]
        print(f"  {size} {name} memory {most:.0f} MiB", flush=True)


if __name__ == "__main__":
    main()
