"""Record where tracked tensors leave the graph, while the program runs."""

import sys
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Any, cast

from handgrad.diagnosing.watching.mode import Place, Recorder
from handgrad.diagnosing.watching.walls import Event, events_html, headline
from handgrad.errors import InputError


def watch() -> "Watch":
    """Record, with file and line, where tracked tensors leave the graph.

    Use it as a context: ``with watch() as seen: ...``. It sees what the thread
    that entered it does; results, exceptions and modes are as without it. What
    happens in a library is told at the line that calls it. The inside of a
    user-written ``autograd.Function`` is not looked at if anything it was given is
    tracked, and ``nn.Parameter(t)`` cannot be seen: PyTorch announces it to no mode.
    A gradient without a history is told of once something recorded is computed
    with it, or when the recording ends and what was computed from it is still there.

    Source:
        ``torch.overrides.TorchFunctionMode``: PyTorch documentation,
        *Extending PyTorch*, section "Extending all torch API with Modes".

    Example:
        >>> import torch
        >>> w = torch.tensor(3.0, requires_grad=True)
        >>> with watch() as seen:
        ...     h = (w * 2.0).detach()
        ...     loss = (h - 1.0) ** 2
        >>> [event.operation for event in seen]
        ['detach']
        >>> print(seen.events[0].repair)
        # instead of (w * 2.0).detach():
        (w * 2.0)
    """
    return Watch()


class Watch:
    """A recording of where tensors left the graph; made by ``watch()``.

    It may be entered again after it was left, and goes on recording; not while
    it is active. Different recordings may be nested.

    Raises:
        InputError: When entered while active, or left in another thread.
    """

    def __init__(self) -> None:
        self._events: dict[Place, Event] = {}
        self._mode: Recorder | None = None
        self._lock = threading.Lock()

    @property
    def events(self) -> tuple[Event, ...]:
        """Return what was seen, one entry per place, in the order of the first time."""
        return tuple(self._events.values())

    def __enter__(self) -> "Watch":
        with self._lock:
            if self._mode is not None:
                raise InputError(
                    "This recording is already running, and one recording has one place in the "
                    "stack of modes. Nest another one: with watch() as inner."
                )
            frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
            self._mode = Recorder(self._events, frame)
            self._mode.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._lock:
            mode = self._mode
            if mode is None or mode.thread != threading.get_ident():
                raise InputError(
                    "This recording is not running in this thread, so it cannot be ended here. "
                    "Use it as a context in one thread: with watch() as seen."
                )
            self._mode = None
            cast(Any, mode).__exit__(kind, error, traceback)
            mode.end()

    def __iter__(self) -> Iterator[Event]:
        return iter(self.events)

    def __len__(self) -> int:
        return len(self._events)

    def __str__(self) -> str:
        return "\n".join([headline(self.events), *map(str, self.events)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return events_html(self.events)
