"""Passes (访客通行证): they let in at gates, and end (R8, D10, I-20). How they come into being: `inviting.py`.

Promises: a pass lets in at most as often as it says, within its window and hours, at its gates, nobody who is banned,
and never after its revocation has committed: all of it is the condition of one update. States move along PASS_MOVES.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from backend.kernel import audit
from backend.kernel.audit import SYSTEM, Actor
from backend.kernel.db import Record, Tx
from backend.kernel.errors import Conflict, NotFound
from backend.parking.cards import cards
from backend.visitors import entries, telling, windows
from backend.visitors.entries import Arrival
from backend.visitors.states import EntryWay, PassKind, PassState, Refusal

TABLE = "visitor_pass"
KIND_TEXT: Mapping[PassKind, str] = {
    PassKind.GUEST: "访客",
    PassKind.NANNY: "保姆",
    PassKind.COURIER: "快递外卖",
    PassKind.CONTRACTOR: "装修维修",
}

MOVE = """
    UPDATE visitor_pass
       SET state = $2, parking_card_id = coalesce($3, parking_card_id), ended_reason = coalesce($4, ended_reason),
           revoked_at = CASE WHEN state = 'ACTIVE' AND $2 IN ('CANCELLED', 'REVOKED') THEN $5::timestamptz END
     WHERE id = $1
"""

LOCK_IN = "SELECT * FROM visitor_pass WHERE id = $1 AND community_id = ANY ($2::uuid[]) FOR UPDATE"
LOCK = "SELECT * FROM visitor_pass WHERE id = $1 FOR UPDATE"

# Index visitor_pass_house.
INVITED_BY = """
    SELECT * FROM visitor_pass
     WHERE house_id = $1 AND invited_by = $2 AND state IN ('DRAFT', 'PENDING', 'ACTIVE')
     ORDER BY id
       FOR UPDATE
"""

# Index visitor_pass_live. Those that wait for a lock are somebody else's to move.
EXPIRE = """
    WITH due AS (
        SELECT id FROM visitor_pass
         WHERE state IN ('DRAFT', 'PENDING', 'ACTIVE') AND valid_until <= $1
         ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED)
    UPDATE visitor_pass p SET state = 'EXPIRED' FROM due WHERE p.id = due.id
"""

# Passes that are asked for at gates, each once: of two who are there with one pass at the same time the second sees
# what the first has used. A gate without a network tells later (alone) of an entry; a pass that has expired or was
# withdrawn meanwhile was still good then. At any other gate a withdrawal counts from its commit, also for whoever began
# to scan before.
REDEEM = """
    UPDATE visitor_pass p
       SET entries_used = p.entries_used + 1,
           state = CASE WHEN p.state = 'ACTIVE' AND p.entries_used + 1 = p.entries_allowed THEN 'USED' ELSE p.state END
      FROM unnest((SELECT $1::uuid[]), (SELECT $2::uuid[]), (SELECT $3::timestamptz[]), (SELECT $4::boolean[]))
           AS asked (pass_id, gate_id, at, alone)
      JOIN visitor_gate g ON g.id = asked.gate_id
     WHERE p.id = asked.pass_id AND g.community_id = p.community_id
       AND (p.state IN ('ACTIVE', 'EXPIRED') OR (asked.alone AND p.revoked_at > asked.at))
       AND p.valid_from <= asked.at AND p.valid_until > asked.at AND linli_weekly_open(p.weekly, asked.at)
       AND (p.gate_ids IS NULL OR g.id = ANY (p.gate_ids))
       AND (p.entries_allowed IS NULL OR p.entries_used < p.entries_allowed)
       AND NOT EXISTS (
           SELECT FROM visitor_ban b
            WHERE b.community_id = p.community_id AND b.lifted_at IS NULL
              AND (b.until_at IS NULL OR b.until_at > asked.at)
              AND (b.kind, b.value_blind) IN (('phone', p.phone_blind), ('plate', p.plate_blind)))
 RETURNING p.id, p.community_id, p.house_id, p.valid_until, p.weekly, p.companions, p.entries_allowed, p.entries_used
"""

WHY_NOT = """
    SELECT p.state, p.valid_from, p.valid_until, p.entries_allowed, p.entries_used,
           p.gate_ids IS NULL OR g.id = ANY (p.gate_ids) AS at_gate, linli_weekly_open(p.weekly, $3) AS in_hours
      FROM visitor_pass p JOIN visitor_gate g ON g.community_id = p.community_id
     WHERE p.id = $1 AND g.id = $2
"""


@dataclass(frozen=True, slots=True)
class Redeemed:
    """Somebody was let in. `entries_left` None: as often as wished."""

    entry_id: UUID
    pass_id: UUID
    house_id: UUID
    companions: int
    entries_left: int | None
    due_out_at: datetime


async def redeem(
    tx: Tx,
    *,
    pass_id: UUID,
    gate_id: UUID,
    way: EntryWay,
    at: datetime | None = None,
    staff_id: UUID | None = None,
    device_event_id: UUID | None = None,
) -> Redeemed | Refusal:
    """Let in by a pass at a gate and take one of its entries, or say why not; `at`: when it happened, else now."""
    at = at or tx.now
    row = await tx.fetchrow(REDEEM, [pass_id], [gate_id], [at], [way is EntryWay.OFFLINE])
    if row is None:
        return _why_not(await tx.fetchrow(WHY_NOT, pass_id, gate_id, at), at)
    due_out_at = windows.open_until(row["valid_until"], windows.of_row(row["weekly"]), at)
    arrival = Arrival(row["community_id"], row["house_id"], gate_id, way, at, due_out_at, pass_id=pass_id)
    entry_id = entries.add(tx, arrival, staff_id=staff_id, device_event_id=device_event_id)
    allowed = row["entries_allowed"]
    left = None if allowed is None else allowed - row["entries_used"]
    return Redeemed(entry_id, pass_id, row["house_id"], row["companions"], left, due_out_at)


def _why_not(row: Record | None, at: datetime) -> Refusal:
    """The reason to tell, the most telling first; what is none of the others is a ban."""
    if row is None:
        return Refusal.UNKNOWN
    reasons = {
        Refusal.REVOKED: row["state"] in (PassState.REVOKED, PassState.CANCELLED),
        Refusal.NOT_ACTIVE: row["state"] in (PassState.DRAFT, PassState.PENDING, PassState.REJECTED),
        Refusal.USED_UP: row["entries_allowed"] is not None and row["entries_used"] >= row["entries_allowed"],
        Refusal.EXPIRED: at >= row["valid_until"],
        Refusal.TOO_EARLY: at < row["valid_from"],
        Refusal.WRONG_GATE: not row["at_gate"],
        Refusal.OUTSIDE_HOURS: not row["in_hours"],
    }
    return next((reason for reason, holds in reasons.items() if holds), Refusal.BANNED)


async def revoke(tx: Tx, actor: Actor, *, pass_id: UUID, communities: Sequence[UUID], reason: str) -> None:
    """Staff revoke a valid pass: it opens nothing more, and the resident is told. NotFound, Conflict `pass_ended`."""
    row = await tx.fetchrow(LOCK_IN, pass_id, list(communities))
    if row is None:
        raise NotFound
    if row["state"] != PassState.ACTIVE:
        raise Conflict("只有有效的通行证可以撤销。", code="pass_ended")
    await end(tx, actor, row, PassState.REVOKED, reason)
    audit.record(
        tx, actor, action="visitor.pass_revoked", target=f"{TABLE}:{pass_id}", community_id=row["community_id"],
        reason=reason,
    )  # fmt: skip
    await telling.changed(
        tx, row, asked_by=row["invited_by"], subject=subject(row), result=f"已被物业撤销，原因：{reason}", key="revoked"
    )


async def decided(tx: Tx, actor: Actor, pass_id: UUID, *, approved: bool) -> bool:
    """What was decided about a pass that waits; False where it waits no longer. The resident is told."""
    row = await tx.fetchrow(LOCK, pass_id)
    if row is None or row["state"] != PassState.PENDING or (approved and row["valid_until"] <= tx.now):
        return False
    nobody = actor.kind == SYSTEM.kind
    state = PassState.ACTIVE if approved else PassState.EXPIRED if nobody else PassState.REJECTED
    await tx.execute(MOVE, pass_id, state.value, None, None, tx.now)
    result = "已批准" if approved else "无人审批，已过期，请重新提交" if nobody else "未批准，原因请在申请记录中查看"
    await telling.changed(tx, row, asked_by=row["invited_by"], subject=subject(row), result=result, key="decided")
    return True


async def end_of_person(tx: Tx, *, house_id: UUID, person_id: UUID) -> None:
    """End what somebody who has moved out of a house has invited to it."""
    for row in await tx.fetch(INVITED_BY, house_id, person_id):
        state = PassState.REVOKED if row["state"] == PassState.ACTIVE else PassState.CANCELLED
        await end(tx, SYSTEM, row, state, "邀请人已迁出")


async def expire(tx: Tx, *, limit: int) -> int:
    """Mark passes whose window has ended; how many."""
    return int((await tx.execute(EXPIRE, tx.now, limit)).rsplit(" ", 1)[-1])


def subject(row: Record) -> str:
    """A pass in a sentence, without the visitor's name."""
    return f"{KIND_TEXT[PassKind(row['kind'])]}通行证（{telling.minute(row['valid_from'])}起）"


async def end(tx: Tx, actor: Actor, row: Record, state: PassState, reason: str) -> None:
    """End a pass that the caller holds before its time, and with it the card of its vehicle."""
    await tx.execute(MOVE, row["id"], state.value, None, reason, tx.now)
    if row["parking_card_id"] is not None:
        with suppress(Conflict):  # staff have cancelled the card before
            await cards.cancel(
                tx, actor, card_id=row["parking_card_id"], communities=(row["community_id"],), reason=reason
            )  # fmt: skip
