"""Take the chain rule of a recorded graph apart: layers, paths, and their sum."""

from collections.abc import Callable, Mapping, Sequence
from typing import cast

from handgrad.errors import (
    FreedGraphError,
    InputError,
    KindError,
    MutatedGraphError,
    NotConnectedError,
    UnsupportedNodeError,
)
from handgrad.graph import paths as _ways
from handgrad.graph.graph import Graph
from handgrad.graph.paths import Place
from handgrad.graph.records import Array, Edge
from handgrad.numbers.floats import FORMATS
from handgrad.peeling import products as _product
from handgrad.peeling.groups import grouped
from handgrad.peeling.onion import Layer, Onion, Path

MOST_NUMBERS = 200_000
"""Along all listed paths together, so many numbers are formed; later paths have no product."""

MANY_STEPS = 4096
"""Only a product so many ulps from the flow is asked whether both are rounding errors ..."""
ROUNDING = 64.0
"""... which they are up to so many epsilons of the terms that cancel."""

BLIND: dict[str | None, type[Exception]] = {
    "freed": FreedGraphError,
    "mutated": MutatedGraphError,
    "unsupported": UnsupportedNodeError,
}


def peel(
    graph: Graph,
    wrt: str | int,
    *,
    groups: Mapping[str, Sequence[str]] | None = None,
    max_paths: int = 1000,
) -> Onion:
    """Show one gradient as the chain rule builds it, from the loss inwards.

    Two answers stand side by side. The *flow* is what the engine computes,
    equal to ``.grad`` bit for bit. The *product of local derivatives* is the
    chain rule as written on paper; operations may round differently when they
    multiply by the arriving gradient, so the two can be some ulps apart.

    Args:
        graph: From ``trace``, with values.
        wrt: Name or key of a leaf or of an intermediate tensor's node.
        groups: Names of layers to be taken together, outermost group first, as
            ``{"loss": ["L", "e"], "activation": ["p"], "affine": ["z", "u"]}``;
            names that are not on the way to ``wrt`` are passed over.
        max_paths: How many paths may be listed. They are counted first, and
            their sum is always there.

    Returns:
        The onion. Jacobians have the output's axes first, then the input's.

    Raises:
        KindError: If ``graph`` is not a Graph, or ``groups`` no lists by name.
        InputError: If nothing is called ``wrt``, the graph has no numbers,
            ``max_paths`` is no number of paths, or the groups do not fit.
        NotConnectedError: If no gradient flows to ``wrt``.
        FreedGraphError, MutatedGraphError: If that kept the numbers from being read.
        UnsupportedNodeError: If a node could not be asked, or ``wrt`` is complex.

    Source:
        Griewank & Walther (2008), *Evaluating Derivatives*, 2nd ed., section 3.2.

    Example:
        >>> import torch
        >>> from handgrad import trace
        >>> w, x = torch.tensor(3.0, requires_grad=True), torch.tensor(2.0)
        >>> print(peel(trace((w * x - 10.0) ** 2), "w"))
        layer   operation  local derivative  product so far  flow  ulps
        node 0  Pow        -8                -8              -8    0
        node 1  Sub        1                 -8              -8    0
        node 2  Mul        2                 -16             -16   0
        d loss / d w: 1 path; sum of products -16; flow -16; same bits
    """
    _check(graph, wrt)
    most = _ways.limit(max_paths)
    target = graph.place(wrt)
    count = graph.paths_count(wrt)
    if not count:
        raise NotConnectedError(
            f"No path leads from the loss to {wrt!r}: this output of node {target[0]} was not "
            "used. Compute the loss from it, or peel another tensor."
        )
    nodewise = _nodewise(graph, target)
    ways = graph.paths(wrt, max_paths=most) if count <= most else ()
    paths = _paths(graph, ways)
    gradient = next(iter(graph.nodes[target[0]].gradients[target[1] :]), None)
    listed = [path.product for path in paths if path.product is not None]
    product = _product.total(listed) if paths and len(listed) == len(paths) else nodewise
    both = product is not None and gradient is not None
    layers = _layers(graph, ways[0]) if len(ways) == 1 else ()
    return Onion(
        wrt=wrt if isinstance(wrt, str) else graph.nodes[wrt].name or f"node {wrt}",
        layers=layers,
        groups=grouped(graph, layers, groups),
        path_count=count,
        paths=paths,
        gradient=gradient,
        product=product,
        nodewise=nodewise,
        ulps=_ulps(product, gradient),
        cancelled=_cancelled(graph, target, product, gradient),
        same_bits=_product.same_bits(product, gradient) if both else None,  # type: ignore[arg-type]
    )


def _check(graph: object, wrt: object) -> None:
    if not isinstance(graph, Graph):
        raise KindError(
            f"peel() takes the graph apart that trace() read, but got an object of type "
            f'{type(graph).__name__}. Call peel(trace(loss), "w").'
        )
    if graph.detail == "structure":
        why = graph.remarks or ["It was traced with values=False."]
        repair = ["Call trace(loss, values=True)."] * (graph.reason == "asked")
        error = BLIND.get(graph.reason, InputError)
        raise error(" ".join(["This graph has no local derivatives to peel.", *why, *repair]))
    constants = {edge.constant.name for _, edge in graph.edges if edge.constant}
    if isinstance(wrt, str) and wrt in constants:
        raise NotConnectedError(
            f"{wrt!r} is a constant here: it requires no gradient, so none flows to it. Set "
            f"{wrt}.requires_grad_(True) before computing the loss to see one."
        )
    key, output = graph.place(cast(str | int, wrt))
    spec = graph.nodes[key].outputs[output : output + 1]
    if any("complex" in item.dtype for item in spec):
        raise UnsupportedNodeError(
            f"{wrt!r} is complex. PyTorch's gradient of a complex tensor is a convention (the "
            "conjugate Wirtinger derivative), not a product of local derivatives. Read it from "
            f"graph.node({wrt!r}).gradients, or peel the real and imaginary part."
        )


def _start(graph: Graph) -> Array:
    """Return d(loss)/d(loss): 1, or for a tensor of many numbers the identity."""
    spec = graph.root.outputs[graph.output]
    return _product.identity(spec.shape, spec.dtype)


def _times(graph: Graph, outer: Array | None, edge: Edge, at: Place) -> Array | None:
    """Multiply by the local derivative of one edge."""
    return _product.formed(outer, edge.local_of(at[1]), graph.nodes[at[0]].outputs[at[1]].shape)


def _nodewise(
    graph: Graph, target: Place, each: Callable[[Array | None], Array | None] = lambda local: local
) -> Array | None:
    """Add products where ways meet, each node once: what backpropagation does."""
    start = (0, graph.output)
    waiting: dict[Place, list[Array | None]] = {start: [_start(graph)]}
    reaching = _ways.reaching(graph.nodes, target[0])
    for key in sorted(reaching - {target[0]}):
        node = graph.nodes[key]
        for output in range(len(node.outputs)):
            terms = waiting.pop((key, output), None)
            if terms is None:
                continue
            here = _total(terms)
            for edge in node.edges:
                if edge.source in reaching:
                    there = waiting.setdefault((edge.source, edge.output), [])
                    local = each(edge.local_of(output))
                    there.append(_product.formed(here, local, node.outputs[output].shape))
    return _total(waiting[target])


def _cancelled(
    graph: Graph, target: Place, product: Array | None, gradient: Array | None
) -> float | None:
    """Return the size of the terms, if all that is left of their sum is rounding."""
    steps = None if product is None or gradient is None else _ulps(product, gradient)
    if product is None or gradient is None or steps is None or steps < MANY_STEPS:
        return None
    terms = _nodewise(graph, target, each=_product.sizes)
    if terms is None:
        return None
    largest = _product.largest(terms)
    left = max(_product.largest(product), _product.largest(gradient))
    allowed = ROUNDING * 2.0 ** (1 - FORMATS[gradient.dtype].precision) * largest
    return largest if left <= allowed else None


def _total(terms: Sequence[Array | None]) -> Array | None:
    known = [term for term in terms if term is not None]
    return _product.total(known) if len(known) == len(terms) else None


def _paths(graph: Graph, ways: Sequence[Sequence[Edge]]) -> tuple[Path, ...]:
    """Multiply along each path; neighbours share the products of what they have in common."""
    found: list[Path] = []
    before: Sequence[Edge] = ()
    products: list[Array | None] = [_start(graph)]
    done = 0
    for way in ways:
        common = 0
        while common < min(len(way), len(before)) and way[common] is before[common]:
            common += 1
        del products[common + 1 :]
        places = [(0, graph.output), *map(_ways.behind, way)]
        for edge, place in zip(way[common:], places[common:], strict=False):
            outer = products[-1] if done <= MOST_NUMBERS else None
            latest = _times(graph, outer, edge, place)
            if latest is not None:
                done += len(latest.data)
            products.append(latest)
        before = way
        nodes = tuple(key for key, _ in places)
        names = tuple(_ways.called(graph.nodes, p) or graph.nodes[p[0]].op for p in places)
        slots = tuple(edge.slot for edge in way)
        found.append(Path(nodes=nodes, names=names, slots=slots, product=products[-1]))
    return tuple(found)


def _layers(graph: Graph, way: Sequence[Edge]) -> tuple[Layer, ...]:
    """Tell the only path as layers with the running product and the flow behind each."""
    product: Array | None = _start(graph)
    place = (0, graph.output)
    layers: list[Layer] = []
    for edge in way:
        node = graph.nodes[place[0]]
        product = _times(graph, product, edge, place)
        layers.append(
            Layer(
                node=node.key,
                name=_ways.called(graph.nodes, place),
                op=node.op,
                slot=edge.slot,
                local=edge.local_of(place[1]),
                product=product,
                flow=edge.flow,
                ulps=_ulps(product, edge.flow),
            )
        )
        place = _ways.behind(edge)
    return tuple(layers)


def _ulps(product: Array | None, flow: Array | None) -> int | None:
    return None if product is None or flow is None else _product.distance(product, flow)
