"""What must hold before a move of a complaint (D9, R7): functions by the names that moves.py uses."""

from collections.abc import Awaitable, Callable, Mapping

from backend.kernel.db import Tx
from backend.kernel.errors import Conflict, Forbidden, Invalid
from backend.tickets.complaints import policy
from backend.tickets.complaints.words import ANSWERED, OF_DISPUTE, OF_SUGGESTION, Outcome
from backend.tickets.states import Kind, State
from backend.tickets.step import Step

BAD_STARS = 2

# Whoever did one of these had the matter in hand.
HANDLED = """
    SELECT 1 FROM ticket_event
     WHERE ticket_id = $1 AND actor_kind = 'staff' AND actor_id = $2
       AND move IN ('accept', 'grab', 'arrive', 'contact', 'answer', 'finish')
     LIMIT 1
"""

OF_TICKET = "SELECT bill_id, cause_id, outcome FROM ticket_complaint WHERE ticket_id = $1"

LAST_STARS = "SELECT stars FROM ticket_rating WHERE ticket_id = $1 AND round = $2"


async def answered_kind(_tx: Tx, step: Step) -> None:
    """The ticket is a complaint, a suggestion, a consultation or praise; Conflict `not_a_complaint`."""
    if Kind(step.ticket["kind"]) not in ANSWERED:
        raise Conflict("这是报修工单，没有这一步，请按维修流程处理。", code="not_a_complaint")


async def no_answer_owed(_tx: Tx, step: Step) -> None:
    """What is answered in writing does not end without an answer; Conflict `answer_required`."""
    if Kind(step.ticket["kind"]) in ANSWERED:
        raise Conflict("投诉、建议、咨询和表扬须书面答复住户后才能办结，请填写答复。", code="answer_required")


async def outcome_fits(tx: Tx, step: Step) -> None:
    """A suggestion is adopted or not, a disputed bill is decided, else there is no outcome; Invalid `bad_outcome`."""
    complaint = await tx.fetchrow(OF_TICKET, step.ticket_id)
    fitting: frozenset[Outcome | None]
    if complaint is not None and complaint["bill_id"] is not None:
        fitting, problem = OF_DISPUTE, "请写明账单异议成立、更正还是不成立。"
    elif step.ticket["kind"] == Kind.SUGGESTION:
        fitting, problem = OF_SUGGESTION, "请写明建议是否采纳。"
    else:
        fitting, problem = frozenset({None}), "只有建议和账单异议要写明处理结论。"
    if step.asked.details.get("outcome") not in fitting:
        raise Invalid(problem, code="bad_outcome", fields=[{"field": "outcome", "message": problem}])


async def another_calls(tx: Tx, step: Step) -> None:
    """Who calls about a complaint is not one of those who handled it; Forbidden `follow_up_by_another`."""
    if Kind(step.ticket["kind"]) in ANSWERED and await tx.fetchval(HANDLED, step.ticket_id, step.who.actor.id):
        raise Forbidden("回访须由没有经办这张工单的同事进行。", code="follow_up_by_another")


async def complaint_settled(tx: Tx, step: Step) -> None:
    """A complaint has been followed up, its cause is noted; Conflict `follow_up_required`, `cause_required`."""
    if step.ticket["kind"] != Kind.COMPLAINT:
        return
    if step.ticket["state"] != State.FOLLOWED_UP:
        raise Conflict("投诉须回访后才能关闭。", code="follow_up_required")
    complaint = await tx.fetchrow(OF_TICKET, step.ticket_id)
    if complaint is None or complaint["cause_id"] is None:
        raise Conflict("请先登记根因，再关闭投诉。", code="cause_required")


async def bad_rating_called(tx: Tx, step: Step) -> None:
    """Who was not content has been called; Conflict `follow_up_required`."""
    stars = await tx.fetchval(LAST_STARS, step.ticket_id, step.ticket["round"])
    if stars is not None and stars <= BAD_STARS and step.ticket["state"] != State.FOLLOWED_UP:
        raise Conflict("住户的评价不满意，须回访后才能关闭。", code="follow_up_required")


async def known_tags(tx: Tx, step: Step) -> None:
    """The tags of a rating are the company's, where it names any; Invalid `unknown_tag`."""
    assert step.asked.stars is not None
    known = (await policy.of_community(tx, step.community_id)).rating_tags
    if known and not set(step.asked.stars.tags) <= set(known):
        problem = f"请从这些标签里选择：{'、'.join(known)}。"
        raise Invalid(problem, code="unknown_tag", fields=[{"field": "tags", "message": problem}])


async def no_bill_disputed(tx: Tx, step: Step) -> None:
    """A disputed bill is decided in its own ticket; Conflict `bill_disputed`."""
    complaint = await tx.fetchrow(OF_TICKET, step.ticket_id)
    if complaint is not None and complaint["bill_id"] is not None:
        raise Conflict("账单异议须单独答复，不能并入其他工单。", code="bill_disputed")


GUARDS: Mapping[str, Callable[[Tx, Step], Awaitable[None]]] = {
    each.__name__: each
    for each in (
        answered_kind, no_answer_owed, outcome_fits, another_calls, complaint_settled, bad_rating_called, known_tags,
        no_bill_disputed,
    )
}  # fmt: skip
