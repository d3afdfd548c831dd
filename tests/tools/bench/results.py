"""The measured figures as the plain data that the book shows."""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Iterator
from importlib.metadata import version

import peers
from costs import Bench

BARS = {
    "stock myst-nb / ours, {small} chapters": ("least", 3.0),
    "stock myst-nb / ours, {large} chapters": ("least", 5.0),
    "ours / limit, {large} chapters": ("most", 1.4),
    "each further chapter / import torch": ("most", 0.3),
    "nothing changed / import sphinx, myst_nb": ("most", 2.0),
    "prose changed / import sphinx, myst_nb": ("most", 2.0),
    "one cell changed, stock / served": ("least", 2.5),
    "jupyter-book 1 / ours, {small} chapters": ("least", 3.0),
    "nbsphinx / ours, {small} chapters": ("least", 3.0),
    "mkdocs-jupyter / ours, {small} chapters": ("least", 3.0),
    "peak memory, ours / stock": ("most", 0.8),
}
"""What the build promises, in ratios inside one run, whatever the sizes of the books."""


def goals(ratios: dict[str, float], **sizes: int) -> Iterator[dict[str, object]]:
    """Hold the ratios against what is promised of them."""
    bars = {name.format(**sizes): bar for name, bar in BARS.items()}
    for name, found in ratios.items():
        if name in bars:
            at, bound = bars[name]
            met = found >= bound if at == "least" else found <= bound
            yield {"goal": name, "at": at, "bound": bound, "found": found, "met": met}


def report(bench: Bench, wanted: argparse.Namespace) -> dict[str, object]:
    """Return the results as plain data: medians, all rounds, the ratios and the machine."""
    small, large, m = wanted.small, wanted.large, bench.median

    def ratio(above: float | None, below: float | None) -> float | None:
        return round(above / below, 2) if above is not None and below else None

    def limit(size: int) -> float | None:
        parts = [m(f"{size} limit: cells"), m(f"{size} limit: sphinx")]
        return sum(parts) if None not in parts else None  # type: ignore[arg-type]

    ours, far = m(f"{small} ours -j1"), m(f"{large} ours -j1")
    slope = (far - ours) / (large - small) if far and ours and large > small else None
    memory = [bench.costs.get(f"{small} {name} memory") for name in ("ours", "stock")]
    whole, inside = m("own book ours -j2"), m("own book chapters")
    share = round(1 - inside / whole, 2) if whole and inside else None
    ratios = {
        f"stock myst-nb / ours, {small} chapters": ratio(m(f"{small} stock -j1"), ours),
        f"stock myst-nb / ours, {large} chapters": ratio(m(f"{large} stock -j1"), far),
        f"ours / limit, {small} chapters": ratio(ours, limit(small)),
        f"ours / limit, {large} chapters": ratio(far, limit(large)),
        "each further chapter / import torch": ratio(slope, m("import torch")),
        "nothing changed / import sphinx, myst_nb": ratio(
            m(f"{small} ours nothing"), m("import sphinx, myst_nb")
        ),
        "prose changed / import sphinx, myst_nb": ratio(
            m(f"{small} ours prose"), m("import sphinx, myst_nb")
        ),
        "one cell changed, stock / served": ratio(
            m(f"{small} stock cell"), m(f"{small} ours cell, served")
        ),
        "our own book, stock / ours": ratio(m("own book stock -j2"), m("own book ours -j2")),
        "our own book, not its cells": share,
        "peak memory, ours / stock": ratio(*(c[0].peak if c else None for c in memory)),
    }
    for name in peers.NAMES:
        ratios[f"{name} / ours, {small} chapters"] = ratio(m(f"{small} {name}"), ours)
    found = {name: value for name, value in ratios.items() if value is not None}
    timed = sorted(name for name in bench.costs if not name.endswith("memory"))
    tools = ("torch", "sphinx", "myst-nb", "ipykernel", "matplotlib")
    return {
        "unit": "CPU seconds of the whole process tree",
        "rounds": wanted.rounds,
        "machine": {"processors": os.cpu_count(), "architecture": platform.machine()},
        "versions": {"python": platform.python_version(), **{t: version(t) for t in tools}},
        "ratios": found,
        "goals": list(goals(found, small=small, large=large)),
        "median": {name: round(m(name) or 0, 2) for name in timed},
        "all": {name: [round(cost.cpu, 2) for cost in bench.costs[name]] for name in timed},
        "memory": {n: round(c[0].peak) for n, c in bench.costs.items() if n.endswith("memory")},
        "skipped": bench.skipped,
    }
