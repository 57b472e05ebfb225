"""Papers as PDF, with a Chinese TrueType font of the system embedded and subsetted (design section 3).

reportlab's own CID fonts show nothing where the reader lacks them, so that without a font there is no PDF but an answer
that names the package. Rendering takes tens of milliseconds and is done by one thread, whose fonts are loaded once.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from html import escape
from io import BytesIO
from pathlib import Path

from reportlab.lib import colors
from reportlab.lib.enums import TA_CENTER
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFError, TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from backend.kernel.config import Settings
from backend.kernel.errors import Unavailable
from backend.kernel.papers import MM, Paper, Size

FONTS = (
    Path("/usr/share/fonts/truetype/wqy/wqy-microhei.ttc"),
    Path("/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf"),
    Path("/usr/share/fonts/truetype/droid/DroidSansFallback.ttf"),
    Path("/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc"),
)
_thread = ThreadPoolExecutor(1, thread_name_prefix="paper")


def font(settings: Settings) -> Path:
    """The font to be embedded: the one of the settings, else one of the system's.

    Raises Unavailable `pdf_font_missing`, which says what to install.
    """
    wanted = (settings.pdf_font,) if settings.pdf_font else FONTS
    for path in wanted:
        if path.is_file():
            return path
    raise _missing()


async def render(paper: Paper, size: Size, *, settings: Settings) -> bytes:
    """The paper as a PDF. Raises what `font` raises, also for a file that is no TrueType font."""
    path = font(settings)
    return await asyncio.get_running_loop().run_in_executor(_thread, _render, paper, size, path)


def _missing() -> Unavailable:
    return Unavailable(
        "服务器上没有可用的中文字体，暂时不能生成 PDF。请管理员安装 fonts-wqy-microhei 或 fonts-droid-fallback，"
        "或用 LINLI_PDF_FONT 指定一个 TrueType 字体；也可以改用网页打印。",
        code="pdf_font_missing",
    )


def _render(paper: Paper, size: Size, path: Path) -> bytes:
    name = _registered(path)
    width, height = (side * mm for side in MM[size])
    side, top = (18 * mm, 16 * mm) if size is Size.A4 else (14 * mm, 4 * mm)
    sink = BytesIO()
    document = SimpleDocTemplate(
        sink, pagesize=(width, height), leftMargin=side, rightMargin=side, topMargin=top, bottomMargin=top,
        title=f"{paper.title} {paper.number}", author=paper.issuer, invariant=1,
    )  # fmt: skip

    def mark(canvas: Canvas, _: SimpleDocTemplate) -> None:
        if paper.void:
            canvas.saveState()
            canvas.setFont(name, 60)
            canvas.setFillColor(colors.Color(0.8, 0, 0, alpha=0.35))
            canvas.drawCentredString(width / 2, height / 2, "作 废")
            canvas.restoreState()

    document.build(_story(paper, size, name, width - 2 * side), onFirstPage=mark, onLaterPages=mark)
    return sink.getvalue()


def _registered(path: Path) -> str:
    name = f"paper:{path}"
    if name not in pdfmetrics.getRegisteredFontNames():
        try:
            pdfmetrics.registerFont(TTFont(name, str(path), subfontIndex=0))
        except (TTFError, OSError) as error:
            raise _missing() from error
    return name


def _story(paper: Paper, size: Size, name: str, width: float) -> list[Flowable]:
    points = 10.5 if size is Size.A4 else 9.0
    plain = ParagraphStyle("plain", fontName=name, fontSize=points, leading=points * 1.35, wordWrap="CJK")
    title = ParagraphStyle(
        "title", parent=plain, fontSize=points * 1.6, leading=points * 2, alignment=TA_CENTER, spaceAfter=points * 0.3
    )
    gap = Spacer(1, points * 0.4)
    facts = [f"{label}：{text}" for label, text in paper.facts]
    facts += [""] * (-len(facts) % 3)
    rows = [list(paper.columns), *(list(row) for row in paper.rows)]
    first = width * 0.4
    widths = [first, *[(width - first) / (len(paper.columns) - 1)] * (len(paper.columns) - 1)]
    return [
        _text(paper.title, title),
        _table([[paper.issuer, paper.number]], plain, [width * 0.7, width * 0.3]),
        _table([facts[start : start + 3] for start in range(0, len(facts), 3)], plain, [width / 3] * 3),
        gap,
        _table(rows, plain, widths, grid=True),
        _table([[paper.total]], plain, [width], grid=True),
        *(_text(note, plain) for note in paper.notes),
        Spacer(1, points * (2 if size is Size.A4 else 0.6)),
        _table([list(paper.signs)], plain, [width / len(paper.signs)] * len(paper.signs)),
    ]


def _text(text: str, style: ParagraphStyle) -> Paragraph:
    return Paragraph(escape(text), style)


def _table(
    rows: Sequence[Sequence[str]], style: ParagraphStyle, widths: Sequence[float], *, grid: bool = False
) -> Table:
    made = Table([[_text(cell, style) for cell in row] for row in rows], colWidths=list(widths), repeatRows=int(grid))
    commands: list[tuple[object, ...]] = [
        ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
        ("TOPPADDING", (0, 0), (-1, -1), 1.5),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 1.5),
    ]
    if grid:
        commands.append(("GRID", (0, 0), (-1, -1), 0.6, colors.black))
    made.setStyle(TableStyle(commands))
    return made
