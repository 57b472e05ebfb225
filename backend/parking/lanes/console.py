"""Routes of the guard's console (岗亭): who is in, what is unusual, open by hand, correct, match, quote, void (D8)."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from backend.kernel.db import Tx
from backend.kernel.errors import Conflict, Invalid, NotFound
from backend.kernel.http import Call, Nothing, Page, Route, Strict, decode_cursor, encode_cursor, example
from backend.parking import lots, reads, vehicles, views
from backend.parking.lanes import guard
from backend.parking.prices import quotes
from backend.parking.views import AskedAnswer, StaysAnswer, StayView, stay_view

READ, GUARD = "parking.stays", "parking.guard"
_ID = "01991b2a-7c00-7000-8000-000000000001"
Reason = Annotated[str, Field(min_length=2, max_length=200)]


class StaysQuery(Page):
    """`tail`: the last five characters of a plate."""

    inside: bool = True
    unusual: bool = False
    tail: str | None = Field(None, min_length=5, max_length=5)


class StayEvent(Strict):
    """What happened to a stay."""

    model_config = example(
        kind="entered", at="2026-09-01T02:00:00Z", recorded_at="2026-09-01T02:00:00Z", actor_kind="device", detail={}
    )  # fmt: skip
    kind: str
    at: datetime
    recorded_at: datetime
    actor_kind: str
    detail: dict[str, Any]


class StayPayment(Strict):
    """A payment of a stay. `line_id`: by it the order is found, and a refund asked for."""

    model_config = example(line_id=_ID, amount_fen=1000, paid_at="2026-09-01T04:05:00Z")
    line_id: UUID
    amount_fen: int
    paid_at: datetime


class StayDetail(StayView):
    """A stay with its story."""

    model_config = example(**views.STAY_EXAMPLE, events=[], payments=[])
    events: list[StayEvent]
    payments: list[StayPayment]


class OpenBody(Strict):
    """At an exit, the stay that ends; at an entry, the plate that comes in, null for a car without one."""

    model_config = example(reason="老人就医，人工放行", session_id=_ID, plate=None)
    reason: Reason
    session_id: UUID | None = None
    plate: str | None = Field(None, min_length=1, max_length=32)


class OpenedAnswer(Strict):
    model_config = example(command_id=_ID, session_id=_ID)
    command_id: UUID
    session_id: UUID | None


class OpenedAllAnswer(Strict):
    """How many barriers were told to open."""

    model_config = example(barriers=4)
    barriers: int


class CorrectBody(Strict):
    model_config = example(plate="粤B12345", reason="相机把 3 认成 8")
    plate: str = Field(min_length=1, max_length=32)
    reason: Reason


class MatchBody(Strict):
    """The stay that the car at the exit really is."""

    model_config = example(candidate_id=_ID, reason="车牌识别错一位")
    candidate_id: UUID
    reason: Reason


class ReasonBody(Strict):
    model_config = example(reason="重复记录")
    reason: Reason


class PlateAnswer(Strict):
    model_config = example(plate="粤B12345")
    plate: str


async def list_stays(call: Call[None, StaysQuery]) -> StaysAnswer:
    """GET /admin/v1/parking-lots/{lot_id}/stays."""
    query, ring = call.query, call.res.keyring
    lot = await lots.one(call.res.db, call.ids["lot_id"], communities=call.principal.communities(READ))
    rows = await reads.of_lot(
        call.res.db,
        lot["id"],
        before=None if query.cursor is None else decode_cursor(query.cursor, (UUID,))[0],
        limit=query.limit,
        inside=query.inside,
        unusual=query.unusual,
        tail_blind=None if query.tail is None else vehicles.typed_tail(ring, query.tail),
    )
    return StaysAnswer(
        items=[StayView(**stay_view(ring, row)) for row in rows],
        next_cursor=encode_cursor(rows[-1]["id"]) if len(rows) == query.limit else None,
    )


async def show_stay(call: Call[None, None]) -> StayDetail:
    """GET /admin/v1/parking-stays/{session_id}."""
    return await _detail(call.res.db, call, READ)


async def _detail(db: Any, call: Call[Any, None], permission: str) -> StayDetail:
    row = await reads.one(db, call.ids["session_id"], communities=call.principal.communities(permission))
    events = [
        StayEvent(**{name: event[name] for name in StayEvent.model_fields})
        for event in await reads.events(db, row["id"])
    ]
    payments = [StayPayment(**dict(paid.items())) for paid in await reads.payments(db, row["id"])]
    return StayDetail(**stay_view(call.res.keyring, row), events=events, payments=payments)


async def open_lane(call: Call[OpenBody, None]) -> OpenedAnswer:
    """POST /admin/v1/parking-lots/{lot_id}/lanes/{lane_id}/open."""
    body = call.body

    async def work(tx: Tx) -> OpenedAnswer:
        opened = await guard.open_lane(
            tx, call.principal.actor, keyring=call.res.keyring, lot_id=call.ids["lot_id"], lane_id=call.ids["lane_id"],
            communities=call.principal.communities(GUARD), reason=body.reason, session_id=body.session_id,
            plate=body.plate,
        )  # fmt: skip
        return OpenedAnswer(command_id=opened.command_id, session_id=opened.session_id)

    return await call.once(work, OpenedAnswer)


async def open_all(call: Call[ReasonBody, None]) -> OpenedAllAnswer:
    """POST /admin/v1/parking-lots/{lot_id}/open-all: pressed again, it opens again."""

    async def work(tx: Tx) -> OpenedAllAnswer:
        count = await guard.open_all(
            tx, call.principal.actor, lot_id=call.ids["lot_id"], communities=call.principal.communities(GUARD),
            reason=call.body.reason,
        )  # fmt: skip
        return OpenedAllAnswer(barriers=count)

    return await call.transact(work)


async def correct(call: Call[CorrectBody, None]) -> StayDetail:
    """POST /admin/v1/parking-stays/{session_id}/correct."""

    async def work(tx: Tx) -> StayDetail:
        await guard.correct(
            tx, call.principal.actor, keyring=call.res.keyring, session_id=call.ids["session_id"],
            communities=call.principal.communities(GUARD), plate=call.body.plate, reason=call.body.reason,
        )  # fmt: skip
        await tx.flush()
        return await _detail(tx, call, GUARD)

    return await call.transact(work)


async def match(call: Call[MatchBody, None]) -> Nothing:
    """POST /admin/v1/parking-stays/{session_id}/match."""

    async def work(tx: Tx) -> Nothing:
        await guard.match(
            tx, call.principal.actor, key=quotes.signing_key(call.res.settings), session_id=call.ids["session_id"],
            candidate_id=call.body.candidate_id, communities=call.principal.communities(GUARD),
            reason=call.body.reason,
        )  # fmt: skip
        return Nothing()

    return await call.transact(work)


async def void(call: Call[ReasonBody, None]) -> Nothing:
    """POST /admin/v1/parking-stays/{session_id}/void."""

    async def work(tx: Tx) -> Nothing:
        await guard.void(
            tx, call.principal.actor, session_id=call.ids["session_id"],
            communities=call.principal.communities(GUARD), reason=call.body.reason,
        )  # fmt: skip
        return Nothing()

    return await call.transact(work)


async def quote(call: Call[None, None]) -> AskedAnswer:
    """POST /admin/v1/parking-stays/{session_id}/quote: for the counter, which takes the stay's id."""
    communities = call.principal.communities(READ)

    async def work(tx: Tx) -> AskedAnswer:
        await guard.stay_in(tx, call.ids["session_id"], communities=communities)
        asked = await quotes.ask(
            tx, call.principal.actor, key=quotes.signing_key(call.res.settings), session_id=call.ids["session_id"]
        )  # fmt: skip
        return AskedAnswer.of(asked)

    return await call.transact(work)


async def reveal(call: Call[ReasonBody, None]) -> PlateAnswer:
    """POST /admin/v1/parking-stays/{session_id}/plate."""

    async def work(tx: Tx) -> PlateAnswer:
        plate = await guard.reveal(
            tx, call.principal.actor, keyring=call.res.keyring, session_id=call.ids["session_id"],
            communities=call.principal.communities(GUARD), reason=call.body.reason,
        )  # fmt: skip
        return PlateAnswer(plate=plate)

    return await call.transact(work)


_STAYS = "/admin/v1/parking-stays/{session_id}"
_ERRORS = (NotFound, Conflict, Invalid)

ROUTES = (
    Route(
        "GET", "/admin/v1/parking-lots/{lot_id}/stays", list_stays, READ, "场内车辆和停车记录", query=StaysQuery,
        answer=StaysAnswer, errors=(NotFound,),
    ),
    Route("GET", _STAYS, show_stay, READ, "停车记录及其经过", answer=StayDetail, errors=(NotFound,)),
    Route(
        "POST", "/admin/v1/parking-lots/{lot_id}/lanes/{lane_id}/open", open_lane, GUARD, "人工开闸，须写明原因",
        body=OpenBody, answer=OpenedAnswer, creates=True, errors=_ERRORS,
    ),
    Route(
        "POST", "/admin/v1/parking-lots/{lot_id}/open-all", open_all, GUARD, "火警等紧急情况：一键打开全部车道",
        body=ReasonBody, answer=OpenedAllAnswer, errors=(NotFound,),
    ),
    Route(
        "POST", f"{_STAYS}/correct", correct, GUARD, "更正车牌", body=CorrectBody, answer=StayDetail, errors=_ERRORS
    ),
    Route(
        "POST", f"{_STAYS}/match", match, GUARD, "为没有入场记录的车选定真正的停车记录", body=MatchBody,
        answer=Nothing, errors=(NotFound, Conflict),
    ),
    Route(
        "POST", f"{_STAYS}/void", void, GUARD, "作废停车记录", body=ReasonBody, answer=Nothing,
        errors=(NotFound, Conflict),
    ),
    Route("POST", f"{_STAYS}/quote", quote, READ, "停车报价，供收费窗口收款", answer=AskedAnswer, errors=(NotFound,)),
    Route(
        "POST", f"{_STAYS}/plate", reveal, GUARD, "查看完整车牌，须写明原因", body=ReasonBody, answer=PlateAnswer,
        errors=(NotFound,),
    ),
)  # fmt: skip
