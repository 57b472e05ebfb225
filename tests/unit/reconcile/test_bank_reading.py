"""The bank's file (D7): read by a mapping, exactly; any doubt is a problem of a row and a column."""

from datetime import date
from io import BytesIO

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payments.reconcile import bank, bank_reading
from payments.reconcile.bank_reading import Columns, Parsed, Unreadable

SIGNED = Columns("日期", "金额", None, None, "对方", "摘要", "流水号")
SPLIT = Columns("交易日期", None, "收入", "支出", None, None, None)


def parsed(text: str, columns: Columns = SIGNED, encoding: str = "utf-8") -> Parsed:
    return bank_reading.parse(bank_reading.cells(text.encode(encoding)), columns)


def test_a_table_is_found_below_what_the_bank_writes_above_it() -> None:
    above = "某某银行\r\n账号,6222\r\n\r\n"
    text = above + '日期,流水号,对方,摘要,金额\r\n2026-09-01,S1,财付通,结算,"1,234.50"\r\n合计,,,,\r\n'
    for encoding in ("utf-8", "utf-8-sig", "gb18030"):
        (row,) = parsed(text, encoding=encoding).rows
        assert (row.booked_on, row.amount_fen, row.reference) == (date(2026, 9, 1), 123_450, "S1")


@pytest.mark.parametrize(
    "text", ["2026-09-01", "2026/9/1", "20260901", "2026年9月1日", "2026-09-01 06:00:00", "2026.09.01"]
)
def test_dates_as_banks_write_them(text: str) -> None:
    (row,) = parsed(f"日期,流水号,对方,摘要,金额\n{text},S1,,,1\n").rows
    assert row.booked_on == date(2026, 9, 1)


@pytest.mark.parametrize(
    ("cell", "fen"), [("1", 100), ("-0.01", -1), ("+12.3", 1230), ("￥1.00", 100), ("1234.5600", 123_456)]
)
def test_amounts_are_exact(cell: str, fen: int) -> None:
    (row,) = parsed(f"日期,流水号,对方,摘要,金额\n2026-09-01,S1,,,{cell}\n").rows
    assert row.amount_fen == fen


@pytest.mark.parametrize("cell", ["", "0", "1.005", "1e2", "壹元", "1.2.3", "--1", "99999999999999"])
def test_what_is_no_amount_is_a_problem(cell: str) -> None:
    found = parsed(f"日期,流水号,对方,摘要,金额\n2026-09-01,S1,,,1\n2026-09-01,S2,,,{cell}\n")
    assert found.rows == () and [(each.row, each.column) for each in found.problems] == [(3, "金额")]


def test_money_in_and_out_may_have_a_column_each() -> None:
    rows = parsed("交易日期,收入,支出\n2026-09-01,1.00,\n2026-09-01,,2.00\n2026-09-01,-,-3.00\n", SPLIT).rows
    assert [row.amount_fen for row in rows] == [100, -200, -300]


def test_a_missing_or_doubled_header_is_no_table() -> None:
    for text in ("日期,金额\n2026-09-01,1\n", "日期,日期,流水号,对方,摘要,金额\n"):
        with pytest.raises(Unreadable, match="表头"):
            parsed(text)


def test_the_same_serial_twice_is_a_problem_and_the_same_line_twice_is_two() -> None:
    assert parsed("日期,流水号,对方,摘要,金额\n2026-09-01,S1,,,1\n2026-09-01,S1,,,1\n").problems
    rows = parsed("交易日期,收入,支出\n2026-09-01,1,\n2026-09-01,1,\n", SPLIT).rows
    assert len({row.digest for row in rows}) == 2


async def test_a_workbook_is_read_in_a_process_of_its_own() -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (
        ["某某银行"],
        ["日期", "流水号", "对方", "摘要", "金额"],
        [date(2026, 9, 1), "S1", "财付通", "结算", 298.2],
    ):
        sheet.append(row)
    body = BytesIO()
    book.save(body)
    (row,) = (await bank.read(body.getvalue(), SIGNED)).rows
    assert (row.booked_on, row.amount_fen, row.counterparty) == (date(2026, 9, 1), 29_820, "财付通")
    assert (await bank.read(b"PK\x03\x04 not a workbook", SIGNED)).problems


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_noise_never_crashes(noise: bytes) -> None:
    try:
        found = bank_reading.parse(bank_reading.cells(noise), SIGNED)
    except Unreadable:
        return
    assert found.rows == () or not found.problems


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.dates(date(2000, 1, 1)), st.integers(-(10**11), 10**11).filter(bool)), max_size=8))
def test_what_is_written_is_read_back(lines: list[tuple[date, int]]) -> None:
    text = "日期,流水号,对方,摘要,金额\n" + "".join(
        f"{day},S{n},,,{'-' if fen < 0 else ''}{abs(fen) // 100}.{abs(fen) % 100:02d}\n"
        for n, (day, fen) in enumerate(lines)
    )
    found = parsed(text)
    assert [(row.booked_on, row.amount_fen) for row in found.rows] == lines
