"""Looks at each call of torch before and after it runs, and at nothing else."""

import ast
import linecache
import sys
import threading
import weakref
from collections.abc import MutableMapping
from dataclasses import dataclass, replace
from types import CodeType, FrameType
from typing import Any, Literal, cast

import torch
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

from handgrad.diagnosing.watching import calls, copies, lines, plain, soft, walls
from handgrad.diagnosing.watching.copies import Copy
from handgrad.diagnosing.watching.rewrite import pair
from handgrad.diagnosing.watching.soft import Soft
from handgrad.diagnosing.watching.source import Spot, spot
from handgrad.diagnosing.watching.switches import Switches, inference
from handgrad.diagnosing.watching.walls import Event, Wall
from handgrad.tracing import torch_private

Place = tuple[CodeType, int, str, str]
"""One call in the program: its code, the position in it, the operation, the error."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One call that a tensor left the graph by."""

    place: Place
    event: Event
    spot: Spot | None


@dataclass(kw_only=True)
class Trail:
    """Where an untracked tensor comes from.

    Attributes:
        kind: ``positions`` and ``gradient`` are told once they are used, ``off`` was.
        seen: The call that it left the graph by.
        used: Whether it was computed from a gradient, with gradient mode on.
    """

    kind: Literal["positions", "gradient", "off"]
    seen: Seen
    used: bool = False


@dataclass(frozen=True, kw_only=True)
class Selector:
    """What chooses among numbers: what can stand in for it, and the events it came with."""

    soft: Soft
    places: tuple[Place, ...]


class Recorder(TorchFunctionMode):
    """A mode that records where tracked tensors leave the graph."""

    def __init__(self, events: dict[Place, Event], entered: FrameType) -> None:
        super().__init__()
        self.events = events
        self.entered = entered
        self.thread = threading.get_ident()
        self.switches = Switches()
        self.trails: MutableMapping[torch.Tensor, Trail] = WeakTensorKeyDictionary()
        self.selectors: MutableMapping[torch.Tensor, Selector] = WeakTensorKeyDictionary()
        self.own_data: MutableMapping[torch.Tensor, weakref.ref[torch.Tensor]] = (
            WeakTensorKeyDictionary()
        )
        self.copies: list[Copy] = []
        self.numbers: dict[int, tuple[object, Seen]] = {}
        self.last_pass: tuple[Spot | None, CodeType] | None = None

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = calls.name_of(func)
        if name == torch_private.GRAD_SWITCH:
            self.switches.note(bool(args[0]))
            return func(*args, **kwargs)
        if name in walls.SHAPE_ONLY:
            if name == ".shape":
                self._loaded(args[0])
            return func(*args, **kwargs)
        tracked = calls.tracked(name, args, kwargs)
        self._before(name, args, kwargs, tracked)
        try:
            result = func(*args, **kwargs)
        except RuntimeError as error:
            self._refused(name, args, kwargs, tracked, error)
            raise
        self._after(name, args, kwargs, tracked, result)
        return result

    # Before a call

    def _before(self, name: str, args: Any, kwargs: Any, tracked: list[torch.Tensor]) -> None:
        target = calls.written(name, args)
        if target is not None:
            self._written(name, target, args, kwargs)
        if name == "backward" and tracked:
            caller = lines.caller(self.entered, name)
            self.last_pass = caller and (spot(caller.frame), caller.frame.f_code)
        if self.trails and (not tracked or name == "embedding"):
            for tensor in calls.all_tensors([*args, *kwargs.values()]):
                if (trail := self.trails.get(tensor)) and trail.kind == "positions":
                    self._record(self.trails.pop(tensor).seen)
        if self.copies:
            self._computed()

    def _loaded(self, tensor: torch.Tensor) -> None:
        """``load_state_dict`` looks at the shape of what it copies, and then copies numbers."""
        frame = _is_in(torch_private.LOADER) if tensor.requires_grad else None
        if frame is not None and frame.f_locals.get("param") is not tensor:
            self._into("copy_", tensor, [tensor])

    def _written(self, name: str, target: torch.Tensor, args: Any, kwargs: Any) -> None:
        """Record numbers that are written into a tensor which keeps no account of it."""
        given = calls.all_tensors([*args[1:], *kwargs.values()])
        off = {id(t) for t in given if (trail := self.trails.get(t)) and trail.kind == "off"}
        if name == ".data =" and _is_in("vector_to_parameters"):
            off |= {id(t) for t in given if t in self.own_data}
        sources = [t for t in given if t is not target and (t.requires_grad or id(t) in off)]
        is_on = torch.is_grad_enabled()
        owner = self._owner(target)
        if not sources or (name != ".data =" and is_on and owner is None):
            return
        if copies.is_parameter(target) or owner is not None or name == ".data =":
            self._into(name, target if owner is None else owner, sources)
        elif name == "__setitem__" and any(source.requires_grad for source in sources):
            self._record(self._seen(name, "switched off", sources))

    def _owner(self, tensor: torch.Tensor) -> torch.Tensor | None:
        """Return the leaf that a tensor has its memory from, if it was asked for with ``.data``."""
        owner = self.own_data.get(tensor)
        leaf = owner() if owner else None
        return leaf if leaf is not None and leaf.is_leaf else None

    def _into(self, name: str, target: torch.Tensor, sources: list[torch.Tensor]) -> None:
        seen = self._seen(name, "into", sources, behalf="copies")
        if seen is None:
            return
        place, event = seen.place, seen.event
        if place not in self.events:
            caller = lines.caller(self.entered, name, "copies")
            switch = ""
            if caller is not None and not torch.is_grad_enabled():
                switch = self.switches.off(caller.frame).repair
            switch = switch if switch.startswith("# instead") else ""
            named = copies.target_name(seen.spot, event.operation)
            known = copies.copied(event.operation, seen.spot, target, place, switch)
            if known is not None:
                self.copies.append(known)
            plain_leaf = not isinstance(target, torch.nn.Parameter) and target.requires_grad
            repair = known.pair if known and plain_leaf and not switch else ""
            seen = replace(seen, event=replace(event, into=named, repair=repair))
        self._record(seen)
        for source in sources:
            if (trail := self.trails.get(source)) and trail.kind == "off":
                self._repair(trail.seen.place, "")

    def _computed(self) -> None:
        """Complete the repair of a copy once the module is called that it was made into."""
        caller = lines.caller(self.entered, "")
        inner = sys._getframe(2)  # pyright: ignore[reportPrivateUsage]
        module = caller and lines.module_called(inner, caller.frame)
        here = caller and module and spot(caller.frame)
        if not (module and here):
            return
        for place, repair in copies.called(self.copies, module, here):
            self._repair(place, repair)

    # After a call

    def _refused(
        self, name: str, args: Any, kwargs: Any, tracked: list[torch.Tensor], error: RuntimeError
    ) -> None:
        raised = type(error).__name__
        if name in ("numpy", "__array__") and tracked:
            self._record(self._seen(name, "number", tracked, raised=raised))
        given = calls.all_tensors([*args, *kwargs.values()])
        kept = [tensor for tensor in given if tensor.is_inference()]
        if "nference tensor" in str(error) and kept:
            self._record(self._seen(name, "inference tensor", kept, raised=raised))
        for tensor in given if name == "backward" else ():
            self._tell(self.trails.get(tensor))

    def _after(
        self, name: str, args: Any, kwargs: Any, tracked: list[torch.Tensor], result: Any
    ) -> None:
        if name == ".grad" or (name in walls.STEPS_OUT and tracked):
            self._stepped_out(name, args, kwargs, result)
            return
        if name == ".grad =" and args[1] is not None and (trail := self.trails.get(args[1])):
            trail.used = False  # what an optimizer is to see is used by it
        wall = calls.wall(name, args, result, tracked) if tracked else None
        seen = None
        if wall is not None:
            seen = self._seen(name, wall, tracked, listed=calls.listed(args))
            self._record(seen)
            self._begin(name, wall, seen, tracked, result)
        elif tracked:
            for tensor in calls.positions(name, result):
                if found := self._seen(name, "positions", tracked):
                    self.trails[tensor] = Trail(kind="positions", seen=found)
                    self._choose(soft.of_values(name, found.spot, tracked[0]), tensor, found)
        if name in walls.OWN_DATA and tracked:
            self.own_data[result] = weakref.ref(tracked[0])
        if self.trails:
            self._carry(args, kwargs, result)
        if self.selectors:
            self._follow(name, args, kwargs, result)
        if self.numbers and not tracked and name in walls.COPIES:
            self._made_again(args)

    def _begin(
        self, name: str, wall: Wall, seen: Seen | None, tracked: list[torch.Tensor], result: Any
    ) -> None:
        """Remember what came of a wall, to see what is done with it."""
        if seen is None:
            return
        if isinstance(result, torch.Tensor):
            if wall == "switched off":
                self.trails[result] = Trail(kind="off", seen=seen)
            elif wall == "no slope" and seen.spot and not seen.event.inside:
                self._choose(soft.begin(name, seen.spot, tracked[0]), result, seen)
        elif wall == "number" and isinstance(result, float | list):
            self.numbers[id(cast(object, result))] = (cast(object, result), seen)

    def _choose(self, found: Soft | None, result: torch.Tensor, seen: Seen) -> None:
        if found is not None:
            self.selectors[result] = Selector(soft=found, places=(seen.place,))

    def _stepped_out(self, name: str, args: Any, kwargs: Any, result: Any) -> None:
        """Note gradients that have no history: they are told of once they are computed with."""
        loose = [tensor for tensor in calls.all_tensors([result]) if not tensor.requires_grad]
        if not loose or kwargs.get("create_graph") or torch_private.in_backward():
            return
        given = calls.all_tensors(args)
        behalf = "" if name == ".grad" else "gradient"
        seen = self._seen(name, "gradient", given or loose, behalf=behalf)
        if seen is not None:
            for tensor in loose:
                self.trails[tensor] = Trail(kind="gradient", seen=seen)

    def _carry(self, args: Any, kwargs: Any, result: Any) -> None:
        """Let what is computed from untracked tensors remember where they came from."""
        given = calls.all_tensors([*args, *kwargs.values()])
        trails = [trail for tensor in given if (trail := self.trails.get(tensor))]
        trails = [trail for trail in trails if trail.kind != "positions"]
        for tensor in calls.all_tensors([result]) if trails else ():
            if tensor.requires_grad:
                for trail in trails if torch.is_grad_enabled() else ():
                    self._tell(trail)
            elif all(tensor is not one for one in given):
                trail = trails[0]
                used = trail.used or torch.is_grad_enabled()
                self.trails[tensor] = replace(trail, used=used)

    def _tell(self, trail: Trail | None) -> None:
        """Record a gradient that went into what is recorded; once a place."""
        if trail and trail.kind == "gradient" and trail.seen.place not in self.events:
            self._record(trail.seen)

    def end(self) -> None:
        """Tell of what was computed from gradients, and is still there."""
        for trail in list(self.trails.values()):
            if trail.used:
                self._tell(trail)

    def _follow(self, name: str, args: Any, kwargs: Any, result: Any) -> None:
        """See what is done with what has no slope, and rewrite that as well."""
        given = calls.all_tensors([*args, *kwargs.values()])
        found = [selector for tensor in given if (selector := self.selectors.get(tensor))]
        if not found or (result is not None and any(result is tensor for tensor in given)):
            return
        places = tuple(dict.fromkeys(place for selector in found for place in selector.places))
        caller = lines.caller(self.entered, name)
        here = spot(caller.frame) if caller and not caller.inside else None
        softs = [selector.soft for selector in found]
        use = soft.follow(name, here, softs, args) if here else ()
        if isinstance(use, Soft) and isinstance(result, torch.Tensor):
            self.selectors[result] = Selector(soft=use, places=places)
        elif isinstance(use, tuple):
            for place in places:
                self._repair(place, "\n".join(cast(tuple[str, ...], use)))

    def _made_again(self, args: Any) -> None:
        """Pair a tensor made of a number with the line that took the number."""
        things = [args[0], *args[0]] if args and isinstance(args[0], list | tuple) else args[:1]
        known = [self.numbers[id(thing)] for thing in things if id(thing) in self.numbers]
        caller = lines.caller(self.entered, "tensor") if known else None
        here = caller and spot(caller.frame)
        new = plain.as_tensor(here) if here else ""
        for _, seen in known:
            own = self.events[seen.place].repair
            is_part = here is not None and seen.spot is not None and seen.spot.is_inside(here)
            if own and new and new not in own and not is_part:
                self._repair(seen.place, f"{own}\n{new}")

    # Events

    def _record(self, seen: Seen | None) -> None:
        if seen is None:
            return
        known = self.events.get(seen.place)
        if known is None:
            self.events[seen.place] = seen.event
            return
        inside = tuple(dict.fromkeys((*known.inside, *seen.event.inside)))
        self.events[seen.place] = replace(known, count=known.count + 1, inside=inside[:5])

    def _repair(self, place: Any, repair: str) -> None:
        known = self.events.get(place)
        if known is not None:
            self.events[place] = replace(known, repair=repair)

    def _seen(
        self,
        name: str,
        wall: Wall,
        given: list[torch.Tensor],
        *,
        raised: str = "",
        listed: bool | None = False,
        behalf: str = "",
    ) -> Seen | None:
        """Find the line that did it; None if autograd or torch did it on purpose."""
        caller = lines.caller(self.entered, name, behalf)
        if caller is None or torch_private.in_backward():
            return None
        frame, operation = caller.frame, caller.operation
        if caller.function:
            wall = "switched off" if self.switches.is_off() else "function"
        if caller.inside:
            wall = "library"
        code = frame.f_code
        place = (code, frame.f_lasti, operation, raised)
        here = spot(frame)
        if place in self.events:
            event = replace(self.events[place], inside=(caller.inside,) if caller.inside else ())
            return Seen(place=place, event=event, spot=here)
        since, repair = self._mend(wall, caller, here, given, listed)
        if operation == "deepcopy":
            wall = "copy"
        event = Event(
            operation=operation.strip("_. =") if operation[0] in "_." else operation,
            wall=wall,
            tensor=lines.variable(given[0], frame),
            shape=tuple(given[0].shape),
            dtype=str(given[0].dtype).removeprefix("torch."),
            file=code.co_filename,
            line=frame.f_lineno,
            function=code.co_name,
            source=linecache.getline(code.co_filename, frame.f_lineno).strip(),
            repair=repair,
            raised=raised,
            since=since,
            inside=(caller.inside,) if caller.inside else (),
        )
        return Seen(place=place, event=event, spot=here)

    def _mend(
        self,
        wall: Wall,
        caller: lines.Caller,
        here: Spot | None,
        given: list[torch.Tensor],
        listed: bool | None,
    ) -> tuple[str, str]:
        """Return since when recording is off, and the repair."""
        frame, name = caller.frame, caller.operation
        if wall in ("library", "into"):
            return "", ""
        if wall == "function":
            return "", _set(here, "use_reentrant", "False") if name == "checkpoint" else ""
        if wall == "switched off" and not caller.indirect:
            switch = self.switches.off(frame)
            return switch.since, switch.repair
        if wall == "inference":
            switch = inference(frame)
            return switch.since, switch.repair
        if wall == "inference tensor":
            return "", _cloned(here, lines.variable(given[0], frame))
        if wall == "gradient":
            return "", _with_history(name, here, frame, self.last_pass)
        return "", lines.repair(here, name, listed)


def _is_in(function: str) -> FrameType | None:
    """Return the frame that called torch, if it is one of a function of torch's own."""
    frame = sys._getframe(3)  # pyright: ignore[reportPrivateUsage]
    while frame is not None and frame.f_code.co_filename == __file__:
        frame = frame.f_back
    return frame if frame is not None and frame.f_code.co_name == function else None


def _cloned(here: Spot | None, name: str) -> str:
    """A clone that is made outside of inference mode can be kept."""
    if here is None or not name:
        return ""
    found: list[ast.AST] = [
        node
        for node in ast.walk(here.node)
        if isinstance(node, ast.Name | ast.Attribute) and here.source.text(node) == name
    ]
    new = dict.fromkeys(found, f"{name}.clone()")
    return pair(here.text(), here.text(new)) if found else ""


def _with_history(
    name: str, here: Spot | None, frame: FrameType, last: tuple[Spot | None, CodeType] | None
) -> str:
    """``create_graph=True`` gives gradients a history."""
    if name == ".grad":
        first = last[0] if last else None
        if here is None or first is None or not isinstance(first.node, ast.Call):
            return ""
        return _history_of_grad(here, first, last is not None and last[1] is frame.f_code)
    return _set(here, "create_graph", "True")


def _set(here: Spot | None, name: str, value: str) -> str:
    """Return a pair that sets a keyword argument of a call."""
    new = here.with_word(name, value) if here else ""
    return pair(here.text(), new) if here and new else ""


def _history_of_grad(here: Spot, first: Spot, is_near: bool) -> str:
    """Ask for the gradient where ``backward()`` was called to get it into ``.grad``."""
    call, read = first.node, here.node
    assert isinstance(call, ast.Call)
    is_plain = (
        is_near
        and isinstance(read, ast.Attribute)
        and isinstance(read.value, ast.Name)
        and isinstance(call.func, ast.Attribute)
        and not call.args
        and not call.keywords
        and isinstance(first.source.statement(call), ast.Expr)
    )
    if not is_plain:
        return _set(first, "create_graph", "True")
    assert isinstance(call.func, ast.Attribute)
    assert isinstance(read, ast.Attribute)
    owner, loss = here.source.text(read.value), first.source.text(call.func.value)
    asked = f"grad_{owner}, = torch.autograd.grad({loss}, {owner}, create_graph=True)"
    return "\n".join([pair(first.text(), asked), pair(here.text(), f"grad_{owner}")])
