"""What a move of a complaint changes besides the state (D9, R7): functions by the names that moves.py uses."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

from backend.fees import disputes
from backend.kernel import outbox
from backend.kernel.db import Tx
from backend.kernel.errors import Conflict
from backend.tickets import clocks
from backend.tickets.complaints import causes
from backend.tickets.complaints.words import OF_DISPUTE
from backend.tickets.step import Step

Changes = Mapping[str, Any]
NOTHING: Changes = {}
DECIDED = "tickets.dispute_decided"

CLASSIFY = "UPDATE ticket_complaint SET nature = $2, urgency = $3 WHERE ticket_id = $1"
NOTE_CAUSE = "UPDATE ticket_complaint SET cause_id = $2 WHERE ticket_id = $1"
CONCLUDE = "UPDATE ticket_complaint SET outcome = $2 WHERE ticket_id = $1"
OF_TICKET = "SELECT bill_id, outcome FROM ticket_complaint WHERE ticket_id = $1"

REPLY = """
    INSERT INTO ticket_rating_reply (rating_id, community_id, words, replied_by, replied_at)
    SELECT id, community_id, $3, $4, $5 FROM ticket_rating WHERE ticket_id = $1 AND round = $2
        ON CONFLICT (rating_id) DO NOTHING
 RETURNING rating_id
"""


async def classify(tx: Tx, step: Step) -> Changes:
    """Another nature and urgency: what runs is promised anew, from when the round began."""
    details = step.asked.details
    await tx.execute(CLASSIFY, step.ticket_id, details["nature"], details["urgency"])
    await clocks.restart(tx, step.ticket, step.category)
    return NOTHING


async def note_cause(tx: Tx, step: Step) -> Changes:
    """Why it went wrong; NotFound for a cause that the company has not."""
    cause_id = UUID(step.asked.details["cause_id"])
    await causes.require_usable(tx, cause_id, community_id=step.community_id)
    await tx.execute(NOTE_CAUSE, step.ticket_id, cause_id)
    return NOTHING


async def conclude(tx: Tx, step: Step) -> Changes:
    """What came of it; of a disputed bill it is told on, for the bill to be put right."""
    outcome = step.asked.details.get("outcome")
    await tx.execute(CONCLUDE, step.ticket_id, outcome)
    if outcome in OF_DISPUTE:
        payload = {"ticket_id": str(step.ticket_id), "round": step.ticket["round"], "staff_id": str(step.who.actor.id)}
        key = f"{step.ticket_id}:{step.ticket['round']}"
        outbox.emit(tx, DECIDED, payload, community_id=step.community_id, dedup_key=key)
    return NOTHING


async def end_dispute(tx: Tx, step: Step) -> Changes:
    """The disputed bill is disputed no more: as it was decided, else as withdrawn."""
    complaint = await tx.fetchrow(OF_TICKET, step.ticket_id)
    if complaint is not None and complaint["bill_id"] is not None:
        outcome = disputes.Outcome(complaint["outcome"] or disputes.Outcome.WITHDRAWN)
        await disputes.end(tx, step.who.actor, bill_id=complaint["bill_id"], outcome=outcome)
    return NOTHING


async def begin_anew(tx: Tx, step: Step) -> Changes:
    """What came of it is open again; a bill whose dispute had ended is disputed again, Conflict `bill_disputed`."""
    complaint = await tx.fetchrow(OF_TICKET, step.ticket_id)
    await tx.execute(CONCLUDE, step.ticket_id, None)
    if complaint is not None and complaint["bill_id"] is not None and step.ticket["closed_at"] is not None:
        await disputes.open_one(
            tx, step.who.actor, bill_id=complaint["bill_id"], community_id=step.community_id
        )  # fmt: skip
    return NOTHING


async def reply_rating(tx: Tx, step: Step) -> Changes:
    """What staff say to the rating of the round; Conflict `no_rating_to_reply`."""
    made = await tx.fetchval(
        REPLY, step.ticket_id, step.ticket["round"], step.asked.reason, step.who.actor.id, tx.now
    )  # fmt: skip
    if made is None:
        raise Conflict("这张工单还没有评价，或者已经回复过。", code="no_rating_to_reply")
    return NOTHING


EFFECTS: Mapping[str, Callable[[Tx, Step], Awaitable[Changes]]] = {
    each.__name__: each for each in (classify, note_cause, conclude, end_dispute, begin_anew, reply_rating)
}
