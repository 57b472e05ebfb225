"""What cashiers send and read, field by field. Money in fen."""

from datetime import date, datetime
from typing import Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from backend.fees import bills
from backend.kernel.db import Record
from backend.kernel.http import Page, Strict, example
from backend.kernel.money import MAX_FEN
from payments.channels.base import Method
from payments.counter.deposits import Deposit
from payments.counter.dues import Due
from payments.counter.shifts import Report, Shift, ShiftState
from payments.orders import MAX_LINES
from payments.payables import Kind, Wish

ID = "01991b2a-7c00-7000-8000-000000000001"
_NOW = "2026-09-01T02:00:00Z"
_SHIFT = {
    "id": ID, "community_id": ID, "cashier_id": ID, "state": "OPEN", "float_fen": 50_000, "opened_at": _NOW,
    "closed_at": None, "expected_fen": None, "counted_fen": None, "note": None,
}  # fmt: skip
_METHOD = {"method": "cash", "takings": 1, "taken_fen": 26_805, "returns": 0, "returned_fen": 0}
_DUE = {
    "kind": "bill", "id": ID, "title": "物业费 2026年9月", "house_id": ID, "house_label": "1栋1单元101",
    "due_fen": 26_805, "due_on": "2026-09-30", "overdue": False, "being_paid_online": False,
}  # fmt: skip
_LINE = {"kind": "bill", "id": ID, "amount_fen": None}
_VOUCHER = {
    "id": ID, "shift_id": ID, "voucher_no": "SJ000123", "kind": "taking", "method": "cash", "order_id": ID,
    "refund_id": None, "description": "物业费 2026年9月", "amount_fen": 26_805, "received_fen": 27_000,
    "change_fen": 195, "going_back_fen": 0, "made_at": _NOW,
}  # fmt: skip
_WAITING = {
    "refund_id": ID, "order_id": ID, "description": "物业费 2026年9月", "method": "cash", "amount_fen": 26_805,
    "reason": "收错房号", "requested_at": _NOW,
}  # fmt: skip
_DEPOSIT = {
    "id": ID, "community_id": ID, "shift_id": ID, "amount_fen": 100_000, "deposited_on": "2026-09-01",
    "slip_no": "0901-0007", "created_at": _NOW, "matched_at": None,
}  # fmt: skip

VoucherNo = Field(pattern=r"^[0-9A-Za-z-]{1,32}$", description="the number on the paper voucher, unique in the company")
CounterMethod = Literal["cash", "card", "transfer", "cheque"]


class ShiftOpen(Strict):
    """A drawer with its float."""

    model_config = example(community_id=ID, float_fen=50_000)
    community_id: UUID
    float_fen: int = Field(ge=0, le=MAX_FEN)


class ShiftClose(Strict):
    """What was counted, the float included; a difference needs a note."""

    model_config = example(counted_fen=76_805, note=None)
    counted_fen: int = Field(ge=0, le=MAX_FEN)
    note: str | None = Field(None, min_length=2, max_length=200)


class ShiftQuery(Page):
    """Which shifts."""

    state: ShiftState | None = None


class ShiftView(Strict):
    """A shift; what was expected and counted once it is closed."""

    model_config = example(**_SHIFT)
    id: UUID
    community_id: UUID
    cashier_id: UUID
    state: ShiftState
    float_fen: int
    opened_at: datetime
    closed_at: datetime | None
    expected_fen: int | None
    counted_fen: int | None
    note: str | None

    @classmethod
    def of(cls, shift: Shift) -> "ShiftView":
        return cls(**{name: getattr(shift, name) for name in ShiftView.model_fields})


class ShiftList(Strict):
    """A page of shifts, newest first."""

    model_config = example(items=[_SHIFT], next_cursor=None)
    items: list[ShiftView]
    next_cursor: str | None


class MethodView(Strict):
    """What a shift took and gave back by one method."""

    model_config = example(**_METHOD)
    method: Method
    takings: int
    taken_fen: int
    returns: int
    returned_fen: int


class ShiftReport(ShiftView):
    """A shift with its figures. `drawer_fen`: by the books, the float included; `over_fen`: counted less expected."""

    model_config = example(**_SHIFT, methods=[_METHOD], deposited_fen=0, drawer_fen=76_805, over_fen=None)
    methods: list[MethodView]
    deposited_fen: int
    drawer_fen: int
    over_fen: int | None

    @classmethod
    def told(cls, report: Report) -> "ShiftReport":
        return cls(
            **ShiftView.of(report.shift).model_dump(),
            methods=[
                MethodView(**{name: getattr(each, name) for name in MethodView.model_fields}) for each in report.methods
            ],
            deposited_fen=report.deposited_fen,
            drawer_fen=report.drawer_fen,
            over_fen=report.over_fen,
        )


class DueQuery(Strict):
    """Whose: exactly one of a house, the code on its paper, or a person."""

    house_id: UUID | None = None
    pay_code: str | None = Field(None, min_length=4, max_length=64)
    person_id: UUID | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(value is not None for value in (self.house_id, self.pay_code, self.person_id)) != 1:
            raise ValueError("请在 house_id、pay_code、person_id 中填写一个。")
        return self


class DueView(Strict):
    """A bill that waits for money. `being_paid_online`: taking it here closes the order that asks for it online."""

    model_config = example(**_DUE)
    kind: Kind
    id: UUID
    title: str
    house_id: UUID
    house_label: str
    due_fen: int
    due_on: date
    overdue: bool
    being_paid_online: bool

    @classmethod
    def of(cls, due: Due, today: date) -> "DueView":
        return cls(
            kind=Kind.BILL,
            id=due.bill["id"],
            title=bills.title(due.bill),
            house_id=due.bill["house_id"],
            house_label=due.bill["house_label"],
            due_fen=bills.due_fen(due.bill),
            due_on=due.bill["due_on"],
            overdue=bills.overdue(due.bill, today),
            being_paid_online=due.held,
        )


class DueList(Strict):
    """All that is due, the longest due first."""

    model_config = example(items=[_DUE], total_fen=26_805)
    items: list[DueView]
    total_fen: int


class LineWish(Strict):
    """One thing to be paid: a bill, wholly or in part, or a prepaid account with the sum that comes in."""

    model_config = example(**_LINE)
    kind: Kind = Kind.BILL
    id: UUID
    amount_fen: int | None = Field(None, ge=1, le=MAX_FEN, description="a part; null: all that is due")


class Lines(Strict):
    """What is to be paid."""

    lines: list[LineWish] = Field(min_length=1, max_length=MAX_LINES)

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len({line.id for line in self.lines}) < len(self.lines):
            raise ValueError("同一笔账单只能填写一次。")
        return self

    @property
    def wishes(self) -> list[Wish]:
        return [Wish(line.kind, line.id, line.amount_fen) for line in self.lines]


class TakingCreate(Lines):
    """Money taken. `amount_fen`: what the payer was asked for; `received_fen`: cash handed over, else that sum."""

    model_config = example(lines=[_LINE], method="cash", voucher_no="SJ000123", amount_fen=26_805, received_fen=27_000)
    method: CounterMethod
    voucher_no: str = VoucherNo
    amount_fen: int = Field(ge=1, le=MAX_FEN)
    received_fen: int | None = Field(None, ge=1, le=MAX_FEN)


class TakingView(Strict):
    """Money that was taken and booked."""

    model_config = example(voucher_id=ID, order_id=ID, shift_id=ID, amount_fen=26_805, change_fen=195)
    voucher_id: UUID
    order_id: UUID
    shift_id: UUID
    amount_fen: int
    change_fen: int


class CodeCreate(Lines):
    """A code for what is due, to be scanned with WeChat or Alipay."""

    model_config = example(lines=[_LINE], channel="wechat")
    channel: Literal["wechat", "alipay"]


class CodePlaced(Strict):
    """What an Idempotency-Key stands for."""

    order_id: UUID
    amount_fen: int
    expires_at: datetime


class CodeView(CodePlaced):
    """A code and its picture; how it stands is told by GET /admin/v1/orders/{order_id}."""

    model_config = example(
        order_id=ID, amount_fen=26_805, expires_at=_NOW, qr_text="weixin://wxpay/bizpayurl?pr=p4lpSuKzz", svg="<svg…>"
    )
    qr_text: str
    svg: str


class VoucherView(Strict):
    """A voucher of a shift. `going_back_fen`: refunds of a taking that were asked for and not refused."""

    model_config = example(**_VOUCHER)
    id: UUID
    shift_id: UUID
    voucher_no: str
    kind: Literal["taking", "refund"]
    method: Method
    order_id: UUID
    refund_id: UUID | None
    description: str
    amount_fen: int
    received_fen: int
    change_fen: int
    going_back_fen: int
    made_at: datetime

    @classmethod
    def of(cls, row: Record) -> "VoucherView":
        own = {name: row[name] for name in cls.model_fields if name not in ("kind", "going_back_fen", "method")}
        taking = row["refund_id"] is None
        return cls(
            **own,
            kind="taking" if taking else "refund",
            method=Method(row["method"]),
            going_back_fen=row["refunding_fen"] if taking else 0,
        )


class VoucherList(Strict):
    """A page of a shift's vouchers, newest first."""

    model_config = example(items=[_VOUCHER], next_cursor=None)
    items: list[VoucherView]
    next_cursor: str | None


class VoidRequest(Strict):
    """Why a taking is to be taken back."""

    model_config = example(reason="收错房号")
    reason: str = Field(min_length=2, max_length=80)


class WaitingView(Strict):
    """An approved refund that waits to be handed over."""

    model_config = example(**_WAITING)
    refund_id: UUID
    order_id: UUID
    description: str
    method: Method
    amount_fen: int
    reason: str
    requested_at: datetime

    @classmethod
    def of(cls, row: Record) -> "WaitingView":
        own = {name: row[name] for name in cls.model_fields if name not in ("refund_id", "method")}
        return cls(**own, refund_id=row["id"], method=Method(row["method"]))


class WaitingList(Strict):
    """Approved refunds that wait to be handed over, the oldest first."""

    model_config = example(items=[_WAITING])
    items: list[WaitingView]


class PayOut(Strict):
    """The paper voucher on which the payer signs."""

    model_config = example(voucher_no="TK000017")
    voucher_no: str = VoucherNo


class PaidOutView(Strict):
    """Money that was handed over."""

    model_config = example(voucher_id=ID, order_id=ID, shift_id=ID, method="cash", amount_fen=26_805)
    voucher_id: UUID
    order_id: UUID
    shift_id: UUID
    method: Method
    amount_fen: int


class DepositCreate(Strict):
    """Cash of a shift brought to the bank."""

    model_config = example(shift_id=ID, amount_fen=100_000, deposited_on="2026-09-01", slip_no="0901-0007")
    shift_id: UUID
    amount_fen: int = Field(ge=1, le=MAX_FEN)
    deposited_on: date
    slip_no: str = Field(pattern=r"^[0-9A-Za-z-]{1,40}$", description="the number on the bank's slip")


class DepositView(Strict):
    """A deposit; `matched_at` once the bank's file shows it."""

    model_config = example(**_DEPOSIT)
    id: UUID
    community_id: UUID
    shift_id: UUID
    amount_fen: int
    deposited_on: date
    slip_no: str
    created_at: datetime
    matched_at: datetime | None

    @classmethod
    def of(cls, deposit: Deposit) -> "DepositView":
        return cls(**{name: getattr(deposit, name) for name in cls.model_fields})


class DepositList(Strict):
    """A page of deposits, newest first."""

    model_config = example(items=[_DEPOSIT], next_cursor=None)
    items: list[DepositView]
    next_cursor: str | None
