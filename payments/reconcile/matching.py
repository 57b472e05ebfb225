"""Trades and refunds of a statement against ours (D7): one full outer join, and a name for all that it leaves.

Promises: every line of the statement and every payment or refund of ours on that day is either matched one to one, or
belongs to a difference that this run found (I-10); running again finds the same, and keeps what people have decided.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID

from backend.kernel.clock import SHANGHAI
from backend.kernel.db import Tx
from backend.kernel.ids import uuid7
from payments.channels.base import StatementKind
from payments.merchants import Merchant
from payments.reconcile import sql

_STEPS = {
    StatementKind.TRADES: (sql.MATCH_PAYMENTS, sql.DUPLICATE_PAYMENTS, sql.NAME_PAYMENTS),
    StatementKind.REFUNDS: (sql.MATCH_REFUNDS, sql.DUPLICATE_REFUNDS, sql.NAME_REFUNDS),
}
QUIET = {StatementKind.TRADES: sql.QUIET_PAYMENTS, StatementKind.REFUNDS: sql.QUIET_REFUNDS}


@dataclass(frozen=True, slots=True)
class Side:
    """Whose statement of which day: `merchants` are all rows with the merchant's number at the channel."""

    run_id: UUID
    merchant: Merchant
    merchants: tuple[UUID, ...]
    day: date
    kind: StatementKind

    @property
    def starts_at(self) -> datetime:
        return datetime.combine(self.day, time(), SHANGHAI)

    @property
    def ends_at(self) -> datetime:
        return datetime.combine(self.day + timedelta(days=1), time(), SHANGHAI)


@dataclass(frozen=True, slots=True)
class Share:
    """What of the statement's fees falls to one community's payments (or refunds) by one merchant row."""

    community_id: UUID
    merchant_id: UUID
    fee_mfen: int


@dataclass(frozen=True, slots=True)
class Matched:
    """How many lines fit, and the fees by community."""

    lines: int
    shares: tuple[Share, ...]


async def match(tx: Tx, side: Side) -> Matched:
    """Match the lines in the staging table, and open what does not fit."""
    match_sql, duplicates, name = _STEPS[side.kind]
    span = (list(side.merchants), side.starts_at, side.ends_at)
    found = await tx.fetch(match_sql, *span)
    await tx.execute(duplicates)
    head, book = str(uuid7(tx.now))[:13], side.merchant.book
    await tx.execute(name, span[0], side.merchant.channel.value, side.run_id, head, book, side.day)
    await keep(tx, side)
    shares: dict[tuple[UUID, UUID], int] = {}
    for row in found:
        key = (row["community_id"] or book, row["merchant_id"] or side.merchant.id)
        shares[key] = shares.get(key, 0) + row["fee_mfen"]
    return Matched(sum(row["matched"] for row in found), _shares(shares))


async def keep(tx: Tx, side: Side) -> None:
    """Store what `named` holds: differences, and that this run found them."""
    channel = side.merchant.channel.value
    await tx.execute(sql.TURNED_UP, channel, tx.now)
    await tx.execute(sql.CLEARED, side.run_id, channel, tx.now)
    await tx.execute(sql.OPEN, channel, side.merchant.id, tx.now)
    await tx.execute(sql.FIND, side.run_id, channel)
    await pass_day(tx, side)


async def pass_day(tx: Tx, side: Side) -> None:
    """What was held for this day is held no longer."""
    await tx.execute(sql.HELD_TOO_LONG, list(side.merchants), side.kind.value, side.day)


def _shares(shares: dict[tuple[UUID, UUID], int]) -> tuple[Share, ...]:
    in_order: Sequence[tuple[tuple[UUID, UUID], int]] = sorted(shares.items())
    return tuple(Share(community_id, merchant_id, fee) for (community_id, merchant_id), fee in in_order)
