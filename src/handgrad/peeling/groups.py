"""Neighbouring layers of an onion taken together."""

from collections.abc import Mapping, Sequence
from typing import cast

from handgrad.errors import InputError, KindError
from handgrad.graph import paths
from handgrad.graph.graph import Graph
from handgrad.graph.records import Array
from handgrad.peeling import products
from handgrad.peeling.onion import Group, Layer


def grouped(
    graph: Graph,
    layers: Sequence[Layer],
    wanted: Mapping[str, Sequence[str]] | None,
) -> tuple[Group, ...]:
    """Take neighbouring layers together; every layer must be in exactly one group."""
    if wanted is None:
        return ()
    if not layers:
        raise InputError(
            "Layers can be grouped only where exactly one path leads to the tensor, and not to "
            "the loss itself. Leave groups out and look at the paths, or peel a tensor beyond "
            "the branch."
        )
    _check_kind(wanted)
    members = {name: {graph.place(n)[0] for n in given} for name, given in wanted.items()}
    home = [[name for name, keys in members.items() if layer.node in keys] for layer in layers]
    _check(layers, home, list(wanted))
    groups: list[Group] = []
    for name in wanted:
        inside = tuple(i for i, names in enumerate(home) if names == [name])
        if inside:
            groups.append(_group(graph, layers, name, inside))
    return tuple(groups)


def _check_kind(wanted: object) -> None:
    named = cast(Mapping[object, object], wanted) if isinstance(wanted, Mapping) else None
    if named is None or not all(isinstance(given, (list, tuple)) for given in named.values()):
        raise KindError(
            f"Groups are given by name, each as a list of layers, but got {wanted!r:.60}. Write "
            'groups={"loss": ["L", "e"], "affine": ["z", "u"]}.'
        )


def _check(layers: Sequence[Layer], home: list[list[str]], order: list[str]) -> None:
    for layer, names in zip(layers, home, strict=True):
        called = layer.name or f"node {layer.node}"
        if len(names) != 1:
            seen = f"is in {' and '.join(map(repr, names))}" if names else "is in no group"
            raise InputError(
                f"The layer {called} ({layer.op}) {seen}. Put every layer on the way into exactly "
                'one group, by its name or key, as in groups={"loss": ["L", "e"]}.'
            )
    places = [order.index(names[0]) for names in home]
    if places != sorted(places):
        names = [name for (name,) in home]
        raise InputError(
            f"Groups must follow the layers from the loss inwards, but the layers' groups are "
            f"{', '.join(names)}. Name the outermost group first, and only neighbours together."
        )


def _group(graph: Graph, layers: Sequence[Layer], name: str, inside: tuple[int, ...]) -> Group:
    last = layers[inside[-1]]
    local: Array | None = layers[inside[0]].local
    for i in inside[1:]:
        local = products.formed(local, layers[i].local, _input_shape(graph, layers[i - 1]))
    return Group(
        name=name,
        layers=inside,
        local=local,
        product=last.product,
        flow=last.flow,
        ulps=last.ulps,
    )


def _input_shape(graph: Graph, layer: Layer) -> tuple[int, ...]:
    """Return the shape of the input through which the way leaves a layer."""
    key, output = paths.behind(graph.nodes[layer.node].edges[layer.slot])
    return graph.nodes[key].outputs[output].shape
