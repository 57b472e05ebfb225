"""Builders of parking: a lot with two lanes and their cameras, prices, and cars that come and go."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID, uuid4

from backend.composition import HANDLERS
from backend.devices import commands
from backend.kernel import leases
from backend.kernel.audit import SYSTEM, Actor
from backend.kernel.db import Record, Tx
from backend.kernel.resources import Resources
from backend.ledger import accounts, postings
from backend.ledger.accounts import Code, Key
from backend.parking import lots, vehicles
from backend.parking.cards import cards
from backend.parking.cards.cards import NewCard
from backend.parking.lanes import gate, guard
from backend.parking.lanes.gate import Camera
from backend.parking.lanes.sighting import Decision, Sighting, SightingKind
from backend.parking.lots import Rules
from backend.parking.plates import Colour
from backend.parking.prices import quotes
from backend.parking.prices.classes import PriceClass
from backend.parking.prices.tariff import document, parse
from backend.parking.states import Basis, CardKind, Way
from payments import closing
from payments.channels.base import Method
from payments.counter import takings
from payments.counter.takings import Paper, Taken
from payments.payables import Kind, Wish
from tests import factories_devices
from tests.factories import Community
from tests.factories_counter import Counter, voucher_no
from tests.factories_devices import Device
from workers import edge

# Made up for the test: 30 free minutes (a threshold), 5 yuan for each begun hour, at most 20 yuan a day.
PRICES: dict[str, Any] = {
    "crossing": "counted_apart",
    "rounding": "begun_units",
    "days": [
        {
            "kinds": ["working_day", "weekend", "holiday"],
            "windows": [
                {
                    "starts": "00:00",
                    "ends": "24:00",
                    "segments": [{"from_min": 0, "to_min": None, "increment_min": 60, "price_fen": 500}],
                }
            ],
        }
    ],
    "free": {"minutes": 30, "kind": "threshold"},
    "day": {"cap_fen": 2_000, "by": "rolling"},
    "grace_min": 15,
}
CAR = "粤B12345"
HOUR = timedelta(hours=1)
_keys = count(1)


@dataclass
class Lot:
    """A lot with an entry and an exit."""

    res: Resources
    place: Community
    id: UUID
    camera_in: Device
    camera_out: Device
    lane_in: UUID
    lane_out: UUID
    key: bytes = field(repr=False, default=b"")

    async def see(self, camera: Device, sighting: Sighting) -> Decision:
        """A sighting as the routes hand it on."""
        who = Camera(camera.id, self.place.id)
        return await self.res.db.transact(
            lambda tx: gate.see(tx, who, sighting, keyring=self.res.keyring, key=self.key)
        )

    async def arrives(self, plate: str | None = CAR, **more: Any) -> Decision:
        """A car at the entry."""
        return await self.see(self.camera_in, sighting(self.res, plate, **more))

    async def leaves(self, plate: str | None = CAR, **more: Any) -> Decision:
        """A car at the exit."""
        return await self.see(self.camera_out, sighting(self.res, plate, **more))

    async def stays(self) -> list[Record]:
        return await self.res.db.fetch(
            """SELECT * FROM parking_session s WHERE lot_id = $1
                ORDER BY (SELECT min(e.id) FROM parking_event e WHERE e.session_id = s.id)""",
            self.id,
        )

    async def stay(self) -> Record:
        """The one stay there is."""
        (row,) = await self.stays()
        return row

    async def quote(self, plate: str = CAR) -> quotes.Asked:
        return await self.res.db.transact(
            lambda tx: quotes.for_plate(tx, SYSTEM, key=self.key, keyring=self.res.keyring, lot_id=self.id, text=plate)
        )

    async def free_spaces(self) -> int:
        return int((await lots.one(self.res.db, self.id, communities=[self.place.id]))["free_spaces"])

    async def commands(self) -> list[Record]:
        return await self.res.db.fetch("SELECT * FROM device_command ORDER BY id")

    async def events(self) -> list[str]:
        return [row["kind"] for row in await self.res.db.fetch("SELECT kind FROM parking_event ORDER BY id")]


def sighting(res: Resources, plate: str | None = CAR, *, ago: timedelta = timedelta(), **more: Any) -> Sighting:
    """What a camera sees now, or saw some time ago and tells now (`replayed`)."""
    return Sighting(
        device=None,
        key=more.pop("key", None) or f"k{next(_keys)}",
        kind=SightingKind.PLATE if plate else SightingKind.NO_PLATE,
        plate=plate,
        at=more.pop("at", None) or res.clock.now() - ago,
        colour=more.pop("colour", Colour.BLUE),
        replayed=bool(ago),
        **more,
    )


def turned_back(res: Resources) -> Sighting:
    """The car in front of a camera has backed off."""
    return replace(sighting(res, None), kind=SightingKind.TURN_BACK)


async def lot(
    res: Resources, place: Community, *, code: str = "P1", spaces: int = 100, prices: dict[str, Any] | None = PRICES,
    basis: Basis = Basis.ENTRY, arrears_days: int | None = None,
) -> Lot:  # fmt: skip
    """A lot, its lanes and its prices from a minute before now on."""
    rules = Rules("地下停车场", spaces, basis, 10, arrears_days)
    camera_in = await factories_devices.device(res, place, name="入口相机")
    camera_out = await factories_devices.device(res, place, name="出口相机")

    async def work(tx: Tx) -> tuple[UUID, UUID, UUID]:
        made = await lots.create(tx, SYSTEM, community_id=place.id, code=code, rules=rules)
        lanes = [
            await lots.add_lane(
                tx, SYSTEM, lot_id=made.id, communities=[place.id], direction=way, name=name,
                camera_device_id=camera.id, barrier_device_id=camera.id,
            )
            for way, name, camera in ((Way.IN, "东门入口", camera_in), (Way.OUT, "东门出口", camera_out))
        ]  # fmt: skip
        return made.id, lanes[0].id, lanes[1].id

    lot_id, lane_in, lane_out = await res.db.transact(work)
    made = Lot(res, place, lot_id, camera_in, camera_out, lane_in, lane_out, quotes.signing_key(res.settings))
    if prices is not None:
        await tariff(made, prices)
    return made


async def lane(
    of: Lot, camera: Device, *, way: Way = Way.IN, name: str = "西门入口", barrier: Device | None = None
) -> UUID:
    """One more lane, seen by `camera`."""
    made = await of.res.db.transact(
        lambda tx: lots.add_lane(
            tx, SYSTEM, lot_id=of.id, communities=[of.place.id], direction=way, name=name,
            camera_device_id=camera.id, barrier_device_id=(barrier or camera).id,
        )
    )  # fmt: skip
    return made.id


async def overdue(res: Resources, place: Community, house_id: UUID, item_id: UUID, run_id: UUID) -> None:
    """An unpaid bill of the house, due two months ago."""
    bill_id, now = uuid4(), res.clock.now()

    async def work(tx: Tx) -> None:
        await tx.execute(
            """INSERT INTO bill (id, community_id, item_id, house_id, run_id, period_start, period_end, seq, state,
                                 principal_fen, liable_kind, due_on, created_at)
               VALUES ($1, $2, $3, $4, $5, '2026-06-01', '2026-07-01', 0, 'ISSUED', 100, 'owner', '2026-06-30', $6)""",
            bill_id, place.id, item_id, house_id, run_id, now,
        )  # fmt: skip
        await tx.execute(
            """INSERT INTO bill_line (bill_id, seq, label, inputs, coefficient, exact_num, exact_den, amount_fen)
               VALUES ($1, 1, '物业费', '{}', 1, 100, 1, 100)""",
            bill_id,
        )
        keys = (Key(place.id, Code.RECEIVABLE, house_id), Key(place.id, Code.INCOME, item_id))
        debit, credit = await accounts.ensure_all(tx, keys)
        postings.post(
            tx, "bill.issued", reference=bill_id, debit=debit, credit=credit, amount_fen=100, community_id=place.id,
            bill_id=bill_id,
        )  # fmt: skip

    await res.db.transact(work)


async def tariff(
    of: Lot, prices: dict[str, Any], *, effective_from: datetime | None = None, vehicle_class: PriceClass | None = None
) -> UUID:
    """A version of prices, in force for a minute already unless told otherwise; two people have agreed on it."""
    db, now, version_id, approval_id = of.res.db, of.res.clock.now(), uuid4(), uuid4()
    since = effective_from or now - timedelta(minutes=1)
    await db.execute(
        """INSERT INTO approval (id, kind, community_id, target, state, payload, shown, reason, proposed_by,
                                 proposed_at, expires_at, decided_by, decided_at, decision)
           VALUES ($1, 'parking.tariff', $2, 'parking_lot:' || $3::uuid, 'APPROVED', '{}', '{}', '新价格', $4, $5, $5,
                   $6, $5, '同意')""",
        approval_id, of.place.id, of.id, uuid4(), now, uuid4(),
    )  # fmt: skip
    await db.execute(
        """INSERT INTO parking_tariff (id, community_id, lot_id, document, effective_from, approval_id, created_at,
                                       vehicle_class)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8)""",
        version_id, of.place.id, of.id, document(parse(prices)), since, approval_id, now, vehicle_class,
    )  # fmt: skip
    return version_id


async def card(
    of: Lot,
    plates: Sequence[str] = (CAR,),
    *,
    spaces: int = 1,
    starts_on: date = date(2026, 1, 1),
    ends_on: date | None = None,
    house_id: UUID | None = None,
) -> UUID:
    """A monthly card."""
    new = NewCard(CardKind.MONTHLY, tuple(plates), spaces, starts_on, ends_on, house_id)
    made = await of.res.db.transact(
        lambda tx: cards.issue(tx, SYSTEM, keyring=of.res.keyring, lot_id=of.id, communities=[of.place.id], new=new)
    )
    return made.id


async def work_all(res: Resources) -> None:
    """Run the jobs that are due, without Redis."""
    while claimed := await leases.claim(res.db, limit=50, lease_s=30):
        for lease in claimed:
            await edge.work(res, HANDLERS, lease, False)


async def obey(res: Resources, device: Device) -> list[Record]:
    """The device fetches its commands, does them and says so."""
    rows = await commands.wait(res.db, device.id, wait_s=0)

    async def work(tx: Tx) -> None:
        for row in rows:
            await commands.acknowledge(tx, Actor("device", device.id), command_id=row["id"], done=True, detail="")

    await res.db.transact(work)
    return rows


async def void(of: Lot, session_id: UUID) -> None:
    """A guard voids a stay."""
    actor = Actor("staff", uuid4())
    await of.res.db.transact(
        lambda tx: guard.void(tx, actor, session_id=session_id, communities=[of.place.id], reason="重复记录")
    )


async def open_by_hand(of: Lot) -> None:
    """A guard lets in a car without a plate."""
    actor = Actor("staff", uuid4())
    await of.res.db.transact(
        lambda tx: guard.open_lane(
            tx, actor, keyring=of.res.keyring, lot_id=of.id, lane_id=of.lane_in, communities=[of.place.id],
            reason="无牌新车", session_id=None, plate=None,
        )
    )  # fmt: skip


async def let_out(of: Lot, session_id: UUID) -> None:
    """A guard opens the exit for a stay, paid or not."""
    actor = Actor("staff", uuid4())
    await of.res.db.transact(
        lambda tx: guard.open_lane(
            tx, actor, keyring=of.res.keyring, lot_id=of.id, lane_id=of.lane_out, communities=[of.place.id],
            reason="老人就医", session_id=session_id, plate=None,
        )
    )  # fmt: skip


async def take_cash(counter: Counter, session_id: UUID, *, amount_fen: int) -> Taken:
    """The cashier takes cash for a stay."""
    paper = Paper(voucher_no(), Method.CASH, amount_fen, amount_fen)
    wishes = [Wish(Kind.PARKING, session_id)]
    res = counter.play.res

    async def work(tx: Tx) -> Taken:
        return await takings.take(
            tx, counter.actor, res=res, communities=counter.communities, wishes=wishes, paper=paper
        )

    return await closing.make_room(res, counter.actor, place=lambda: res.db.transact(work))


async def cancel(of: Lot, card_id: UUID) -> None:
    """A card is cancelled today."""
    await of.res.db.transact(
        lambda tx: cards.cancel(tx, SYSTEM, card_id=card_id, communities=[of.place.id], reason="退卡")
    )


async def correct(of: Lot, session_id: UUID, plate: str) -> None:
    """A guard corrects a plate."""
    await of.res.db.transact(
        lambda tx: guard.correct(
            tx, Actor("staff", uuid4()), keyring=of.res.keyring, session_id=session_id, communities=[of.place.id],
            plate=plate, reason="识别错误",
        )
    )  # fmt: skip


def replayed(one: Sighting) -> Sighting:
    """The same, told by a camera that was offline."""
    return replace(one, replayed=True)


def plate_of(of: Lot, row: Record) -> str:
    """The plate of a stay."""
    return vehicles.opened(of.res.keyring, "parking_session", row) or ""


async def open_exit(of: Lot, session_id: UUID) -> None:
    """A guard lets a car out by hand."""
    await of.res.db.transact(
        lambda tx: guard.open_lane(
            tx, Actor("staff", uuid4()), keyring=of.res.keyring, lot_id=of.id, lane_id=of.lane_out,
            communities=[of.place.id], reason="人工放行", session_id=session_id, plate=None,
        )
    )  # fmt: skip
