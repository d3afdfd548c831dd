"""Count and list the ways through a graph, by loops over its nodes."""

from collections.abc import Sequence
from typing import cast

from handgrad.errors import InputError
from handgrad.graph.records import Edge, Node

Place = tuple[int, int]
"""A node's key and the number of one of its outputs."""


def behind(edge: Edge) -> Place:
    """Return the output that an edge of a way leads to; such an edge is no constant."""
    return cast(int, edge.source), edge.output


def called(nodes: Sequence[Node], place: Place) -> str | None:
    """Return what the user calls an output: its own name, not that of the output beside it."""
    node = nodes[place[0]]
    return next(iter(node.names[place[1]]), None) if node.names else node.name


def count(nodes: Sequence[Node], place: Place) -> int:
    """Count the ways from node 0 to an output of a node, in one pass and exactly."""
    key, output = place
    if key == 0:
        return 1
    ways = [1] + [0] * (len(nodes) - 1)
    found = 0
    for node in nodes[:key]:
        for edge in node.edges:
            if edge.source is not None:
                ways[edge.source] += ways[node.key]
            if (edge.source, edge.output) == (key, output):
                found += ways[node.key]
    return found


def limit(max_paths: object) -> int:
    """Return how many ways may be listed.

    Raises:
        InputError: If that is no number of ways.
    """
    if type(max_paths) is int and max_paths >= 0:
        return max_paths
    raise InputError(
        f"max_paths is a number of paths, 0 or more, not {max_paths!r:.60}. Leave it out for 1000."
    )


def reaching(nodes: Sequence[Node], key: int) -> set[int]:
    """Collect the keys of all nodes from which a way leads to a node."""
    found = {key}
    for node in reversed(nodes[:key]):
        if any(edge.source in found for edge in node.edges):
            found.add(node.key)
    return found


def listed(nodes: Sequence[Node], start: Place, place: Place) -> tuple[tuple[Edge, ...], ...]:
    """List every way as its edges, the first slots first."""
    useful = reaching(nodes, place[0])
    steps: list[tuple[int, Edge | None]] = [(-1, None)]  # where each step came from
    found: list[tuple[Edge, ...]] = []
    stack = [(start, 0)]
    while stack:
        here, step = stack.pop()
        if here == place:
            found.append(_trail(steps, step))
            continue
        for edge in reversed(nodes[here[0]].edges):
            if edge.source is not None and edge.source in useful:
                stack.append(((edge.source, edge.output), len(steps)))
                steps.append((step, edge))
    return tuple(found)


def _trail(steps: Sequence[tuple[int, Edge | None]], step: int) -> tuple[Edge, ...]:
    """Follow steps back to the start; links, because one way may have 20,000 edges."""
    edges: list[Edge] = []
    while (edge := steps[step][1]) is not None:
        edges.append(edge)
        step = steps[step][0]
    return tuple(reversed(edges))
