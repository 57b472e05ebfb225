"""Jobs of dispatch: the rota after a move and by the clock; what outages tell, and how their tickets end (D9)."""

from collections.abc import Mapping
from uuid import UUID

from backend.kernel import outbox
from backend.kernel.db import Record, Tx
from backend.kernel.errors import Conflict
from backend.kernel.outbox import Handler, Job
from backend.kernel.periodic import Minutes, Periodic
from backend.kernel.resources import Resources
from backend.messaging import intents
from backend.messaging.intents import Recipient
from backend.messaging.meanings import TICKET_OUTAGE, TICKET_WORK
from backend.tickets import machine
from backend.tickets.dispatch import alarms, outages, people, rota
from backend.tickets.moves import Move
from backend.tickets.states import Dispatch, State
from backend.tickets.step import Asked, the_system

TO_DISPATCH = "tickets.to_dispatch"
BATCH = 200
FRESH = frozenset({State.SUBMITTED, State.TRIAGED, State.RETURNED, State.REOPENED})
DETAIL, WORK_PAGE = "pages/tickets/detail", "pages/todo/detail"

TICKET = """
    SELECT t.no, t.place, c.name AS category, h.label AS house
      FROM ticket t JOIN ticket_category c ON c.id = t.category_id LEFT JOIN ticket_house h ON h.id = t.house_id
     WHERE t.id = $1
"""

# Index ticket_waiting.
WAITING = """
    SELECT t.id, t.community_id FROM ticket t JOIN ticket_category c ON c.id = t.category_id
     WHERE t.state IN ('SUBMITTED', 'TRIAGED', 'RETURNED') AND t.outage_id IS NULL AND c.dispatch = 'rota'
       AND EXISTS (SELECT FROM ticket_duty d WHERE d.community_id = t.community_id)
     ORDER BY t.submitted_at, t.id
     LIMIT $1
"""

NOTE = """
    SELECT n.id, n.words, n.community_id, n.outage_id, o.title
      FROM ticket_outage_note n JOIN ticket_outage o ON o.id = n.outage_id
     WHERE n.id = $1
"""
# Indexes ticket_by_outage, ticket_merged_into. One of the person's tickets opens upon a tap.
REPORTERS = """
    SELECT DISTINCT ON (person_id) person_id, id
      FROM (SELECT person_id, id FROM ticket WHERE outage_id = $1
             UNION ALL
            SELECT m.person_id, m.id FROM ticket t JOIN ticket m ON m.merged_into = t.id
             WHERE t.outage_id = $1) AS bound
     WHERE person_id IS NOT NULL
     ORDER BY person_id, id
"""
# Index ticket_by_outage.
BOUND = """
    SELECT t.id, t.community_id, o.title FROM ticket t JOIN ticket_outage o ON o.id = t.outage_id
     WHERE t.outage_id = $1 AND t.state = 'TRIAGED'
     ORDER BY t.id
     LIMIT $2
"""


def after_move(tx: Tx, event: Record) -> None:
    """A ticket has moved to where the system may find its worker: that is a job of its own."""
    if event["dispatch"] == Dispatch.ROTA and event["to_state"] in FRESH:
        payload = {"ticket_id": str(event["ticket_id"]), "event_id": event["id"]}
        outbox.emit(tx, TO_DISPATCH, payload, community_id=event["community_id"], dedup_key=str(event["id"]))


async def on_to_dispatch(job: Job) -> None:
    """Whose turn it is gets the ticket; where nobody is on duty the desk is told."""
    ticket_id = UUID(job.payload["ticket_id"])

    async def work(tx: Tx) -> None:
        community_id: UUID = await tx.fetchval("SELECT community_id FROM ticket WHERE id = $1", ticket_id)
        done = await rota.dispatch(tx, ticket_id=ticket_id, community_id=community_id)
        if done is not None and done.staff_id is None:
            await _tell_desk(tx, ticket_id, community_id, event_id=job.payload["event_id"])

    await job.transact(work)


async def _tell_desk(tx: Tx, ticket_id: UUID, community_id: UUID, *, event_id: int) -> None:
    ticket = await tx.fetchrow(TICKET, ticket_id)
    assert ticket is not None
    values = {
        "no": str(ticket["no"]),
        "category": ticket["category"],
        "where": ticket["house"] or ticket["place"],
        "move": "待派单",
        "note": "当前没有合适的值班人员，请人工派单",
    }
    await intents.plan(
        tx, TICKET_WORK, event_key=f"{TO_DISPATCH}:{event_id}", community_id=community_id,
        recipients=[
            Recipient(staff_id, values, f"{WORK_PAGE}?id={ticket_id}")
            for staff_id in await people.holders(tx, community_id, ladder=people.DESK)
        ],
    )  # fmt: skip


async def look_again(res: Resources, _period: str) -> None:
    """Tickets that found nobody on duty when they came: somebody may be by now."""
    for row in await res.db.fetch(WAITING, BATCH):

        async def work(tx: Tx, row: Record = row) -> None:
            await rota.dispatch(tx, ticket_id=row["id"], community_id=row["community_id"])

        await res.db.transact(work)


async def on_outage_told(job: Job) -> None:
    """Whoever reported a ticket that the outage has bound is told, once."""

    async def work(tx: Tx) -> None:
        note = await tx.fetchrow(NOTE, job.payload["note_id"])
        assert note is not None
        values = {"title": note["title"], "words": note["words"]}
        rows = await tx.fetch(REPORTERS, note["outage_id"])
        await intents.plan(
            tx, TICKET_OUTAGE, event_key=f"{outages.TOLD}:{note['id']}", community_id=note["community_id"],
            recipients=[Recipient(row["person_id"], values, f"{DETAIL}?id={row['id']}") for row in rows],
        )  # fmt: skip

    await job.transact(work)


async def on_outage_ended(job: Job) -> None:
    """The outage's tickets are done, each by a move of its own; so many at a time."""
    outage_id = UUID(job.payload["outage_id"])
    rows = await job.res.db.fetch(BOUND, outage_id, BATCH)
    for row in rows:

        async def resolve(tx: Tx, row: Record = row) -> None:
            asked = Asked(reason=f"公告“{row['title']}”已结束，如仍未恢复请重新打开工单")
            await machine.move(
                tx, the_system(row["community_id"]), ticket_id=row["id"], name=Move.RESOLVE, asked=asked
            )  # fmt: skip

        try:
            await job.res.db.transact(resolve)
        except Conflict:
            continue

    async def go_on(tx: Tx) -> None:
        if len(rows) == BATCH:
            outbox.emit(tx, outages.ENDED, {"outage_id": str(outage_id)}, community_id=rows[0]["community_id"])

    await job.transact(go_on)


HANDLERS: Mapping[str, Handler] = {
    TO_DISPATCH: on_to_dispatch,
    alarms.RAISED: alarms.on_raised,
    outages.TOLD: on_outage_told,
    outages.ENDED: on_outage_ended,
}

PERIODIC: tuple[Periodic, ...] = (*alarms.PERIODIC, Periodic("tickets.rota", Minutes(5), look_again))
