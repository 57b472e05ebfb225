"""Resident routes of visitors' passes: invite, submit a draft, take back, six digits (R8).

Whoever lives in a house invites to it; a tenant sees only the tenant's own passes (I-23). A person sees whole what
somebody of the house has typed.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from backend.kernel.auth import RESIDENT, HouseScope
from backend.kernel.crypto import Keyring
from backend.kernel.days import Day, Instant
from backend.kernel.db import Record, Tx
from backend.kernel.errors import Conflict, Forbidden, Invalid, NotFound, TooMany, Unauthenticated
from backend.kernel.http import Call, Nothing, Page, Route, Strict, decode_cursor, encode_cursor, example
from backend.kernel.ratelimit import Rule
from backend.property import rights
from backend.property.rights import Right
from backend.visitors import gates, guests, inviting, passes, reads, rules, short_codes, windows
from backend.visitors.inviting import NewPass
from backend.visitors.schemas import GateView, Name, Phone, WeeklySlot
from backend.visitors.states import PassKind, PassState

INVITE_RATE = Rule("visitors.invite", 20, 60)
_ID = "01991b2a-7c00-7000-8000-000000000001"
_WINDOW = {"valid_from": "2026-09-01T18:00:00+08:00", "valid_until": "2026-09-01T22:00:00+08:00"}
_PASS = {
    "id": _ID, "house_id": _ID, "house": "1栋1单元101", "kind": "guest", "state": "ACTIVE", "name": "李四",
    "phone": "13900000002", "plate": None, "companions": 1, "purpose": "", **_WINDOW, "weekly": None, "gate_ids": None,
    "entries_allowed": 1, "entries_used": 0, "note": None, "created_at": "2026-09-01T02:00:00Z",
}  # fmt: skip


class VehiclePart(Strict):
    """The visitor's car, and the lot in which it may park, by the lot's own limits."""

    model_config = example(lot_id=_ID, plate="粤B12345")
    lot_id: UUID
    plate: str = Field(min_length=1, max_length=32)


class InviteBody(Strict):
    """A pass. `weekly`: null: always within the window; `gate_ids`: null: every gate; `entries`: null: no limit."""

    model_config = example(
        kind="guest", name="李四", phone="13900000002", **_WINDOW, weekly=None, gate_ids=None, entries=1, companions=1,
        purpose="", vehicle=None, draft=False,
    )  # fmt: skip
    kind: PassKind = PassKind.GUEST
    name: Name
    phone: Phone | None = None
    valid_from: Instant
    valid_until: Instant
    weekly: list[WeeklySlot] | None = Field(None, min_length=1, max_length=windows.MAX_SLOTS)
    gate_ids: list[UUID] | None = Field(None, min_length=1, max_length=100)
    entries: int | None = Field(1, ge=1, le=1000)
    companions: int = Field(0, ge=0, le=50)
    purpose: str = Field("", max_length=100)
    vehicle: VehiclePart | None = None
    draft: bool = False

    @property
    def new(self) -> NewPass:
        vehicle = self.vehicle
        return NewPass(
            kind=self.kind,
            guest=guests.typed(self.name, phone=self.phone, plate=None if vehicle is None else vehicle.plate),
            valid_from=self.valid_from.replace(microsecond=0),
            valid_until=self.valid_until.replace(microsecond=0),
            weekly=None if self.weekly is None else tuple(each.slot for each in self.weekly),
            gate_ids=None if self.gate_ids is None else tuple(sorted(set(self.gate_ids))),
            entries_allowed=self.entries,
            companions=self.companions,
            purpose=self.purpose,
            lot_id=None if vehicle is None else vehicle.lot_id,
        )


class InvitedAnswer(Strict):
    """PENDING: the property decides first."""

    model_config = example(id=_ID, state="ACTIVE")
    id: UUID
    state: PassState


class MyPass(Strict):
    """A pass of a house. `note`: why the property has refused it."""

    model_config = example(**_PASS)
    id: UUID
    house_id: UUID
    house: str
    kind: PassKind
    state: PassState
    name: str | None
    phone: str | None
    plate: str | None
    companions: int
    purpose: str
    valid_from: datetime
    valid_until: datetime
    weekly: list[WeeklySlot] | None
    gate_ids: list[UUID] | None
    entries_allowed: int | None
    entries_used: int
    note: str | None
    created_at: datetime

    @classmethod
    def of(cls, keyring: Keyring, row: Record) -> "MyPass":
        guest = guests.shown(keyring, row, table=passes.TABLE, whole=True)
        weekly = windows.of_row(row["weekly"])
        known = {name: row[name] for name in cls.model_fields if name not in _MADE}
        return cls(
            **known, kind=PassKind(row["kind"]), state=PassState(row["state"]), name=guest.name, phone=guest.phone,
            plate=guest.plate, weekly=None if weekly is None else [WeeklySlot.of(slot) for slot in weekly],
        )  # fmt: skip


_MADE = ("kind", "state", "name", "phone", "plate", "weekly")


class MyPasses(Strict):
    model_config = example(items=[_PASS], next_cursor=None)
    items: list[MyPass]
    next_cursor: str | None


class Options(Strict):
    """What the form for a pass offers: the gates, and what the community's rule allows."""

    model_config = example(gates=[{"id": _ID, "name": "南门"}], passes_per_day=10, longest_days=180, approval_hours=168)
    gates: list[GateView]
    passes_per_day: int
    longest_days: int
    approval_hours: int | None


class CodeBody(Strict):
    """At which gate, and on which day in Shanghai."""

    model_config = example(gate_id=_ID, valid_on="2026-09-01")
    gate_id: UUID
    valid_on: Day


class CodeAnswer(Strict):
    model_config = example(code="482915")
    code: str


async def show_options(call: Call[None, None]) -> Options:
    """GET /api/v1/houses/{house_id}/visitor-options."""
    tie = call.principal.tie(call.ids["house_id"])
    rule = await rules.of(call.res.db, tie.community_id)
    found = await gates.of_community(call.res.db, tie.community_id)
    return Options(
        gates=[GateView(id=row["id"], name=row["name"]) for row in found], passes_per_day=rule.passes_per_day,
        longest_days=rule.longest_days, approval_hours=rule.approval_hours,
    )  # fmt: skip


async def list_passes(call: Call[None, Page]) -> MyPasses:
    """GET /api/v1/houses/{house_id}/visitor-passes."""
    tie, query = call.principal.tie(call.ids["house_id"]), call.query
    before = None if query.cursor is None else decode_cursor(query.cursor, (UUID,))[0]
    rows = await reads.of_house(
        call.res.db, call.principal.scope, house_id=tie.house_id, before=before, limit=query.limit
    )  # fmt: skip
    return MyPasses(
        items=[MyPass.of(call.res.keyring, row) for row in rows],
        next_cursor=encode_cursor(rows[-1]["id"]) if len(rows) == query.limit else None,
    )


async def invite(call: Call[InviteBody, None]) -> InvitedAnswer:
    """POST /api/v1/houses/{house_id}/visitor-passes."""
    tie, body = call.principal.tie(call.ids["house_id"]), call.body
    rights.require(tie, Right.VISITORS)
    new = body.new

    async def work(tx: Tx) -> InvitedAnswer:
        made = await inviting.create(
            tx, call.principal.actor, keyring=call.res.keyring, tie=tie, person_id=call.principal.person_id, new=new,
            draft=body.draft,
        )  # fmt: skip
        return InvitedAnswer(id=made.id, state=made.state)

    return await call.once(work, InvitedAnswer)


async def show_pass(call: Call[None, None]) -> MyPass:
    """GET /api/v1/visitor-passes/{pass_id}."""
    return MyPass.of(call.res.keyring, await reads.one(call.res.db, call.ids["pass_id"], _scope(call)))


async def submit(call: Call[None, None]) -> InvitedAnswer:
    """POST /api/v1/visitor-passes/{pass_id}/submit."""

    async def work(tx: Tx) -> InvitedAnswer:
        made = await inviting.submit(
            tx, call.principal.actor, keyring=call.res.keyring, pass_id=call.ids["pass_id"], scope=_scope(call)
        )
        return InvitedAnswer(id=made.id, state=made.state)

    return await call.transact(work)


async def cancel(call: Call[None, None]) -> Nothing:
    """POST /api/v1/visitor-passes/{pass_id}/cancel."""

    async def work(tx: Tx) -> Nothing:
        await inviting.cancel(tx, call.principal.actor, pass_id=call.ids["pass_id"], scope=_scope(call))
        return Nothing()

    return await call.transact(work)


async def give_code(call: Call[CodeBody, None]) -> CodeAnswer:
    """POST /api/v1/visitor-passes/{pass_id}/codes."""
    body = call.body

    async def work(tx: Tx) -> CodeAnswer:
        code = await short_codes.give(
            tx, keyring=call.res.keyring, pass_id=call.ids["pass_id"], gate_id=body.gate_id, on=body.valid_on,
            scope=_scope(call),
        )  # fmt: skip
        return CodeAnswer(code=code)

    return await call.transact(work)


def _scope(call: Call[Any, Any]) -> HouseScope:
    return call.principal.scope


_HOUSE, _ONE = "/api/v1/houses/{house_id}", "/api/v1/visitor-passes/{pass_id}"
_READ_ERRORS = (Unauthenticated, Forbidden, NotFound)
_WRITE_ERRORS = (*_READ_ERRORS, Conflict, Invalid, TooMany)

ROUTES = (
    Route(
        "GET", f"{_HOUSE}/visitor-options", show_options, RESIDENT, "邀请访客时可选的门岗和小区规则", answer=Options,
        errors=_READ_ERRORS,
    ),
    Route(
        "GET", f"{_HOUSE}/visitor-passes", list_passes, RESIDENT, "我家的访客通行证", query=Page, answer=MyPasses,
        errors=_READ_ERRORS,
    ),
    Route(
        "POST", f"{_HOUSE}/visitor-passes", invite, RESIDENT, "邀请访客：时间段、每周时段、门岗、次数、车辆",
        body=InviteBody, answer=InvitedAnswer, status=201, creates=True, errors=_WRITE_ERRORS, rate=INVITE_RATE,
    ),
    Route("GET", _ONE, show_pass, RESIDENT, "一张访客通行证", answer=MyPass, errors=_READ_ERRORS),
    Route(
        "POST", f"{_ONE}/submit", submit, RESIDENT, "提交草稿", answer=InvitedAnswer, errors=_WRITE_ERRORS,
        rate=INVITE_RATE,
    ),
    Route("POST", f"{_ONE}/cancel", cancel, RESIDENT, "取消访客通行证", answer=Nothing, errors=_WRITE_ERRORS),
    Route(
        "POST", f"{_ONE}/codes", give_code, RESIDENT, "六位访客码：某天、某个门，给没有手机的访客", body=CodeBody,
        answer=CodeAnswer, errors=_WRITE_ERRORS, rate=INVITE_RATE,
    ),
)  # fmt: skip
