"""Who is told of a move (工单进度通知): the residents who reported it, and who has, or had, it in hand (D9, D11).

One message per (move, person). Who reported a ticket that was merged into this one is told of this one's moves.
"""

from collections.abc import Mapping
from uuid import UUID

from backend.kernel.db import Record, Tx
from backend.kernel.outbox import Handler, Job
from backend.messaging import intents
from backend.messaging.intents import Recipient
from backend.messaging.meanings import FEEDBACK_MOVED, TICKET_MOVED, TICKET_WORK
from backend.tickets.complaints import handlers as complaint_handlers
from backend.tickets.dispatch import handlers as dispatch_handlers
from backend.tickets.dispatch import people
from backend.tickets.dispatch.handlers import after_move
from backend.tickets.moves import MOVES, Move, Told
from backend.tickets.screening import asking, checking, results
from backend.tickets.states import STATE_TEXT, State

EVENT = """
    SELECT e.id, e.ticket_id, e.community_id, e.move, e.to_state, e.actor_id, e.actor_kind, e.reason, t.no, t.place,
           t.person_id, t.anonymous, c.name AS category, c.dispatch, h.label AS house
      FROM ticket_event e
      JOIN ticket t ON t.id = e.ticket_id
      JOIN ticket_category c ON c.id = t.category_id
      LEFT JOIN ticket_house h ON h.id = t.house_id
     WHERE e.id = $1
"""

# Index ticket_merged_into.
REPORTERS = "SELECT DISTINCT person_id FROM ticket WHERE (id = $1 OR merged_into = $1) AND person_id IS NOT NULL"

# `mine`: of this ticket, not of one that was merged into it.
HIDDEN_REPORTERS = """
    SELECT r.person_id, bool_or(t.id = $1) AS mine
      FROM ticket t JOIN ticket_reporter r ON r.ticket_id = t.id
     WHERE t.id = $1 OR t.merged_into = $1
     GROUP BY r.person_id
"""

RESIDENTS_PAGE, WORKERS_PAGE = "pages/tickets/detail", "pages/todo/detail"


async def on_moved(job: Job) -> None:
    """A ticket has moved: whoever the table names is told, except who moved it."""

    async def work(tx: Tx) -> None:
        event = await tx.fetchrow(EVENT, job.payload["event_id"])
        if event is None:
            return
        after_move(tx, event)
        await checking.after_move(tx, event)
        if event["move"] == Move.SUBMIT:
            return
        tells = MOVES[Move(event["move"])].tells
        if Told.REPORTER in tells:
            await _tell_reporters(tx, event)
            await _tell_hidden_reporters(tx, event)
        told = {Told.WORKER: job.payload["worker_id"], Told.FORMER: job.payload["former_id"]}
        workers = {UUID(staff_id) for each, staff_id in told.items() if each in tells and staff_id is not None}
        if Told.DESK in tells:
            workers |= set(await people.holders(tx, event["community_id"], ladder=people.DESK))
        await _tell_workers(tx, event, sorted(workers - {event["actor_id"]}))

    await job.transact(work)


async def _tell_reporters(tx: Tx, event: Record) -> None:
    rule = MOVES[Move(event["move"])]
    note = event["reason"] if event["reason"] and not rule.private else "点击查看进度"
    values = {**_shown(event), "state": _come_to(event), "note": note}
    rows = await tx.fetch(REPORTERS, event["ticket_id"])
    told = [row["person_id"] for row in rows if row["person_id"] != event["actor_id"]]
    page = f"{RESIDENTS_PAGE}?id={event['ticket_id']}"
    await intents.plan(
        tx, TICKET_MOVED, event_key=f"{_key(event)}:reporter", community_id=event["community_id"],
        recipients=[Recipient(person_id, values, page) for person_id in told],
    )  # fmt: skip


async def _tell_hidden_reporters(tx: Tx, event: Record) -> None:
    """Those who reported anonymously; their message names nothing by which it could be put beside the ticket."""
    rows = await tx.fetch(HIDDEN_REPORTERS, event["ticket_id"])
    by_resident = event["actor_kind"] == "resident"
    told = [row["person_id"] for row in rows if not (by_resident and row["mine"] and event["anonymous"])]
    await intents.plan(
        tx, FEEDBACK_MOVED, event_key=f"{_key(event)}:hidden", community_id=event["community_id"],
        recipients=[Recipient(person_id, {"state": _come_to(event)}) for person_id in told],
    )  # fmt: skip


async def _tell_workers(tx: Tx, event: Record, staff_ids: list[UUID]) -> None:
    values = {**_shown(event), "move": MOVES[Move(event["move"])].title, "note": event["reason"] or "请及时处理"}
    page = f"{WORKERS_PAGE}?id={event['ticket_id']}"
    await intents.plan(
        tx, TICKET_WORK, event_key=f"{_key(event)}:worker", community_id=event["community_id"],
        recipients=[Recipient(staff_id, values, page) for staff_id in staff_ids],
    )  # fmt: skip


def _key(event: Record) -> str:
    """The stable key of what is told about a move."""
    return f"tickets.moved:{event['id']}"


def _come_to(event: Record) -> str:
    """Where the move has led; of one that leaves the state as it is, what it was."""
    rule = MOVES[Move(event["move"])]
    return rule.title if rule.stays else STATE_TEXT[State(event["to_state"])]


def _shown(event: Record) -> dict[str, str]:
    return {
        "no": str(event["no"]),
        "category": event["category"],
        "where": event["house"] or event["place"],
    }


HANDLERS: Mapping[str, Handler] = {
    "tickets.moved": on_moved,
    asking.TO_CHECK: checking.on_to_check,
    "wechat.wxa_media_check": results.on_checked,
    **dispatch_handlers.HANDLERS,
    **complaint_handlers.HANDLERS,
}
