"""What must hold before a move (D9): functions by the names that moves.py uses. Each raises, or lets the move pass."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

from backend.identity.roles import PERMISSIONS
from backend.kernel.db import Tx
from backend.kernel.errors import Conflict, Invalid, NotFound
from backend.tickets import rules
from backend.tickets.complaints import guards as complaint_guards
from backend.tickets.dispatch import guards as dispatch_guards
from backend.tickets.paid import moving as paid_moving
from backend.tickets.states import ENDED, Dispatch, FollowUp, State
from backend.tickets.step import Step

Guard = Callable[[Tx, Step], Awaitable[None]]
WORK = "ticket.work"
LONGEST_PAUSE = timedelta(days=180)

FIT = """
    SELECT 1 FROM ticket_staff s JOIN company_community c ON c.company_id = s.company_id
     WHERE s.id = $1 AND c.community_id = $2 AND (s.community_id IS NULL OR s.community_id = $2)
       AND s.role = ANY ($3::text[])
     LIMIT 1
"""

# Held to the commit: of two that give the same worker a ticket at once, the second counts the first one's.
HOLD_WORKER = "SELECT pg_advisory_xact_lock(hashtextextended('linli.ticket.worker:' || $1::uuid::text, 0))"

# Index ticket_assignment_hand.
IN_HAND = "SELECT count(*) FROM ticket_assignment WHERE staff_id = $1 AND ended_at IS NULL AND ticket_id <> $2"

HOLD_TARGET = "SELECT state, community_id FROM ticket WHERE id = $1 AND community_id = $2 FOR UPDATE"


async def worker_fit(tx: Tx, step: Step) -> None:
    """The one named works in the community, and has not the ticket already; NotFound, Conflict `already_assigned`."""
    allowed = sorted(role.value for role in PERMISSIONS[WORK])
    if await tx.fetchval(FIT, step.worker_id, step.community_id, allowed) is None:
        raise NotFound("没有找到这位处理人，或其在本小区没有接单权限。")
    if step.worker_id == step.assignee_id:
        raise Conflict("这张工单已经在这位处理人手上。", code="already_assigned")


async def worker_has_room(tx: Tx, step: Step) -> None:
    """The worker has fewer tickets in hand than the company allows; Conflict `worker_full`."""
    await tx.execute(HOLD_WORKER, step.worker_id)
    limit = (await rules.of_community(tx, step.community_id)).worker_open
    if await tx.fetchval(IN_HAND, step.worker_id, step.ticket_id) >= limit:
        raise Conflict(f"处理人手上已有 {limit} 张未完成的工单，请先完成一些或改派他人。", code="worker_full")


async def grabbable(_tx: Tx, step: Step) -> None:
    """The category is one whose tickets are grabbed; Conflict `not_grabbable`."""
    if step.category["dispatch"] != Dispatch.GRAB:
        raise Conflict("这类工单由客服派单，不能抢单。", code="not_grabbable")


async def merge_target(tx: Tx, step: Step) -> None:
    """The other ticket is of the same community, another, and still alive; NotFound, Conflict `merge_target_ended`."""
    target = await tx.fetchrow(HOLD_TARGET, step.asked.into_id, step.community_id)
    if target is None or step.asked.into_id == step.ticket_id:
        raise NotFound
    if State(target["state"]) in ENDED:
        raise Conflict("要并入的工单已经结束，请另选一张。", code="merge_target_ended")


async def work_approved(_tx: Tx, step: Step) -> None:
    """Work that takes leave has it; Conflict `approval_required`."""
    if step.category["needs_approval"] and step.ticket["approved_at"] is None:
        raise Conflict("这类工单须先审批同意才能施工，请先提交审批。", code="approval_required")


async def paid_category(_tx: Tx, step: Step) -> None:
    """The category is one of paid work; Conflict `not_paid_work`."""
    if not step.category["paid"]:
        raise Conflict("这类工单不收费，不能报价。", code="not_paid_work")


async def price_agreed(_tx: Tx, step: Step) -> None:
    """Paid work is done upon an agreed price; Conflict `price_not_agreed`."""
    if step.category["paid"] and step.ticket["state"] != State.AGREED:
        raise Conflict("这类工单收费，须住户同意报价后才能完工。", code="price_not_agreed")


async def pause_ends(tx: Tx, step: Step) -> None:
    """A pause ends, and not too late; Invalid."""
    until = step.asked.until
    if until is None or not tx.now < until <= tx.now + LONGEST_PAUSE:
        problem = f"挂起的截止时间须晚于现在，最长 {LONGEST_PAUSE.days} 天。"
        raise Invalid(problem, fields=[{"field": "until", "message": problem}])


async def followed_up(_tx: Tx, step: Step) -> None:
    """Somebody has called where the category promises it; Conflict `follow_up_required`."""
    state, policy = State(step.ticket["state"]), FollowUp(step.category["follow_up"])
    enough = {
        FollowUp.NONE: True,
        FollowUp.UNRATED: state in (State.RATED, State.FOLLOWED_UP),
        FollowUp.ALWAYS: state is State.FOLLOWED_UP,
    }
    if not enough[policy]:
        raise Conflict("这类工单须回访后才能关闭。", code="follow_up_required")


async def within_reopen_days(tx: Tx, step: Step) -> None:
    """The work, or the ticket's end, is not longer ago than the category says; Conflict `too_late_to_reopen`."""
    days = step.category["reopen_days"]
    over_at = step.ticket["closed_at"] or step.ticket["done_at"]
    if tx.now > over_at + timedelta(days=days):
        raise Conflict(f"完工或关闭已超过 {days} 天，不能重新打开，请另外提交。", code="too_late_to_reopen")


GUARDS: Mapping[str, Guard] = {
    **complaint_guards.GUARDS,
    **{
        each.__name__: each
        for each in (
            worker_fit, worker_has_room, grabbable, merge_target, work_approved, paid_category, price_agreed,
            pause_ends, followed_up, within_reopen_days,
        )
    },
    **dispatch_guards.GUARDS,
    **paid_moving.GUARDS,
}  # fmt: skip
