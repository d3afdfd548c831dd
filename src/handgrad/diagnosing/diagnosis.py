"""What a diagnosis is: reasons with their evidence and repairs, as text and as HTML."""

from collections import Counter
from dataclasses import dataclass
from html import escape
from typing import Any

from handgrad.diagnosing.reasons import GOOD, RULES, Certainty
from handgrad.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One reason why a ``.grad`` is what it is.

    Attributes:
        code: One of ``handgrad.diagnosing.RULES``.
        certainty: ``"certain"``; ``"one of"`` the reasons given together, which leave
            the same traces; or ``"cannot be known"`` from what PyTorch keeps.
        says: The reason in words.
        evidence: What was seen.
        repair: Code to type; see ``handgrad.diagnosing.reasons.Rule`` for its two conventions.

    Raises:
        InputError: If the code is not in the closed list, or the rule is never that sure.

    Example:
        >>> Reason(code="fine", certainty="certain", says="w.grad is there.").code
        'fine'
        >>> Reason(code="bad luck", certainty="certain", says="")
        Traceback (most recent call last):
        handgrad.errors.InputError: 'bad luck' is not a reason that a diagnosis may give...
    """

    code: str
    certainty: Certainty
    says: str
    evidence: tuple[str, ...] = ()
    repair: str = ""

    def __post_init__(self) -> None:
        if self.code not in RULES:
            raise InputError(
                f"{self.code!r} is not a reason that a diagnosis may give: the list is closed. "
                "Use one of handgrad.diagnosing.RULES."
            )
        if self.certainty not in RULES[self.code].certainties:
            raise InputError(
                f"{self.code!r} cannot be {self.certainty!r}: what PyTorch keeps allows only "
                f"{' or '.join(map(repr, RULES[self.code].certainties))}. Use one of these."
            )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Diagnosis:
    """Why a tensor's ``.grad`` is what it is; for a module, one diagnosis per parameter.

    Attributes:
        subject: What was asked about, by name.
        state: What its ``.grad`` is, such as ``"None"`` or ``"all zero"``.
        reasons: The most specific first.
        facts: What was seen besides.
        parts: For a module: the diagnoses of its parameters.

    Example:
        >>> import handgrad, torch
        >>> layer = torch.nn.Linear(2, 1)
        >>> _ = layer.bias.requires_grad_(False)
        >>> diagnosis = handgrad.why_no_grad(layer, layer(torch.ones(1, 2)).sum())
        >>> print(diagnosis)
        layer: 2 parameters: 1 not-called, 1 frozen-parameter
          weight  None  not-called or cleared or left-out or returned
            loss.backward() has not been called.
            type: loss.backward()
          bias    None  frozen-parameter (certain)
            bias is a frozen parameter: its requires_grad is False.
            type: layer.bias.requires_grad_()
            type: ...  # compute loss again
            type: loss.backward()
        >>> print(diagnosis.part("bias").reasons[0].repair)
        layer.bias.requires_grad_()
        ...  # compute loss again
        loss.backward()
    """

    subject: str
    state: str
    reasons: tuple[Reason, ...] = ()
    facts: tuple[str, ...] = ()
    parts: tuple["Diagnosis", ...] = ()

    @property
    def codes(self) -> tuple[str, ...]:
        """Return the codes of all reasons, in order; of a module's own reasons only."""
        return tuple(reason.code for reason in self.reasons)

    @property
    def is_fine(self) -> bool:
        """Tell whether a gradient is there and nothing speaks against it."""
        own = all(reason.code in GOOD for reason in self.reasons)
        return own and all(part.is_fine for part in self.parts) and bool(self.reasons or self.parts)

    def part(self, name: str) -> "Diagnosis":
        """Return the diagnosis of one parameter of a module.

        Raises:
            InputError: If there is none of that name.
        """
        for part in self.parts:
            if part.subject == name:
                return part
        raise InputError(
            f"{self.subject} has no parameter called {name!r}. It has: "
            f"{', '.join(part.subject for part in self.parts) or 'none'}. Use one of these."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the diagnosis as dicts, lists and strings, for JSON."""
        reasons = [
            {
                "code": reason.code,
                "certainty": reason.certainty,
                "says": reason.says,
                "evidence": list(reason.evidence),
                "repair": reason.repair,
            }
            for reason in self.reasons
        ]
        return {
            "subject": self.subject,
            "state": self.state,
            "reasons": reasons,
            "facts": list(self.facts),
            "parts": [part.to_dict() for part in self.parts],
        }

    def __str__(self) -> str:
        lines = [self._headline()]
        for reason in self.reasons:
            lines.append(f"  {reason.code} ({reason.certainty}): {reason.says}")
            lines += [f"    seen: {seen}" for seen in reason.evidence]
            lines += [f"    type: {line}" for line in reason.repair.splitlines()]
        lines += [f"  also: {fact}" for fact in self.facts]
        rows = _rows(self.parts)
        widths = [max((len(row.cells[i]) for row in rows), default=0) for i in (0, 1)]
        for row in rows:
            a, b, c = row.cells
            lines.append(f"  {a:<{widths[0]}}  {b:<{widths[1]}}  {c}")
            lines += [f"    {line}" for line in row.details]
        return "\n".join(lines)

    __repr__ = __str__

    def _headline(self) -> str:
        if not self.parts:
            return f"{self.subject}.grad: {self.state}" if self.state else self.subject
        counts = Counter(part.reasons[0].code for part in self.parts)
        told = ", ".join(f"{count} {code}" for code, count in counts.most_common())
        return f"{self.subject}: {len(self.parts)} parameters: {told}"

    def _repr_html_(self) -> str:
        body = "".join(_reason_html(reason) for reason in self.reasons)
        if self.facts:
            body += "<ul>" + "".join(f"<li>{escape(fact)}</li>" for fact in self.facts) + "</ul>"
        if self.parts:
            body += _table_html(self)
        headline = escape(self._headline())
        return f'<div class="diagnosis"><p class="diagnosis-state">{headline}</p>{body}</div>'


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of a module's table, for one parameter or for several that are alike."""

    cells: tuple[str, str, str]
    details: tuple[str, ...]
    first: Diagnosis


FEW = 4
"""So many parameters with the same verdict stand in rows of their own; more are folded."""


def _rows(parts: tuple[Diagnosis, ...]) -> list[_Row]:
    """Put trouble first, fold what is alike, and say once what to do about it."""
    groups: dict[tuple[bool, str, str], list[Diagnosis]] = {}
    for part in sorted(parts, key=lambda part: part.is_fine):
        groups.setdefault((part.is_fine, part.state, _verdict(part)), []).append(part)
    rows: list[_Row] = []
    for (fine, state, verdict), alike in groups.items():
        details = () if fine else _details(alike[0])
        if len(alike) <= FEW:
            rows += [_Row((part.subject, state, verdict), (), part) for part in alike]
            rows[-1] = _Row(rows[-1].cells, details, rows[-1].first)
        else:
            name = f"{alike[0].subject} and {len(alike) - 1} more"
            rows.append(_Row((name, state, verdict), details, alike[0]))
    return rows


def _details(part: Diagnosis) -> tuple[str, ...]:
    first = part.reasons[0]
    return (first.says, *(f"type: {line}" for line in first.repair.splitlines()))


def _verdict(part: Diagnosis) -> str:
    first = part.reasons[0]
    if first.code == "present" and first.evidence[-1].startswith("not verified"):
        return f"present; {first.evidence[-1]}"
    if first.certainty != "one of":
        return f"{first.code} ({first.certainty})"
    group = [reason.code for reason in part.reasons if reason.certainty == "one of"]
    return " or ".join(group) if len(group) > 1 else f"{first.code} ({first.certainty})"


def _said(part: Diagnosis) -> str:
    """Say the first reason, and all those that leave the same traces."""
    first, *others = part.reasons
    same = [r.says for r in others if r.certainty == first.certainty != "certain"]
    return " Or: ".join([first.says, *same])


def _reason_html(reason: Reason) -> str:
    seen = "".join(f"<li>{escape(line)}</li>" for line in reason.evidence)
    repair = f"<p>type:</p><pre><code>{escape(reason.repair)}</code></pre>" if reason.repair else ""
    return (
        f'<section class="reason"><p><strong>{escape(reason.says)}</strong> '
        f"<code>{escape(reason.code)}</code> <em>{escape(reason.certainty)}</em></p>"
        f"{f'<ul>{seen}</ul>' if seen else ''}{repair}</section>"
    )


def _table_html(whole: Diagnosis) -> str:
    head = "".join(f'<th scope="col">{word}</th>' for word in ("parameter", ".grad", "reason"))
    rows = "".join(
        f'<tr><th scope="row">{escape(row.cells[0])}</th><td>{escape(row.cells[1])}</td>'
        f"<td>{escape(row.cells[2])}: {escape(_said(row.first))}</td></tr>"
        for row in _rows(whole.parts)
    )
    caption = f"<caption>The parameters of {escape(whole.subject)}</caption>"
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
