"""What came of the checks: risky is hidden from residents, and the desk is told; what staff decide stands (R6, R7)."""

from collections.abc import Sequence
from uuid import UUID

from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.db import Record, Tx
from backend.kernel.errors import Conflict, NotFound
from backend.kernel.outbox import Job, Retry
from backend.messaging import intents
from backend.messaging.intents import Recipient
from backend.messaging.meanings import TICKET_WORK
from backend.tickets.dispatch import people
from backend.tickets.screening import asking
from backend.tickets.screening.states import STATE_OF, CheckState
from backend.wechat import content
from backend.wechat.pushes import Push

PAGE = "pages/todo/detail"
# A push may overtake the answer that named the check (pitfalls E8): so often it is looked for again.
LOOKS, LOOK_S = 5, 10
ASK_TIMES = 3

END = """
    UPDATE ticket_check SET state = $2, label = $3, ended_at = $4
     WHERE id = $1 AND state IN ('WAITING', 'ASKED')
 RETURNING ticket_id, community_id
"""

ASKED = """
    UPDATE ticket_check SET state = 'ASKED', appid = $2, trace_id = $3, asked_at = $4, asked_times = asked_times + 1
     WHERE id = $1 AND state = 'WAITING'
"""

OF_TRACE = "SELECT id, state, community_id, asked_times FROM ticket_check WHERE trace_id = $1 AND appid = $2"
AGAIN = "UPDATE ticket_check SET state = 'WAITING' WHERE id = $1 AND state = 'ASKED' RETURNING id"

TICKET = """
    SELECT t.no, t.place, c.name AS category, h.label AS house
      FROM ticket t JOIN ticket_category c ON c.id = t.category_id LEFT JOIN ticket_house h ON h.id = t.house_id
     WHERE t.id = $1
"""

LOCK = "SELECT * FROM ticket_check WHERE id = $1 AND community_id = ANY ($2::uuid[]) FOR UPDATE"
DECIDE = "UPDATE ticket_check SET state = $2, decided_by = $3, decided_at = $4 WHERE id = $1"

TOLD = {
    CheckState.RISKY: ("内容检查不通过", "微信判定有风险，已对住户隐藏，请核实"),
    CheckState.REVIEW: ("内容检查存疑", "微信建议人工复核，请核实是否显示"),
}


async def end(tx: Tx, check_id: UUID, *, state: CheckState, label: int | None = None) -> None:
    """A check has its verdict, or nobody can give one; the desk is told of what is found. The first verdict stands."""
    check = await tx.fetchrow(END, check_id, state, label, tx.now)
    if check is not None and state in TOLD:
        await _tell(tx, check, check_id, state)


async def asked(tx: Tx, check_id: UUID, *, appid: str, trace_id: str) -> None:
    """WeChat will push the verdict."""
    await tx.execute(ASKED, check_id, appid, trace_id, tx.now)


async def on_checked(job: Job) -> None:
    """WeChat's verdict on a picture. One that WeChat could not fetch is asked about again, ASK_TIMES in all."""
    push = Push.of(job.event, job.payload)
    judged = content.told(push.fields)
    check = await job.res.db.fetchrow(OF_TRACE, str(push.fields.get("trace_id", "")), push.appid)
    if check is None:
        if job.failures < LOOKS:
            raise Retry("no check of ours has this trace id yet", after_s=LOOK_S)
        return

    async def work(tx: Tx) -> None:
        if judged is not None:
            await end(tx, check["id"], state=STATE_OF[judged.verdict], label=judged.label)
        elif check["asked_times"] >= ASK_TIMES:
            await end(tx, check["id"], state=CheckState.SKIPPED)
        elif await tx.fetchval(AGAIN, check["id"]) is not None:
            asking.ask(tx, check["id"], community_id=check["community_id"])

    await job.transact(work)


async def decide(
    tx: Tx, actor: Actor, *, check_id: UUID, communities: Sequence[UUID], shown: bool, reason: str
) -> None:
    """Staff have looked: it is shown to residents, or hidden, for good. NotFound, Conflict `check_settled`."""
    check = await tx.fetchrow(LOCK, check_id, list(communities))
    if check is None:
        raise NotFound
    if check["state"] not in (CheckState.REVIEW, CheckState.RISKY):
        raise Conflict("这条内容已经处理过，或不需要处理。", code="check_settled")
    state = CheckState.CLEARED if shown else CheckState.BLOCKED
    await tx.execute(DECIDE, check_id, state, actor.id, tx.now)
    audit.record(
        tx, actor, action="ticket.content_decided", target=f"ticket:{check['ticket_id']}",
        community_id=check["community_id"], reason=reason, before={"state": check["state"]}, after={"state": state},
    )  # fmt: skip


async def _tell(tx: Tx, check: Record, check_id: UUID, state: CheckState) -> None:
    ticket = await tx.fetchrow(TICKET, check["ticket_id"])
    assert ticket is not None
    move, note = TOLD[state]
    values = {
        "no": str(ticket["no"]), "category": ticket["category"], "where": ticket["house"] or ticket["place"],
        "move": move, "note": note,
    }  # fmt: skip
    desk = await people.holders(tx, check["community_id"], ladder=people.DESK)
    page = f"{PAGE}?id={check['ticket_id']}"
    await intents.plan(
        tx, TICKET_WORK, event_key=f"tickets.checked:{check_id}", community_id=check["community_id"],
        recipients=[Recipient(staff_id, values, page) for staff_id in desk],
    )  # fmt: skip
