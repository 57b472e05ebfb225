"""Papers: what they say, in real sizes, with ink where Chinese stands (design section 3)."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pypdfium2
import pytest

from backend.kernel import pdf
from backend.kernel.config import Settings
from backend.kernel.errors import Unavailable
from backend.kernel.money import capital_text
from backend.kernel.papers import MM, Size, html
from payments.channels.base import Method
from payments.counter import papers
from payments.counter.receipts import Receipt, ReceiptState
from payments.counter.shifts import MethodTotal, Report, Shift, ShiftState

ID = UUID("01991b2a-7c00-7000-8000-000000000001")
AT = datetime(2026, 9, 1, 2, 0, tzinfo=UTC)
SNAPSHOT = {
    "company": "邻里物业<服务>有限公司", "community": "幸福里小区", "houses": ["1栋1单元101"],
    "lines": [{"title": "物业费 2026年9月", "principal_fen": 26_805, "late_fee_fen": 120}],
    "amount_fen": 26_925, "channel": "counter", "method": "cash", "paid_at": AT.isoformat(), "order_no": "LL01",
    "transaction_no": "SJ0001", "received_fen": 30_000, "change_fen": 3_075, "cashier": "李收银",
}  # fmt: skip


def receipt(state: ReceiptState = ReceiptState.ISSUED, *, lines: int = 1) -> Receipt:
    void = state is ReceiptState.VOIDED
    return Receipt(
        id=ID, company_id=ID, community_id=ID, no=7, order_id=ID, state=state,
        snapshot={**SNAPSHOT, "lines": SNAPSHOT["lines"] * lines}, issued_at=AT, voided_at=AT if void else None,
        void_reason="款项已全部退还" if void else None, refunded_fen=0,
    )  # fmt: skip


def report() -> Report:
    shift = Shift(ID, ID, ID, ID, ShiftState.CLOSED, 50_000, AT, AT, 76_925, 76_900, "找零有误")
    return Report(shift, (MethodTotal(Method.CASH, 1, 26_925, 0, 0),), 0, 76_900)


def settings(font: Path | None = None) -> Settings:
    return Settings(pdf_font=font)


def need_font() -> None:
    try:
        pdf.font(settings())
    except Unavailable as missing:
        pytest.skip(missing.message)


@pytest.mark.parametrize(
    ("fen", "text"),
    [
        (1, "壹分"), (10, "壹角整"), (15, "壹角伍分"), (100, "壹元整"), (12_305, "壹佰贰拾叁元零伍分"),
        (1_000_500, "壹万零伍元整"), (10_050_000, "壹拾万零伍佰元整"), (10_000_000_001, "壹亿元零壹分"),
        (12_345_678_912, "壹亿贰仟叁佰肆拾伍万陆仟柒佰捌拾玖元壹角贰分"), (1_001_000_000, "壹仟零壹万元整"),
    ],
)  # fmt: skip
def test_money_is_written_out_in_capitals(fen: int, text: str) -> None:
    assert capital_text(fen) == text


def test_only_a_positive_amount_is_written_out() -> None:
    with pytest.raises(ValueError, match="positive"):
        capital_text(0)


@pytest.mark.parametrize(("size", "page"), [(Size.A4, "210.0mm 297.0mm"), (Size.TRIPLE, "241.0mm 93.1mm")])
def test_a_receipt_is_a_page_of_real_size_and_escapes_what_it_shows(size: Size, page: str) -> None:
    text = html(papers.of_receipt(receipt()), size)
    assert f"@page {{ size: {page};" in text
    assert "邻里物业&lt;服务&gt;有限公司" in text and "<服务>" not in text
    for said in ("No. 00000007", "贰佰陆拾玖元贰角伍分", "￥269.25", "找零 30.75 元", "SJ0001", "2026-09-01 10:00"):
        assert said in text
    assert 'class="void' not in text


def test_a_voided_receipt_says_so() -> None:
    text = html(papers.of_receipt(receipt(ReceiptState.VOIDED)), Size.A4)
    assert "本收据已作废：款项已全部退还" in text and '"sa4 void"' in text


def test_a_shifts_report_names_what_is_short() -> None:
    paper = papers.of_shift(report(), company="邻里物业", community="幸福里", cashier="李收银")
    assert "短款 0.25 元" in paper.total and paper.notes == ["说明：找零有误"]


@pytest.mark.parametrize("size", list(Size))
async def test_a_pdf_has_ink_where_chinese_stands(size: Size) -> None:
    need_font()
    body = await pdf.render(papers.of_receipt(receipt()), size, settings=settings())
    assert b"/FontFile2" in body, "the font is embedded"
    assert len(body) < 200_000, "and only what is used of it"
    document = pypdfium2.PdfDocument(body)
    page = document[0]
    width_mm, height_mm = MM[size]
    assert [round(side / 72 * 25.4, 1) for side in page.get_size()] == [width_mm, height_mm]
    assert len(document) == 1
    for words in ("收 款 收 据", "贰佰陆拾玖元贰角伍分", "幸福里小区", "物业费"):
        assert ink_of(page, words) > 0.08, words


async def test_many_lines_go_on_to_a_next_page() -> None:
    need_font()
    body = await pdf.render(papers.of_receipt(receipt(lines=40)), Size.TRIPLE, settings=settings())
    assert len(pypdfium2.PdfDocument(body)) > 1


async def test_the_same_paper_is_the_same_file() -> None:
    need_font()
    paper = papers.of_receipt(receipt(ReceiptState.VOIDED))
    assert await pdf.render(paper, Size.A4, settings=settings()) == await pdf.render(
        paper, Size.A4, settings=settings()
    )


async def test_without_a_font_the_answer_names_the_package(tmp_path: Path) -> None:
    for font in (tmp_path / "none.ttf", Path(__file__)):
        with pytest.raises(Unavailable, match="pdf_font_missing") as refused:
            await pdf.render(papers.of_receipt(receipt()), Size.A4, settings=settings(font))
        assert "fonts-wqy-microhei" in refused.value.message


def ink_of(page: pypdfium2.PdfPage, words: str) -> float:
    """The least share of dark pixels over the characters of `words`, where the text layer says that they stand."""
    text = page.get_textpage()
    found = text.search(words).get_next()
    assert found is not None, words
    start, count = found
    scale = 4
    picture = page.render(scale=scale).to_pil().convert("L")
    shares = []
    for index in range(start, start + count):
        if text.get_text_range(index, 1).isspace():
            continue
        left, bottom, right, top = text.get_charbox(index)
        box = (left, page.get_height() - top, right, page.get_height() - bottom)
        glyph = picture.crop(tuple(int(side * scale) for side in box))
        dark = sum(count for value, count in enumerate(glyph.histogram()) if value < 128)
        shares.append(dark / max(glyph.width * glyph.height, 1))
    return min(shares)
