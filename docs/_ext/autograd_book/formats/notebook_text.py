"""A resolved page as plain Markdown, for notebooks: numbers, references and notes are text.

Jupyter and Colab know CommonMark, tables, mathematics between dollars and folded
``<details>``; whatever the book adds to Markdown is written with these.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from docutils import nodes

SPECIAL = re.compile(r"[\\*`$<\[\]]|(?<!\w)_|_(?!\w)")
SILENT = nodes.comment | nodes.target | nodes.substitution_definition | nodes.system_message


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a page: Markdown ``text``, or the place of a ``cell``.

    ``exercise`` names one to check; ``claims`` are what the text says of the run, as
    (expression, phrase); ``line`` is where it stands in the page's source, 0 if unknown.
    """

    text: str = ""
    line: int = 0
    claims: tuple[tuple[str, str], ...] = ()
    cell: int | None = None
    exercise: str | None = None


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes one page.

    Attributes:
        page: Address of the page within the site, to resolve its links.
        site: Address of the site; links within it are plain text if it is empty.
        number: The chapter's number, or nothing.
        numbers: Numbers of figures, tables and equations by kind and name.
    """

    page: str
    site: str
    number: str
    numbers: dict[str, dict[str, tuple[int, ...]]]

    def parts(self, node: nodes.Element, level: int = 1) -> Iterator[Part]:
        """Yield the pieces of a page in order."""
        for child in node.children:
            name = type(child).__name__
            if isinstance(child, nodes.section):
                yield from self.parts(
                    child, level + 1 if isinstance(node, nodes.section) else level
                )
            elif isinstance(child, nodes.title) and isinstance(node, nodes.section):
                first = f"{self.number}. " if level == 1 and self.number else ""
                yield Part(f"{'#' * level} {first}{self.inline(child)}", line=child.line or 0)
            elif isinstance(child, nodes.container) and child.get("nb_element") == "cell_code":
                yield Part(cell=child["cell_index"])
                for caption in child.findall(nodes.caption):
                    yield Part(self.caption(caption))
            elif name == "exercise":
                yield from self.exercise(child)
            elif text := self.block(child):
                yield Part(text, claims=claims(child), line=child.line or 0)

    def exercise(self, node: Any) -> Iterator[Part]:
        """Yield the question, the place of its check, then hints and answer, folded."""
        shown = [child for child in node.children if type(child).__name__ != "fold"]
        yield Part("\n\n".join(filter(None, map(self.block, shown))), line=node.line or 0)
        yield Part(exercise=node["key"])
        folds = [child for child in node.children if type(child).__name__ == "fold"]
        yield Part("\n\n".join(map(self.block, folds)))

    def blocks(self, node: nodes.Element) -> str:
        """Write the children of a node, a blank line between them."""
        return "\n\n".join(filter(None, (self.block(child) for child in node.children)))

    def block(self, node: nodes.Node) -> str:
        """Write a block."""
        if isinstance(node, SILENT) or type(node).__name__ == "toctree":
            return ""
        writer: Callable[[Any], str] | None = BLOCKS.get(type(node).__name__)
        if writer is not None:
            return writer(self, node)
        if isinstance(node, nodes.Admonition):
            return quote(f"**{type(node).__name__.capitalize()}.** {self.blocks(node)}")
        if isinstance(node, nodes.TextElement | nodes.Text):
            return self.inline(node)
        return self.blocks(node)

    def inline(self, node: nodes.Node) -> str:
        """Write what stands in a line."""
        if isinstance(node, nodes.Text):
            return SPECIAL.sub(r"\\\g<0>", re.sub(r"\s+", " ", node.astext()))
        if isinstance(node, nodes.literal):
            return code(node.astext())
        if isinstance(node, nodes.math):
            return f"${node.astext().strip()}$"
        if isinstance(node, nodes.image):
            return node.get("alt", "")
        if isinstance(node, nodes.raw | SILENT) or type(node).__name__ == "reply":
            return ""
        inner = "".join(map(self.inline, node.children))
        if isinstance(node, nodes.reference):
            return self.link(node, inner)
        mark = {nodes.emphasis: "*", nodes.strong: "**", nodes.title_reference: "*"}.get(type(node))
        if mark:
            return f"{mark}{inner}{mark}" if inner.strip() else inner
        tag = {nodes.subscript: "sub", nodes.superscript: "sup"}.get(type(node))
        return f"<{tag}>{inner}</{tag}>" if tag else inner

    def link(self, node: nodes.reference, text: str) -> str:
        """Write a link that works outside the book, or its text alone."""
        address = node.get("refuri", "")
        if address.startswith(("https://", "http://", "mailto:")):
            return f"[{text}]({address})"
        if not self.site or not address or address.startswith("#"):
            return text
        path = posixpath.normpath(posixpath.join(posixpath.dirname(self.page), address))
        return f"[{text}]({self.site}{path})"

    def caption(self, node: nodes.caption) -> str:
        """Write a figure's or a table's caption with its number."""
        figure = node.parent
        kind = "table" if isinstance(figure, nodes.table) else "figure"
        known = self.numbers.get(kind, {})
        number = next((known[name] for name in figure["ids"] if name in known), None)
        first = f"**{kind.capitalize()} {'.'.join(map(str, number))}.** " if number else ""
        return first + self.inline(node)

    def equation(self, node: nodes.math_block) -> str:
        """Write a displayed equation, tagged with its number."""
        known = self.numbers.get("displaymath", {})
        number = next((known[name] for name in node["ids"] if name in known), None)
        tag = f" \\tag{{{'.'.join(map(str, number))}}}" if number else ""
        return f"$$\n{node.astext().strip()}{tag}\n$$"

    def items(self, node: nodes.Element) -> str:
        """Write a list."""
        numbered = isinstance(node, nodes.enumerated_list)
        start = node.get("start", 1) if numbered else 0
        marks = [f"{start + place}. " if numbered else "- " for place in range(len(node.children))]
        return "\n".join(
            mark + indent(self.blocks(item), len(mark))
            for mark, item in zip(marks, node.children, strict=True)
        )

    def table(self, node: nodes.table) -> str:
        """Write a table; one without a head gets an empty one."""
        rows = [
            [self.blocks(entry).replace("\n\n", "<br>").replace("\n", " ").replace("|", "\\|")
             for entry in row.children]
            for row in node.findall(nodes.row)
        ]  # fmt: skip
        if node.next_node(nodes.thead) is None:
            rows.insert(0, [""] * len(rows[0]))
        rows.insert(1, ["---"] * len(rows[0]))
        grid = "\n".join(f"| {' | '.join(row)} |" for row in rows)
        title = node.next_node(nodes.title)
        return f"**{self.inline(title)}**\n\n{grid}" if title is not None else grid


def claims(node: nodes.Node) -> tuple[tuple[str, str], ...]:
    """Return what guards the phrases of a block."""
    found = (part for part in node.findall() if type(part).__name__ == "held")
    return tuple((part["code"], re.sub(r"\s+", " ", part.astext()).strip()) for part in found)


def code(text: str) -> str:
    """Write code in a line, whatever backticks it holds."""
    ticks = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    space = " " * (text.startswith("`") or text.endswith("`"))
    return f"{ticks}{space}{text}{space}{ticks}"


def quote(text: str) -> str:
    """Set a text as a quotation."""
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines())


def indent(text: str, width: int) -> str:
    """Indent all lines but the first."""
    return text.replace("\n", "\n" + " " * width).replace("\n" + " " * width + "\n", "\n\n")


def fold(self: Writer, node: Any) -> str:
    """Fold a hint or an answer away."""
    inner = "\n\n".join(self.block(child) for child in node.children[1:])
    return f"<details><summary>{node['kind']}</summary>\n\n{inner}\n\n</details>"


def prediction(self: Writer, node: Any) -> str:
    """Ask for a prediction, with its options as a list."""
    blocks = [self.block(child) for child in node.children if type(child).__name__ != "choice"]
    choices = [child for child in node.children if type(child).__name__ == "choice"]
    options = [self.inline(choice) for choice in choices]
    listed = "\n".join(f"- {option}" for option in options)
    replies = [part for choice in choices for part in choice if type(part).__name__ == "reply"]
    said = [
        f"- {option}: {'✓' if part['right'] else '≠'} {''.join(map(self.inline, part.children))}"
        for option, part in zip(options, replies, strict=True)
    ]
    answer = (
        f"<details><summary>What each would mean</summary>\n\n{chr(10).join(said)}\n\n</details>"
    )
    return "\n\n".join([*blocks, listed, answer])


def offers(self: Writer, node: Any) -> str:
    """Write the end of a question, with the words that ``check`` takes for an answer."""
    asked = self.inline(node.children[0])
    listed = [child for child in node.children if type(child).__name__ == "offer"]
    rows = []
    for child in listed:
        plain = child.astext() == child["value"]
        rows.append(f"- `{child['value']!r}`" + ("" if plain else f": {self.inline(child)}"))
    return "\n\n".join([asked, "\n".join(rows)]) if rows else asked


BLOCKS: dict[str, Callable[[Writer, Any], str]] = {
    "paragraph": Writer.inline,
    "claim": lambda self, node: quote(f"**Claim.** {self.blocks(node)}"),
    "aside": lambda self, node: quote(self.blocks(node)),
    "prediction": prediction,
    "heading": lambda self, node: f"### {self.inline(node)}",
    "group": offers,
    "fold": fold,
    "math_block": Writer.equation,
    "bullet_list": Writer.items,
    "enumerated_list": Writer.items,
    "table": Writer.table,
    "caption": Writer.caption,
    "rubric": lambda self, node: f"**{self.inline(node)}**",
    "block_quote": lambda self, node: quote(self.blocks(node)),
    "transition": lambda self, node: "---",
    "literal_block": lambda self, node: f"```{_language(node)}\n{node.astext()}\n```",
    "doctest_block": lambda self, node: f"```python\n{node.astext()}\n```",
    "line_block": lambda self, node: "  \n".join(map(self.inline, node.children)),
    "definition_list_item": lambda self, node: "\n".join(map(self.block, node.children)),
    "term": lambda self, node: f"**{self.inline(node)}**",
    "definition": lambda self, node: f"\n{self.blocks(node)}",
    "raw": lambda self, node: node.astext() if node.get("format") == "html" else "",
    "index": lambda self, node: "",
    "footnote": lambda self, node: quote(self.blocks(node)),
    "image": lambda self, node: self.inline(node),
}


def _language(node: nodes.literal_block) -> str:
    language = node.get("language", "")
    return "" if language in ("none", "default") else language
