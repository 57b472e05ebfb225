"""Resident routes of visitors without a pass, of goods that leave, and of one's own code for the doors (R8)."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from backend.kernel.auth import RESIDENT
from backend.kernel.days import Instant
from backend.kernel.db import Tx
from backend.kernel.errors import Conflict, Forbidden, Invalid, NotFound, TooMany, Unauthenticated
from backend.kernel.http import Call, Nothing, Page, Route, Strict, decode_cursor, encode_cursor, example
from backend.kernel.ratelimit import Rule
from backend.visitors import entries, goods, guests, resident_passes, walk_ins
from backend.visitors.goods import NewPermit
from backend.visitors.schemas import (
    ID,
    EntriesAnswer,
    EntryView,
    Name,
    PermitsAnswer,
    PermitView,
    WalkInsAnswer,
    WalkInView,
)
from backend.visitors.states import GoodsState, WalkInState

GOODS_RATE = Rule("visitors.goods", 10, 600)


class AnswerBody(Strict):
    model_config = example(admit=True)
    admit: bool


class AnsweredAnswer(Strict):
    model_config = example(state="CONFIRMED")
    state: WalkInState


class PermitBody(Strict):
    """What leaves, with whom, and when."""

    model_config = example(
        goods="沙发一张、纸箱六个", carrier="赵师傅", plate=None, valid_from="2026-09-01T09:00:00+08:00",
        valid_until="2026-09-01T18:00:00+08:00",
    )  # fmt: skip
    goods: str = Field(min_length=1, max_length=500)
    carrier: Name
    plate: str | None = Field(None, min_length=1, max_length=32)
    valid_from: Instant
    valid_until: Instant


class PermitAnswer(Strict):
    """PENDING: the property decides first."""

    model_config = example(id=ID, state="PENDING")
    id: UUID
    state: GoodsState


class DoorPass(Strict):
    """My code for the doors. `gate_ids`: null: every gate of the community."""

    model_config = example(id=ID, gate_ids=None)
    id: UUID
    gate_ids: list[UUID] | None


async def list_walk_ins(call: Call[None, None]) -> WalkInsAnswer:
    """GET /api/v1/walk-ins."""
    rows = await walk_ins.of_houses(call.res.db, call.principal.scope)
    return WalkInsAnswer(items=[WalkInView.of(call.res.keyring, row) for row in rows])


async def answer_walk_in(call: Call[AnswerBody, None]) -> AnsweredAnswer:
    """POST /api/v1/walk-ins/{walk_in_id}/answer."""
    scope = call.principal.scope

    async def work(tx: Tx) -> AnsweredAnswer:
        state = await walk_ins.answer(tx, walk_in_id=call.ids["walk_in_id"], scope=scope, admit=call.body.admit)
        return AnsweredAnswer(state=state)

    return await call.transact(work)


async def list_visits(call: Call[None, Page]) -> EntriesAnswer:
    """GET /api/v1/houses/{house_id}/visits."""
    tie, query = call.principal.tie(call.ids["house_id"]), call.query
    before: tuple[datetime, UUID] | None = None
    if query.cursor is not None:
        at, entry_id = decode_cursor(query.cursor, (datetime, UUID))
        before = (at, entry_id)
    rows = await entries.of_house(
        call.res.db, call.principal.scope, house_id=tie.house_id, before=before, limit=query.limit
    )
    last = rows[-1] if len(rows) == query.limit else None
    return EntriesAnswer(
        items=[EntryView.of(call.res.keyring, row, at_home=True) for row in rows],
        next_cursor=encode_cursor(last["entered_at"], last["id"]) if last else None,
    )


async def list_permits(call: Call[None, None]) -> PermitsAnswer:
    """GET /api/v1/goods-permits."""
    rows = await goods.of_houses(call.res.db, call.principal.scope)
    return PermitsAnswer(items=[PermitView.of(call.res.keyring, row) for row in rows])


async def ask_permit(call: Call[PermitBody, None]) -> PermitAnswer:
    """POST /api/v1/houses/{house_id}/goods-permits."""
    tie, body = call.principal.tie(call.ids["house_id"]), call.body
    new = NewPermit(body.goods, guests.typed(body.carrier, plate=body.plate), body.valid_from, body.valid_until)

    async def work(tx: Tx) -> PermitAnswer:
        asked = await goods.ask(
            tx, call.principal.actor, keyring=call.res.keyring, tie=tie, person_id=call.principal.person_id, new=new
        )
        return PermitAnswer(id=asked.id, state=asked.state)

    return await call.once(work, PermitAnswer)


async def cancel_permit(call: Call[None, None]) -> Nothing:
    """POST /api/v1/goods-permits/{permit_id}/cancel."""

    async def work(tx: Tx) -> Nothing:
        await goods.cancel(tx, call.principal.actor, permit_id=call.ids["permit_id"], scope=call.principal.scope)
        return Nothing()

    return await call.transact(work)


async def my_door_pass(call: Call[None, None]) -> DoorPass:
    """PUT /api/v1/houses/{house_id}/door-pass."""
    tie = call.principal.tie(call.ids["house_id"])

    async def work(tx: Tx) -> DoorPass:
        mine = await resident_passes.ensure(tx, tie=tie, person_id=call.principal.person_id)
        return DoorPass(id=mine.id, gate_ids=mine.gate_ids)

    return await call.transact(work)


_HOUSE = "/api/v1/houses/{house_id}"
_READ_ERRORS = (Unauthenticated, Forbidden, NotFound)
_WRITE_ERRORS = (*_READ_ERRORS, Conflict, Invalid, TooMany)

ROUTES = (
    Route(
        "GET", "/api/v1/walk-ins", list_walk_ins, RESIDENT, "来访我家、在门口登记的访客", answer=WalkInsAnswer,
        errors=(Unauthenticated, Forbidden),
    ),
    Route(
        "POST", "/api/v1/walk-ins/{walk_in_id}/answer", answer_walk_in, RESIDENT, "同意或拒绝门口的访客",
        body=AnswerBody, answer=AnsweredAnswer, errors=_WRITE_ERRORS,
    ),
    Route(
        "GET", f"{_HOUSE}/visits", list_visits, RESIDENT, "谁来过我家：何时、从哪个门进、何时离开", query=Page,
        answer=EntriesAnswer, errors=_READ_ERRORS,
    ),
    Route(
        "GET", "/api/v1/goods-permits", list_permits, RESIDENT, "我家的物品放行条", answer=PermitsAnswer,
        errors=(Unauthenticated, Forbidden),
    ),
    Route(
        "POST", f"{_HOUSE}/goods-permits", ask_permit, RESIDENT, "申请物品放行，按规则由物业审批", body=PermitBody,
        answer=PermitAnswer, status=201, creates=True, errors=_WRITE_ERRORS, rate=GOODS_RATE,
    ),
    Route(
        "POST", "/api/v1/goods-permits/{permit_id}/cancel", cancel_permit, RESIDENT, "取消物品放行条", answer=Nothing,
        errors=_WRITE_ERRORS,
    ),
    Route(
        "PUT", f"{_HOUSE}/door-pass", my_door_pass, RESIDENT, "我的住户通行码", answer=DoorPass, errors=_READ_ERRORS,
    ),
)  # fmt: skip
