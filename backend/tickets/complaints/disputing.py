"""A resident disputes a bill (账单异议): a complaint tied to the bill, whose late fee and dunning stand still (D3, D9).

Promises: the dispute and its ticket come in together, one at a time for each bill. It ends with the ticket (moves.py).
"""

from uuid import UUID

from backend.fees import bills, disputes
from backend.kernel.audit import Actor
from backend.kernel.auth import HouseScope
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import Conflict
from backend.tickets import submitting
from backend.tickets.complaints import policy
from backend.tickets.complaints.register import Particulars
from backend.tickets.complaints.words import Nature
from backend.tickets.submitting import New, Submitted

VOIDED = "VOIDED"

# Index ticket_complaint_bill.
TICKET_OF_BILL = """
    SELECT t.id, t.no FROM ticket_complaint q JOIN ticket t ON t.id = q.ticket_id
     WHERE q.bill_id = $1
     ORDER BY t.submitted_at DESC, t.id DESC
     LIMIT 1
"""


async def dispute(tx: Tx, actor: Actor, *, scope: HouseScope, bill_id: UUID, why: str) -> Submitted:
    """Dispute a bill that the resident may see.

    Raises NotFound, Conflict `bill_voided`, `disputes_not_taken`, `bill_disputed`, TooMany `too_many_tickets`.
    """
    bill = await bills.one_of_resident(tx, scope, bill_id=bill_id)
    if bill["state"] == VOIDED:
        raise Conflict("这张账单已经作废，无需提出异议。", code="bill_voided")
    category_id = (await policy.of_community(tx, bill["community_id"])).dispute_category_id
    if category_id is None:
        raise Conflict("本小区暂不能在线提出账单异议，请致电物业服务中心。", code="disputes_not_taken")
    await disputes.open_one(tx, actor, bill_id=bill_id, community_id=bill["community_id"])
    new = New(
        bill["community_id"], category_id, bill["house_id"], None, f"对账单“{bills.title(bill)}”有异议：{why}",
        particulars=Particulars(Nature.FEES, bill_id=bill_id),
    )  # fmt: skip
    return await submitting.submit(tx, actor, new=new, person_id=scope.person_id)


async def last_ticket(db: Reader, bill_id: UUID) -> Record | None:
    """The ticket of the newest dispute of a bill that the caller has found in scope."""
    return await db.fetchrow(TICKET_OF_BILL, bill_id)
