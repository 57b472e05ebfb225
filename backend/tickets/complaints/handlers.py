"""A disputed bill was decided (账单异议): where it is wrong, its voiding is proposed to a second person (D3, S3)."""

from collections.abc import Mapping
from uuid import UUID

from backend.fees import bills
from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.db import Tx
from backend.kernel.errors import Conflict, NotFound
from backend.kernel.outbox import Handler, Job
from backend.tickets.complaints.words import Outcome

OF_TICKET = """
    SELECT q.bill_id, q.outcome, q.community_id, t.no, t.round
      FROM ticket_complaint q JOIN ticket t ON t.id = q.ticket_id
     WHERE q.ticket_id = $1
"""

WHY = {
    Outcome.UPHELD: "账单异议成立（工单{no}），申请作废。",
    Outcome.ADJUSTED: "账单金额有误（工单{no}），申请作废后按正确金额重新出账。",
}


async def on_dispute_decided(job: Job) -> None:
    """Propose to void the bill in the name of who decided; what cannot be voided any more is left in the audit."""

    async def work(tx: Tx) -> None:
        found = await tx.fetchrow(OF_TICKET, UUID(job.payload["ticket_id"]))
        if found is None or found["round"] != job.payload["round"] or found["outcome"] not in WHY:
            return
        actor, bill_id = Actor("staff", UUID(job.payload["staff_id"])), found["bill_id"]
        reason = WHY[Outcome(found["outcome"])].format(no=found["no"])
        try:
            await bills.propose_void(
                tx, actor, bill_id=bill_id, communities=(found["community_id"],), reason=reason
            )  # fmt: skip
        except (Conflict, NotFound) as refused:
            audit.record(
                tx, actor, action="bill_dispute.void_not_proposed", target=f"bill:{bill_id}",
                community_id=found["community_id"], reason=refused.message,
            )  # fmt: skip

    await job.transact(work)


HANDLERS: Mapping[str, Handler] = {"tickets.dispute_decided": on_dispute_decided}
