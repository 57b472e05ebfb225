"""Outages (停水, 停电, 故障公告): one announcement speaks for many tickets (D9).

Promises: who reported any of the bound tickets is told of each progress once, however many tickets are theirs; when
the outage ends, its tickets are done by the system, each by a move of its own. A ticket that somebody is given to work
on is no longer bound.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from backend.kernel import audit, outbox
from backend.kernel.audit import Actor
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import Conflict, Invalid, NotFound
from backend.kernel.ids import uuid7
from backend.tickets import categories, machine
from backend.tickets.moves import Move
from backend.tickets.states import OutageState
from backend.tickets.step import Asked, Who

TOLD, ENDED = "tickets.outage_told", "tickets.outage_ended"

BUILDING = "SELECT 1 FROM ticket_building WHERE id = $1 AND community_id = $2"

OPEN = """
    INSERT INTO ticket_outage (id, community_id, category_id, building_id, title, words, state, began_at, expected_at)
    VALUES ($1, $2, $3, $4, $5, $6, 'OPEN', $7, $8)
"""

LOCK = """
    SELECT id, community_id, title, state FROM ticket_outage
     WHERE id = $1 AND community_id = ANY ($2::uuid[])
       FOR NO KEY UPDATE
"""
EXPECT = "UPDATE ticket_outage SET expected_at = $2 WHERE id = $1"
END = "UPDATE ticket_outage SET state = 'ENDED', ended_at = $2 WHERE id = $1"
NOTE = """
    INSERT INTO ticket_outage_note (community_id, outage_id, at, staff_id, words) VALUES ($1, $2, $3, $4, $5)
 RETURNING id
"""

_OUTAGE = """
    SELECT o.id, o.community_id, o.category_id, c.name AS category, o.building_id, b.name AS building, o.title, o.words,
           o.state, o.began_at, o.expected_at, o.ended_at,
           (SELECT count(*) FROM ticket t WHERE t.outage_id = o.id) AS tickets
      FROM ticket_outage o
      LEFT JOIN ticket_category c ON c.id = o.category_id
      LEFT JOIN ticket_building b ON b.id = o.building_id
"""
# Index ticket_outage_list.
LIST_IN = f"""
    {_OUTAGE}
     WHERE o.community_id = ANY ($1::uuid[])
       AND ($2::timestamptz IS NULL OR (o.began_at, o.id) < ($2, $3::uuid)) AND ($4::text IS NULL OR o.state = $4)
     ORDER BY o.began_at DESC, o.id DESC
     LIMIT $5
"""
ONE = f"{_OUTAGE} WHERE o.id = $1"
# Index ticket_outage_open. A category stands for those below it.
FOR_HOUSE = f"""
    {_OUTAGE}
      JOIN ticket_house h ON h.id = $1 AND h.community_id = o.community_id
     WHERE o.state = 'OPEN' AND (o.building_id IS NULL OR o.building_id = h.building_id)
     ORDER BY o.began_at DESC, o.id DESC
     LIMIT 20
"""
FOR_TICKET = f"""
    {_OUTAGE}
      JOIN ticket t ON t.id = $1 AND t.community_id = o.community_id
      JOIN ticket_category g ON g.id = t.category_id
     WHERE o.state = 'OPEN' AND (o.building_id IS NULL OR t.building_id IS NULL OR o.building_id = t.building_id)
       AND (o.category_id IS NULL OR o.category_id IN (g.id, g.parent_id))
     ORDER BY o.began_at DESC, o.id DESC
     LIMIT 20
"""
NOTES = "SELECT at, words FROM ticket_outage_note WHERE outage_id = $1 ORDER BY id LIMIT 200"


@dataclass(frozen=True, slots=True)
class New:
    """What has failed. `category_id`, `building_id` None: whatever is reported, in all of the community."""

    category_id: UUID | None
    building_id: UUID | None
    title: str
    words: str
    began_at: datetime
    expected_at: datetime | None


async def begin(tx: Tx, actor: Actor, *, community_id: UUID, new: New) -> UUID:
    """Announce an outage; NotFound for category and building, Invalid for its times."""
    if new.category_id is not None:
        await categories.open_in(tx, new.category_id, community_id=community_id)
    if new.building_id is not None and await tx.fetchval(BUILDING, new.building_id, community_id) is None:
        raise NotFound
    if new.expected_at is not None and new.expected_at <= new.began_at:
        problem = "预计恢复时间须晚于开始时间。"
        raise Invalid(problem, fields=[{"field": "expected_at", "message": problem}])
    outage_id = uuid7(tx.now)
    await tx.execute(
        OPEN, outage_id, community_id, new.category_id, new.building_id, new.title, new.words, new.began_at,
        new.expected_at,
    )  # fmt: skip
    audit.record(
        tx, actor, action="ticket_outage.begun", target=f"ticket_outage:{outage_id}", community_id=community_id,
        after={"title": new.title},
    )  # fmt: skip
    return outage_id


async def bind(tx: Tx, who: Who, *, outage_id: UUID, ticket_ids: Sequence[UUID]) -> int:
    """Let the outage speak for these tickets, all or none; NotFound, Conflict."""
    outage = await _lock(tx, outage_id, who.communities)
    asked = Asked(outage_id=outage_id, reason=f"已并入公告“{outage['title']}”")
    wanted = sorted(set(ticket_ids))
    for ticket_id in wanted:
        await machine.move(tx, who, ticket_id=ticket_id, name=Move.BIND, asked=asked)
    return len(wanted)


async def tell(tx: Tx, who: Who, *, outage_id: UUID, words: str, expected_at: datetime | None) -> None:
    """Tell all who reported it how it goes on, and by when it should be over; NotFound, Conflict `outage_ended`."""
    outage = await _going_on(tx, outage_id, who.communities)
    if expected_at is not None:
        await tx.execute(EXPECT, outage_id, expected_at)
    await _note(tx, who.actor, outage, words)


async def end(tx: Tx, who: Who, *, outage_id: UUID, words: str) -> None:
    """It is over: all are told, and a job ends the tickets; NotFound, Conflict `outage_ended`."""
    outage = await _going_on(tx, outage_id, who.communities)
    await tx.execute(END, outage_id, tx.now)
    await _note(tx, who.actor, outage, words)
    outbox.emit(tx, ENDED, {"outage_id": str(outage_id)}, community_id=outage["community_id"])
    audit.record(
        tx, who.actor, action="ticket_outage.ended", target=f"ticket_outage:{outage_id}",
        community_id=outage["community_id"], reason=words,
    )  # fmt: skip


async def list_in(
    db: Reader, communities: Sequence[UUID], *, state: OutageState | None, before: tuple[datetime, UUID] | None,
    limit: int,
) -> list[Record]:  # fmt: skip
    """Outages of communities, the latest first."""
    at, last = before or (None, None)
    return await db.fetch(LIST_IN, list(communities), at, last, state, limit)


async def for_house(db: Reader, house_id: UUID) -> list[Record]:
    """What has failed where a house is that the caller has found in scope."""
    return await db.fetch(FOR_HOUSE, house_id)


async def for_ticket(db: Reader, ticket_id: UUID) -> list[Record]:
    """Outages that may be what a ticket reports; the caller has found it in scope."""
    return await db.fetch(FOR_TICKET, ticket_id)


async def of_ticket(db: Reader, outage_id: UUID) -> tuple[Record, list[Record]]:
    """The outage that has bound a ticket which the caller has found in scope, and what was told of it."""
    outage = await db.fetchrow(ONE, outage_id)
    assert outage is not None
    return outage, await db.fetch(NOTES, outage_id)


async def _note(tx: Tx, actor: Actor, outage: Record, words: str) -> None:
    note_id = await tx.fetchval(NOTE, outage["community_id"], outage["id"], tx.now, actor.id, words)
    outbox.emit(tx, TOLD, {"note_id": note_id}, community_id=outage["community_id"], dedup_key=str(note_id))
    audit.record(
        tx, actor, action="ticket_outage.told", target=f"ticket_outage:{outage['id']}",
        community_id=outage["community_id"], after={"words": words},
    )  # fmt: skip


async def _going_on(tx: Tx, outage_id: UUID, communities: Sequence[UUID]) -> Record:
    outage = await _lock(tx, outage_id, communities)
    if outage["state"] != OutageState.OPEN:
        raise Conflict("这条公告已经结束。", code="outage_ended")
    return outage


async def _lock(tx: Tx, outage_id: UUID, communities: Sequence[UUID]) -> Record:
    row = await tx.fetchrow(LOCK, outage_id, list(communities))
    if row is None:
        raise NotFound
    return row
