"""What a guard does at the console (岗亭): opens by hand with a reason, corrects a plate, picks the car that was
misread, voids a stay (D8). Every act is audited with its reason (I-22)."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from backend.devices import commands
from backend.devices.states import CommandKind
from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.crypto import Context, Keyring
from backend.kernel.db import Record, Tx
from backend.kernel.errors import Conflict, Invalid, NotFound
from backend.parking import lots, stays, vehicles
from backend.parking.cards import cards
from backend.parking.lanes import hand_openings, misread
from backend.parking.prices import classes, coupon_uses, dues, quotes
from backend.parking.states import INSIDE, EventKind, Flag, SessionState, Way
from backend.parking.stays import Car, Place

SCOPED = "SELECT community_id FROM parking_session WHERE id = $1 AND community_id = ANY ($2::uuid[])"

BARRIER = "SELECT barrier_device_id FROM parking_lane WHERE id = $1"

CORRECT = """
    WITH gone AS (DELETE FROM parking_wildcard WHERE session_id = $1)
    UPDATE parking_session
       SET plate_sealed = $2, plate_blind = $3, tail_blind = $4, card_id = $5,
           vehicle_id = (SELECT v.id FROM parking_vehicle v
                          WHERE v.community_id = parking_session.community_id AND v.plate_blind = $3),
           flags = ARRAY(SELECT DISTINCT f FROM unnest(array_remove(flags, 'plateless') || '{corrected}') AS f)
     WHERE id = $1
"""


OWES_NOTHING = "UPDATE parking_session SET flags = array_remove(flags, 'left_unpaid') WHERE id = $1"


@dataclass(frozen=True, slots=True)
class Opened:
    """A barrier that was told to open, and the stay that it was for."""

    command_id: UUID
    session_id: UUID | None


async def stay_in(tx: Tx, session_id: UUID, *, communities: Sequence[UUID]) -> Record:
    """A stay of these communities, held; NotFound."""
    if await tx.fetchval(SCOPED, session_id, list(communities)) is None:
        raise NotFound
    return await stays.lock(tx, session_id, at=tx.now)


async def open_lane(
    tx: Tx,
    actor: Actor,
    *,
    keyring: Keyring,
    lot_id: UUID,
    lane_id: UUID,
    communities: Sequence[UUID],
    reason: str,
    session_id: UUID | None,
    plate: str | None,
) -> Opened:
    """Open a lane by hand.

    At an exit `session_id` is the stay that ends, unpaid where something is due. At an entry a stay begins, for `plate`
    or for a car without one. Raises NotFound, Invalid, Conflict `not_inside`, `already_inside`.
    """
    lot = await lots.lock(tx, lot_id, communities=communities)
    lane = await lots.lane(tx, lot_id, lane_id=lane_id)
    place, open_fen = Place(lot["community_id"], lot_id, lane_id), 0
    if lane["direction"] == Way.IN:
        if session_id is not None:
            raise Invalid("入口放行请填写车牌号，不选停车记录。", fields=[{"field": "session_id"}])
        session_id = await _begin_by_hand(tx, place, plate, keyring=keyring)
        kind = EventKind.ENTERED
    else:
        if plate is not None:
            raise Invalid("出口放行请选择停车记录，不填车牌号。", fields=[{"field": "plate"}])
        kind = EventKind.OPENED_BY_HAND
        if session_id is not None:
            open_fen = await _end_by_hand(tx, place, session_id, communities=communities)
    if session_id is not None:
        stays.note(
            tx, actor, community_id=lot["community_id"], session_id=session_id, kind=kind, detail={"reason": reason}
        )
    hand_openings.record(
        tx, actor, place, direction=lane["direction"], session_id=session_id, open_fen=open_fen, reason=reason
    )
    ordered = commands.order(
        tx, actor, community_id=lot["community_id"], device_id=lane["barrier_device_id"], kind=CommandKind.OPEN,
        subject=f"parking_lane:{lane_id}", reason=reason,
    )  # fmt: skip
    audit.record(
        tx, actor, action="parking.opened_by_hand", target=f"parking_lane:{lane_id}", community_id=lot["community_id"],
        reason=reason, after={"session_id": session_id and str(session_id)},
    )  # fmt: skip
    return Opened(ordered.id, session_id)


async def open_all(tx: Tx, actor: Actor, *, lot_id: UUID, communities: Sequence[UUID], reason: str) -> int:
    """Open every lane of a lot at once, as for a fire; how many barriers were told. NotFound."""
    lot = await lots.lock(tx, lot_id, communities=communities)
    lanes = await lots.lanes(tx, lot_id)
    barriers = {lane["barrier_device_id"]: lane["id"] for lane in lanes}
    for device_id, lane_id in barriers.items():
        commands.order(
            tx, actor, community_id=lot["community_id"], device_id=device_id, kind=CommandKind.OPEN,
            subject=f"parking_lane:{lane_id}", reason=reason,
        )  # fmt: skip
    audit.record(
        tx, actor, action="parking.all_opened", target=f"parking_lot:{lot_id}", community_id=lot["community_id"],
        reason=reason, after={"barriers": len(barriers)},
    )  # fmt: skip
    return len(barriers)


async def _begin_by_hand(tx: Tx, place: Place, plate: str | None, *, keyring: Keyring) -> UUID:
    flags, car = {Flag.BY_HAND}, Car(None, None)
    if plate is None:
        flags.add(Flag.PLATELESS)
    else:
        typed = vehicles.typed(plate)
        blinds = vehicles.blinds(keyring, typed.text)
        if await tx.fetchval(quotes.INSIDE, place.lot_id, blinds.whole) is not None:
            raise Conflict("这辆车已经在停车场内。", code="already_inside")
        car = Car(typed.text, blinds, vehicle_class=classes.of(typed))
    return await stays.begin(tx, place, car, keyring=keyring, entered_at=tx.now, flags=frozenset(flags))


async def _end_by_hand(tx: Tx, place: Place, session_id: UUID, *, communities: Sequence[UUID]) -> int:
    """Let the car of a stay out; what was due for it, in fen."""
    stay = await stay_in(tx, session_id, communities=communities)
    if stay["lot_id"] != place.lot_id:
        raise NotFound
    _require_inside(stay)
    due = await dues.due(tx, stay, at=tx.now)
    if due.open_fen == 0:
        await coupon_uses.left_free(tx, stay, due.price)
    flags = frozenset({Flag.BY_HAND} | ({Flag.LEFT_UNPAID} if due.open_fen else set()))
    await stays.leave(tx, session_id, at=tx.now, lane_id=place.lane_id, flags=flags)
    return due.open_fen


async def correct(
    tx: Tx, actor: Actor, *, keyring: Keyring, session_id: UUID, communities: Sequence[UUID], plate: str, reason: str
) -> None:
    """Give a stay its right plate, and with it the card that covers it, where that has a space left.

    A car that has left is corrected as well: what it has paid by a wrong read is given back by a refund. Raises
    NotFound, Invalid, Conflict `voided`, `already_inside`.
    """
    stay = await stay_in(tx, session_id, communities=communities)
    if stay["state"] == SessionState.VOIDED:
        raise Conflict("这条停车记录已经作废。", code="voided")
    typed = vehicles.typed(plate)
    blinds = vehicles.blinds(keyring, typed.text)
    sealed = keyring.seal(typed.text, Context("parking_session", "plate_sealed", session_id))
    card_id = await _card(tx, stay, blinds.whole)
    try:
        await tx.execute(CORRECT, session_id, sealed, blinds.whole, blinds.tail, card_id)
    except asyncpg.UniqueViolationError as error:
        raise Conflict("这个车牌的车已经在停车场内，请先核对那条停车记录。", code="already_inside") from error
    if (known := classes.certain(typed)) is not None and known != stay["vehicle_class"]:
        await stays.reclass(tx, session_id, known)
    if stay["state"] in INSIDE:
        for blind in blinds.wildcards:
            tx.add(stays.WILDCARD, stay["lot_id"], blind, session_id)
    elif Flag.LEFT_UNPAID in stay["flags"]:
        gone = await stays.lock(tx, session_id, at=stay["left_at"])
        if (await dues.due(tx, gone, at=stay["left_at"])).open_fen == 0:
            await tx.execute(OWES_NOTHING, session_id)
    _keep(tx, actor, stay, EventKind.CORRECTED, "parking.plate_corrected", reason)


async def _card(tx: Tx, stay: Record, plate_blind: bytes) -> UUID | None:
    """The card under which the car is, by its right plate; the one that it has keeps its space."""
    came_at = stay["entered_at"] or stay["left_at"] or tx.now
    card_id = await cards.of_plate(
        tx, stay["community_id"], plate_blind=plate_blind, lot_no=stay["lot_no"], came_at=came_at, has=stay["card_id"]
    )  # fmt: skip
    if card_id is None or card_id == stay["card_id"]:
        return card_id
    inside = stay["state"] in INSIDE
    free = await (cards.has_space(tx, card_id) if inside else cards.had_space(tx, card_id, at=came_at))
    return card_id if free else None


async def match(
    tx: Tx,
    actor: Actor,
    *,
    key: bytes,
    session_id: UUID,
    candidate_id: UUID,
    communities: Sequence[UUID],
    reason: str,
) -> None:
    """The car at the exit whose entry nobody saw is this one, which was misread: it leaves, or is asked to pay there.

    One that its card or the white list has let out already gets the entry of that stay, which never was.
    Raises NotFound, Conflict `not_inside`, `entry_was_seen`, `stay_paid`.
    """
    if session_id == candidate_id:
        raise NotFound
    # In id order, as everybody who holds two stays.
    held = {each: await stay_in(tx, each, communities=communities) for each in sorted((session_id, candidate_id))}
    unseen, stay = held[session_id], held[candidate_id]
    if unseen["lot_id"] != stay["lot_id"]:
        raise NotFound
    _require_inside(stay)
    if unseen["state"] == SessionState.OUT and unseen["entered_at"] is None:
        await misread.join(tx, unseen=unseen, stay=stay)
        _keep(tx, actor, stay, EventKind.VOIDED, "parking.stay_matched", reason, {"seen_as": str(session_id)})
        _keep(tx, actor, unseen, EventKind.CORRECTED, "parking.stay_matched", reason, {"entered_as": str(candidate_id)})
        return
    _require_inside(unseen)
    lane_id = unseen["waiting_lane_id"]
    if unseen["entered_at"] is not None or stay["entered_at"] is None or lane_id is None:
        raise Conflict("只有出口处没有入场记录的车需要匹配。", code="entry_was_seen")
    await stays.leave(tx, session_id, at=tx.now, lane_id=None, state=SessionState.VOIDED)
    _keep(tx, actor, unseen, EventKind.VOIDED, "parking.stay_matched", reason, {"candidate_id": str(candidate_id)})
    due = await dues.due(tx, stay, at=tx.now)
    in_grace = stay["state"] == SessionState.PAID and tx.now <= stay["grace_until"]
    if due.open_fen > 0 and not in_grace:
        await quotes.of_stay(tx, actor, key=key, stay=stay, due=due, lane_id=lane_id)
        return
    await coupon_uses.left_free(tx, stay, due.price)
    await stays.leave(tx, candidate_id, at=tx.now, lane_id=lane_id)
    _keep(tx, actor, stay, EventKind.LEFT, "parking.stay_matched", reason, {"seen_as": str(session_id)})
    commands.order(
        tx, actor, community_id=stay["community_id"], device_id=await tx.fetchval(BARRIER, lane_id),
        kind=CommandKind.OPEN, subject=f"parking_lane:{lane_id}", reason=reason,
    )  # fmt: skip


async def void(tx: Tx, actor: Actor, *, session_id: UUID, communities: Sequence[UUID], reason: str) -> None:
    """A stay that never was; what was paid for it is given back by a refund. NotFound, Conflict `voided`."""
    stay = await stay_in(tx, session_id, communities=communities)
    if stay["state"] == SessionState.VOIDED:
        raise Conflict("这条停车记录已经作废。", code="voided")
    left_at = stay["left_at"] or tx.now
    await stays.leave(tx, session_id, at=left_at, lane_id=stay["exit_lane_id"], state=SessionState.VOIDED)
    _keep(tx, actor, stay, EventKind.VOIDED, "parking.stay_voided", reason)


async def reveal(
    tx: Tx, actor: Actor, *, keyring: Keyring, session_id: UUID, communities: Sequence[UUID], reason: str
) -> str:
    """The whole plate of a stay; who read it and why is recorded. NotFound, also for a car without a plate."""
    stay = await stay_in(tx, session_id, communities=communities)
    plate = vehicles.opened(keyring, "parking_session", stay)
    if plate is None:
        raise NotFound
    audit.record(
        tx, actor, action="parking.plate_read", target=f"parking_session:{session_id}",
        community_id=stay["community_id"], reason=reason,
    )  # fmt: skip
    return plate


def _require_inside(stay: Record) -> None:
    if stay["state"] not in INSIDE:
        raise Conflict("这辆车已经不在停车场内。", code="not_inside")


def _keep(
    tx: Tx,
    actor: Actor,
    stay: Record,
    kind: EventKind,
    action: str,
    reason: str,
    detail: dict[str, str] | None = None,
) -> None:
    stays.note(
        tx, actor, community_id=stay["community_id"], session_id=stay["id"], kind=kind,
        detail={"reason": reason, **(detail or {})},
    )  # fmt: skip
    audit.record(
        tx, actor, action=action, target=f"parking_session:{stay['id']}", community_id=stay["community_id"],
        reason=reason, before={"state": stay["state"]}, after=dict(detail or {}),
    )  # fmt: skip
