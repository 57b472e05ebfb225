"""A town with a merchant, and a lot beside its houses."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import pytest

from backend.kernel.audit import Actor
from backend.kernel.db import Tx
from backend.kernel.resources import Resources
from payments import orders, prepay
from payments.payables import Kind, Wish
from tests import factories, factories_parking, factories_payments
from tests.conftest import Run, Sandbox
from tests.factories_parking import Lot
from tests.factories_payments import Stage


@dataclass
class Garage:
    """The stage of payments with a lot, a car inside, and people who pay."""

    play: Stage
    lot: Lot

    async def order(self, session_id: UUID, who: factories.Person | None = None) -> UUID:
        """An order for a stay that the channel knows."""
        payer = self.play.payer_of(who or self.play.owner)

        async def work(tx: Tx) -> UUID:
            placed = await orders.place(
                tx, payer, res=self.play.res, actor=Actor("resident", payer.person_id),
                wishes=[Wish(Kind.PARKING, session_id)],
            )  # fmt: skip
            return placed.order_id

        order_id = await self.play.res.db.transact(work)
        await prepay.pay_parameters(self.play.res, order_id)
        return order_id

    async def pays(self, session_id: UUID, who: factories.Person | None = None) -> UUID:
        """Somebody pays for a stay in WeChat, and the callback has come."""
        order_id = await self.order(session_id, who)
        await self.play.user_pays(order_id)
        await self.play.deliver()
        return order_id

    async def later(self, **step: float) -> None:
        self.play.sandbox.clock.advance(timedelta(**step))

    async def income_fen(self) -> int:
        """What the lot's income account holds."""
        return await self.play.res.db.fetchval(
            """SELECT coalesce(sum(CASE p.credit_account WHEN a.id THEN amount_fen ELSE -amount_fen END), 0)::bigint
                 FROM account a JOIN posting p ON a.id IN (p.debit_account, p.credit_account)
                WHERE a.code = 'parking_income' AND a.subject_id = $1""",
            self.lot.id,
        )  # fmt: skip


@pytest.fixture
def garage(sandbox_res: Resources, sandbox: Sandbox, sandbox_client: object, run: Run) -> Garage:
    """A garage whose payments reach the sandbox, and whose callbacks reach us."""

    async def make() -> Garage:
        play = await factories_payments.stage(sandbox_res, sandbox)
        return Garage(play, await factories_parking.lot(sandbox_res, play.place))

    return run(make())
