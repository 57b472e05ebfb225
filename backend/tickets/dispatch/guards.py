"""What must hold before the moves of dispatch (D9): functions by the names that moves.py uses, as in tickets.guards."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

from backend.kernel.clock import SHANGHAI
from backend.kernel.db import Tx
from backend.kernel.errors import Conflict, NotFound
from backend.tickets.dispatch import handling, workers
from backend.tickets.states import OutageState
from backend.tickets.step import Step

# Whoever ends the outage waits for the tickets that are being bound, and the other way round.
OUTAGE = "SELECT state FROM ticket_outage WHERE id = $1 AND community_id = $2 FOR SHARE"


async def suits(tx: Tx, step: Step) -> None:
    """The ticket is of what the worker does, where he does it, and waits for no outage's end; Conflict."""
    if step.ticket["outage_id"] is not None:
        raise Conflict("这张工单已挂靠停复公告，随公告处理，不能抢单。", code="waits_for_outage")
    if not await workers.fits(tx, step.worker_id, ticket_id=step.ticket_id):
        raise Conflict("这张工单不在您的技能或责任楼栋范围内，不能抢单。", code="does_not_fit")


async def may_urge(tx: Tx, step: Step) -> None:
    """The resident has not urged too often in this round, nor a short while ago; Conflict."""
    rule = await handling.of_category(tx, step.category["id"])
    if rule.urge_times == 0:
        raise Conflict("这类工单不支持催单，紧急情况请致电物业。", code="no_urging")
    if step.ticket["urged_times"] >= rule.urge_times:
        raise Conflict(f"这张工单已催过 {rule.urge_times} 次，物业会尽快处理，请耐心等待。", code="urged_enough")
    if step.ticket["urged_times"] and tx.now < (again := step.ticket["urged_at"] + timedelta(hours=rule.urge_hours)):
        told = f"{again.astimezone(SHANGHAI):%m月%d日 %H:%M}"
        raise Conflict(f"刚刚催过，{told}之后可以再催一次。", code="urged_lately")


async def outage_open(tx: Tx, step: Step) -> None:
    """The outage is of the ticket's community, and goes on; NotFound, Conflict `outage_ended`."""
    state = await tx.fetchval(OUTAGE, step.asked.outage_id, step.community_id)
    if state is None:
        raise NotFound
    if state != OutageState.OPEN:
        raise Conflict("这条公告已经结束，不能再挂靠工单。", code="outage_ended")


async def outage_over(tx: Tx, step: Step) -> None:
    """The outage that has bound the ticket is over; Conflict `outage_open`."""
    if await tx.fetchval(OUTAGE, step.ticket["outage_id"], step.community_id) != OutageState.ENDED:
        raise Conflict("工单没有挂靠已结束的公告。", code="outage_open")


GUARDS: Mapping[str, Callable[[Tx, Step], Awaitable[None]]] = {
    each.__name__: each for each in (suits, may_urge, outage_open, outage_over)
}
