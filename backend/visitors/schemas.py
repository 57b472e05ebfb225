"""What the staff routes of visitors take and answer."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from backend.kernel.crypto import Keyring
from backend.kernel.days import Day, Instant
from backend.kernel.db import Record
from backend.kernel.http import Page, Strict, example
from backend.parking.schemas import Reason
from backend.visitors import bans, goods, guests, passes, walk_ins, windows
from backend.visitors.rules import Rule
from backend.visitors.states import BanKind, EntryWay, GoodsState, LeftWay, PassKind, PassState, WalkInState
from backend.visitors.windows import DAY_MIN, EVERY_DAY, Slot

ID = "01991b2a-7c00-7000-8000-000000000001"
Name = Annotated[str, Field(min_length=1, max_length=30)]
Phone = Annotated[str, Field(min_length=7, max_length=32)]
Purpose = Annotated[str, Field(min_length=1, max_length=100)]
RULE = {
    "passes_per_day": 10, "longest_days": 180, "approval_hours": 168, "answer_minutes": 5, "stay_hours": 12,
    "overstay_minutes": 60, "assume_left_hours": 24, "goods_approval": True, "keep_days": 180,
}  # fmt: skip
PASS = {
    "id": ID, "house": "1栋1单元101", "kind": "guest", "state": "ACTIVE", "visitor": "李*", "phone": "139****0002",
    "plate": None, "companions": 1, "valid_from": "2026-09-01T10:00:00Z", "valid_until": "2026-09-01T14:00:00Z",
    "weekly": None, "gate_ids": None, "entries_allowed": 1, "entries_used": 0,
}  # fmt: skip
WALK_IN = {
    "id": ID, "house": "1栋1单元101", "gate": "南门", "state": "WAITING", "visitor": "王*", "phone": None,
    "plate": None,
    "companions": 0, "purpose": "送货", "registered_at": "2026-09-01T10:00:00Z", "answer_by": "2026-09-01T10:05:00Z",
}  # fmt: skip
ENTRY = {
    "id": ID, "house": "1栋1单元101", "gate": "南门", "way": "token", "visitor": "李*", "plate": None, "companions": 1,
    "entered_at": "2026-09-01T10:00:00Z", "due_out_at": "2026-09-01T14:00:00Z", "overstayed_at": None,
    "left_at": None, "left_way": None,
}  # fmt: skip
PERMIT = {
    "id": ID, "house": "1栋1单元101", "state": "APPROVED", "goods": "沙发一张、纸箱六个", "carrier": "赵*",
    "plate": None,
    "valid_from": "2026-09-01T01:00:00Z", "valid_until": "2026-09-01T10:00:00Z", "checked_at": None,
}  # fmt: skip
BAN = {
    "id": ID, "kind": "phone", "value": "139****0009", "reason": "多次冒充快递员推销", "until_at": None,
    "created_at": "2026-09-01T10:00:00Z",
}  # fmt: skip


class WeeklySlot(Strict):
    """Hours of weekdays: `days` are bits, bit 0 Monday; an end before the start is on the day after."""

    model_config = example(days=31, start_min=480, end_min=1080)
    days: int = Field(ge=1, le=EVERY_DAY)
    start_min: int = Field(ge=0, lt=DAY_MIN)
    end_min: int = Field(gt=0, le=DAY_MIN)

    @classmethod
    def of(cls, slot: Slot) -> "WeeklySlot":
        return cls(days=slot.days, start_min=slot.start_min, end_min=slot.end_min)

    @property
    def slot(self) -> Slot:
        return Slot(self.days, self.start_min, self.end_min)


class RuleBody(Strict):
    """What residents and guards may do with visitors."""

    model_config = example(**RULE)
    passes_per_day: int = Field(ge=0, le=200, description="passes of a house that begin on one day")
    longest_days: int = Field(ge=1, le=366)
    approval_hours: int | None = Field(ge=0, le=8784, description="a longer pass needs approval; null: none does")
    answer_minutes: int = Field(ge=1, le=60, description="how long a guard waits for the resident's answer")
    stay_hours: int = Field(ge=1, le=168, description="how long a visitor without a pass may stay")
    overstay_minutes: int | None = Field(ge=0, le=10_080, description="when an overstay is named; null: never")
    assume_left_hours: int = Field(ge=1, le=720, description="when a stay without a check-out is taken to be over")
    goods_approval: bool
    keep_days: int = Field(ge=1, le=3650, description="how long visitors' personal data is kept")

    @property
    def rule(self) -> Rule:
        return Rule(**self.model_dump())

    @classmethod
    def of(cls, rule: Rule) -> "RuleBody":
        return cls(**asdict(rule))


class ExpectedQuery(Page):
    """Whom to expect: on a day (today), and by the last four digits of the phone."""

    on: Day | None = None
    phone_tail: str | None = Field(None, pattern=r"^[0-9]{4}$")


class PassView(Strict):
    """A pass as staff see it, the visitor masked."""

    model_config = example(**PASS)
    id: UUID
    house: str
    kind: PassKind
    state: PassState
    visitor: str | None
    phone: str | None
    plate: str | None
    companions: int
    valid_from: datetime
    valid_until: datetime
    weekly: list[WeeklySlot] | None
    gate_ids: list[UUID] | None
    entries_allowed: int | None
    entries_used: int

    @classmethod
    def of(cls, keyring: Keyring, row: Record) -> "PassView":
        guest = guests.shown(keyring, row, table=passes.TABLE)
        known = ("id", "house", "companions", "valid_from", "valid_until", "gate_ids", "entries_allowed",
                 "entries_used")  # fmt: skip
        weekly = windows.of_row(row["weekly"])
        return cls(
            **{name: row[name] for name in known}, kind=PassKind(row["kind"]), state=PassState(row["state"]),
            visitor=guest.name, phone=guest.phone, plate=guest.plate,
            weekly=None if weekly is None else [WeeklySlot.of(slot) for slot in weekly],
        )  # fmt: skip


class PassesAnswer(Strict):
    model_config = example(items=[PASS], next_cursor=None)
    items: list[PassView]
    next_cursor: str | None


class BanBody(Strict):
    """Whom to ban, by phone, number of an identity card, or plate."""

    model_config = example(kind="phone", value="13900000009", reason="多次冒充快递员推销", until_at=None)
    kind: BanKind
    value: str = Field(min_length=4, max_length=32)
    reason: Reason
    until_at: Instant | None = None


class BanView(Strict):
    model_config = example(**BAN)
    id: UUID
    kind: BanKind
    value: str
    reason: str
    until_at: datetime | None
    created_at: datetime

    @classmethod
    def of(cls, keyring: Keyring, row: Record) -> "BanView":
        known = {name: row[name] for name in ("id", "reason", "until_at", "created_at")}
        return cls(**known, kind=BanKind(row["kind"]), value=bans.shown(keyring, row))


class BansAnswer(Strict):
    model_config = example(items=[BAN], next_cursor=None)
    items: list[BanView]
    next_cursor: str | None


class WalkInBody(Strict):
    """Who is at the gate. `id_number` is compared with the bans and kept only as a code that cannot be read back."""

    model_config = example(
        house_id=ID, name="王师傅", phone="13900000003", id_number=None, plate=None, companions=0, purpose="送货"
    )  # fmt: skip
    house_id: UUID
    name: Name
    phone: Phone | None = None
    id_number: str | None = Field(None, min_length=6, max_length=24)
    plate: str | None = Field(None, min_length=1, max_length=32)
    companions: int = Field(0, ge=0, le=50)
    purpose: Purpose


class RegisteredAnswer(Strict):
    model_config = example(id=ID, answer_by="2026-09-01T10:05:00Z")
    id: UUID
    answer_by: datetime


class WalkInView(Strict):
    """A visitor without a pass, masked."""

    model_config = example(**WALK_IN)
    id: UUID
    house: str
    gate: str | None
    state: WalkInState
    visitor: str | None
    phone: str | None
    plate: str | None
    companions: int
    purpose: str
    registered_at: datetime
    answer_by: datetime

    @classmethod
    def of(cls, keyring: Keyring, row: Record) -> "WalkInView":
        guest = guests.shown(keyring, row, table=walk_ins.TABLE)
        known = ("id", "house", "gate", "companions", "purpose", "registered_at", "answer_by")
        return cls(
            **{name: row[name] for name in known}, state=WalkInState(row["state"]), visitor=guest.name,
            phone=guest.phone, plate=guest.plate,
        )  # fmt: skip


class WalkInsAnswer(Strict):
    model_config = example(items=[WALK_IN])
    items: list[WalkInView]


class DecisionBody(Strict):
    """Let in or turn away; letting somebody in whom nobody has confirmed needs a reason."""

    model_config = example(admit=True, reason="电话联系住户，同意放行")
    admit: bool
    reason: Reason | None = None


class DecisionAnswer(Strict):
    model_config = example(state="ADMITTED", entry_id=ID)
    state: WalkInState
    entry_id: UUID | None


class AdmissionBody(Strict):
    """What the visitor shows: a QR, six digits, or the pass that the guard has found in the list."""

    model_config = example(code="482915")
    token: str | None = Field(None, max_length=1_000)
    code: str | None = Field(None, pattern=r"^[0-9]{6}$")
    pass_id: UUID | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if [self.token, self.code, self.pass_id].count(None) != 2:
            raise ValueError("请扫描通行码，或填写六位访客码，或选择一张通行证。")
        return self


class AdmittedAnswer(Strict):
    """Somebody was let in. `entries_left`: null: as often as wished."""

    model_config = example(
        entry_id=ID, pass_id=ID, companions=1, entries_left=0, due_out_at="2026-09-01T14:00:00Z"
    )  # fmt: skip
    entry_id: UUID
    pass_id: UUID
    companions: int
    entries_left: int | None
    due_out_at: datetime


class EntriesQuery(Page):
    """All visits, newest first; or (`inside`) who is in, who has been in for longest first."""

    inside: bool = False


class EntryView(Strict):
    """A visit, the visitor masked; whole in a house's own list, where the house has invited."""

    model_config = example(**ENTRY)
    id: UUID
    house: str
    gate: str | None
    way: EntryWay
    visitor: str | None
    plate: str | None
    companions: int
    entered_at: datetime
    due_out_at: datetime
    overstayed_at: datetime | None
    left_at: datetime | None
    left_way: LeftWay | None

    @classmethod
    def of(cls, keyring: Keyring, row: Record, *, at_home: bool = False) -> "EntryView":
        guest = guests.of_visit(keyring, row, at_home=at_home)
        known = ("id", "house", "gate", "companions", "entered_at", "due_out_at", "overstayed_at", "left_at")
        return cls(
            **{name: row[name] for name in known}, way=EntryWay(row["way"]), visitor=guest.name, plate=guest.plate,
            left_way=row["left_way"] and LeftWay(row["left_way"]),
        )  # fmt: skip


class EntriesAnswer(Strict):
    model_config = example(items=[ENTRY], next_cursor=None)
    items: list[EntryView]
    next_cursor: str | None


class PermitView(Strict):
    """A permit for goods to leave; who carries them is masked."""

    model_config = example(**PERMIT)
    id: UUID
    house: str
    state: GoodsState
    goods: str
    carrier: str | None
    plate: str | None
    valid_from: datetime
    valid_until: datetime
    checked_at: datetime | None

    @classmethod
    def of(cls, keyring: Keyring, row: Record) -> "PermitView":
        carrier = guests.shown(keyring, row, table=goods.TABLE)
        known = ("id", "house", "goods", "valid_from", "valid_until", "checked_at")
        return cls(
            **{name: row[name] for name in known}, state=GoodsState(row["state"]), carrier=carrier.name,
            plate=carrier.plate,
        )  # fmt: skip


class PermitsAnswer(Strict):
    model_config = example(items=[PERMIT])
    items: list[PermitView]


class GateBody(Strict):
    """At which gate."""

    model_config = example(gate_id=ID)
    gate_id: UUID


class GateView(Strict):
    model_config = example(id=ID, name="南门")
    id: UUID
    name: str


class GatesAnswer(Strict):
    model_config = example(items=[{"id": ID, "name": "南门"}])
    items: list[GateView]


class AddedAnswer(Strict):
    model_config = example(id=ID)
    id: UUID
