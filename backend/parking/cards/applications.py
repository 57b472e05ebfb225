"""Applications of houses for a space (车位申请) and for a vehicle, their own or somebody else's (车辆登记, 外来车辆): a
resident asks, staff approve or refuse with a reason (R5, D8).

Promises: of one house no more applications wait in a lot than its rule allows (the lot is held while they are
counted); what is approved is given only if it is still there: a space that is free, a vehicle that no other house has.
Whether a plate is known is told to nobody who applies. An application names a vehicle by its id and shows its plate
masked (I-24).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from backend.kernel import approvals, audit
from backend.kernel.approvals import Approval, ApprovalKind, Stale
from backend.kernel.audit import Actor
from backend.kernel.crypto import Keyring
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import Conflict, Invalid, NotFound
from backend.parking import lots, plates, vehicles
from backend.parking.cards import cards, spaces
from backend.parking.cards.cards import NewCard
from backend.parking.cards.spaces import Holding
from backend.parking.cards.states import OutsideVehicles, SpaceState
from backend.parking.cards.terms import months_later
from backend.parking.states import CardKind
from backend.parking.vehicles import Vehicle

SPACE, VEHICLE = "parking.space_application", "parking.vehicle_application"

RULE = "SELECT outside_vehicles, max_open FROM parking_application_rule WHERE lot_id = $1"

SET_RULE = """
    INSERT INTO parking_application_rule (lot_id, community_id, outside_vehicles, max_open) VALUES ($1, $2, $3, $4)
        ON CONFLICT (lot_id) DO UPDATE SET outside_vehicles = $3, max_open = $4
"""

# Index approval_parking_house.
PENDING = """
    SELECT count(*) FROM approval
     WHERE kind IN ('parking.space_application', 'parking.vehicle_application')
       AND payload ->> 'house_id' = $1 AND payload ->> 'lot_id' = $2 AND state = 'PENDING' AND expires_at > $3
"""

OF_HOUSES = """
    SELECT id, kind, state, payload, shown, reason, decision, proposed_at, decided_at
      FROM approval
     WHERE kind IN ('parking.space_application', 'parking.vehicle_application')
       AND payload ->> 'house_id' = ANY ($1::text[])
     ORDER BY id DESC
     LIMIT 50
"""

HOUSE = "SELECT label FROM parking_house WHERE id = $1 AND community_id = $2"

LOCK_VEHICLE = "SELECT id, no, house_id, outside_until FROM parking_vehicle WHERE id = $1 FOR UPDATE"

REGISTER = "UPDATE parking_vehicle SET house_id = $2, outside_until = $3 WHERE id = $1"


@dataclass(frozen=True, slots=True)
class Rule:
    """What a lot does with applications."""

    outside_vehicles: OutsideVehicles
    max_open: int


USUAL = Rule(OutsideVehicles.BUY, 3)


async def rule(db: Reader, lot_id: UUID) -> Rule:
    """The rule of a lot."""
    row = await db.fetchrow(RULE, lot_id)
    return USUAL if row is None else Rule(OutsideVehicles(row["outside_vehicles"]), row["max_open"])


async def set_rule(tx: Tx, actor: Actor, *, lot_id: UUID, communities: Sequence[UUID], new: Rule) -> None:
    """Set what a lot does with applications from now on; NotFound."""
    lot = await lots.lock(tx, lot_id, communities=communities)
    before = await rule(tx, lot_id)
    await tx.execute(SET_RULE, lot_id, lot["community_id"], new.outside_vehicles.value, new.max_open)
    audit.record(
        tx, actor, action="parking.application_rule_set", target=f"parking_lot:{lot_id}",
        community_id=lot["community_id"],
        before={"outside_vehicles": before.outside_vehicles.value, "max_open": before.max_open},
        after={"outside_vehicles": new.outside_vehicles.value, "max_open": new.max_open},
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class ForSpace:
    """A free space that a house would like to rent for some months, or (None) to buy."""

    house_id: UUID
    space_id: UUID
    months: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class ForVehicle:
    """A vehicle that a house would like to be known as its own, or (`until`) to bring until that day, without it."""

    house_id: UUID
    lot_id: UUID
    plate: str
    until: date | None
    reason: str


async def for_space(tx: Tx, actor: Actor, *, communities: Sequence[UUID], asked: ForSpace) -> Approval:
    """Apply for a space, for a house that the caller has found in scope.

    Raises NotFound, Conflict `space_taken`, `too_many_applications`, `approval_pending`.
    """
    space = await spaces.lock(tx, asked.space_id, communities=communities)
    lot, house = await _open(tx, space["lot_id"], asked.house_id, communities=communities)
    if space["state"] != SpaceState.FREE:
        raise Conflict("这个车位已经有人使用，请另选一个。", code="space_taken")
    wanted = "购买" if asked.months is None else f"租用 {asked.months} 个月"
    return await approvals.propose(
        tx,
        actor,
        kind=SPACE,
        target=f"parking_space:{space['id']}/house:{asked.house_id}",
        community_id=lot["community_id"],
        payload={
            "house_id": str(asked.house_id),
            "lot_id": str(lot["id"]),
            "space_id": str(space["id"]),
            "months": asked.months,
        },
        shown={"before": {}, "after": {"停车场": lot["name"], "车位": space["number"], "房屋": house, "申请": wanted}},
        reason=asked.reason,
    )


async def for_vehicle(
    tx: Tx, actor: Actor, *, keyring: Keyring, communities: Sequence[UUID], asked: ForVehicle
) -> Approval:
    """Apply for a vehicle, for a house that the caller has found in scope.

    Raises NotFound, Invalid for the plate and the day, Conflict `vehicle_known`, `too_many_applications`,
    `approval_pending`.
    """
    if asked.until is not None and not tx.today < asked.until <= months_later(tx.today, 12):
        raise Invalid("外来车辆的期限须晚于今天，最长一年。", fields=[{"field": "until"}])
    text = vehicles.required(asked.plate)
    lot, house = await _open(tx, asked.lot_id, asked.house_id, communities=communities)
    vehicle = await vehicles.ensure(
        tx, keyring=keyring, community_id=lot["community_id"], house_id=None, text=text
    )  # fmt: skip
    known = await tx.fetchrow(LOCK_VEHICLE, vehicle.id)
    assert known is not None
    if asked.until is None and known["house_id"] == asked.house_id and known["outside_until"] is None:
        raise Conflict("这辆车已经登记在这套房屋下。", code="vehicle_known")
    wanted = "自家车辆" if asked.until is None else f"外来车辆，至 {asked.until.isoformat()}（不含）"
    return await approvals.propose(
        tx,
        actor,
        kind=VEHICLE,
        target=f"parking_vehicle:{vehicle.id}/house:{asked.house_id}",
        community_id=lot["community_id"],
        payload={
            "house_id": str(asked.house_id),
            "lot_id": str(lot["id"]),
            "vehicle_id": str(vehicle.id),
            "until": asked.until and asked.until.isoformat(),
        },
        shown={
            "before": {},
            "after": {"停车场": lot["name"], "车牌": plates.mask(text), "房屋": house, "申请": wanted},
        },
        reason=asked.reason,
    )


async def _open(tx: Tx, lot_id: UUID, house_id: UUID, *, communities: Sequence[UUID]) -> tuple[Record, str]:
    """The lot, held, and the house's label, where one more application of the house may wait."""
    lot = await lots.lock(tx, lot_id, communities=communities)
    house: str | None = await tx.fetchval(HOUSE, house_id, lot["community_id"])
    if house is None:
        raise NotFound
    waiting: int = await tx.fetchval(PENDING, str(house_id), str(lot_id), tx.now)
    if waiting >= (await rule(tx, lot_id)).max_open:
        raise Conflict("这套房屋待审批的申请太多，请等待物业处理后再提交。", code="too_many_applications")
    return lot, house


async def apply_space(tx: Tx, approval: Approval, actor: Actor) -> None:
    """Rent the space out from today, or reserve it for the house until it is sold; Stale where it is free no more."""
    payload, places = approval.payload, _places(approval)
    space = await spaces.lock(tx, UUID(payload["space_id"]), communities=places)
    if space["state"] != SpaceState.FREE:
        raise Stale
    house_id, months = UUID(payload["house_id"]), payload["months"]
    holding = Holding(SpaceState.RESERVED, house_id)
    if months is not None:
        holding = Holding(SpaceState.RENTED, house_id, tx.today, months_later(tx.today, months))
    await spaces.assign(tx, actor, space_id=space["id"], communities=places, holding=holding, reason=approval.reason)


async def apply_vehicle(tx: Tx, approval: Approval, actor: Actor) -> None:
    """Register the vehicle to the house; where the lot says so, an outside vehicle gets its card at once.

    Raises Stale where its term has passed, Conflict `vehicle_of_another_house`, `has_card`.
    """
    payload = approval.payload
    house_id, until = UUID(payload["house_id"]), payload["until"] and date.fromisoformat(payload["until"])
    lot = await lots.lock(tx, UUID(payload["lot_id"]), communities=_places(approval))
    row = await tx.fetchrow(LOCK_VEHICLE, UUID(payload["vehicle_id"]))
    if row is None or (until is not None and until <= tx.today):
        raise Stale
    if row["house_id"] not in (None, house_id):
        raise Conflict("这辆车已登记在另一套房屋下，不能批准。", code="vehicle_of_another_house")
    await tx.execute(REGISTER, row["id"], house_id, until)
    audit.record(
        tx, actor, action="parking.vehicle_registered", target=f"parking_vehicle:{row['id']}",
        community_id=approval.community_id, reason=approval.reason,
        before={"house_id": row["house_id"] and str(row["house_id"])},
        after={"house_id": str(house_id), "outside_until": payload["until"]},
    )  # fmt: skip
    if until is not None and (await rule(tx, lot["id"])).outside_vehicles is OutsideVehicles.CARD:
        new = NewCard(CardKind.VISITOR, (), 1, tx.today, until, house_id)
        await cards.issue_for(tx, actor, lot=lot, new=new, found=[Vehicle(row["id"], row["no"], house_id)])


def _places(approval: Approval) -> tuple[UUID, ...]:
    assert approval.community_id is not None
    return (approval.community_id,)


async def of_houses(db: Reader, house_ids: Sequence[UUID]) -> list[Record]:
    """The latest fifty applications of these houses."""
    return await db.fetch(OF_HOUSES, [str(each) for each in house_ids])


APPROVALS: Mapping[str, ApprovalKind] = {
    SPACE: ApprovalKind("parking.space", apply_space, says_why=True),
    VEHICLE: ApprovalKind("parking.card", apply_vehicle, says_why=True),
}
