"""Measure what reading a graph costs, beside backward(), a bare walk, and other tools.

Every figure is CPU time of this process with one torch thread, the median of
interleaved rounds, on a graph built afresh for each measurement: the first look
at a node costs more than the second. In each round the other tools go first, and
the first turn of ours and of backward() is not counted: what the tools leave in the
processor's caches would be paid by whoever comes next. All of it runs in a thread with a large
stack, because the deepest chain is deeper than an ordinary stack can free once
Python has looked at it. Run it with

    python tests/tools/bench/library.py [--rounds 5] [--sizes 100 1000 10000 30000] [--quick]

The results go to docs/back/library-bench.json; figures there are ratios' parts,
so compare them with each other only.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import statistics
import sys
import threading
import time
import tracemalloc
import warnings
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from torch import nn

from handgrad import trace
from handgrad.tracing import torch_private
from handgrad.tracing.structure import walk
from handgrad.tracing.sweep import sweep

RESULT = Path(__file__).parents[3] / "docs" / "back" / "library-bench.json"
PATIENCE = 40.0  # seconds that one call of another tool may be expected to take
STACK = 1 << 29


class Chain(nn.Module):
    """Scalars in a row: sines, sums and products, about three nodes for two steps."""

    def __init__(self, nodes: int) -> None:
        super().__init__()
        self.steps = 2 * nodes // 3
        self.weight = nn.Parameter(torch.tensor(0.5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Go on and on."""
        y = x * self.weight
        for step in range(self.steps):
            y = torch.sin(y) * 1.01 if step % 2 else y + self.weight
        return y


class Block(nn.Module):
    """A transformer's second half: norm, widen, bend, narrow, add."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.wide, self.narrow = nn.LayerNorm(16), nn.Linear(16, 32), nn.Linear(32, 16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Add what the block says."""
        return x + self.narrow(nn.functional.gelu(self.wide(self.norm(x))))


class Blocks(nn.Module):
    """Blocks in a row, about thirteen nodes each."""

    def __init__(self, nodes: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(Block() for _ in range(max(1, nodes // 13))))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return one number."""
        return self.blocks(x).sum()


GRAPHS: dict[str, tuple[Callable[[int], nn.Module], tuple[int, ...]]] = {
    "scalar chain": (Chain, ()),
    "transformer-style blocks": (Blocks, (4, 16)),
}


def bare_walk(loss: torch.Tensor) -> set[Any]:
    """Touch every node and do nothing with it: the least that any reader must do."""
    seen = {loss.grad_fn}
    stack = [loss.grad_fn]
    while stack:
        node = stack.pop()
        for source, _ in node.next_functions:  # type: ignore[union-attr]
            if source is not None and source not in seen:
                seen.add(source)
                stack.append(source)
    return seen


def exact_sweep(loss: torch.Tensor) -> None:
    """Send gradients through all nodes with the engine's bits, as trace() does for flows."""
    walked = walk(loss.grad_fn)  # type: ignore[arg-type]
    with torch_private.undisturbed():
        for _ in sweep(walked, torch_private.seed(loss)):
            pass


def told(loss: torch.Tensor) -> int:
    """Trace and tell every node out as an object."""
    return len(trace(loss, names={}, values=False).nodes)


OURS: dict[str, Callable[[torch.Tensor], object]] = {
    "bare walk": bare_walk,
    "trace": lambda loss: trace(loss, names={}, values=False),
    "trace, all nodes told": told,
    "exact sweep": exact_sweep,
    "backward": lambda loss: loss.backward(),
}


def others() -> dict[str, Callable[[nn.Module, torch.Tensor, torch.Tensor], object]]:
    """Import the other tools; those that are not installed are left out."""
    found: dict[str, Callable[[nn.Module, torch.Tensor, torch.Tensor], object]] = {}
    try:
        from torchviz import make_dot

        found["torchviz"] = lambda module, x, loss: make_dot(loss)
    except ImportError as error:
        print(f"torchviz is left out: {error}")
    try:
        from torchview import draw_graph

        found["torchview"] = lambda module, x, loss: draw_graph(
            module, input_data=x, device="cpu", depth=9
        )
    except ImportError as error:
        print(f"torchview is left out: {error}")
    try:
        import torchlens

        found["torchlens"] = lambda module, x, loss: torchlens.trace(module, x)
    except ImportError as error:
        print(f"torchlens is left out: {error}")
    return found


def seconds(work: Callable[[], object]) -> float:
    """Return the CPU time of one call; its result is dropped after the clock stops.

    Garbage is collected before, so that nobody pays for what another left.
    """
    gc.collect()
    began = time.process_time()
    result = work()
    taken = time.process_time() - began
    del result
    return taken


def again(nodes: int) -> int:
    """Say how often to measure in each round: what takes no time is measured more often."""
    return max(3, 20_000 // nodes)


def measure(graph: str, size: int, rounds: int, tools: dict[str, Any]) -> dict[str, Any]:
    """Measure one graph in one size, all contenders in turn in every round."""
    make, shape = GRAPHS[graph]
    torch.manual_seed(0)
    module, x = make(size), torch.randn(shape)
    times: dict[str, list[float]] = {}
    failed: dict[str, str] = {}
    nodes = len(bare_walk(module(x)))
    for turn in range(rounds + 1):  # the first round warms up and is not counted
        row = {name: list[float]() for name in ("forward", *OURS, *tools)}
        for name in list(tools) * max(1, again(nodes) // 40):
            if name not in failed:
                row[name] += attempt(name, tools[name], module, x, failed, first=turn == 0)
        for lap in range(again(nodes) + 1):
            for name, work in {"forward": lambda _: module(x), **OURS}.items():
                loss = module(x)
                taken = seconds(lambda work=work, loss=loss: work(loss))
                row[name] += [taken] if lap else []
                module.zero_grad()
        if turn:
            for name, taken in row.items():
                times.setdefault(name, []).extend(taken)
        else:
            gc.freeze()  # what the tools have built on first use, and keep
    medians = {name: statistics.median(taken) for name, taken in times.items() if taken}
    return {"graph": graph, "nodes": nodes, "seconds": medians, "failed": failed}


def attempt(
    name: str, tool: Any, module: nn.Module, x: torch.Tensor, failed: dict[str, str], first: bool
) -> list[float]:
    """Run another tool once; what it raises is a result too."""
    loss = module(x)
    try:
        taken = seconds(lambda: tool(module, x, loss))
    except (Exception, RecursionError) as error:
        failed[name] = type(error).__name__
        return []
    if first and taken > PATIENCE:
        failed[name] = f"stopped after one call of {taken:.0f} s"
    return [taken]


def expected_too_slow(name: str, before: list[dict[str, Any]], graph: str, size: int) -> bool:
    """Tell from the smaller sizes whether a call would be too long to wait for."""
    known = [r for r in before if r["graph"] == graph and name in r["seconds"]]
    if not known:
        return False
    last = known[-1]
    return last["seconds"][name] * size / last["nodes"] > PATIENCE


def memory(size: int) -> dict[str, float]:
    """Return the bytes that a traced graph keeps per node, compact and told out."""
    torch.manual_seed(0)
    loss = Blocks(size)(torch.randn(4, 16))
    trace(loss, names={}, values=False)
    gc.collect()
    tracemalloc.start()
    graph = trace(loss, names={}, values=False)
    compact = tracemalloc.get_traced_memory()[0]
    count = len(graph.nodes)
    full = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return {"compact": compact / count, "all nodes told": full / count}


def goals(results: list[dict[str, Any]], kept: dict[str, float]) -> Iterator[dict[str, Any]]:
    """Hold the figures against what the library promises."""

    def worst(top: str, bottom: str) -> float:
        pairs = [r["seconds"] for r in results if {top, bottom} <= r["seconds"].keys()]
        return max((pair[top] / pair[bottom] for pair in pairs), default=0.0)

    bounds = (
        ("structure-only trace / backward", worst("trace", "backward"), 0.75),
        ("structure-only trace / bare walk", worst("trace", "bare walk"), 8.0),
        ("structure-only trace / torchviz, where that survives", worst("trace", "torchviz"), 1 / 3),
        ("exact sweep / backward", worst("exact sweep", "backward"), 4.0),
        ("bytes a node", max(kept.values(), default=0.0), 1500.0),
    )
    for name, found, bound in bounds:
        met = found <= bound
        yield {"goal": name, "at": "most", "bound": bound, "found": round(found, 3), "met": met}


def show(results: list[dict[str, Any]]) -> None:
    """Print the medians as ratios to backward()."""
    names = ["forward", *OURS, "torchviz", "torchview", "torchlens"]
    print("\nRatios to backward(), medians; the last column is backward() itself\n")
    print(f"{'graph':26}{'nodes':>7}" + "".join(f"{name[:13]:>15}" for name in names))
    for row in results:
        unit = row["seconds"]["backward"]
        cells = []
        for name in names:
            if name in row["seconds"]:
                taken = row["seconds"][name]
                cells.append(
                    f"{taken * 1e3:.2f} ms" if name == "backward" else f"{taken / unit:.2f}"
                )
            else:
                cells.append(row["failed"].get(name, "-")[:14])
        print(f"{row['graph']:26}{row['nodes']:>7}" + "".join(f"{cell:>15}" for cell in cells))


def versions() -> dict[str, str]:
    """Say what was measured."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for name in ("torch", "torchviz", "torchview", "torchlens"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def main() -> None:
    """Measure, print the table, write the file."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1_000, 10_000, 30_000])
    parser.add_argument("--quick", action="store_true", help="two rounds, two sizes, no file")
    options = parser.parse_args()
    sizes, rounds = ([100, 1_000], 2) if options.quick else (options.sizes, options.rounds)
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    tools = others()
    gc.freeze()  # a collection looks at what was measured, not at every imported module
    results: list[dict[str, Any]] = []
    for graph in GRAPHS:
        for size in sizes:
            slow = {name for name in tools if expected_too_slow(name, results, graph, size)}
            chosen = {name: tool for name, tool in tools.items() if name not in slow}
            row = measure(graph, size, rounds, chosen)
            row["failed"] |= dict.fromkeys(slow, "not run: slow")
            results.append(row)
            print(f"measured {graph}, {row['nodes']} nodes", flush=True)
    kept = memory(sizes[-1])
    show(results)
    reached = list(goals(results, kept))
    for goal in reached:
        said = "met" if goal["met"] else "MISSED"
        print(f"{goal['goal']:50} at most {goal['bound']:8.3g}, worst {goal['found']:8.3g}: {said}")
    if not options.quick:
        found = {
            "versions": versions(),
            "rounds": rounds,
            "results": results,
            "bytes a node": kept,
            "goals": reached,
        }
        RESULT.write_text(json.dumps(found, indent=1, default=str) + "\n", encoding="utf-8")
        print(f"Written to {RESULT.name}.")


if __name__ == "__main__":
    sys.setswitchinterval(10)
    threading.stack_size(STACK)
    thread = threading.Thread(target=main)
    thread.start()
    thread.join()
