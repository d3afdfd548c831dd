"""Where a tracked tensor leaves the graph: the kinds of walls as data, and one event."""

from dataclasses import dataclass
from html import escape
from typing import Any, Literal

Wall = Literal[
    "asked",
    "number",
    "copy",
    "into",
    "gradient",
    "switched off",
    "inference",
    "inference tensor",
    "function",
    "no slope",
    "positions",
    "library",
]

WALLS: dict[Wall, str] = {
    "asked": "asks autograd to forget where the tensor came from",
    "number": "turns the tensor into plain numbers",
    "copy": "makes a new tensor from the numbers alone",
    "into": "copies its numbers into a tensor, which does not remember where they came from",
    "gradient": "gives a gradient without a history, and it is used",
    "switched off": "runs while gradient mode is off",
    "inference": "runs in inference mode, which records nothing, under enable_grad() neither",
    "inference tensor": "cannot use an inference tensor: no backward pass can keep it",
    "function": "was given no tensor that asks for a gradient, so nothing in it is recorded",
    "no slope": "gives a result that has no slope",
    "positions": "gives positions beside values, and they have no slope",
    "library": "is a library's, and leaves the graph inside",
}
"""What each kind of wall does, in words that follow the name of the operation."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


FORGETS = _words("detach detach_ data requires_grad_ requires_grad")
OWN_DATA = _words("data detach")
"""What gives a leaf's own memory under another tensor, into which can be written."""

NUMBERS = _words(
    "item tolist numpy __array__ __float__ __int__ __complex__ __bool__ __index__ "
    "__contains__ is_nonzero equal allclose __dlpack__"
)

COPIES = _words("tensor as_tensor asarray new_tensor deepcopy")

STEPS_OUT = _words("grad jacobian hessian vjp jvp vhp hvp")
"""What of torch.autograd gives gradients without a history unless told ``create_graph=True``."""

SHAPE_ONLY = _words(
    "zeros_like ones_like empty_like full_like rand_like randn_like randint_like "
    "new_zeros new_ones new_empty new_full new_empty_strided __get__ __set__ .shape __repr__ "
    "__format__"
)
"""Operations that take shape, dtype or a property of a tensor, but not its numbers."""

FIRST_ONLY = _words("type_as view_as expand_as reshape_as to expand type")
"""Operations that take numbers from their first argument only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A tracked tensor left the graph, at one place in the program.

    Attributes:
        operation: What did it, such as ``"detach"`` or ``"argmax"``.
        wall: The kind of wall, a key of ``WALLS``.
        tensor: The variable that left, or ``""`` if it has no name there.
        shape: Its shape.
        dtype: Its dtype, such as ``"float32"``.
        file: The file of the line, as Python names it.
        line: The line's number.
        function: The function that the line is in, ``"<module>"`` outside any.
        source: The line's text, if Python knows it.
        repair: Pairs of lines ``# instead of A:`` and ``B`` that keep the
            tensor in the graph, or ``# before this line:`` and what to put
            there, or ``""`` where that depends on what is meant.
        raised: The error's class, if PyTorch refused.
        since: Since when recording is switched off, if it is: a place, or
            ``"before this recording began"``.
        inside: The places in a library's code, if the line calls a library.
        into: What the numbers were copied into, if they were.
        count: How often it happened there.

    Example:
        >>> import handgrad, torch
        >>> w = torch.ones(3, requires_grad=True)
        >>> with handgrad.watch() as seen:
        ...     largest = w.argmax()
        >>> seen.events[0].says
        'w leaves the graph: argmax gives a result that has no slope'
        >>> print(seen.events[0].repair)
        # instead of w.argmax():
        (w.softmax(0) * torch.arange(w.size(0))).sum(0)
    """

    operation: str
    wall: Wall
    tensor: str
    shape: tuple[int, ...]
    dtype: str
    file: str
    line: int
    function: str
    source: str
    repair: str = ""
    raised: str = ""
    count: int = 1
    since: str = ""
    inside: tuple[str, ...] = ()
    into: str = ""

    @property
    def where(self) -> str:
        """Name the place without the machine's path: ``"train.py, line 3"``."""
        return place_name(self.file, self.line)

    @property
    def says(self) -> str:
        """Say in one sentence what happened."""
        subject = self.tensor or f"a tensor of shape {self.shape}"
        end = f", since {self.since}" if self.since else ""
        end += f" ({'; '.join(self.inside)})" if self.inside else ""
        end += f", and raises {self.raised}" if self.raised else ""
        often = f" ({self.count} times)" if self.count > 1 else ""
        does = WALLS[self.wall].replace("into a tensor", f"into {self.into or 'a tensor'}")
        return f"{subject} leaves the graph: {self.operation} {does}{end}{often}"

    def to_dict(self) -> dict[str, Any]:
        """Return the event as a dict, for JSON."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    def __str__(self) -> str:
        lines = [f"{self.where}: {self.source}".rstrip(": "), f"  {self.says}"]
        return "\n".join([*lines, *(f"  type: {line}" for line in self.repair.splitlines())])


def place_name(file: str, line: int) -> str:
    """Name a line without the machine's path."""
    name = file.replace("\\", "/").rsplit("/", 1)[-1]
    is_cell = "ipykernel_" in file or name.startswith("<") or name.removesuffix(".py").isdigit()
    return f"{'cell' if is_cell else name}, line {line}"


def events_html(events: tuple[Event, ...]) -> str:
    """Write events one under another, as a diagnosis writes its reasons."""
    body = "".join(_event_html(event) for event in events)
    return f'<div class="diagnosis"><p class="diagnosis-state">{headline(events)}</p>{body}</div>'


def _event_html(event: Event) -> str:
    repair = f"<p>type:</p><pre><code>{escape(event.repair)}</code></pre>" if event.repair else ""
    return (
        f'<section class="reason"><p><strong>{escape(event.where)}</strong>: '
        f"<code>{escape(event.source)}</code></p><p>{escape(event.says)}</p>{repair}</section>"
    )


def headline(events: tuple[Event, ...]) -> str:
    """Count the places."""
    if not events:
        return "No tracked tensor left the graph."
    many = "place" if len(events) == 1 else "places"
    return f"Tracked tensors left the graph at {len(events)} {many}."
