"""docs/benchmarks.md: its table is rewritten row by row, its prose is written by people."""

from collections.abc import Sequence

from bench.figures import Figure, Latency, Rate
from bench.rig import ROOT

PAGE = ROOT / "docs" / "benchmarks.md"
HEAD = (
    "| # | what | ours | limit | R: median (range) | goal | met | also |",
    "| --- | --- | --- | --- | --- | --- | --- | --- |",
)


def text(figures: Sequence[Figure | Latency | Rate], *, quick: bool) -> str:
    """The table as it is printed."""
    title = ("Quick run: a smoke test, not a measurement.",) if quick else ()
    return "\n".join((*title, *HEAD, *(figure.row() for figure in figures)))


def write(figures: Sequence[Figure | Latency | Rate]) -> None:
    """Replace the row of each figure in the page; ValueError where the page has none for it."""
    lines = PAGE.read_text().splitlines()
    for figure in figures:
        position = next((n for n, line in enumerate(lines) if line.startswith(f"| {figure.code} |")), None)
        if position is None:
            raise ValueError(f"{PAGE.name} has no row for {figure.code}")
        lines[position] = figure.row()
    PAGE.write_text("\n".join(lines) + "\n")
