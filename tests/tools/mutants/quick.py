"""Ask about most faults quickly: the tests are collected once, and each fault gets a fork.

A fault in the body of a function is put into the living function, as its code. What is
decided when a module is imported is left to the slow way.
"""

from __future__ import annotations

import gc
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest
from cover import SELECTION, Covered
from plant import Mutant

CACHE = type(cache(len))
Place = tuple[str, str, int]  # file, qualified name, first line


class Asking:
    """A session of pytest that runs no test itself: when all are collected, it asks."""

    def __init__(self, ask_all: Callable[[Asking], None], path_of: Callable[[str], Path]) -> None:
        self.ask_all = ask_all
        self.path_of = path_of
        self.items: dict[str, pytest.Item] = {}
        self.living: dict[Place, list[FunctionType]] = defaultdict(list)
        self.caches: list[Any] = []
        self.failed = False

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self.items = {item.nodeid: item for item in session.items}
        for found in gc.get_objects():
            if type(found) is FunctionType:
                self.living[_place(found.__code__)].append(found)
            elif type(found) is CACHE and found.__module__.startswith("handgrad"):
                self.caches.append(found)
        gc.freeze()
        self.ask_all(self)
        return True

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.failed |= report.failed

    def judged(self, mutant: Mutant, tests: Iterable[str]) -> bool:
        """Run tests in this process, which has the fault from now on, until one fails."""
        self._plant(mutant)
        for kept in self.caches:
            kept.cache_clear()
        items = [self.items[name] for name in tests if name in self.items]
        for item, after in zip(items, [*items[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
            if self.failed:
                return True
        return False

    def can_plant(self, mutant: Mutant) -> bool:
        """Tell whether the fault is in a function that lives now, and is more than a default."""
        return any(function.__code__ != code for function, code in self._changed(mutant))

    def _plant(self, mutant: Mutant) -> None:
        for function, code in self._changed(mutant):
            function.__code__ = code

    def _changed(self, mutant: Mutant) -> Iterator[tuple[FunctionType, CodeType]]:
        """Pair the living functions around a fault with the code that has it."""
        for code in _codes(compile(mutant.tree(), str(self.path_of(mutant.module)), "exec")):
            if mutant.within and code.co_qualname == mutant.within:
                for function in self.living.get(_place(code), ()):
                    yield function, code


def _place(code: CodeType) -> Place:
    return code.co_filename, code.co_qualname, code.co_firstlineno


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for const in code.co_consts:
        if isinstance(const, CodeType):
            yield from _codes(const)


def alive(
    planted: list[Mutant],
    covered: Covered,
    survivors: Callable[..., Iterator[tuple[Mutant, list[str]]]],
    tests: Iterable[str],
    path_of: Callable[[str], Path],
) -> tuple[list[Mutant], list[Mutant]]:
    """Ask about all faults that can be planted in a session whose tests are collected once.

    Args:
        planted: All faults.
        covered: Which tests to ask.
        survivors: Asks about faults, each in a fork in which a function is called.
        tests: Where the tests lie.
        path_of: Returns the file of a module.

    Returns:
        The faults that no test saw, and those that could not be planted.
    """
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(reader)

        def ask_all(asking: Asking) -> None:
            place = {id(mutant): number for number, mutant in enumerate(planted)}
            here = [mutant for mutant in planted if asking.can_plant(mutant)]
            known = set(map(id, here))
            lines = [f"left {place[id(m)]}" for m in planted if id(m) not in known]
            lines += [f"alive {place[id(m)]}" for m, _ in survivors(here, covered, asking.judged)]
            with os.fdopen(writer, "w") as out:
                out.write("\n".join([*lines, "done"]))

        status = pytest.main([*SELECTION, "-s", *tests], plugins=[Asking(ask_all, path_of)])
        os._exit(int(status))
    os.close(writer)
    with os.fdopen(reader) as told:
        lines = told.read().splitlines()
    os.waitpid(pid, 0)
    if lines[-1:] != ["done"]:
        raise SystemExit("The tests could not be collected, or the asking broke off.")
    found: dict[str, list[Mutant]] = {"alive": [], "left": []}
    for line in lines[:-1]:
        kind, number = line.split()
        found[kind].append(planted[int(number)])
    return found["alive"], found["left"]
