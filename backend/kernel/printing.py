"""A paper as an answer of the API: a page for the browser's printer, or a PDF file."""

from typing import Literal

from backend.kernel import papers, pdf
from backend.kernel.config import Settings
from backend.kernel.http import Reply, Strict
from backend.kernel.papers import POLICY, Paper, Size
from backend.kernel.ratelimit import Rule

RATE = Rule("papers", 60, 60)


class PaperQuery(Strict):
    """On which paper, and whether as a page for the browser's printer or as PDF."""

    size: Size = Size.A4
    form: Literal["html", "pdf"] = "html"


async def reply(settings: Settings, paper: Paper, query: PaperQuery, *, file_name: str) -> Reply:
    """`paper` as asked for. Raises Unavailable `pdf_font_missing` for a PDF without a Chinese font."""
    if query.form == "html":
        page = papers.html(paper, query.size).encode()
        return Reply(body=page, content_type="text/html; charset=utf-8", headers={"Content-Security-Policy": POLICY})
    body = await pdf.render(paper, query.size, settings=settings)
    named = {"Content-Disposition": f'inline; filename="{file_name}.pdf"'}
    return Reply(body=body, content_type="application/pdf", headers=named)
