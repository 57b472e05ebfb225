"""Resident routes of complaints (投诉, 建议, 咨询, 表扬): send one, also anonymously, talk, dispute a bill (R7, D3)."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from backend.fees import bills, disputes
from backend.kernel.auth import RESIDENT
from backend.kernel.db import Tx
from backend.kernel.errors import Conflict, Forbidden, Invalid, NotFound, TooMany, Unauthenticated
from backend.kernel.http import Call, Route, Strict, example
from backend.property import rights
from backend.property.rights import Right
from backend.tickets import machine, submitting
from backend.tickets import reads as ticket_reads
from backend.tickets.complaints import disputing, policy, reads
from backend.tickets.complaints.admin import said
from backend.tickets.complaints.register import Particulars
from backend.tickets.complaints.schemas import LongWords, MyComplaint, TextBody
from backend.tickets.complaints.words import Nature
from backend.tickets.moves import Move
from backend.tickets.schemas import ID, MediaIds, MovedAnswer, SubmittedAnswer
from backend.tickets.submitting import New
from miniprogram_api.tickets import SUBMIT_RATE, reporter, sight

MAX_WHY = 400


class ComplainBody(Strict):
    """Anonymous: staff see neither who it is nor which house; answers still arrive."""

    model_config = example(
        category_id=ID, nature="noise", anonymous=True, place="3栋东侧", description="每天深夜有人在楼下唱歌",
        media_ids=[],
    )  # fmt: skip
    category_id: UUID
    nature: Nature
    anonymous: bool = False
    place: str | None = Field(None, min_length=1, max_length=100)
    description: LongWords
    media_ids: MediaIds = Field(default_factory=list)


class DisputeBody(Strict):
    model_config = example(reason="面积按 89 平方米算，房产证上是 86 平方米")
    reason: str = Field(min_length=2, max_length=MAX_WHY)


class DisputeAnswer(Strict):
    """The newest dispute of a bill. While it stands, late fee and dunning stand still."""

    model_config = example(
        ticket_id=ID, no=1024, standing=True, opened_at="2026-09-01T02:00:00Z", ended_at=None, outcome=None
    )  # fmt: skip
    ticket_id: UUID
    no: int
    standing: bool
    opened_at: datetime
    ended_at: datetime | None
    outcome: disputes.Outcome | None


class RatingTags(Strict):
    """What a rating may say; empty: what one likes."""

    model_config = example(items=["态度好", "处理快"])
    items: list[str]


async def complain(call: Call[ComplainBody, None]) -> SubmittedAnswer:
    """POST /api/v1/houses/{house_id}/complaints."""
    tie, body = call.principal.tie(call.ids["house_id"]), call.body
    rights.require(tie, Right.TICKETS_OWN)
    particulars = Particulars(body.nature, anonymous=body.anonymous)
    new = New(
        tie.community_id, body.category_id, tie.house_id, body.place, body.description,
        media_ids=tuple(body.media_ids), particulars=particulars,
    )  # fmt: skip

    async def work(tx: Tx) -> SubmittedAnswer:
        made = await submitting.submit(tx, call.principal.actor, new=new, person_id=call.principal.person_id)
        return SubmittedAnswer(id=made.ticket_id, no=made.no)

    return await call.once(work, SubmittedAnswer)


async def show_complaint(call: Call[None, None]) -> MyComplaint:
    """GET /api/v1/tickets/{ticket_id}/complaint."""
    ticket = await ticket_reads.seen(call.res.db, call.ids["ticket_id"], sight=sight(call.principal))
    row = await reads.of_ticket(call.res.db, ticket["id"])
    if row is None:
        raise NotFound
    return MyComplaint.of(row)


async def write(call: Call[TextBody, None]) -> MovedAnswer:
    """POST /api/v1/tickets/{ticket_id}/notes."""
    who = reporter(call.principal)

    async def work(tx: Tx) -> MovedAnswer:
        moved = await machine.move(
            tx, who, ticket_id=call.ids["ticket_id"], name=Move.NOTE, asked=said(call.body)
        )  # fmt: skip
        return MovedAnswer.of(moved.state)

    return await call.transact(work)


async def list_tags(call: Call[None, None]) -> RatingTags:
    """GET /api/v1/houses/{house_id}/rating-tags."""
    tie = call.principal.tie(call.ids["house_id"])
    return RatingTags(items=list((await policy.of_community(call.res.db, tie.community_id)).rating_tags))


async def dispute_bill(call: Call[DisputeBody, None]) -> SubmittedAnswer:
    """POST /api/v1/bills/{bill_id}/dispute."""
    who = call.principal

    async def work(tx: Tx) -> SubmittedAnswer:
        made = await disputing.dispute(
            tx, who.actor, scope=who.scope, bill_id=call.ids["bill_id"], why=call.body.reason
        )  # fmt: skip
        return SubmittedAnswer(id=made.ticket_id, no=made.no)

    return await call.once(work, SubmittedAnswer)


async def show_dispute(call: Call[None, None]) -> DisputeAnswer:
    """GET /api/v1/bills/{bill_id}/dispute."""
    db = call.res.db
    bill = await bills.one_of_resident(db, call.principal.scope, bill_id=call.ids["bill_id"])
    ticket, found = await disputing.last_ticket(db, bill["id"]), await disputes.of_bill(db, bill["id"])
    if ticket is None or not found:
        raise NotFound
    outcome = found[0]["outcome"]
    return DisputeAnswer(
        ticket_id=ticket["id"], no=ticket["no"], standing=bool(await disputes.standing(db, [bill["id"]])),
        opened_at=found[0]["opened_at"], ended_at=found[0]["ended_at"],
        outcome=None if outcome is None else disputes.Outcome(outcome),
    )  # fmt: skip


_HOUSE, _TICKET = "/api/v1/houses/{house_id}", "/api/v1/tickets/{ticket_id}"
_DISPUTE = "/api/v1/bills/{bill_id}/dispute"
_KNOWN = (Unauthenticated, Forbidden, NotFound)

ROUTES = (
    Route(
        "POST", f"{_HOUSE}/complaints", complain, RESIDENT, "提交投诉、建议、咨询或表扬，可以匿名", body=ComplainBody,
        answer=SubmittedAnswer, status=201, creates=True, errors=(*_KNOWN, Invalid, TooMany), rate=SUBMIT_RATE,
    ),
    Route("GET", f"{_HOUSE}/rating-tags", list_tags, RESIDENT, "评价标签", answer=RatingTags, errors=_KNOWN),
    Route("GET", f"{_TICKET}/complaint", show_complaint, RESIDENT, "投诉时限和结论", answer=MyComplaint, errors=_KNOWN),
    Route(
        "POST", f"{_TICKET}/notes", write, RESIDENT, "给物业留言", body=TextBody, answer=MovedAnswer,
        errors=(*_KNOWN, Conflict, Invalid), rate=SUBMIT_RATE,
    ),
    Route(
        "POST", _DISPUTE, dispute_bill, RESIDENT, "对账单提出异议", body=DisputeBody, answer=SubmittedAnswer,
        status=201, creates=True, errors=(*_KNOWN, Conflict, TooMany), rate=SUBMIT_RATE,
    ),
    Route("GET", _DISPUTE, show_dispute, RESIDENT, "账单异议的进展", answer=DisputeAnswer, errors=_KNOWN),
)  # fmt: skip
