"""F-21 and D7: each defect of a generated statement gives the exact list of differences; a bad file is refused."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backend.kernel import failpoints
from backend.kernel.clock import FrozenClock
from payments import merchants, settlement
from payments.channels.base import StatementKind
from payments.reconcile import runs
from payments.reconcile.reading import Refused
from payments.settlement import Door
from tests import factories_reconcile
from tests import factories_statements as made
from tests.factories_payments import sound
from tests.factories_reconcile import Books
from tests.factories_statements import DAY, Row, payment


async def paid(books: Books, *amounts: int) -> list[Row]:
    return [await books.pay(amount) for amount in amounts]


async def run_row(books: Books) -> dict[str, object]:
    row = await books.res.db.fetchrow("SELECT * FROM reconciliation_run ORDER BY started_at DESC, id DESC LIMIT 1")
    assert row is not None
    return dict(row)


async def test_a_day_that_agrees_leaves_nothing_but_its_fees(books: Books, tmp_path: Path) -> None:
    rows = await paid(books, 26_805, 100, 7)
    result = await books.trades(tmp_path, rows)
    assert (result.matched, result.told.amount_fen, result.fee_fen) == (3, 26_912, 162)
    assert await books.found() == []
    assert (await run_row(books))["state"] == "DONE"
    assert await books.stage.clearing_fen() == 26_912 - 162
    await sound(books.res)


async def test_each_defect_is_found_by_its_name_and_nothing_else(books: Books, tmp_path: Path) -> None:
    rows = await paid(books, *range(10_000, 10_010))
    extra = payment(99, 5_000)
    changed = [
        *rows[1:3],
        replace(rows[3], amount_fen=9_999, fee_fen=60),
        rows[4], rows[4],
        replace(rows[5], fee_fen=rows[5].fee_fen + 3),
        replace(rows[6], type="WXPAY_NEW"),
        replace(rows[7], currency="USD"),
        replace(rows[8], out_trade_no="LL_OTHER"),
        rows[9],
        extra,
    ]  # fmt: skip
    result = await books.trades(tmp_path, changed)
    await books.run(tmp_path, None, day=DAY + timedelta(days=1))
    assert await books.found() == [
        ("amount", "OPEN", rows[3].transaction_no),
        ("currency", "OPEN", rows[7].transaction_no),
        ("duplicate", "OPEN", rows[4].transaction_no),
        ("fee", "OPEN", rows[5].transaction_no),
        ("missing_here", "OPEN", extra.transaction_no),
        ("missing_there", "OPEN", rows[0].transaction_no),
        ("status", "OPEN", rows[6].transaction_no),
        ("transaction", "OPEN", rows[8].transaction_no),
    ]
    assert result.matched == 5
    await sound(books.res)


async def test_a_state_that_is_not_known_is_named(books: Books, tmp_path: Path) -> None:
    rows = await paid(books, 10_000, 10_001)
    await books.trades(tmp_path, [rows[0], replace(rows[1], state="REVOKED")])
    assert await books.found() == [("status", "OPEN", rows[1].transaction_no)]
    await sound(books.res)


async def test_a_bad_file_is_refused_whole_and_tried_again(books: Books, tmp_path: Path) -> None:
    rows = await paid(books, 10_000, 10_001)
    file = made.wechat_trades(rows)
    for broken in (file[: len(file) // 2], file.replace(b"100.00", b"100.01", 1)):
        with pytest.raises(Refused):
            await books.run(tmp_path, broken)
        row = await run_row(books)
        assert (row["state"], row["lines"]) == ("FAILED", None) and row["error"]
        assert await books.found() == []
        assert await books.stage.clearing_fen() == 20_001
    await books.run(tmp_path, file)
    assert (await run_row(books))["state"] == "DONE"
    await sound(books.res)


async def test_running_again_posts_nothing_twice_and_keeps_what_people_decided(books: Books, tmp_path: Path) -> None:
    rows = await paid(books, 10_000, 10_001)
    await books.trades(tmp_path, rows[:1])
    await books.res.db.execute("UPDATE difference SET state = 'ESCALATED', note = '已致电渠道'")
    assert await runs.take(
        books.res, merchant_id=books.stage.merchant_id, day=DAY, kind=StatementKind.TRADES, force=False
    ) is None  # fmt: skip
    await books.trades(tmp_path, rows[:1], force=True)
    found = await books.res.db.fetchrow("SELECT state, note FROM difference")
    assert found is not None and (found["state"], found["note"]) == ("ESCALATED", "已致电渠道")
    assert await books.stage.count("posting WHERE kind = 'channel.fee_charged'") == 1
    await books.trades(tmp_path, rows, force=True)
    assert await books.found() == [("cross_day", "AUTO_RESOLVED", rows[1].transaction_no)]
    assert await books.stage.clearing_fen() == 20_001 - 120
    await sound(books.res)


async def test_a_payment_at_midnight_is_held_a_day_and_turns_up(
    books: Books, tmp_path: Path, clock: FrozenClock
) -> None:
    at = datetime(2026, 9, 1, 15, 59, 59, tzinfo=UTC)
    row = await books.pay(10_000, at=at)
    await books.run(tmp_path, None)
    assert await books.found() == [("cross_day", "OPEN", row.transaction_no)]
    await sound(books.res)
    clock.advance(timedelta(days=1))
    next_day = DAY + timedelta(days=1)
    await books.trades(tmp_path, [replace(row, at="2026-09-02 00:00:00")], day=next_day)
    assert await books.found() == [("cross_day", "AUTO_RESOLVED", row.transaction_no)]
    await sound(books.res)


async def test_what_was_held_and_did_not_come_is_missing_there(
    books: Books, tmp_path: Path, clock: FrozenClock
) -> None:
    row = await books.pay(10_000, at=datetime(2026, 9, 1, 15, 59, 59, tzinfo=UTC))
    await books.run(tmp_path, None)
    clock.advance(timedelta(days=1))
    await books.run(tmp_path, None, day=DAY + timedelta(days=1))
    assert await books.found() == [("missing_there", "OPEN", row.transaction_no)]
    await sound(books.res)


async def test_a_line_of_another_day_resolves_what_was_missing_there(books: Books, tmp_path: Path) -> None:
    (row,) = await paid(books, 10_000)
    await books.run(tmp_path, None)
    await books.run(tmp_path, None, day=DAY + timedelta(days=1))
    assert await books.found() == [("missing_there", "OPEN", row.transaction_no)]
    await books.trades(tmp_path, [row], day=DAY + timedelta(days=2))
    assert await books.found() == [
        ("cross_day", "AUTO_RESOLVED", row.transaction_no), ("missing_there", "AUTO_RESOLVED", row.transaction_no),
    ]  # fmt: skip
    await sound(books.res)


async def test_a_quiet_day_ends_what_was_held_and_leaves_nothing_else(
    books: Books, tmp_path: Path, clock: FrozenClock
) -> None:
    (row,) = await paid(books, 26_805)
    await books.run(tmp_path, None)
    clock.advance(timedelta(days=1))
    result = await books.run(tmp_path, None, day=DAY + timedelta(days=1))
    assert (result.told.lines, result.matched, result.fee_fen) == (0, 0, 0)
    assert await books.found() == [("missing_there", "OPEN", row.transaction_no)]
    assert (await run_row(books))["state"] == "DONE"
    asked = "SELECT payload ->> 'run_id' FROM outbox WHERE event = 'payments.reconcile_found'"
    assert str(result.run_id) not in {each[0] for each in await books.res.db.fetch(asked)}
    await sound(books.res)


async def test_a_day_made_again_without_its_file_clears_what_the_file_had_told(books: Books, tmp_path: Path) -> None:
    await books.trades(tmp_path, [payment(99, 5_000)])
    ((kind, state, number),) = await books.found()
    assert (kind, state) == ("missing_here", "OPEN")
    result = await books.run(tmp_path, None, force=True)
    assert await books.found() == [(kind, "AUTO_RESOLVED", number)]
    assert (result.told.lines, result.fee_fen, await books.stage.clearing_fen()) == (0, 0, 0)
    await sound(books.res)


async def test_what_stands_in_suspense_is_no_difference_of_the_statement(books: Books, tmp_path: Path) -> None:
    """A payment with a wrong amount stands in suspense already: its line fits it."""
    number = await books.order(10_000)
    row = payment(1, 9_000, out_trade_no=number)
    merchant = await merchants.merchant(books.res, books.stage.merchant_id)
    trade = factories_reconcile.trade_of(row, at=datetime(2026, 9, 1, 2, tzinfo=UTC), appid=merchant.appid)
    await books.res.db.transact(lambda tx: settlement.settle(tx, merchant, trade=trade, door=Door.CALLBACK))
    result = await books.trades(tmp_path, [row])
    assert (result.matched, await books.found()) == (1, [("amount", "OPEN", row.transaction_no)])
    await sound(books.res)


async def test_a_run_whose_lease_went_to_another_changes_nothing(
    books: Books, tmp_path: Path, clock: FrozenClock
) -> None:
    rows = await paid(books, 10_000)
    options = {"merchant_id": books.stage.merchant_id, "day": DAY, "kind": StatementKind.TRADES, "force": False}
    late = await runs.take(books.res, **options)
    assert late is not None
    with pytest.raises(runs.NotYet):
        await runs.take(books.res, **options)
    clock.advance(timedelta(minutes=10))
    prompt = await runs.take(books.res, **options)
    assert prompt is not None and prompt.attempt == late.attempt + 1
    path = tmp_path / "statement"
    path.write_bytes(made.wechat_trades([payment(7, 1)]))
    with pytest.raises(runs.LeaseLost):
        await runs.apply(books.res, late, path.open("rb"))
    assert await books.found() == []
    path.write_bytes(made.wechat_trades(rows))
    await runs.apply(books.res, prompt, path.open("rb"))
    assert await books.found() == []
    await sound(books.res)


async def test_a_crash_in_mid_run_leaves_nothing(books: Books, tmp_path: Path, clock: FrozenClock) -> None:
    rows = await paid(books, 10_000)
    failpoints.arm("reconcile.loaded", "raise", times=1)
    with pytest.raises(failpoints.FailpointError):
        await books.trades(tmp_path, rows)
    assert await books.stage.clearing_fen() == 10_000
    clock.advance(timedelta(minutes=10))
    await books.trades(tmp_path, rows)
    assert await books.stage.clearing_fen() == 10_000 - 60
    await sound(books.res)


async def test_another_merchants_file_is_refused(books: Books, tmp_path: Path) -> None:
    (row,) = await paid(books, 10_000)
    with pytest.raises(Refused, match="商户号"):
        await books.trades(tmp_path, [row, payment(9, mchid="1900000000")])
    assert await books.found() == []
