"""Record where tracked tensors leave the graph, while the program runs."""

import linecache
import sys
import threading
from collections.abc import Iterator, MutableMapping
from dataclasses import replace
from types import CodeType, FrameType, TracebackType
from typing import Any, cast

import torch
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

from handgrad.diagnosing.watching import calls, lines, walls
from handgrad.diagnosing.watching.rewrite import pair
from handgrad.diagnosing.watching.walls import Event, Wall, events_html, headline
from handgrad.errors import InputError
from handgrad.tracing import torch_private

Place = tuple[CodeType, int, str, str]
"""One call in the program: its code, the position in it, the operation, the error."""


def watch() -> "Watch":
    """Record, with file and line, where tracked tensors leave the graph.

    Use it as a context: ``with watch() as seen: ...``. It sees what the thread
    that entered it does; results, exceptions and modes are as without it. The
    inside of a user-written ``autograd.Function`` is not looked at, and
    ``nn.Parameter(t)`` cannot be seen: PyTorch announces it to no mode.

    Source:
        ``torch.overrides.TorchFunctionMode``: PyTorch documentation,
        *Extending PyTorch*, section "Extending all torch API with Modes".

    Example:
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
        self._mode: _Recorder | None = None
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
            self._mode = _Recorder(self._events, frame)
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

    def __iter__(self) -> Iterator[Event]:
        return iter(self.events)

    def __len__(self) -> int:
        return len(self._events)

    def __str__(self) -> str:
        return "\n".join([headline(self.events), *map(str, self.events)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return events_html(self.events)


class _Recorder(TorchFunctionMode):
    """Looks at each call of torch before and after it runs, and at nothing else."""

    def __init__(self, events: dict[Place, Event], entered: FrameType) -> None:
        super().__init__()
        self.events = events
        self.entered = entered
        self.thread = threading.get_ident()
        self.positions: MutableMapping[torch.Tensor, tuple[Place, Event] | None] = (
            WeakTensorKeyDictionary()
        )

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = calls.name_of(func)
        if name in walls.SHAPE_ONLY:
            return func(*args, **kwargs)
        tracked = calls.tracked(name, args, kwargs)
        if not tracked:
            self._use(args, kwargs)
            return func(*args, **kwargs)
        try:
            result = func(*args, **kwargs)
        except RuntimeError as error:
            if name in ("numpy", "__array__"):
                raised = type(error).__name__
                self._record(self._seen(name, "number", tracked, raised=raised))
            raise
        wall = calls.wall(name, args, result, tracked)
        if wall is not None:
            self._record(self._seen(name, wall, tracked, listed=calls.listed(args)))
        for tensor in calls.positions(result) if wall is None else ():
            self.positions[tensor] = self._seen(name, "positions", tracked)
        return result

    def _use(self, args: Any, kwargs: Any) -> None:
        """Record where positions came from once something is computed from them alone."""
        if self.positions:
            for tensor in calls.all_tensors([*args, *kwargs.values()]):
                self._record(self.positions.pop(tensor, None))

    def _record(self, seen: tuple[Place, Event] | None) -> None:
        if seen is not None:
            place, event = seen
            known = self.events.get(place)
            self.events[place] = replace(known, count=known.count + 1) if known else event

    def _seen(
        self,
        name: str,
        wall: Wall,
        tracked: list[torch.Tensor],
        *,
        raised: str = "",
        listed: bool | None = False,
    ) -> tuple[Place, Event] | None:
        """Find the line that did it; None if autograd or torch did it on purpose."""
        frame, name, indirect = lines.caller(self.entered, name)
        if frame is None or torch_private.in_backward():
            return None
        code = frame.f_code
        place = (code, frame.f_lasti, name, raised)
        if place in self.events:
            return place, self.events[place]
        if wall == "switched off" and not indirect:
            repair = pair(*lines.switch(frame, self.entered))
        else:
            repair = lines.repair(frame, name, listed)
        return place, Event(
            operation=name.strip("_") if name.startswith("__") else name,
            wall="copy" if name == "deepcopy" else wall,
            tensor=lines.variable(tracked[0], frame),
            shape=tuple(tracked[0].shape),
            dtype=str(tracked[0].dtype).removeprefix("torch."),
            file=code.co_filename,
            line=frame.f_lineno,
            function=code.co_name,
            source=linecache.getline(code.co_filename, frame.f_lineno).strip(),
            repair=repair,
            raised=raised,
        )
