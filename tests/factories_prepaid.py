"""Builders of prepaid money: accounts, top-ups that are paid at once, bills of several types, the day's settlement."""

from functools import partial
from uuid import UUID, uuid4

from backend.fees import prepaid, prepaid_uses
from backend.fees.handlers import HANDLERS
from backend.fees.prepaid import Account, Purpose
from backend.fees.prepaid_uses import Settled
from backend.kernel.audit import SYSTEM
from backend.kernel.db import Tx
from backend.kernel.outbox import Job
from payments import merchants, orders, settlement
from payments.channels.base import Trade, TradeState
from payments.orders import Payer
from payments.payables import Kind, Wish
from payments.settlement import Door, Outcome
from tests import vectors
from tests.factories_payments import Stage


async def account(play: Stage, purpose: Purpose = Purpose.GENERAL, *, house_id: UUID | None = None) -> UUID:
    """An account of the stage's house."""
    house = house_id or play.house_id
    return await play.res.db.transact(
        partial(prepaid.open_for_staff, actor=SYSTEM, communities=[play.place.id], house_id=house, purpose=purpose)
    )


async def state(play: Stage, account_id: UUID) -> Account:
    """The account as it stands."""
    return await prepaid.one_of_staff(play.res.db, [play.place.id], account_id=account_id)


async def balance_fen(play: Stage, account_id: UUID) -> int:
    return (await state(play, account_id)).balance_fen


async def order(play: Stage, *wishes: Wish, payer: Payer | None = None) -> UUID:
    """An order of the owner, or of another payer."""

    async def work(tx: Tx) -> UUID:
        placed = await orders.place(tx, payer or play.payer, res=play.res, actor=SYSTEM, wishes=wishes)
        return placed.order_id

    return await play.res.db.transact(work)


async def success(play: Stage, order_id: UUID) -> Outcome:
    """The channel says that the order is paid."""
    attempt = await play.attempt(order_id)
    merchant = await merchants.merchant(play.res, attempt["merchant_id"])
    trade = Trade(
        out_trade_no=attempt["out_trade_no"], transaction_no=f"42{uuid4().int % 10**26}", state=TradeState.SUCCESS,
        amount_fen=attempt["amount_fen"], currency="CNY", mchid=vectors.MCHID, appid=attempt["request"]["app_id"],
        payer_openid=None, success_at=play.res.clock.now(), attach="", trade_type="JSAPI",
    )  # fmt: skip
    settled = await play.res.db.transact(partial(settlement.settle, merchant=merchant, trade=trade, door=Door.QUERY))
    return settled.outcome


async def top_up(play: Stage, account_id: UUID, amount_fen: int, *, payer: Payer | None = None) -> UUID:
    """A top-up that is paid; the order."""
    order_id = await order(play, Wish(Kind.PREPAID, account_id, amount_fen), payer=payer)
    assert await success(play, order_id) is Outcome.APPLIED
    return order_id


async def settle(play: Stage, house_id: UUID | None = None) -> Settled:
    """The house's due bills settle by themselves."""
    return await play.res.db.transact(partial(prepaid_uses.settle_house, house_id=house_id or play.house_id))


async def item_of_type(play: Stage, kind: str) -> UUID:
    """Another item of the stage's community, of a type."""
    item_id: UUID = await play.res.db.fetchval(
        """INSERT INTO fee_item (id, community_id, code, name, type, nature, formula, cycle_months, rounding,
                                 rounding_unit, house_kinds, liable, valid_from, state, created_at)
           SELECT gen_random_uuid(), community_id, $2, $2, $2, nature, formula, cycle_months, rounding, rounding_unit,
                  house_kinds, liable, valid_from, state, created_at
             FROM fee_item WHERE id = $1
        RETURNING id""",
        play.item_id, kind,
    )  # fmt: skip
    return item_id


async def bill(play: Stage, amount_fen: int, *, item_id: UUID | None = None) -> UUID:
    """An unpaid bill of an item, due on 30 September."""
    usual = play.item_id
    play.item_id = item_id or usual
    try:
        return await play.bill(amount_fen)
    finally:
        play.item_id = usual


async def work_off(play: Stage, event: str) -> bool:
    """Run the oldest job of an event that waits; whether there was one."""
    row = await play.res.db.fetchrow(
        """UPDATE outbox SET state = 'LEASED', attempt = attempt + 1, lease_until = run_at + interval '1 day'
            WHERE id = (SELECT id FROM outbox WHERE event = $1 AND state = 'READY' ORDER BY id LIMIT 1)
        RETURNING id, attempt, payload""",
        event,
    )  # fmt: skip
    if row is not None:
        await HANDLERS[event](Job(play.res, row["id"], row["attempt"], event, row["payload"]))
    return row is not None
