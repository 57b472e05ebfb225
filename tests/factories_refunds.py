"""Builders of refunds: a paid order at a scripted channel, staff who ask and approve, jobs run without Redis."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import pytest

from backend.composition import APPROVALS, HANDLERS
from backend.kernel import approvals, leases
from backend.kernel.audit import Actor
from backend.kernel.db import Record
from payments import merchants, refund_calls, refunds
from payments.refunds import Limit, Part, Requested
from tests import factories
from tests.factories_payments import Stage, sound
from tests.scripted_channel import Scripted
from workers import edge

MUCH = Limit(a_day_fen=100_000_000)


@dataclass
class Refunds:
    """A stage with a scripted channel, one who asks and two who may approve."""

    play: Stage
    channel: Scripted
    asker: factories.Staff
    approver: factories.Staff

    @property
    def limits(self) -> Mapping[UUID, Limit]:
        return {self.play.place.id: MUCH}

    async def paid_order(self, *amounts_fen: int) -> UUID:
        """An order of bills of these amounts, settled."""
        bills = [await self.play.bill(amount_fen) for amount_fen in amounts_fen or (26_805,)]
        order_id = await self.play.ready(*bills)
        await self.channel.tell_paid(order_id)
        return order_id

    async def lines(self, order_id: UUID) -> list[Record]:
        return await self.play.res.db.fetch("SELECT * FROM payment_line WHERE order_id = $1 ORDER BY id", order_id)

    async def request(
        self, order_id: UUID, *parts: Part, who: factories.Staff | None = None, limit: Limit = MUCH
    ) -> Requested:
        return await self.play.res.db.transact(
            lambda tx: refunds.request(
                tx, actor(who or self.asker), order_id=order_id, limits={self.play.place.id: limit},
                parts=parts or None, reason="多收了",
            )
        )  # fmt: skip

    async def request_of_difference(self, difference_id: UUID, amount_fen: int | None = None) -> Requested:
        return await self.play.res.db.transact(
            lambda tx: refunds.request_of_difference(
                tx, actor(self.asker), difference_id=difference_id, limits=self.limits, amount_fen=amount_fen,
                reason="退回付款人",
            )
        )  # fmt: skip

    async def decide(self, asked: Requested, *, approve: bool = True, who: factories.Staff | None = None) -> None:
        await self.play.res.db.transact(
            lambda tx: approvals.decide(
                tx, actor(who or self.approver), asked.approval_id, approve=approve, note="", kinds=APPROVALS
            )
        )

    async def refunded(self, order_id: UUID, *parts: Part) -> Requested:
        """Asked for, approved, and sent."""
        asked = await self.request(order_id, *parts)
        await self.decide(asked)
        await self.work()
        return asked

    async def work(self) -> None:
        """Run what is due, without Redis."""
        while claimed := await leases.claim(self.play.res.db, limit=50, lease_s=30):
            for lease in claimed:
                await edge.work(self.play.res, HANDLERS, lease, False)

    async def tick(self) -> None:
        """One tick of the periodic that asks about refunds."""
        await refund_calls.tick(self.play.res, "")

    async def refund(self, refund_id: UUID | None = None) -> Record:
        """A refund's row; the newest without an id."""
        row = await self.play.res.db.fetchrow(
            "SELECT * FROM refund WHERE $1::uuid IS NULL OR id = $1 ORDER BY id DESC LIMIT 1", refund_id
        )
        assert row is not None
        return row

    async def state(self, refund_id: UUID | None = None) -> str:
        return str((await self.refund(refund_id))["state"])

    async def difference(self, class_: str) -> Record:
        row = await self.play.res.db.fetchrow("SELECT * FROM difference WHERE class = $1", class_)
        assert row is not None
        return row

    async def refunding_fen(self, order_id: UUID) -> int:
        return int((await self.play.attempt(order_id))["refunding_fen"])

    async def suspense_fen(self) -> int:
        return await self.play.res.db.fetchval(
            """SELECT coalesce(sum(CASE p.credit_account WHEN a.id THEN amount_fen ELSE -amount_fen END), 0)::bigint
                 FROM account a JOIN posting p ON a.id IN (p.debit_account, p.credit_account)
                WHERE a.code = 'suspense'"""
        )

    async def unexplained(self) -> list[str]:
        """Jobs of refunds that did not come to an end."""
        rows = await self.play.res.db.fetch(
            """SELECT event, last_error FROM outbox
                WHERE state = 'PARKED' AND (event LIKE '%refund%' OR event = 'payments.difference_opened')"""
        )
        return [f"{row['event']}: {row['last_error']}" for row in rows]

    async def balanced(self) -> None:
        """Every invariant holds, and our clearing accounts equal the channel's books."""
        await sound(self.play.res)
        assert await self.unexplained() == []
        assert await self.play.clearing_fen() == self.channel.books_fen


def actor(who: factories.Staff) -> Actor:
    return Actor("staff", who.id)


async def rig(play: Stage, monkeypatch: pytest.MonkeyPatch) -> Refunds:
    """The stage with its merchant's channel scripted."""
    channel = Scripted(play, await merchants.merchant(play.res, play.merchant_id))
    monkeypatch.setattr(merchants, "channel", lambda res, merchant: channel)
    asker = await factories.staff(play.res, play.place, "cashier")
    approver = await factories.staff(play.res, play.place, "manager")
    return Refunds(play, channel, asker, approver)
