"""The one way by which a ticket moves (D9, I-13, I-21).

`move` holds the ticket's row, checks role, state, reason and guards by the table in moves.py, lets the effects write,
stops the clocks that the move stops, and leaves one event, one entry in the audit and one event for the outbox, all in
the caller's transaction. It knows no move by name.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from backend.kernel import audit, outbox
from backend.kernel.audit import Actor
from backend.kernel.db import Record, Tx
from backend.kernel.errors import Conflict, Forbidden, Invalid
from backend.media import attachments
from backend.media.attachments import Owner
from backend.tickets import categories, clocks, reads
from backend.tickets.complaints import register
from backend.tickets.effects import EFFECTS
from backend.tickets.guards import GUARDS
from backend.tickets.moves import MOVES, Move
from backend.tickets.states import STATE_TEXT, Role, State
from backend.tickets.step import Asked, Step, Who

MOVED = "tickets.moved"
# What photos and videos of a ticket belong to: the event with which they came.
MEDIA = "ticket_event"

# Read after the lock: what the ticket's row says of others is true only then.
AROUND = f"""
    SELECT {categories.COLUMNS},
           (SELECT staff_id FROM ticket_assignment WHERE ticket_id = $2 AND ended_at IS NULL) AS assignee_id
      FROM ticket_category WHERE id = $1
"""  # noqa: S608 - columns are constants

IN_HAND_OF = "SELECT staff_id FROM ticket_assignment WHERE ticket_id = $1 AND ended_at IS NULL"

CHANGING = (
    "category_id", "kind", "round", "resumes_to", "paused_until", "merged_into", "approved_at", "warranty_until",
    "done_at", "closed_at", "outage_id", "urged_times", "urged_at",
)  # fmt: skip
WRITE = f"""
    UPDATE ticket
       SET state = $2, moved_at = $3, {", ".join(f"{name} = ${n}" for n, name in enumerate(CHANGING, start=4))}
     WHERE id = $1
"""  # noqa: S608 - columns are constants

EVENT = """
    INSERT INTO ticket_event (community_id, ticket_id, move, from_state, to_state, at, actor_kind, actor_id, reason,
                              details, media_ids)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
 RETURNING id
"""


@dataclass(frozen=True, slots=True)
class Moved:
    """Where a ticket has come to, and the event that says so."""

    ticket_id: UUID
    state: State
    event_id: int


@dataclass(frozen=True, slots=True)
class Hands:
    """Who has the ticket in hand before and after a move."""

    before: UUID | None = None
    after: UUID | None = None


NOBODY = Hands()


async def move(tx: Tx, who: Who, *, ticket_id: UUID, name: Move, asked: Asked | None = None) -> Moved:
    """Make a move.

    Raises NotFound for a ticket that is not there for `who`, Forbidden `not_yours`, Conflict `ticket_moved` where the
    state does not allow the move, Invalid `reason_required`, and what the move's guards raise; `media_unusable`.
    """
    ticket = await reads.lock(tx, who, ticket_id)
    around = await tx.fetchrow(AROUND, ticket["category_id"], ticket_id)
    assert around is not None
    step = Step(name, MOVES[name], who, asked or Asked(), ticket, around, around["assignee_id"])
    _require(step)
    for guard in step.rule.guards:
        await GUARDS[guard](tx, step)
    await clocks.stop(tx, ticket, step.rule.stops)
    before = State(ticket["state"])
    target = step.rule.lands(before, ticket["resumes_to"])
    changes: dict[str, Any] = {}
    for effect in step.rule.effects:
        changes.update(await EFFECTS[effect](tx, step))
    values = [changes.get(column, ticket[column]) for column in CHANGING]
    moved_at = ticket["moved_at"] if step.rule.stays else tx.now
    await tx.execute(WRITE, ticket_id, target, moved_at, *values)
    hands = Hands(step.assignee_id, await tx.fetchval(IN_HAND_OF, ticket_id))
    event_id = await leave_trace(
        tx, who.actor, ticket, name=name, before=before, after=target, asked=step.asked, hands=hands
    )  # fmt: skip
    return Moved(ticket_id, target, event_id)


async def leave_trace(
    tx: Tx,
    actor: Actor,
    ticket: Record,
    *,
    name: Move,
    before: State | None,
    after: State,
    asked: Asked,
    hands: Hands = NOBODY,
) -> int:
    """The event, the entry in the audit and the outbox's event of a move; the number of the first."""
    shown = register.traced(actor, ticket)
    event_id: int = await tx.fetchval(
        EVENT, ticket["community_id"], ticket["id"], name, before, after, tx.now, shown.kind, shown.id, asked.reason,
        dict(asked.details), list(asked.media_ids) or None,
    )  # fmt: skip
    await attachments.bind(
        tx, actor, ids=asked.media_ids, community_id=ticket["community_id"], owner=Owner(MEDIA, str(event_id))
    )  # fmt: skip
    audit.record(
        tx, shown, action="ticket.moved", target=f"ticket:{ticket['id']}", community_id=ticket["community_id"],
        reason=asked.reason, before={"state": before}, after={"state": after, "move": name},
    )  # fmt: skip
    payload = {
        "event_id": event_id,
        "worker_id": hands.after and str(hands.after),
        "former_id": hands.before and str(hands.before),
    }
    outbox.emit(tx, MOVED, payload, community_id=ticket["community_id"], dedup_key=str(event_id))
    return event_id


def _require(step: Step) -> None:
    """The move is one for who asks, in the state in which the ticket is, with a reason where it needs one."""
    acts = {step.who.role}
    if step.who.role is Role.WORKER and step.assignee_id == step.who.actor.id:
        acts.add(Role.ASSIGNEE)
    state = State(step.ticket["state"])
    if not acts & step.rule.roles:
        if state not in step.rule.sources:
            raise _moved_on(step)
        raise Forbidden("这张工单不在您手上，不能进行此操作。", code="not_yours")
    if state not in step.rule.sources:
        raise _moved_on(step)
    if step.rule.reason and not (step.asked.reason or "").strip():
        problem = f"请写明{step.rule.title}的原因。"
        raise Invalid(problem, code="reason_required", fields=[{"field": "reason", "message": problem}])


def _moved_on(step: Step) -> Conflict:
    told = STATE_TEXT[State(step.ticket["state"])]
    return Conflict(f"工单现在是“{told}”，不能再进行“{step.rule.title}”，请刷新后再看。", code="ticket_moved")
