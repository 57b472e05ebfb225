"""Builders of paid repairs: prices that two people agreed on, parts in stock, quotes, and their payment."""

import base64
import io
from dataclasses import dataclass
from datetime import date
from itertools import count
from uuid import UUID, uuid4

import PIL.Image
import PIL.ImageDraw

from backend.composition import APPROVALS
from backend.kernel import approvals
from backend.kernel.audit import Actor
from backend.kernel.db import Record, Tx
from backend.kernel.resources import Resources
from backend.tickets.categories import Settings
from backend.tickets.moves import Move
from backend.tickets.paid import places, price_list, signatures, stock, stocktaking, waivers
from backend.tickets.paid.lines import Free, LineWish
from backend.tickets.paid.price_list import Terms
from backend.tickets.paid.states import Sort
from backend.tickets.states import Dispatch, FollowUp, Kind
from backend.tickets.step import Who
from backend.tickets.working_time import Measure
from payments import orders, prepay
from payments.payables import Kind as PayableKind
from payments.payables import Wish
from tests import factories, factories_tickets
from tests.factories import Community, Staff
from tests.factories_payments import Stage
from tests.factories_tickets import Desk

PAID = Settings(
    "有偿维修", Kind.REPAIR_HOME, Dispatch.ASSIGN, Measure.WORKING_MINUTES, 30, 120, 480, FollowUp.NONE, paid=True,
    warranty_days=90,
)  # fmt: skip
HOUR = LineWish(1, free=Free(Sort.LABOUR, "上门检修", "小时", 8_000, "夜间加急"))
VALVE_FEN, LABOUR_FEN = 3_500, 6_000
# A day on which every price of these tests counts already.
SINCE = date(2026, 9, 1)
_names = count(1)


def drawn(side: int = 300) -> str:
    """A signature as the phone sends it."""
    picture = PIL.Image.new("RGBA", (side, side // 2), (255, 255, 255, 0))
    PIL.ImageDraw.Draw(picture).line((10, 20, 120, 90, 200, 30, 280, 110), fill=(20, 20, 60, 255), width=5)
    held = io.BytesIO()
    picture.save(held, "PNG")
    return base64.b64encode(held.getvalue()).decode()


def sheet() -> str:
    """A sheet on which nothing was drawn."""
    held = io.BytesIO()
    PIL.Image.new("RGBA", (300, 150), (255, 255, 255, 0)).save(held, "PNG")
    return base64.b64encode(held.getvalue()).decode()


async def decide(res: Resources, approval_id: UUID, *, approve: bool = True) -> None:
    """Somebody else approves or refuses."""
    who = Actor("staff", uuid4())
    await res.db.transact(
        lambda tx: approvals.decide(tx, who, approval_id, approve=approve, note="同意", kinds=APPROVALS)
    )


async def priced(
    res: Resources, place: Community, *, sort: Sort = Sort.PART, price_fen: int = VALVE_FEN, name: str | None = None,
    starts_on: date = SINCE,
) -> UUID:  # fmt: skip
    """An item with a price that one person has proposed and another has approved."""
    named = name or f"阀芯{next(_names)}"
    terms = Terms(sort, named, "个" if sort is Sort.PART else "小时", price_fen, starts_on)
    asked = await res.db.transact(
        lambda tx: price_list.propose(
            tx, Actor("staff", uuid4()), company_id=place.company_id, community_id=place.id, terms=terms,
            reason="年度价目表",
        )
    )  # fmt: skip
    await decide(res, asked.id)
    made: UUID = await res.db.fetchval("SELECT id FROM ticket_item WHERE name = $1", named)
    return made


async def listed(res: Resources, place: Community, quantity: int = 5) -> tuple[UUID, UUID]:
    """A part with a price, and a store in which some of it lie, by their rows alone; the part and the store."""
    item_id, store_id, approval_id, now = uuid4(), uuid4(), uuid4(), res.clock.now()
    await res.db.execute(
        """INSERT INTO approval (id, kind, community_id, target, state, payload, shown, reason, proposed_by,
                                 proposed_at, expires_at, decided_by, decided_at, decision)
           VALUES ($1, 'ticket.price', $2, 'ticket_price_list:' || $1::uuid, 'APPROVED', '{}', '{}', '年度价目表', $3,
                   $4, $4, $5, $4, '同意')""",
        approval_id, place.id, uuid4(), now, uuid4(),
    )  # fmt: skip
    await res.db.execute(
        """WITH item AS (INSERT INTO ticket_item (id, company_id, community_id, sort, name, unit, created_at)
                         VALUES ($1, $2, $3, 'part', $4, '个', $5)),
                store AS (INSERT INTO ticket_stock_place (id, community_id, name, created_at) VALUES ($6, $3, $7, $5))
           INSERT INTO ticket_price (id, item_id, price_fen, starts_on, approval_id, created_at)
           VALUES ($8, $1, 3500, '2026-09-01', $9, $5)""",
        item_id, place.company_id, place.id, f"阀芯{next(_names)}", now, store_id, f"仓库{next(_names)}", uuid4(),
        approval_id,
    )  # fmt: skip
    keeper = Actor("staff", uuid4())
    await res.db.transact(
        lambda tx: stock.receive(
            tx,
            keeper,
            place_id=store_id,
            item_id=item_id,
            quantity=quantity,
            reason="采购入库",
            communities=(place.id,),
        )
    )
    return item_id, store_id


@dataclass
class Workshop:
    """A desk with a paid category, a part and an hour on the price list, a store, and the engineer's own stock."""

    desk: Desk
    category_id: UUID
    valve: UUID
    labour: UUID
    store: UUID
    bag: UUID

    @property
    def res(self) -> Resources:
        return self.desk.res

    @property
    def keeper(self) -> Actor:
        return self.desk.desk().actor

    def lines(self, valves: int = 2) -> tuple[LineWish, ...]:
        return (LineWish(1, self.labour), LineWish(valves, self.valve))

    async def receive(self, quantity: int, place_id: UUID | None = None) -> int:
        return await self.res.db.transact(
            lambda tx: stock.receive(
                tx, self.keeper, place_id=place_id or self.store, item_id=self.valve, quantity=quantity,
                reason="采购入库", communities=(self.desk.place.id,),
            )
        )  # fmt: skip

    async def transfer(self, quantity: int, source: UUID | None = None, target: UUID | None = None) -> int:
        return await self.res.db.transact(
            lambda tx: stock.transfer(
                tx, self.keeper, place_id=source or self.store, to_id=target or self.bag, item_id=self.valve,
                quantity=quantity, reason="领料", communities=(self.desk.place.id,),
            )
        )  # fmt: skip

    async def put_back(self, ticket_id: UUID, quantity: int) -> int:
        return await self.res.db.transact(
            lambda tx: stock.put_back(
                tx, self.keeper, place_id=self.store, ticket_id=ticket_id, item_id=self.valve, quantity=quantity,
                reason="未用上", communities=(self.desk.place.id,),
            )
        )  # fmt: skip

    async def counted(self, number: int, place_id: UUID | None = None) -> UUID:
        asked = await self.res.db.transact(
            lambda tx: stocktaking.propose(
                tx, self.keeper, place_id=place_id or self.store, counted={self.valve: number}, reason="月末盘点",
                communities=(self.desk.place.id,),
            )
        )  # fmt: skip
        return asked.id

    async def lying(self, place_id: UUID | None = None) -> int:
        found = await self.res.db.fetchval(
            "SELECT count FROM ticket_stock WHERE place_id = $1 AND item_id = $2", place_id or self.bag, self.valve
        )
        return int(found or 0)

    async def on_site(self, category_id: UUID | None = None, worker: Staff | None = None) -> UUID:
        """A ticket whose engineer has arrived."""
        ticket = await self.desk.submit(category_id or self.category_id)
        who = worker or self.desk.engineer
        await self.desk.move(self.desk.desk(), ticket, Move.TRIAGE)
        await self.desk.move(self.desk.desk(), ticket, Move.ASSIGN, staff_id=who.id)
        for name in (Move.ACCEPT, Move.ARRIVE):
            await self.desk.move(self.desk.worker(who), ticket, name)
        return ticket

    async def agreed(self, valves: int = 2) -> UUID:
        """A ticket whose quote the resident has agreed to."""
        ticket = await self.on_site()
        await self.desk.move(self.desk.worker(), ticket, Move.QUOTE, lines=self.lines(valves))
        await self.desk.move(self.desk.resident(), ticket, Move.AGREE, version=1)
        return ticket

    async def sign(self, ticket_id: UUID, who: Who | None = None) -> None:
        picture = signatures.cleaned(drawn())
        await self.res.db.transact(
            lambda tx: signatures.keep(
                tx, who or self.desk.resident(), keyring=self.res.keyring, ticket_id=ticket_id, picture=picture
            )
        )

    async def due(self, valves: int = 2) -> tuple[UUID, UUID]:
        """A ticket that is signed off, and its quote, which is owed."""
        ticket = await self.agreed(valves)
        await self.desk.move(self.desk.worker(), ticket, Move.FINISH)
        await self.sign(ticket)
        await self.desk.move(self.desk.resident(), ticket, Move.SIGN_OFF)
        return ticket, (await self.quote(ticket))["id"]

    async def quote(self, ticket_id: UUID) -> Record:
        """The newest quote of a ticket."""
        row = await self.res.db.fetchrow(
            "SELECT * FROM ticket_quote WHERE ticket_id = $1 ORDER BY version DESC LIMIT 1", ticket_id
        )
        assert row is not None
        return row

    async def ask_waiver(self, ticket_id: UUID) -> UUID:
        asked = await self.res.db.transact(
            lambda tx: waivers.propose(tx, self.desk.desk(), ticket_id=ticket_id, reason="维修质量问题")
        )
        return asked.id

    async def booked_fen(self, code: str) -> int:
        """What accounts of a code come to, debits less credits."""
        return int(
            await self.res.db.fetchval(
                """SELECT coalesce(sum(CASE p.debit_account WHEN a.id THEN amount_fen ELSE -amount_fen END), 0)
                     FROM account a JOIN posting p ON a.id IN (p.debit_account, p.credit_account)
                    WHERE a.code = $1""",
                code,
            )
        )


async def workshop(desk: Desk) -> Workshop:
    """A desk that works for money."""
    res, place = desk.res, desk.place
    category = await factories_tickets.category(res, place, PAID)
    valve = await priced(res, place)
    labour = await priced(res, place, sort=Sort.LABOUR, price_fen=LABOUR_FEN)

    async def work(tx: Tx) -> tuple[UUID, UUID]:
        keeper = desk.desk().actor
        store = await places.add(tx, keeper, community_id=place.id, name="工程部仓库", staff_id=None)
        bag = await places.add(tx, keeper, community_id=place.id, name="赵师傅随身", staff_id=desk.engineer.id)
        return store, bag

    store, bag = await res.db.transact(work)
    return Workshop(desk, category, valve, labour, store, bag)


async def desk_on(play: Stage) -> Desk:
    """A desk upon the stage of payments: its house, its owner, and staff."""
    res, place = play.res, play.place
    service = await factories.staff(res, place, "customer_service")
    engineers = [await factories.staff(res, place, "engineer") for _ in range(2)]
    plain = await factories_tickets.category(res, place)
    return Desk(res, place, play.house_id, play.owner, service, *engineers, plain)


async def order(play: Stage, quote_id: UUID) -> UUID:
    """The owner asks to pay for a repair, and the channel knows the order."""
    payer = play.payer_of(play.owner)

    async def work(tx: Tx) -> UUID:
        placed = await orders.place(
            tx,
            payer,
            res=play.res,
            actor=Actor("resident", payer.person_id),
            wishes=[Wish(PayableKind.TICKET, quote_id)],
        )
        return placed.order_id

    order_id = await play.res.db.transact(work)
    await prepay.pay_parameters(play.res, order_id)
    return order_id
