"""What a merchant's account holds, and what is paid out to the bank: the whole balance of a day, the next morning.

An account is a merchant, or a service provider's sub-merchant. Payments come in less the fee; a refund goes out when it
is accepted and brings its part of the fee back, and the other way round when it is closed. What is below zero in the
morning stays and is taken from the days that follow. All of it follows from the books; nothing is stored.
"""

import hashlib
from dataclasses import dataclass
from datetime import date, timedelta

from sandbox import clock, refund_books
from sandbox.world import World

PAYOUT_AT_S = 6 * 3600

NET_BY_DAY = """
SELECT day, sum(fen) AS fen FROM (
    SELECT CAST((success_s + 28800) / 86400 AS INTEGER) AS day, total_fen - (total_fen * 60 + 5000) / 10000 AS fen
    FROM orders WHERE mchid = ?1 AND sub_mchid = ?2 AND success_s IS NOT NULL
    UNION ALL
    SELECT CAST((created_s + 28800) / 86400 AS INTEGER), fee_fen - amount_fen
    FROM refunds WHERE mchid = ?1 AND sub_mchid = ?2
    UNION ALL
    SELECT CAST((ended_s + 28800) / 86400 AS INTEGER), amount_fen - fee_fen
    FROM refunds WHERE mchid = ?1 AND sub_mchid = ?2 AND state = 'CLOSED'
)
GROUP BY day ORDER BY day
"""
EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Payout:
    """Money on its way to the bank account on the morning of a day."""

    on: date
    number: str
    amount_fen: int

    @property
    def at_s(self) -> float:
        """When it leaves, and for the bank arrives."""
        return clock.instant_of(self.on) + PAYOUT_AT_S


def _opening_balances(world: World, mchid: str, sub_mchid: str, until: date) -> list[tuple[date, int]]:
    """What the account holds as each day begins, from the first day with a movement on."""
    refund_books.settle_due(world)
    rows = world.store.rows(NET_BY_DAY, mchid, sub_mchid)
    if not rows:
        return []
    net_fen = {EPOCH + timedelta(days=row["day"]): row["fen"] for row in rows}
    day, balance_fen = min(net_fen), 0
    found = []
    while day <= until:
        found.append((day, balance_fen))
        balance_fen = min(0, balance_fen) + net_fen.get(day, 0)
        day += timedelta(days=1)
    return found


def opening_balance_fen(world: World, mchid: str, sub_mchid: str, day: date) -> int:
    """What the account holds as the day begins, before its payout."""
    return next((fen for on, fen in reversed(_opening_balances(world, mchid, sub_mchid, day)) if on == day), 0)


def payouts(world: World, mchid: str, sub_mchid: str, first: date, last: date) -> list[Payout]:
    """The payouts of these days, those in the future left out."""
    now_s = world.now_s()
    made = (
        Payout(on, _number(mchid, sub_mchid, on), fen)
        for on, fen in _opening_balances(world, mchid, sub_mchid, last)
        if fen > 0 and on >= first
    )
    return [payout for payout in made if payout.at_s <= now_s]


def _number(mchid: str, sub_mchid: str, on: date) -> str:
    digest = hashlib.sha256(f"{mchid}|{sub_mchid}|{on}".encode()).hexdigest()
    return f"1{on:%Y%m%d}{int(digest[:16], 16) % 10**19:019d}"
