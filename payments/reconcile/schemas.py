"""What staff send and read of reconciliation, field by field."""

from datetime import date, datetime
from uuid import UUID

from pydantic import Field

from backend.kernel.days import Day
from backend.kernel.db import Record
from backend.kernel.http import Page, Strict, example
from payments.channels.base import StatementKind
from payments.reconcile.bank import Imported, Preview
from payments.reconcile.closing_day import Closing, Side
from payments.states import DifferenceClass, DifferenceState

ID = "01991b2a-7c00-7000-8000-000000000001"
_AT = "2026-09-02T02:00:00Z"
_RUN = {
    "id": ID,
    "merchant_id": ID,
    "channel": "wechat",
    "day": "2026-09-01",
    "kind": "trades",
    "state": "DONE",
    "started_at": _AT,
    "finished_at": _AT,
    "lines": 1203,
    "matched": 1202,
    "amount_fen": 24_060_000,
    "refund_fen": 0,
    "fee_fen": 144_360,
    "found": 1,
    "open": 1,
    "error": None,
}
_COLUMNS = {
    "booked_on": "交易日期",
    "amount": None,
    "income": "收入金额",
    "expense": "支出金额",
    "counterparty": "对方户名",
    "summary": "摘要",
    "serial": "流水号",
}


class RunQuery(Page):
    """Which runs, newest day first."""

    day: date | None = None
    state: str | None = Field(None, pattern="^(RUNNING|DONE|FAILED)$")


class RunView(Strict):
    """A run: what the file came to, what fitted, what was found and is still open."""

    model_config = example(**_RUN)
    id: UUID
    merchant_id: UUID
    channel: str
    day: date
    kind: StatementKind
    state: str
    started_at: datetime
    finished_at: datetime | None
    lines: int | None
    matched: int | None
    amount_fen: int | None
    refund_fen: int | None
    fee_fen: int | None
    found: int
    open: int
    error: str | None

    @classmethod
    def of(cls, row: Record) -> "RunView":
        return cls.model_validate({name: row[name] for name in cls.model_fields}, strict=False)


class RunList(Strict):
    model_config = example(items=[_RUN], next_cursor=None)
    items: list[RunView]
    next_cursor: str | None


class RunAsked(Strict):
    """A statement to be compared now, whether or not it was before."""

    model_config = example(merchant_id=ID, day="2026-09-01", kind="trades", reason="渠道更正了账单")
    merchant_id: UUID
    day: Day
    kind: StatementKind
    reason: str = Field(min_length=2, max_length=500)


class RunPlanned(Strict):
    """The run is under way; see the list of runs."""

    model_config = example(merchant_id=ID, day="2026-09-01", kind="trades")
    merchant_id: UUID
    day: date
    kind: StatementKind


class FoundView(Strict):
    """A difference as a run found it; `statement_fen` is what the statement says of it in all its lines."""

    model_config = example(
        difference_id=ID, kind="missing_here", state="OPEN", transaction_no="4200000925202609010000000001",
        out_trade_no="LL0001", refund_no="", expected_fen=None, actual_fen=26805, statement_fen=26805, note=None,
    )  # fmt: skip
    difference_id: UUID
    kind: DifferenceClass
    state: DifferenceState
    transaction_no: str
    out_trade_no: str
    refund_no: str
    expected_fen: int | None
    actual_fen: int
    statement_fen: int
    note: str | None


class FoundList(Strict):
    model_config = example(items=[], next_cursor=None)
    items: list[FoundView]
    next_cursor: str | None


class Why(Strict):
    model_config = example(reason="与渠道核对后无法追回")
    reason: str = Field(min_length=2, max_length=500)


class WriteOffProposed(Strict):
    model_config = example(approval_id=ID)
    approval_id: UUID


class LayoutCreate(Strict):
    """How a bank writes its files: the headers of its columns. Either `amount` with a sign, or income and expense."""

    model_config = example(name="工商银行", **_COLUMNS)
    name: str = Field(min_length=1, max_length=60)
    booked_on: str = Field(min_length=1, max_length=60)
    amount: str | None = Field(None, min_length=1, max_length=60)
    income: str | None = Field(None, min_length=1, max_length=60)
    expense: str | None = Field(None, min_length=1, max_length=60)
    counterparty: str | None = Field(None, min_length=1, max_length=60)
    summary: str | None = Field(None, min_length=1, max_length=60)
    serial: str | None = Field(None, min_length=1, max_length=60)


class LayoutView(LayoutCreate):
    model_config = example(id=ID, name="工商银行", **_COLUMNS)
    id: UUID


class LayoutList(Strict):
    model_config = example(items=[])
    items: list[LayoutView]


class BankQuery(Strict):
    """By which mapping a file is read."""

    layout_id: UUID
    file_name: str = Field("流水", min_length=1, max_length=200)


class ProblemView(Strict):
    model_config = example(row=7, column="收入金额", message="金额看不懂或超过两位小数：1O0。")
    row: int
    column: str
    message: str


class BankRowView(Strict):
    model_config = example(row=2, booked_on="2026-09-02", amount_fen=2_391_564, counterparty="财付通", summary="结算")
    row: int
    booked_on: date
    amount_fen: int
    counterparty: str
    summary: str


class PreviewView(Strict):
    """What importing would do; with any problem, nothing is imported."""

    model_config = example(lines=120, known=0, income_fen=2_391_564, expense_fen=0, first=[], problems=[])
    lines: int
    known: int
    income_fen: int
    expense_fen: int
    first: list[BankRowView]
    problems: list[ProblemView]

    @classmethod
    def of(cls, preview: Preview, *, shown: int) -> "PreviewView":
        rows = preview.parsed.rows
        return cls(
            lines=len(rows),
            known=preview.known,
            income_fen=sum(row.amount_fen for row in rows if row.amount_fen > 0),
            expense_fen=-sum(row.amount_fen for row in rows if row.amount_fen < 0),
            first=[
                BankRowView(
                    row=row.row,
                    booked_on=row.booked_on,
                    amount_fen=row.amount_fen,
                    counterparty=row.counterparty,
                    summary=row.summary,
                )
                for row in rows[:shown]
            ],
            problems=[
                ProblemView(row=each.row, column=each.column, message=each.message) for each in preview.parsed.problems
            ],
        )


class ImportedView(Strict):
    """What an import did: lines of the file, those that were new, and what of all open lines was found to be."""

    model_config = example(file_id=ID, lines=120, new=120, matched=3)
    file_id: UUID
    lines: int
    new: int
    matched: int

    @classmethod
    def of(cls, done: Imported) -> "ImportedView":
        return cls(file_id=done.file_id, lines=done.lines, new=done.new, matched=done.matched)


class BankLineQuery(Page):
    """Which lines of the bank; by default those that wait for somebody."""

    matched: bool = False


class BankLineView(Strict):
    model_config = example(
        id=12, booked_on="2026-09-02", amount_fen=2_391_564, counterparty="财付通", reference="20260902001",
        summary="结算", matched_kind=None, matched_id=None,
    )  # fmt: skip
    id: int
    booked_on: date
    amount_fen: int
    counterparty: str
    reference: str
    summary: str
    matched_kind: str | None
    matched_id: UUID | None


class BankLineList(Strict):
    model_config = example(items=[], next_cursor=None)
    items: list[BankLineView]
    next_cursor: str | None


class ClosingQuery(Strict):
    """Which day."""

    day: Day


class SideView(Strict):
    """One merchant of one community. Agrees where bills, payments and ledger are equal."""

    model_config = example(
        community_id=ID, merchant_id=ID, channel="wechat", name="邻里物业微信支付", received_fen=26805,
        billed_fen=26805, posted_fen=26805, suspense_fen=0, refunded_fen=0, fee_fen=161, settled_fen=26644,
        arrived_fen=26644, agrees=True,
    )  # fmt: skip
    community_id: UUID
    merchant_id: UUID
    channel: str
    name: str
    received_fen: int = Field(description="settled payments of the day")
    billed_fen: int = Field(description="what their orders' lines pay")
    posted_fen: int = Field(description="what the ledger has of those lines")
    suspense_fen: int
    refunded_fen: int
    fee_fen: int
    settled_fen: int = Field(description="paid out by the channel on the day")
    arrived_fen: int = Field(description="of that, what the bank's file has shown")
    agrees: bool

    @classmethod
    def of(cls, side: Side) -> "SideView":
        return cls(**{name: getattr(side, name) for name in cls.model_fields})


class DepositedView(Strict):
    model_config = example(community_id=ID, amount_fen=120_000, arrived_fen=120_000)
    community_id: UUID
    amount_fen: int
    arrived_fen: int


class ClosingView(Strict):
    """A day: by community and merchant, cash brought to the bank, statements, and runs whose books have moved since."""

    model_config = example(day="2026-09-01", agrees=True, sides=[], deposits=[], runs=[_RUN], moved=[])
    day: date
    agrees: bool
    sides: list[SideView]
    deposits: list[DepositedView]
    runs: list[RunView]
    moved: list[UUID]

    @classmethod
    def of(cls, closing: Closing) -> "ClosingView":
        return cls(
            day=closing.day,
            agrees=closing.agrees,
            sides=[SideView.of(side) for side in closing.sides],
            deposits=[
                DepositedView(community_id=each.community_id, amount_fen=each.amount_fen, arrived_fen=each.arrived_fen)
                for each in closing.deposits
            ],
            runs=[RunView.of(run) for run in closing.runs],
            moved=sorted(closing.moved),
        )
