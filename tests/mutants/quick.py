"""Ask about most faults quickly: the tests are collected once, and each fault gets a fork.

A fault in the body of a function is put into the living function, as its code. What is
decided when a module is imported, and what no test sees here, is left to the slow way.
"""

from __future__ import annotations

import gc
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest
from cover import SELECTION, Covered
from plant import Mutant

Place = tuple[str, str, int]  # file, qualified name, first line


class Asking:
    """A session of pytest that runs no test itself: when all are collected, it asks."""

    def __init__(self, ask_all: Callable[[Asking], None], path_of: Callable[[str], Path]) -> None:
        self.ask_all = ask_all
        self.path_of = path_of
        self.items: dict[str, pytest.Item] = {}
        self.living: dict[Place, list[FunctionType]] = defaultdict(list)
        self.failed = False

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self.items = {item.nodeid: item for item in session.items}
        for found in gc.get_objects():
            if type(found) is FunctionType:
                self.living[_place(found.__code__)].append(found)
        gc.freeze()
        self.ask_all(self)
        return True

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.failed |= report.failed

    def judged(self, mutant: Mutant, tests: Iterable[str]) -> bool:
        """Run tests in this process, which has the fault from now on, until one fails."""
        if not self._plant(mutant):
            return False
        items = [self.items[name] for name in tests if name in self.items]
        for item, after in zip(items, [*items[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
            if self.failed:
                return True
        return False

    def _plant(self, mutant: Mutant) -> bool:
        """Give the living function the code that has the fault; False if there is none."""
        path = str(self.path_of(mutant.module))
        planted = False
        for code in _codes(compile(mutant.tree(), path, "exec")):
            if code.co_qualname != mutant.within:
                continue
            for function in self.living.get(_place(code), ()):
                if function.__code__ != code:
                    function.__code__ = code
                    planted = True
        return planted


def _place(code: CodeType) -> Place:
    return code.co_filename, code.co_qualname, code.co_firstlineno


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for const in code.co_consts:
        if isinstance(const, CodeType):
            yield from _codes(const)


def undecided(
    planted: list[Mutant],
    covered: Covered,
    survivors: Callable[..., Iterator[tuple[Mutant, list[str]]]],
    tests: Iterable[str],
    path_of: Callable[[str], Path],
) -> list[Mutant]:
    """Return the faults that no test saw in a session whose tests are collected once.

    Args:
        planted: All faults.
        covered: Which tests to ask.
        survivors: Asks about faults, each in a fork in which a function is called.
        tests: Where the tests lie.
        path_of: Returns the file of a module.
    """
    inside = [mutant for mutant in planted if mutant.within]
    left = {id(mutant) for mutant in planted if not mutant.within}
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(reader)

        def ask_all(asking: Asking) -> None:
            assert not asking.failed
            with os.fdopen(writer, "w") as out:
                for mutant, _ in survivors(inside, covered, asking.judged):
                    out.write(f"{inside.index(mutant)}\n")
                out.write("done\n")

        status = pytest.main([*SELECTION, "-s", *tests], plugins=[Asking(ask_all, path_of)])
        os._exit(int(status))
    os.close(writer)
    with os.fdopen(reader) as told:
        lines = told.read().split()
    os.waitpid(pid, 0)
    if lines[-1:] != ["done"]:
        raise SystemExit("The tests could not be collected, or the asking broke off.")
    left |= {id(inside[int(line)]) for line in lines[:-1]}
    return [mutant for mutant in planted if id(mutant) in left]
