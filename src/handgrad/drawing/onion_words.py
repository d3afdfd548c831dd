"""An onion in a sentence a screen reader can speak, and as a table."""

from collections.abc import Mapping, Sequence

from handgrad.drawing.ink import plain
from handgrad.drawing.steps import arrival, factor_text, path_steps, rings
from handgrad.drawing.words import listed
from handgrad.graph.graph import Graph
from handgrad.peeling.onion import Onion

MOST_SAID = 6  # layers or paths named one by one in a description


def describe(onion: Onion, titles: Mapping[str, str], graph: Graph | None) -> str:
    """Say the layers from the outside in, or the paths, and what arrives."""
    end = arrival(onion)
    if not onion.layers:
        steps = path_steps(onion, titles, graph)
        if not onion.paths:
            return f"{steps[0].head}: {steps[0].sum}. {end}."
        parts = [factor_text(path.product) for path in onion.paths[:MOST_SAID]]
        more = f" and {len(onion.paths) - MOST_SAID} more" * (len(onion.paths) > MOST_SAID)
        ways = f"{onion.path_count} path{'s' * (onion.path_count > 1)} to {onion.wrt}"
        return f"{ways}, with products {listed(parts)}{more}. Together: {end}."
    found = rings(onion, titles)
    if len(found) > MOST_SAID:
        return (
            f"{len(found)} layers around {onion.wrt}, from {found[0].name}, {found[0].local}, "
            f"in to {found[-1].name}, {found[-1].local}. The running product ends at {end}."
        )
    layers = "; ".join(f"{ring.name}, {ring.local}" for ring in found)
    products = [factor_text(part.product) for part in onion.groups or onion.layers]
    nest = "nested rings" if len(found) > 1 else "ring"
    return (
        f"{len(found)} {nest} around {onion.wrt}. From the outside in: {layers}. "
        f"The running product goes from 1.0000 to {listed(products)}, which is {onion.wrt}.grad."
    )


def table(onion: Onion, titles: Mapping[str, str], graph: Graph | None, title: str) -> str:
    """Return the figure as an HTML table: a row for each layer or path."""
    if onion.layers:
        heads = ["layer", "local derivative", "product so far", "flow", "ulps apart"]
        rows = [
            [part.name or getattr(part, "op", ""), factor_text(part.local),
             factor_text(part.product), factor_text(part.flow),
             "" if part.ulps is None else str(part.ulps)]
            for part in onion.groups or onion.layers
        ]  # fmt: skip
    else:
        heads = ["path", "product of local derivatives"]
        rows = [[step.head, step.sum] for step in path_steps(onion, titles, graph)]
    right = ["", *[' class="r"'] * (len(heads) - 1)]
    head = "".join(f'<th scope="col"{r}>{h}</th>' for h, r in zip(heads, right, strict=True))
    body = "".join(map(_row, rows))
    return (
        f'<table aria-label="{plain(title, quote=True)}, as a table"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table>"
    )


def _row(cells: Sequence[str]) -> str:
    first, *rest = map(plain, cells)
    numbers = "".join(f'<td class="r">{cell}</td>' for cell in rest)
    return f'<tr><th scope="row">{first}</th>{numbers}</tr>'
