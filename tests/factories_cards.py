"""Builders of cards that are sold: products that two people agreed on, vehicles of houses, offers that are paid."""

from collections.abc import Sequence
from datetime import date
from itertools import count
from uuid import UUID, uuid4

from backend.composition import APPROVALS
from backend.kernel import approvals
from backend.kernel.audit import Actor
from backend.kernel.db import Record, Tx
from backend.kernel.resources import Resources
from backend.parking import vehicles
from backend.parking.cards import products, sales
from backend.parking.cards.products import Terms
from backend.parking.cards.sales import Asked, Offer
from backend.parking.cards.states import Audience
from payments import closing, orders, prepay
from payments.channels.base import Method
from payments.counter import takings
from payments.counter.takings import Paper, Taken
from payments.payables import Kind, Wish
from tests import factories
from tests.factories_counter import Counter, voucher_no
from tests.factories_parking import CAR, Lot
from tests.factories_payments import Stage

_names = count(1)
MONTH_FEN = 30_000


async def product(
    lot: Lot,
    *,
    audience: Audience = Audience.HOUSE,
    months: int = 1,
    price_fen: int = MONTH_FEN,
    cars: int = 2,
) -> UUID:
    """A product that one person has proposed and another has approved."""
    terms = Terms(f"停车卡{next(_names)}", "限登记车辆停放", audience, months, price_fen, cars)
    db, places = lot.res.db, [lot.place.id]
    asked = await db.transact(
        lambda tx: products.propose(
            tx, Actor("staff", uuid4()), lot_id=lot.id, communities=places, terms=terms, reason="备案价格"
        )
    )
    await decide(lot.res, asked.id)
    made: UUID = await db.fetchval("SELECT id FROM parking_card_product WHERE approval_id = $1", asked.id)
    return made


async def listed(lot: Lot, *, audience: Audience = Audience.HOUSE) -> UUID:
    """A product by its rows alone; two people have agreed on it."""
    db, now, product_id, approval_id = lot.res.db, lot.res.clock.now(), uuid4(), uuid4()
    await db.execute(
        """INSERT INTO approval (id, kind, community_id, target, state, payload, shown, reason, proposed_by,
                                 proposed_at, expires_at, decided_by, decided_at, decision)
           VALUES ($1, 'parking.card_product', $2, 'parking_lot:' || $3::uuid, 'APPROVED', '{}', '{}', '新产品', $4,
                   $5, $5, $6, $5, '同意')""",
        approval_id, lot.place.id, lot.id, uuid4(), now, uuid4(),
    )  # fmt: skip
    await db.execute(
        """INSERT INTO parking_card_product (id, community_id, lot_id, name, covers, audience, months, price_fen,
                                             vehicles, approval_id, created_at)
           VALUES ($1, $2, $3, $4, '限登记车辆停放', $5, 1, $6, 2, $7, $8)""",
        product_id, lot.place.id, lot.id, f"停车卡{next(_names)}", audience.value, MONTH_FEN, approval_id, now,
    )  # fmt: skip
    return product_id


async def decide(res: Resources, approval_id: UUID, *, approve: bool = True, note: str = "同意") -> None:
    """Somebody else approves or refuses."""
    who = Actor("staff", uuid4())
    await res.db.transact(
        lambda tx: approvals.decide(tx, who, approval_id, approve=approve, note=note, kinds=APPROVALS)
    )


async def vehicle(lot: Lot, house_id: UUID | None, plate: str = CAR) -> UUID:
    """A vehicle that is registered to a house."""
    made = await lot.res.db.transact(
        lambda tx: vehicles.ensure(
            tx, keyring=lot.res.keyring, community_id=lot.place.id, house_id=house_id, text=plate
        )
    )
    return made.id


async def card(lot: Lot, card_id: UUID | None = None) -> Record:
    """A card's row; the only one there is without an id."""
    (row,) = await lot.res.db.fetch("SELECT * FROM parking_card WHERE $1::uuid IS NULL OR id = $1", card_id)
    return row


async def periods(lot: Lot, card_id: UUID) -> list[tuple[date, date | None]]:
    """The days of a card's vehicles, in order."""
    rows = await lot.res.db.fetch(
        """SELECT lower(period) AS starts_on, upper(period) AS ends_on FROM parking_card_vehicle
            WHERE card_id = $1 ORDER BY 1, 2""",
        card_id,
    )
    return [(row["starts_on"], row["ends_on"]) for row in rows]


async def offer(lot: Lot, card_id: UUID, product_id: UUID) -> Offer:
    """Staff offer a renewal."""
    return await lot.res.db.transact(
        lambda tx: sales.renewal(tx, card_id=card_id, product_id=product_id, scope=None, communities=(lot.place.id,))
    )


async def order_renewal(
    play: Stage, card_id: UUID, product_id: UUID, who: factories.Person | None = None, *, known: bool = True
) -> UUID:
    """A resident asks to renew a card, as the route does; `known`: the channel knows the order."""
    payer = play.payer_of(who or play.owner)

    async def work(tx: Tx) -> UUID:
        offered = await sales.renewal(tx, card_id=card_id, product_id=product_id, scope=payer.scope)
        return await _place(tx, play, payer, offered)

    return await _ready(play, await play.res.db.transact(work), known=known)


async def order_card(
    play: Stage,
    lot: Lot,
    product_id: UUID,
    vehicle_ids: Sequence[UUID],
    who: factories.Person | None = None,
    *,
    spaces: int = 1,
    known: bool = True,
) -> UUID:
    """A resident asks to buy a card, as the route does."""
    payer = play.payer_of(who or play.owner)
    asked = Asked(product_id, play.house_id, tuple(vehicle_ids), spaces)

    async def work(tx: Tx) -> UUID:
        offered = await sales.purchase(tx, lot_id=lot.id, asked=asked, communities=(play.place.id,))
        return await _place(tx, play, payer, offered)

    return await _ready(play, await play.res.db.transact(work), known=known)


async def _place(tx: Tx, play: Stage, payer: orders.Payer, offered: Offer) -> UUID:
    wishes = [Wish(Kind.PARKING_CARD, offered.card_id, offered.amount_fen)]
    placed = await orders.place(tx, payer, res=play.res, actor=Actor("resident", payer.person_id), wishes=wishes)
    return placed.order_id


async def _ready(play: Stage, order_id: UUID, *, known: bool) -> UUID:
    if known:
        await prepay.pay_parameters(play.res, order_id)
    return order_id


async def pays(play: Stage, order_id: UUID) -> None:
    """The payer pays in WeChat, and the callback has come."""
    await play.user_pays(order_id)
    await play.deliver()


async def take_cash(counter: Counter, card_id: UUID, *, amount_fen: int) -> Taken:
    """The cashier takes cash for what was offered of a card."""
    paper = Paper(voucher_no(), Method.CASH, amount_fen, amount_fen)
    res, wishes = counter.play.res, [Wish(Kind.PARKING_CARD, card_id)]

    async def work(tx: Tx) -> Taken:
        return await takings.take(
            tx, counter.actor, res=res, communities=counter.communities, wishes=wishes, paper=paper
        )

    return await closing.make_room(res, counter.actor, place=lambda: res.db.transact(work))


async def space(
    lot: Lot,
    house_id: UUID | None,
    number: str,
    *,
    state: str = "sold",
    starts_on: date | None = date(2026, 1, 1),
    ends_on: date | None = None,
) -> UUID:
    """A space that a house has."""
    space_id = uuid4()
    await lot.res.db.execute(
        """INSERT INTO parking_space (id, community_id, lot_id, number, kind, state, house_id, starts_on, ends_on,
                                      created_at)
           VALUES ($1, $2, $3, $4, 'standard', $5, $6, $7, $8, $9)""",
        space_id, lot.place.id, lot.id, number, state, house_id, starts_on, ends_on, lot.res.clock.now(),
    )  # fmt: skip
    return space_id


async def decided_application(lot: Lot, house_id: UUID) -> UUID:
    """An application of a house that was refused long ago, by its row alone."""
    application_id, now = uuid4(), lot.res.clock.now()
    payload = {"house_id": str(house_id), "lot_id": str(lot.id), "vehicle_id": str(uuid4()), "until": None}
    await lot.res.db.execute(
        """INSERT INTO approval (id, kind, community_id, target, state, payload, shown, reason, proposed_by,
                                 proposed_at, expires_at, decided_by, decided_at, decision)
           VALUES ($1, 'parking.vehicle_application', $2, 'parking_vehicle:' || $1::uuid, 'REJECTED', $3, $4,
                   '新购车辆', $5, $6, $6, $7, $6, '资料不全')""",
        application_id, lot.place.id, payload, {"before": {}, "after": {"车牌": "粤B***45"}}, uuid4(), now, uuid4(),
    )  # fmt: skip
    return application_id
