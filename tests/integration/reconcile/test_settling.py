"""The third door (D7): what a statement knows and we do not is asked about; only the channel's own word settles."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from payments import merchants
from payments.channels.base import Trade, TradeState
from payments.reconcile import settling
from tests import factories_reconcile
from tests.factories_payments import sound
from tests.factories_reconcile import Books
from tests.factories_statements import Row, payment

AT = datetime(2026, 9, 1, 2, tzinfo=UTC)


class Told:
    """A channel that answers every query with one trade."""

    def __init__(self, trade: Trade | None) -> None:
        self._trade = trade

    async def query(self, keys: Any, out_trade_no: str) -> Trade | None:
        return self._trade


async def asked(books: Books, monkeypatch: pytest.MonkeyPatch, trade: Trade | None) -> None:
    """The job of the last run, with a channel that says `trade`."""
    monkeypatch.setattr(merchants, "channel", lambda res, merchant: Told(trade))
    run_id = await books.res.db.fetchval("SELECT id FROM reconciliation_run")
    for row in await books.res.db.fetch(settling.NEXT, run_id, 10):
        await settling._ask(books.res, row)


async def unheard(books: Books, path: Path) -> tuple[Row, Trade]:
    """An order of ours that only the statement knows as paid."""
    row = payment(1, 10_000, out_trade_no=await books.order(10_000))
    await books.trades(path, [row])
    assert await books.found() == [("missing_here", "OPEN", row.transaction_no)]
    merchant = await merchants.merchant(books.res, books.stage.merchant_id)
    return row, factories_reconcile.trade_of(row, at=AT, appid=merchant.appid)


async def test_what_the_channel_confirms_is_settled(
    books: Books, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row, trade = await unheard(books, tmp_path)
    await asked(books, monkeypatch, trade)
    assert await books.found() == [("missing_here", "AUTO_RESOLVED", row.transaction_no)]
    settled_by = await books.res.db.fetchval("SELECT settled_by FROM payment_attempt WHERE state = 'PAID'")
    assert settled_by == "statement"
    await sound(books.res)


async def test_only_the_very_transaction_settles_what_is_missing_here(
    books: Books, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The channel says that the order is paid, but by another transaction than the statement's."""
    row, trade = await unheard(books, tmp_path)
    await asked(books, monkeypatch, replace(trade, transaction_no="4200000000000000000000009999"))
    assert await books.found() == [("missing_here", "OPEN", row.transaction_no)]
    assert await books.stage.count("payment_attempt WHERE state = 'PAID'") == 0


async def test_a_channel_that_contradicts_its_statement_has_another_state(
    books: Books, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row, trade = await unheard(books, tmp_path)
    await asked(books, monkeypatch, replace(trade, state=TradeState.NOTPAY, transaction_no=None))
    assert await books.found() == [("status", "OPEN", row.transaction_no)]
    await sound(books.res)


async def test_a_payment_that_does_not_fit_goes_to_suspense(
    books: Books, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The channel confirms another amount than the order's: suspense has it, under a difference of its own."""
    number = await books.order(10_000)
    row = payment(1, 9_000, out_trade_no=number)
    await books.trades(tmp_path, [row])
    merchant = await merchants.merchant(books.res, books.stage.merchant_id)
    await asked(books, monkeypatch, factories_reconcile.trade_of(row, at=AT, appid=merchant.appid))
    assert await books.found() == [
        ("amount", "OPEN", row.transaction_no), ("missing_here", "AUTO_RESOLVED", row.transaction_no),
    ]  # fmt: skip
    await sound(books.res)


async def test_what_the_channel_never_heard_of_stays_a_persons_case(
    books: Books, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = payment(1, 9_000)
    await books.trades(tmp_path, [row])
    await asked(books, monkeypatch, None)
    assert await books.found() == [("missing_here", "OPEN", row.transaction_no)]
    await sound(books.res)
