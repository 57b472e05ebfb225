"""Visitors without a pass (临时来访): a guard registers, the resident says yes or no within minutes, the guard lets in
or turns away (R8, D10).

Promises: a visitor is let in only after a yes, or, where nobody has answered in time, by the guard's own decision with
a reason; a no ends it. Of a yes and a no at once one counts. Whoever is banned is not registered and not let in. The
guard's decision is audited (I-22).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.auth import HouseScope
from backend.kernel.crypto import Keyring
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import Conflict, Invalid, NotFound
from backend.kernel.ids import uuid7
from backend.kernel.personal import mask_name
from backend.messaging.meanings import VISITOR_WAITING
from backend.visitors import bans, entries, gates, guests, hosts, rules, telling
from backend.visitors.entries import Arrival
from backend.visitors.guests import Guest
from backend.visitors.states import EntryWay, WalkInState

TABLE = "visitor_walk_in"

HOUSE = "SELECT label FROM visitor_house WHERE id = $1 AND community_id = $2"

INSERT = """
    INSERT INTO visitor_walk_in (
           id, community_id, house_id, gate_id, state, name_sealed, phone_sealed, phone_blind, phone_tail_blind,
           id_number_blind, plate_sealed, plate_blind, companions, purpose, registered_by, registered_at, answer_by)
    VALUES ($1, $2, $3, $4, 'WAITING', $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
"""

# Of two answers at once the second finds that nobody waits any more.
ANSWER = """
    UPDATE visitor_walk_in SET state = $3, answered_by = $4, answered_at = $5
     WHERE id = $1 AND house_id = ANY ($2::uuid[]) AND state = 'WAITING' AND answer_by > $5
 RETURNING id
"""

LOCK = "SELECT * FROM visitor_walk_in WHERE id = $1 AND community_id = ANY ($2::uuid[]) FOR UPDATE"

DECIDE = "UPDATE visitor_walk_in SET state = $2, decided_by = $3, decided_at = $4, reason = $5 WHERE id = $1"

_SHOWN = """
    SELECT w.*, h.label AS house, g.name AS gate
      FROM visitor_walk_in w JOIN visitor_house h ON h.id = w.house_id LEFT JOIN visitor_gate g ON g.id = w.gate_id
"""

KNOWN = "SELECT 1 FROM visitor_walk_in WHERE id = $1 AND house_id = ANY ($2::uuid[])"

# Index visitor_walk_in_house.
OF_HOUSES = f"{_SHOWN} WHERE w.house_id = ANY ($1::uuid[]) ORDER BY w.registered_at DESC, w.id DESC LIMIT 50"

# Index visitor_walk_in_open: who waits at the gates. Those whom nobody decided about for a day are no longer there.
OPEN = f"""{_SHOWN}
     WHERE w.community_id = $1 AND w.state IN ('WAITING', 'CONFIRMED') AND w.registered_at > $2
     ORDER BY w.registered_at, w.id
     LIMIT 100
"""


@dataclass(frozen=True, slots=True)
class NewWalkIn:
    """Who is at the gate, and whom it is for."""

    house_id: UUID
    guest: Guest
    companions: int
    purpose: str


@dataclass(frozen=True, slots=True)
class Registered:
    """A visitor who waits, and until when the resident may answer."""

    id: UUID
    answer_by: datetime


@dataclass(frozen=True, slots=True)
class Decided:
    """What the guard has decided; the entry where somebody was let in."""

    state: WalkInState
    entry_id: UUID | None


async def register(
    tx: Tx, actor: Actor, *, keyring: Keyring, gate_id: UUID, communities: Sequence[UUID], new: NewWalkIn
) -> Registered:
    """Register a visitor at a gate and ask the residents; NotFound for the gate and the house, Conflict `banned`."""
    gate = await gates.one(tx, gate_id, communities=communities)
    house = await tx.fetchval(HOUSE, new.house_id, gate["community_id"])
    if house is None:
        raise NotFound
    walk_in_id, guest = uuid7(tx.now), new.guest
    sealed = guests.seal(keyring, guest, table=TABLE, row_id=walk_in_id)
    await bans.require_none(
        tx, gate["community_id"], phone=sealed.phone_blind, plate=sealed.plate_blind, number=sealed.id_number_blind
    )
    rule = await rules.of(tx, gate["community_id"])
    answer_by = tx.now + timedelta(minutes=rule.answer_minutes)
    await tx.execute(
        INSERT, walk_in_id, gate["community_id"], new.house_id, gate_id, sealed.name_sealed, sealed.phone_sealed,
        sealed.phone_blind, sealed.phone_tail_blind, sealed.id_number_blind, sealed.plate_sealed, sealed.plate_blind,
        new.companions, new.purpose, actor.id, tx.now, answer_by,
    )  # fmt: skip
    await telling.tell(
        tx, VISITOR_WAITING, event_key=f"visitor.waiting:{walk_in_id}", community_id=gate["community_id"],
        people=await hosts.living_in(tx, new.house_id, today=tx.today),
        values={
            "visitor": mask_name(guest.name), "gate": gate["name"], "house": house, "purpose": new.purpose,
            "answer_by": telling.minute(answer_by),
        },
    )  # fmt: skip
    return Registered(walk_in_id, answer_by)


async def answer(tx: Tx, *, walk_in_id: UUID, scope: HouseScope, admit: bool) -> WalkInState:
    """Somebody of the house says yes or no; NotFound, Conflict `answered_already`: somebody else has, or too late."""
    houses, state = [*scope.full, *scope.tenant], WalkInState.CONFIRMED if admit else WalkInState.REFUSED
    if await tx.fetchval(ANSWER, walk_in_id, houses, state.value, scope.person_id, tx.now) is None:
        if await tx.fetchval(KNOWN, walk_in_id, houses) is None:
            raise NotFound
        raise Conflict("这位访客已有人答复，或已过答复时间，由门岗处理。", code="answered_already")
    return state


async def decide(
    tx: Tx, actor: Actor, *, walk_in_id: UUID, communities: Sequence[UUID], admit: bool, reason: str | None
) -> Decided:
    """The guard lets a visitor in or turns one away.

    Raises NotFound, Conflict `decided_already`, `refused_by_resident`, `still_waiting`, `banned`, Invalid
    `reason_required` for letting somebody in whom nobody has confirmed.
    """
    row = await tx.fetchrow(LOCK, walk_in_id, list(communities))
    if row is None:
        raise NotFound
    if row["state"] == WalkInState.REFUSED:
        raise Conflict("住户已拒绝这位访客，不能放行。", code="refused_by_resident")
    if row["state"] not in (WalkInState.WAITING, WalkInState.CONFIRMED):
        raise Conflict("这位访客已经处理过了。", code="decided_already")
    entry_id = await _let_in(tx, row, actor, reason) if admit else None
    state = WalkInState.ADMITTED if admit else WalkInState.TURNED_AWAY
    await tx.execute(DECIDE, walk_in_id, state.value, actor.id, tx.now, reason)
    audit.record(
        tx, actor, action=f"visitor.walk_in_{state.value.lower()}", target=f"{TABLE}:{walk_in_id}",
        community_id=row["community_id"], reason=reason, before={"state": row["state"]},
    )  # fmt: skip
    return Decided(state, entry_id)


async def _let_in(tx: Tx, row: Record, actor: Actor, reason: str | None) -> UUID:
    if row["state"] == WalkInState.WAITING:
        if tx.now < row["answer_by"]:
            raise Conflict("住户还没有答复，请稍等片刻，或先电话联系住户。", code="still_waiting")
        if reason is None:
            raise Invalid("住户没有答复，放行请写明原因。", code="reason_required", fields=[{"field": "reason"}])
    await bans.require_none(
        tx, row["community_id"], phone=row["phone_blind"], plate=row["plate_blind"], number=row["id_number_blind"]
    )
    rule = await rules.of(tx, row["community_id"])
    due_out_at = tx.now + timedelta(hours=rule.stay_hours)
    arrival = Arrival(
        row["community_id"], row["house_id"], row["gate_id"], EntryWay.WALK_IN, tx.now, due_out_at,
        walk_in_id=row["id"],
    )  # fmt: skip
    entry_id = entries.add(tx, arrival, staff_id=actor.id)
    gates.open_for(tx, actor, community_id=row["community_id"], gate_id=row["gate_id"], entry_id=entry_id)
    return entry_id


async def of_houses(db: Reader, scope: HouseScope) -> list[Record]:
    """The latest fifty walk-ins of the houses in a scope."""
    return await db.fetch(OF_HOUSES, [*scope.full, *scope.tenant])


async def waiting(db: Reader, community_id: UUID, *, at: datetime) -> list[Record]:
    """Who waits at the gates of a community that the caller has found in scope."""
    return await db.fetch(OPEN, community_id, at - timedelta(days=1))
