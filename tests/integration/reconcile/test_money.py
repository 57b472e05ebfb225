"""From the channel to the bank (D7, I-10): fees, payouts, the bank's file, the closing report, writing off."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from backend.composition import APPROVALS
from backend.kernel import approvals
from backend.kernel.audit import Actor
from backend.kernel.errors import Conflict, Invalid
from backend.kernel.ids import uuid7
from payments.channels.base import StatementKind
from payments.reconcile import bank, closing_day, fees, runs, writing_off
from payments.reconcile.bank_reading import Columns
from payments.reconcile.matching import Share
from payments.reconcile.runs import NotYet
from tests import factories_statements as made
from tests.factories_payments import sound
from tests.factories_reconcile import Books
from tests.factories_statements import DAY, Move, payment

COLUMNS = Columns("交易日期", None, "收入", "支出", "对方", "摘要", None)
AT = datetime(2026, 9, 1, tzinfo=UTC)
STAFF = Actor("staff", uuid7(AT))


def bank_csv(*lines: str, encoding: str = "gb18030") -> bytes:
    text = ["账户交易明细,,,,", "交易日期,收入,支出,对方,摘要", *lines]
    return "".join(f"{line}\r\n" for line in text).encode(encoding)


async def take_in(books: Books, body: bytes) -> bank.Imported:
    parsed = await bank.read(body, COLUMNS)
    company_id = books.stage.place.company_id
    return await books.res.db.transact(
        lambda tx: bank.take_in(tx, STAFF, company_id=company_id, file_name="f.csv", body=body, parsed=parsed)
    )


async def account_fen(books: Books, code: str) -> int:
    return await books.res.db.fetchval(
        """SELECT coalesce(sum(CASE p.debit_account WHEN a.id THEN amount_fen ELSE -amount_fen END), 0)::bigint
             FROM account a JOIN posting p ON a.id IN (p.debit_account, p.credit_account) WHERE a.code = $1""",
        code,
    )


async def settled_day(books: Books, path: Path, *, paid_out_fen: int | None = None) -> int:
    """A day of two payments whose trades, refunds and fund flow agree, and what was paid out."""
    rows = [await books.pay(10_000), await books.pay(20_000)]
    await books.trades(path, rows)
    await books.run(path, None, kind=StatementKind.REFUNDS)
    out_fen = 30_000 - 180 if paid_out_fen is None else paid_out_fen
    moves = [Move("交易", row.transaction_no, row.amount_fen, f"F{n}") for n, row in enumerate(rows)]
    moves += [Move("扣除交易手续费", row.transaction_no, -row.fee_fen, f"G{n}") for n, row in enumerate(rows)]
    moves += [Move("提现", "W1", -out_fen, "W1")]
    await books.run(path, made.wechat_fund(moves), kind=StatementKind.FUND_FLOW)
    return out_fen


async def closing(books: Books, day: date = DAY) -> closing_day.Closing:
    place = books.stage.place
    return await closing_day.of_day(books.res.db, company_id=place.company_id, communities=[place.id], day=day)


async def test_a_day_ties_out_from_the_bill_to_the_bank(books: Books, tmp_path: Path) -> None:
    out_fen = await settled_day(books, tmp_path)
    assert await books.found() == []
    assert [await account_fen(books, code) for code in ("clearing", "in_transit", "channel_fee", "bank")] == [
        0, out_fen, 180, 0,
    ]  # fmt: skip
    await sound(books.res)

    done = await take_in(books, bank_csv("2026-09-02,298.20,,财付通,结算", "2026-09-02,,5.00,银行,手续费"))
    assert (done.lines, done.new, done.matched) == (2, 2, 1)
    assert [await account_fen(books, code) for code in ("in_transit", "bank")] == [0, out_fen]
    told = await closing(books)
    assert told.agrees
    (side,) = told.sides
    assert (side.received_fen, side.billed_fen, side.posted_fen, side.fee_fen) == (30_000, 30_000, 30_000, 180)
    assert (side.settled_fen, side.arrived_fen) == (out_fen, out_fen)
    await sound(books.res)


async def test_a_closing_day_does_not_agree_while_a_statement_is_missing(books: Books, tmp_path: Path) -> None:
    row = await books.pay(10_000)
    with pytest.raises(runs.Refused):
        await books.run(tmp_path, made.wechat_trades([row])[:-5])
    assert not (await closing(books)).agrees
    await books.trades(tmp_path, [row])
    assert (await closing(books)).agrees


async def test_the_fund_flow_waits_for_the_trades(books: Books, tmp_path: Path) -> None:
    with pytest.raises(NotYet):
        await books.run(tmp_path, None, kind=StatementKind.FUND_FLOW)


async def test_what_the_fund_flow_cannot_explain_has_a_name(books: Books, tmp_path: Path) -> None:
    row = await books.pay(10_000)
    await books.trades(tmp_path, [row])
    await books.run(tmp_path, None, kind=StatementKind.REFUNDS)
    moves = [
        Move("交易", row.transaction_no, 9_999, "F1"), Move("交易", "T_UNKNOWN", 5, "F2"),
        Move("扣除交易手续费", row.transaction_no, -61, "F3"), Move("神秘业务", "X", -7, "F4"),
        Move("提现", "W9", 10, "F5"),
    ]  # fmt: skip
    trades = made.wechat_trades([row])
    await books.run(tmp_path, made.wechat_fund(moves), kind=StatementKind.FUND_FLOW, trades=trades)
    assert await books.found() == [
        ("fee", "OPEN", row.transaction_no),
        ("settlement", "OPEN", row.transaction_no),
        ("settlement", "OPEN", "T_UNKNOWN"),
        ("settlement", "OPEN", "W9"),
        ("settlement", "OPEN", "X"),
    ]
    await sound(books.res)


async def test_running_the_fund_flow_again_settles_nothing_twice(books: Books, tmp_path: Path) -> None:
    out_fen = await settled_day(books, tmp_path)
    moves = [Move("交易", row.transaction_no, row.amount_fen, f"F{n}") for n, row in enumerate(books.rows)]
    moves += [Move("提现", "W1", -out_fen, "W1")]
    await books.run(tmp_path, made.wechat_fund(moves), kind=StatementKind.FUND_FLOW, force=True)
    assert await account_fen(books, "in_transit") == out_fen
    await sound(books.res)


async def test_a_line_of_the_bank_is_imported_once_whatever_file_it_comes_in(books: Books, tmp_path: Path) -> None:
    first = bank_csv("2026-09-02,1.00,,甲,款", "2026-09-02,1.00,,甲,款")
    assert (await take_in(books, first)).new == 2
    with pytest.raises(Conflict):
        await take_in(books, first)
    more = bank_csv("2026-09-02,1.00,,甲,款", "2026-09-02,1.00,,甲,款", "2026-09-03,1.00,,甲,款", encoding="utf-8")
    done = await take_in(books, more)
    assert (done.lines, done.new) == (3, 1)


async def test_a_bank_file_with_a_bad_row_imports_nothing(books: Books) -> None:
    body = bank_csv("2026-09-02,1.00,,甲,款", "2026-09-31,1.00,,甲,款", "2026-09-02,1O0,,甲,款", "2026-09-02,1,2,甲,款")
    parsed = await bank.read(body, COLUMNS)
    assert [(each.row, each.column) for each in parsed.problems] == [(4, "交易日期"), (5, "收入"), (6, "收入")]
    with pytest.raises(Invalid):
        await take_in(books, body)
    assert await books.stage.count("bank_line") == 0


async def test_cash_at_the_bank_is_found_by_amount_and_slip(books: Books) -> None:
    place = books.stage.place
    shift, deposit = uuid7(books.res.clock.now()), uuid7(books.res.clock.now())
    await books.res.db.execute(
        """INSERT INTO cashier_shift (id, company_id, community_id, cashier_id, state, float_fen, opened_at)
           VALUES ($1, $2, $3, $1, 'OPEN', 0, $4)""",
        shift, place.company_id, place.id, books.res.clock.now(),
    )  # fmt: skip
    for slip in ("S1", "S2"):
        deposit = uuid7(books.res.clock.now())
        await books.res.db.execute(
            """INSERT INTO bank_deposit (id, company_id, community_id, shift_id, amount_fen, deposited_on, slip_no,
                                         created_by, created_at)
               VALUES ($1, $2, $3, $4, 50000, '2026-09-01', $5, $4, $6)""",
            deposit, place.company_id, place.id, shift, slip, books.res.clock.now(),
        )  # fmt: skip
    done = await take_in(books, bank_csv("2026-09-01,500.00,,现金,缴存 S2"))
    assert done.matched == 1
    rows = await books.res.db.fetch("SELECT slip_no FROM bank_deposit WHERE matched_at IS NOT NULL")
    assert [row["slip_no"] for row in rows] == ["S2"]


async def test_a_difference_is_written_off_by_two_people(books: Books, tmp_path: Path) -> None:
    row = await books.pay(10_000)
    await books.run(tmp_path, None)
    await books.run(tmp_path, None, day=DAY + timedelta(days=1))
    difference_id = await books.res.db.fetchval("SELECT id FROM difference")
    proposed = await books.res.db.transact(
        lambda tx: writing_off.propose(
            tx, STAFF, difference_id=difference_id, communities=(books.stage.place.id,), reason="渠道确认无此款"
        )
    )
    second = Actor("staff", uuid7(books.res.clock.now()))
    await books.res.db.transact(
        lambda tx: approvals.decide(tx, second, proposed.id, approve=True, note="同意", kinds=APPROVALS)
    )
    assert await books.found() == [("missing_there", "RESOLVED", row.transaction_no)]
    assert [await account_fen(books, code) for code in ("clearing", "written_off")] == [0, 10_000]
    await sound(books.res)


async def test_a_wrong_amount_is_written_off_by_its_difference(books: Books, tmp_path: Path) -> None:
    row = await books.pay(10_000)
    await books.trades(tmp_path, [replace(row, amount_fen=10_100, fee_fen=61)])
    difference_id = await books.res.db.fetchval("SELECT id FROM difference")
    proposed = await books.res.db.transact(
        lambda tx: writing_off.propose(
            tx, STAFF, difference_id=difference_id, communities=(books.stage.place.id,), reason="渠道多付"
        )
    )
    assert proposed.payload["amount_fen"] == 100


def test_fees_are_rounded_once_and_split_without_loss() -> None:
    places = [uuid7(AT) for _ in range(3)]
    shares = tuple(Share(place, places[0], mfen) for place, mfen in zip(places, (333, 333, 334), strict=True))
    assert sum(fees.split(shares).values()) == fees.rounded(1000) == 1
    assert [fees.rounded(mfen) for mfen in (499, 500, -499, -500, 1500)] == [0, 1, 0, -1, 2]


async def test_fees_of_a_line_nobody_knows_fall_to_the_company(books: Books, tmp_path: Path) -> None:
    row = await books.pay(10_000)
    await books.trades(tmp_path, [row, payment(99, 5_000)])
    rows = await books.res.db.fetch("SELECT community_id, fee_fen FROM channel_fee ORDER BY fee_fen")
    place = books.stage.place
    assert [(each["community_id"], each["fee_fen"]) for each in rows] == [(place.company_id, 30), (place.id, 60)]
    await sound(books.res)


async def test_books_that_moved_since_are_compared_again(books: Books, tmp_path: Path) -> None:
    """A payment of the day that nobody told us about until after the run: the day is due once more."""
    first = await books.pay(10_000)
    await books.trades(tmp_path, [first])
    assert await runs.plan_moved(books.res, DAY + timedelta(days=1)) == 0
    late = await books.pay(7_000)
    assert await runs.plan_moved(books.res, DAY + timedelta(days=1)) == 1
    await books.trades(tmp_path, [first], force=True)
    assert await books.found() == [("cross_day", "OPEN", late.transaction_no)]
    await sound(books.res)
