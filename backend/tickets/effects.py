"""What a move changes besides the state (D9): functions by the names that moves.py uses.

Each writes what stands in other tables and returns the columns of the ticket that change with the state.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

from backend.kernel.db import Tx
from backend.kernel.errors import Conflict
from backend.tickets import categories, clocks
from backend.tickets.complaints import effects as complaint_effects
from backend.tickets.complaints import register
from backend.tickets.complaints.register import NO_PARTICULARS
from backend.tickets.complaints.words import ANSWERED
from backend.tickets.dispatch import effects as dispatch_effects
from backend.tickets.paid import moving as paid_moving
from backend.tickets.states import Ending
from backend.tickets.step import Step

Changes = Mapping[str, Any]
Effect = Callable[[Tx, Step], Awaitable[Changes]]
NOTHING: Changes = {}

END = """
    UPDATE ticket_assignment SET ended_at = $2, ended_as = $3 WHERE ticket_id = $1 AND ended_at IS NULL
"""

BEGIN = """
    INSERT INTO ticket_assignment (community_id, ticket_id, staff_id, assigned_by, assigned_at)
    VALUES ($1, $2, $3, $4, $5)
"""

ACCEPT = "UPDATE ticket_assignment SET accepted_at = $2 WHERE ticket_id = $1 AND ended_at IS NULL"

# Index ticket_merged_into.
FOLLOW = "UPDATE ticket SET merged_into = $2 WHERE merged_into = $1"

RATE = """
    INSERT INTO ticket_rating (community_id, ticket_id, round, stars, tags, words, rated_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT ON CONSTRAINT ticket_rating_once DO NOTHING
 RETURNING id
"""


async def reclassify(tx: Tx, step: Step) -> Changes:
    """Another category, where one is named: its promises count from then on; NotFound for a foreign one."""
    if step.asked.category_id in (None, step.ticket["category_id"]):
        return NOTHING
    assert step.asked.category_id is not None
    category = await categories.open_in(tx, step.asked.category_id, community_id=step.community_id)
    if category["kind"] in ANSWERED:
        await register.enter(tx, step.ticket, particulars=NO_PARTICULARS)
    await clocks.restart(tx, step.ticket, category)
    return {"category_id": category["id"], "kind": category["kind"]}


async def hand_over(tx: Tx, step: Step) -> Changes:
    """The ticket is in another's hands."""
    await tx.execute(END, step.ticket_id, tx.now, Ending.TRANSFERRED)
    await tx.execute(BEGIN, step.community_id, step.ticket_id, step.worker_id, step.who.actor.id, tx.now)
    return NOTHING


async def accept(tx: Tx, step: Step) -> Changes:
    """Who has it in hand has taken it on."""
    await tx.execute(ACCEPT, step.ticket_id, tx.now)
    return NOTHING


async def give_back(tx: Tx, step: Step) -> Changes:
    """Nobody has it in hand: it was given back."""
    await tx.execute(END, step.ticket_id, tx.now, Ending.RETURNED)
    return NOTHING


async def drop(tx: Tx, step: Step) -> Changes:
    """Nobody has it in hand: it is no longer wanted."""
    await tx.execute(END, step.ticket_id, tx.now, Ending.DROPPED)
    return NOTHING


async def merge(tx: Tx, step: Step) -> Changes:
    """It goes on as another ticket, and what went on as this one does so too."""
    await tx.execute(FOLLOW, step.ticket_id, step.asked.into_id)
    return {"merged_into": step.asked.into_id}


async def pause(tx: Tx, step: Step) -> Changes:
    """Its clocks stand still until then."""
    await clocks.pause(tx, step.ticket)
    return {"resumes_to": step.ticket["state"], "paused_until": step.asked.until}


async def resume(tx: Tx, step: Step) -> Changes:
    """Its clocks run on, where they stood still."""
    await clocks.resume(tx, step.ticket)
    return {"resumes_to": None, "paused_until": None}


async def finish(tx: Tx, step: Step) -> Changes:
    """The work is done, and nobody has it in hand any more."""
    await tx.execute(END, step.ticket_id, tx.now, Ending.DONE)
    return {"done_at": tx.now}


async def sign_off(tx: Tx, step: Step) -> Changes:
    """The work is accepted, and its warranty begins."""
    days = step.category["warranty_days"]
    return {"warranty_until": tx.today + timedelta(days=days) if days else None}


async def rate(tx: Tx, step: Step) -> Changes:
    """The resident's stars for this round; Conflict `already_rated`."""
    said = step.asked.stars
    assert said is not None
    made = await tx.fetchval(
        RATE, step.community_id, step.ticket_id, step.ticket["round"], said.stars, list(said.tags), said.words, tx.now
    )
    if made is None:
        raise Conflict("这张工单已经评价过了。", code="already_rated")
    return NOTHING


async def close(tx: Tx, _step: Step) -> Changes:
    """It is over."""
    return {"closed_at": tx.now}


async def reopen(tx: Tx, step: Step) -> Changes:
    """Another round, with promises of its own; leave for work is asked anew."""
    number = step.ticket["round"] + 1
    again = {"id": step.ticket_id, "community_id": step.community_id, "round": number}
    await clocks.start(tx, again, step.category, started_at=tx.now)
    return {"round": number, "done_at": None, "closed_at": None, "warranty_until": None, "approved_at": None}


EFFECTS: Mapping[str, Effect] = {
    **complaint_effects.EFFECTS,
    **{
        each.__name__: each
        for each in (
            reclassify, hand_over, accept, give_back, drop, merge, pause, resume, finish, sign_off, rate, close, reopen,
        )
    },
    **dispatch_effects.EFFECTS,
    **paid_moving.EFFECTS,
}  # fmt: skip
