"""Passages that a camera tells late, hours after it was offline, or in the wrong order: each is put in its place (D8).

Promise: whatever the order in which passages of a plate are told, the same stays result. For every exit belongs to the
passage just before it if that was an entry; an entry without such an exit is a stay whose exit nobody saw (the last
one: a car inside), an exit without an entry a stay whose entry nobody saw. A passage that comes between two others
changes those two alone. A card covers what is told late as it would have. Nothing here is charged or opened;
what was left unpaid is flagged. A stay that has a quote is the result of what was seen and paid then: nothing is put
inside of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from backend.devices.states import Outcome
from backend.kernel.crypto import Keyring
from backend.kernel.db import Record, Tx
from backend.parking import stays
from backend.parking.cards import cards
from backend.parking.lanes.passages import SAME_PASSAGE, Passage, Ruling
from backend.parking.prices import coupon_uses, dues
from backend.parking.states import INSIDE, EventKind, Flag, SessionState, Way

NEAR = timedelta(days=40)

# The stays of a plate in a lot around an instant, held in id order. Index parking_session_of_plate.
STAYS = """
    SELECT id, state, entered_at, left_at, waiting_since, quote_id
      FROM parking_session
     WHERE lot_id = $1 AND plate_blind = $2
       AND (state IN ('IN', 'QUOTED', 'PAID')
            OR coalesce(left_at, entered_at) BETWEEN $3::timestamptz - $4::interval AND $3::timestamptz + $4::interval)
     ORDER BY id
       FOR UPDATE
"""

MOVE_ENTRY = """
    UPDATE parking_session SET entered_at = $2, entry_lane_id = $3, entry_tariff_id = $4, card_id = $5 WHERE id = $1
"""

LEFT_UNPAID = """
    UPDATE parking_session SET flags = ARRAY(SELECT DISTINCT f FROM unnest(flags || '{left_unpaid}') AS f ORDER BY f)
     WHERE id = $1
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """An entry or an exit that is known, and the stay to which it belongs."""

    at: datetime
    way: Way
    stay: Record


async def place(tx: Tx, passage: Passage, way: Way, *, tariff_id: UUID | None, keyring: Keyring) -> Ruling:
    """Put a passage in its place among the stays of its plate."""
    assert passage.car.blinds is not None
    rows = await tx.fetch(STAYS, passage.place.lot_id, passage.car.blinds.whole, passage.at, NEAR)
    seen = _in_order(rows)
    if any(each.way is way and abs(each.at - passage.at) <= SAME_PASSAGE for each in seen):
        return Ruling(Outcome.IGNORED, "same_passage")
    before = next((each for each in reversed(seen) if each.at <= passage.at), None)
    after = next((each for each in seen if each.at > passage.at), None)
    if way is Way.IN:
        return await _entry(tx, passage, before, after, tariff_id=tariff_id, keyring=keyring)
    return await _exit(tx, passage, before, tariff_id=tariff_id, keyring=keyring)


def _in_order(rows: Sequence[Record]) -> list[Seen]:
    seen = [Seen(row["entered_at"], Way.IN, row) for row in rows if row["entered_at"] is not None]
    seen += [Seen(row["left_at"], Way.OUT, row) for row in rows if row["left_at"] is not None]
    # A car whose entry nobody saw stands at the exit.
    seen += [
        Seen(row["waiting_since"], Way.OUT, row)
        for row in rows
        if row["entered_at"] is None and row["left_at"] is None and row["waiting_since"] is not None
    ]
    return sorted(seen, key=lambda each: (each.at, each.way is Way.OUT))


async def _entry(
    tx: Tx, passage: Passage, before: Seen | None, after: Seen | None, *, tariff_id: UUID | None, keyring: Keyring
) -> Ruling:
    if after is None:
        if before is not None and before.way is Way.IN:
            await end_unseen(tx, passage, before.stay)
        return await _begin(tx, passage, SessionState.IN, entered_at=passage.at, tariff_id=tariff_id, keyring=keyring)
    if after.way is Way.IN:
        return await _begin(
            tx, passage, SessionState.VOIDED, entered_at=passage.at, tariff_id=tariff_id, keyring=keyring
        )
    stay = after.stay
    card_id = await _card(tx, passage, SessionState(stay["state"]))
    if stay["entered_at"] is None:
        await stays.join_entry(
            tx, stay["id"], at=passage.at, lane_id=passage.lane_id, tariff_id=tariff_id, card_id=card_id
        )
    elif stay["quote_id"] is not None:
        return Ruling(Outcome.IGNORED, "within_a_stay")
    else:
        await tx.execute(MOVE_ENTRY, stay["id"], passage.at, passage.lane_id, tariff_id, card_id)
        await _begin(
            tx, passage, SessionState.VOIDED, entered_at=stay["entered_at"], tariff_id=tariff_id, keyring=keyring
        )
    await _flag_unpaid(tx, stay["id"], at=after.at)
    note(tx, passage, stay["id"], EventKind.ENTERED)
    return Ruling(Outcome.APPLIED, "joined")


async def _exit(tx: Tx, passage: Passage, before: Seen | None, *, tariff_id: UUID | None, keyring: Keyring) -> Ruling:
    if before is None or before.way is Way.OUT:
        return await _begin(tx, passage, SessionState.OUT, left_at=passage.at, tariff_id=None, keyring=keyring)
    stay = before.stay
    if stay["left_at"] is not None:
        if stay["quote_id"] is not None:
            return Ruling(Outcome.IGNORED, "within_a_stay")
        await _begin(tx, passage, SessionState.OUT, left_at=stay["left_at"], tariff_id=None, keyring=keyring)
    await _use_coupons(tx, stay["id"], at=passage.at)
    await stays.leave(tx, stay["id"], at=passage.at, lane_id=passage.lane_id, flags=passage.flags)
    await _flag_unpaid(tx, stay["id"], at=passage.at)
    note(tx, passage, stay["id"], EventKind.LEFT)
    return Ruling(Outcome.APPLIED, "left")


async def _begin(
    tx: Tx,
    passage: Passage,
    state: SessionState,
    *,
    entered_at: datetime | None = None,
    left_at: datetime | None = None,
    tariff_id: UUID | None,
    keyring: Keyring,
) -> Ruling:
    """A stay of which one end is known: of VOIDED ones the exit was not seen, of OUT ones the entry."""
    unseen = {SessionState.OUT: Flag.NO_ENTRY, SessionState.VOIDED: Flag.ENTERED_TWICE}
    flags = passage.flags | ({unseen[state]} if state in unseen else set())
    card_id = await _card(tx, passage, state)
    if card_id != passage.car.card_id:
        flags |= {Flag.OVER_SPACES}
    car = replace(passage.car, card_id=card_id)
    session_id = await stays.begin(
        tx, passage.place, car, keyring=keyring, state=state, entered_at=entered_at, left_at=left_at,
        tariff_id=tariff_id, flags=flags,
    )  # fmt: skip
    note(tx, passage, session_id, EventKind.LEFT if entered_at is None else EventKind.ENTERED)
    return Ruling(Outcome.APPLIED, "begun")


async def _card(tx: Tx, passage: Passage, state: SessionState) -> UUID | None:
    """The card under which the stay is: one that is still inside needs a space of it."""
    card_id = passage.car.card_id
    if card_id is None or state not in INSIDE or await cards.has_space(tx, card_id):
        return card_id
    return None


async def end_unseen(tx: Tx, passage: Passage, stay: Record) -> None:
    """A car that comes in again must have left: its stay ends without a charge, for the guard to look at.

    When it left is not known, so that an exit that is told later finds its place.
    """
    await stays.give_up(tx, stay["id"], at=passage.at)
    stays.note(
        tx, passage.actor, community_id=passage.place.community_id, session_id=stay["id"], at=passage.at,
        kind=EventKind.VOIDED, device_event_id=passage.device_event_id, detail={"reason": "entered_twice"},
    )  # fmt: skip


async def _use_coupons(tx: Tx, session_id: UUID, *, at: datetime) -> None:
    """A stay that its coupons had paid for has left free by them, and keeps them."""
    stay = await stays.lock(tx, session_id, at=at)
    if not stay["with_coupons"]:
        return
    due = await dues.due(tx, stay, at=at)
    if due.open_fen == 0:
        await coupon_uses.left_free(tx, stay, due.price)


async def _flag_unpaid(tx: Tx, session_id: UUID, *, at: datetime) -> None:
    stay = await stays.lock(tx, session_id, at=at)
    if stay["state"] not in INSIDE and (await dues.due(tx, stay, at=at)).open_fen > 0:
        await tx.execute(LEFT_UNPAID, session_id)


def note(tx: Tx, passage: Passage, session_id: UUID, kind: EventKind) -> None:
    """What the passage did to a stay."""
    stays.note(
        tx, passage.actor, community_id=passage.place.community_id, session_id=session_id, kind=kind, at=passage.at,
        device_event_id=passage.device_event_id, detail={"lane_id": str(passage.lane_id), "late": True},
    )  # fmt: skip
