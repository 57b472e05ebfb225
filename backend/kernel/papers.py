"""Papers (单据): what stands on a printed sheet, as data, and as a print-ready page.

A paper is data: its rendering as HTML (here) or PDF (`pdf`) shows the same and decides nothing. Sizes are those of real
paper: A4, and the 241 mm continuous paper in three parts that needle printers take, a third of a sheet high (93.1 mm).
Everything that is shown is escaped.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from html import escape
from pathlib import Path
from string import Template

PAGE = Template((Path(__file__).parent / "paper.html").read_text(encoding="utf-8"))
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


class Size(StrEnum):
    """Sizes of paper."""

    A4 = "a4"
    TRIPLE = "241"


MM = {Size.A4: (210.0, 297.0), Size.TRIPLE: (241.0, 93.1)}


@dataclass(frozen=True, slots=True)
class Paper:
    """What a paper says: head, facts as (label, text), a table, a total line, notes, and who signs."""

    issuer: str
    title: str
    number: str
    facts: Sequence[tuple[str, str]]
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    total: str
    notes: Sequence[str]
    signs: Sequence[str]
    void: bool = False


def html(paper: Paper, size: Size) -> str:
    """The paper as a page that a browser prints in its real size."""
    width, height = MM[size]
    return PAGE.substitute(
        size=size.value,
        width=width,
        height=height,
        void="void" if paper.void else "",
        issuer=escape(paper.issuer),
        title=escape(paper.title),
        number=escape(paper.number),
        facts="".join(f"<div><dt>{escape(label)}</dt><dd>{escape(text)}</dd></div>" for label, text in paper.facts),
        columns="".join(f"<th>{escape(column)}</th>" for column in paper.columns),
        rows="".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in paper.rows),
        total=escape(paper.total),
        notes="".join(f"<p>{escape(note)}</p>" for note in paper.notes),
        signs="".join(f"<span>{escape(sign)}</span>" for sign in paper.signs),
    )
