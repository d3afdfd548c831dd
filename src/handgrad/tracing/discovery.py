"""The first stage of a trace: walk a live graph once and note what stands there."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch.autograd.graph import Node as LiveNode

from handgrad.errors import GraphTooLargeError, UnsupportedNodeError
from handgrad.tracing import torch_private
from handgrad.tracing.engine import depth
from handgrad.tracing.notes import NO_NODE, Notes
from handgrad.tracing.stack import ALWAYS_SAFE, safe_depth
from handgrad.tracing.torch_private import LEAF_NAME, metadata, sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """The live nodes behind a root, in the order in which they were met, and what was noted.

    ``key`` numbers them, and ``leaves`` are the numbers of those where gradients end.
    Held for the time of one call only: the nodes keep all activations alive.
    """

    live: Sequence[LiveNode]
    key: dict[LiveNode, int]
    leaves: Sequence[int]
    notes: Notes


def discover(root: LiveNode, *, max_nodes: int | None = None) -> Discovery:
    """Visit every node behind a root, each once.

    Raises:
        GraphTooLargeError: If the graph is too deep for this thread's stack, or
            has more than ``max_nodes`` nodes; not many more were touched.
        UnsupportedNodeError: If a nested tensor is among its outputs.
    """
    search = _Search(max_nodes)
    try:
        search.run(root)
    except RuntimeError as error:  # a nested tensor of the older kind has no shape at all
        raise _nested() from error
    notes = search.notes
    leaves = [number for number, kind in enumerate(notes.kind) if kind == notes.leaf]
    return Discovery(live=search.live, key=search.number, leaves=leaves, notes=notes)


def _nested() -> UnsupportedNodeError:
    return UnsupportedNodeError(
        "A nested tensor has no single shape, so its operations cannot be told of by their shapes. "
        "Compute the loss from the padded tensor, as in torch.nested.to_padded_tensor(x, 0.0), or "
        "from each part alone, x.unbind(), and trace that."
    )


class _Search:
    """The memory of a walk. Its loop is most of the time that a trace takes."""

    def __init__(self, max_nodes: int | None) -> None:
        self.max_nodes = max_nodes
        self.notes = Notes()
        self.live: list[LiveNode] = []
        self.number: dict[LiveNode, int] = {}
        self.kinds: dict[object, int] = {}
        self.forms: dict[tuple[Any, ...], int] = {}

    def run(self, root: LiveNode) -> None:
        """Go on from the node found last until none is left; each node is touched once."""
        notes, number, live, note = self.notes, self.number, self.live, self._notes()
        popped, first = notes.popped.append, notes.first.append
        source, output = notes.source.append, notes.output.append
        count = 0
        note(root)
        stack, enough = [0], self._room()
        while stack:
            i = stack.pop()
            popped(i)
            first(count)
            for node, nr in live[i].next_functions:
                count += 1
                output(nr)
                if node is None:
                    source(NO_NODE)
                    continue
                k = number.get(node)
                if k is None:
                    k = len(live)
                    if note(node) != notes.leaf:
                        stack.append(k)
                source(k)
            if len(live) > enough:
                enough = self._room()

    def _notes(self) -> Callable[[LiveNode], int]:
        """Return what notes a new node's name, priority and output shapes, and returns its kind.

        A function within a function, because it finds its names faster.
        """
        notes, number, live = self.notes, self.number, self.live
        add_live, add_kind, add_minus = live.append, notes.kind.append, notes.minus.append
        add_form, known_form, new_form = notes.form.append, self.forms.get, self._form
        known_kind, new_kind = self.kinds.get, self._kind

        def note(node: LiveNode) -> int:
            kind = known_kind(type(node))
            if kind is None:
                kind = new_kind(node)
            number[node] = len(live)
            add_live(node)
            add_kind(kind)
            add_minus(-sequence(node))
            metas = metadata(node)
            if len(metas) == 1:
                (meta,) = metas
                form = (meta.dtype, meta.device, *meta.shape)
                known = known_form(form)
                add_form(new_form(form) if known is None else known)
            else:
                several = [(meta.dtype, meta.device, *meta.shape) for meta in metas]
                add_form(tuple(map(new_form, several)))
            return kind

        return note

    def _form(self, form: tuple[Any, ...]) -> int:
        number = self.forms.setdefault(form, len(self.forms))
        if any(type(length) is not int for length in form[2:]):
            raise _nested()
        if number == len(self.notes.forms):
            self.notes.forms.append(form)
        return number

    def _kind(self, node: LiveNode) -> int:
        """Number a kind of node: one per type, but generic types have nodes of many names."""
        name = node.name()
        kind = self.kinds.get(name)
        if kind is None:
            kind = self.kinds[name] = len(self.notes.names)
            self.notes.names.append((name, type(node)))
            if name == LEAF_NAME:
                self.notes.leaf = kind
        if not torch_private.is_generic(node):
            self.kinds[type(node)] = kind
        return kind

    def _room(self) -> int:
        """Return how many nodes may be touched before this must be asked again.

        A path gets longer by at most one with each node, so that with room for
        so many more nothing can go wrong; how long it is, only integers say.
        """
        count, most = len(self.live), self.max_nodes
        limit = safe_depth() if count > ALWAYS_SAFE else ALWAYS_SAFE
        longest = depth(self.notes) if count > limit else count
        if longest <= limit and (most is None or count <= most):
            room = count + limit - longest
            return room if most is None else min(room, most)
        if longest > limit:
            raise GraphTooLargeError(
                f"The graph is more than {limit} operations deep, and this thread's stack is too "
                "small to free a deeper one once Python has looked at its nodes (torch would "
                "crash). Build, trace and drop it in a thread with a larger stack: "
                "threading.stack_size(512 * 1024**2), then threading.Thread(target=...)."
            )
        raise GraphTooLargeError(
            f"The graph has more than max_nodes={most} nodes. Trace a smaller loss, or raise "
            "max_nodes."
        )
