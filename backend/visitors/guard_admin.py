"""Routes of the guard at a gate (岗亭): let in by a pass, register who has none, check out, who is in, goods (R8)."""

from datetime import datetime
from uuid import UUID

from backend.kernel.crypto import Keyring
from backend.kernel.db import Record, Tx
from backend.kernel.errors import Conflict, Invalid, NotFound, TooMany
from backend.kernel.http import Call, Nothing, Route, decode_cursor, encode_cursor
from backend.visitors import entries, gates, goods, guests, passes, scanning, short_codes, walk_ins
from backend.visitors.judging import TEXTS, Fault
from backend.visitors.schemas import (
    AdmissionBody,
    AdmittedAnswer,
    DecisionAnswer,
    DecisionBody,
    EntriesAnswer,
    EntriesQuery,
    EntryView,
    GateBody,
    GatesAnswer,
    GateView,
    PermitsAnswer,
    PermitView,
    RegisteredAnswer,
    WalkInBody,
    WalkInsAnswer,
    WalkInView,
)
from backend.visitors.states import EntryWay, Refusal
from backend.visitors.walk_ins import NewWalkIn

READ, GUARD = "visitor.read", "visitor.guard"


async def list_gates(call: Call[None, None]) -> GatesAnswer:
    """GET /admin/v1/communities/{community_id}/visitor-gates."""
    call.principal.require_community(GUARD, call.ids["community_id"])
    rows = await gates.of_community(call.res.db, call.ids["community_id"])
    return GatesAnswer(items=[GateView(id=row["id"], name=row["name"]) for row in rows])


async def admit(call: Call[AdmissionBody, None]) -> AdmittedAnswer:
    """POST /admin/v1/visitor-gates/{gate_id}/admissions."""
    body, gate_id, actor = call.body, call.ids["gate_id"], call.principal.actor
    communities = call.principal.communities(GUARD)
    gate = await gates.one(call.res.db, gate_id, communities=communities)
    if body.code is not None:
        await call.res.limiter.check(short_codes.GUESS_RATE, str(gate_id))

    async def work(tx: Tx) -> AdmittedAnswer:
        pass_id, way = await _shown(tx, body, gate, keyring=call.res.keyring)
        found = (
            await passes.redeem(tx, pass_id=pass_id, gate_id=gate_id, way=way, staff_id=actor.id)
            if isinstance(pass_id, UUID)
            else pass_id
        )
        if isinstance(found, Fault | Refusal):
            if found is Refusal.UNKNOWN and way is EntryWay.GUARD:
                raise NotFound
            raise Conflict(TEXTS[found], code=f"pass_{found}")
        gates.open_for(tx, actor, community_id=gate["community_id"], gate_id=gate_id, entry_id=found.entry_id)
        return AdmittedAnswer(
            entry_id=found.entry_id, pass_id=found.pass_id, companions=found.companions,
            entries_left=found.entries_left, due_out_at=found.due_out_at,
        )  # fmt: skip

    return await call.once(work, AdmittedAnswer)


async def _shown(
    tx: Tx, body: AdmissionBody, gate: Record, *, keyring: Keyring
) -> tuple[UUID | Fault | Refusal, EntryWay]:
    """The pass that the visitor shows, and how."""
    if body.token is not None:
        place = scanning.Gate(gate["id"], gate["community_id"])
        return await scanning.pass_of(tx, place, body.token), EntryWay.TOKEN
    if body.code is not None:
        named = await short_codes.named(tx, keyring=keyring, gate_id=gate["id"], code=body.code, today=tx.today)
        return named or Refusal.UNKNOWN, EntryWay.CODE
    return body.pass_id or Refusal.UNKNOWN, EntryWay.GUARD


async def register(call: Call[WalkInBody, None]) -> RegisteredAnswer:
    """POST /admin/v1/visitor-gates/{gate_id}/walk-ins."""
    body = call.body
    guest = guests.typed(body.name, phone=body.phone, plate=body.plate, id_number=body.id_number)

    async def work(tx: Tx) -> RegisteredAnswer:
        made = await walk_ins.register(
            tx, call.principal.actor, keyring=call.res.keyring, gate_id=call.ids["gate_id"],
            communities=call.principal.communities(GUARD),
            new=NewWalkIn(body.house_id, guest, body.companions, body.purpose),
        )  # fmt: skip
        return RegisteredAnswer(id=made.id, answer_by=made.answer_by)

    return await call.once(work, RegisteredAnswer)


async def list_waiting(call: Call[None, None]) -> WalkInsAnswer:
    """GET /admin/v1/communities/{community_id}/walk-ins."""
    community_id = call.ids["community_id"]
    call.principal.require_community(GUARD, community_id)
    rows = await walk_ins.waiting(call.res.db, community_id, at=call.res.clock.now())
    return WalkInsAnswer(items=[WalkInView.of(call.res.keyring, row) for row in rows])


async def decide(call: Call[DecisionBody, None]) -> DecisionAnswer:
    """POST /admin/v1/walk-ins/{walk_in_id}/decision."""

    async def work(tx: Tx) -> DecisionAnswer:
        made = await walk_ins.decide(
            tx, call.principal.actor, walk_in_id=call.ids["walk_in_id"],
            communities=call.principal.communities(GUARD), admit=call.body.admit, reason=call.body.reason,
        )  # fmt: skip
        return DecisionAnswer(state=made.state, entry_id=made.entry_id)

    return await call.transact(work)


async def list_entries(call: Call[None, EntriesQuery]) -> EntriesAnswer:
    """GET /admin/v1/communities/{community_id}/visitor-entries."""
    community_id, query = call.ids["community_id"], call.query
    call.principal.require_community(READ, community_id)
    where: tuple[datetime, UUID] | None = None
    if query.cursor is not None:
        at, entry_id = decode_cursor(query.cursor, (datetime, UUID))
        where = (at, entry_id)
    if query.inside:
        rows = await entries.inside(call.res.db, community_id, after=where, limit=query.limit)
    else:
        rows = await entries.records(call.res.db, community_id, before=where, limit=query.limit)
    last = rows[-1] if len(rows) == query.limit else None
    return EntriesAnswer(
        items=[EntryView.of(call.res.keyring, row) for row in rows],
        next_cursor=encode_cursor(last["entered_at"], last["id"]) if last else None,
    )


async def check_out(call: Call[None, None]) -> Nothing:
    """POST /admin/v1/visitor-entries/{entry_id}/check-out."""

    async def work(tx: Tx) -> Nothing:
        await entries.check_out(
            tx, entry_id=call.ids["entry_id"], communities=call.principal.communities(GUARD)
        )  # fmt: skip
        return Nothing()

    return await call.transact(work)


async def list_goods(call: Call[None, None]) -> PermitsAnswer:
    """GET /admin/v1/communities/{community_id}/goods-permits."""
    community_id = call.ids["community_id"]
    call.principal.require_community(GUARD, community_id)
    rows = await goods.live(call.res.db, community_id, at=call.res.clock.now())
    return PermitsAnswer(items=[PermitView.of(call.res.keyring, row) for row in rows])


async def check_off(call: Call[GateBody, None]) -> Nothing:
    """POST /admin/v1/goods-permits/{permit_id}/check-off."""

    async def work(tx: Tx) -> Nothing:
        await goods.check_off(
            tx, call.principal.actor, permit_id=call.ids["permit_id"], gate_id=call.body.gate_id,
            communities=call.principal.communities(GUARD),
        )  # fmt: skip
        return Nothing()

    return await call.transact(work)


_PLACE, _GATE = "/admin/v1/communities/{community_id}", "/admin/v1/visitor-gates/{gate_id}"

ROUTES = (
    Route("GET", f"{_PLACE}/visitor-gates", list_gates, GUARD, "小区的门岗", answer=GatesAnswer, errors=(NotFound,)),
    Route(
        "POST", f"{_GATE}/admissions", admit, GUARD, "凭六位访客码或所选通行证放行，计一次入场", body=AdmissionBody,
        answer=AdmittedAnswer, status=201, creates=True, errors=(NotFound, Conflict, Invalid, TooMany),
    ),
    Route(
        "POST", f"{_GATE}/walk-ins", register, GUARD, "登记临时来访，请住户确认", body=WalkInBody,
        answer=RegisteredAnswer, status=201, creates=True, errors=(NotFound, Conflict, Invalid),
    ),
    Route(
        "GET", f"{_PLACE}/walk-ins", list_waiting, GUARD, "在门口等候的临时来访", answer=WalkInsAnswer,
        errors=(NotFound,),
    ),
    Route(
        "POST", "/admin/v1/walk-ins/{walk_in_id}/decision", decide, GUARD,
        "放行或劝返临时来访；无人答复时放行须写明原因",
        body=DecisionBody, answer=DecisionAnswer, errors=(NotFound, Conflict, Invalid),
    ),
    Route(
        "GET", f"{_PLACE}/visitor-entries", list_entries, READ, "访客出入记录，或当前在小区内的访客",
        query=EntriesQuery, answer=EntriesAnswer, errors=(NotFound,),
    ),
    Route(
        "POST", "/admin/v1/visitor-entries/{entry_id}/check-out", check_out, GUARD, "登记访客离开", answer=Nothing,
        errors=(NotFound, Conflict),
    ),
    Route(
        "GET", f"{_PLACE}/goods-permits", list_goods, GUARD, "已批准、还没有核销的物品放行条", answer=PermitsAnswer,
        errors=(NotFound,),
    ),
    Route(
        "POST", "/admin/v1/goods-permits/{permit_id}/check-off", check_off, GUARD, "核销物品放行条，只能一次",
        body=GateBody, answer=Nothing, errors=(NotFound, Conflict, Invalid),
    ),
)  # fmt: skip
