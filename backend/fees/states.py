"""States of fee items, runs and bills, and the moves allowed between them; the database holds the same lists (I-13)."""

from collections.abc import Mapping
from enum import StrEnum


class ItemState(StrEnum):
    """A fee item (收费项目) is billed until it is closed."""

    ACTIVE = "ACTIVE"
    CLOSED = "CLOSED"


class RunState(StrEnum):
    """A billing run (出账批次): its bills are drafts until it is PUBLISHED."""

    DRAFT = "DRAFT"
    GENERATING = "GENERATING"
    READY = "READY"
    PUBLISHED = "PUBLISHED"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"


class BillState(StrEnum):
    """A bill (账单)."""

    ISSUED = "ISSUED"
    PARTLY_PAID = "PARTLY_PAID"
    PAID = "PAID"
    VOIDED = "VOIDED"


RUN_MOVES: Mapping[RunState, frozenset[RunState]] = {
    RunState.DRAFT: frozenset({RunState.GENERATING, RunState.CANCELLED}),
    RunState.GENERATING: frozenset({RunState.READY, RunState.FAILED, RunState.CANCELLED}),
    RunState.READY: frozenset({RunState.PUBLISHED, RunState.CANCELLED}),
    RunState.PUBLISHED: frozenset(),
    RunState.CANCELLED: frozenset(),
    RunState.FAILED: frozenset(),
}

BILL_MOVES: Mapping[BillState, frozenset[BillState]] = {
    BillState.ISSUED: frozenset({BillState.PARTLY_PAID, BillState.PAID, BillState.VOIDED}),
    BillState.PARTLY_PAID: frozenset({BillState.ISSUED, BillState.PAID, BillState.VOIDED}),
    BillState.PAID: frozenset({BillState.PARTLY_PAID, BillState.ISSUED}),
    BillState.VOIDED: frozenset(),
}

# Bills that may still be paid; drafts are told apart by their run.
OPEN_BILLS = (BillState.ISSUED, BillState.PARTLY_PAID)

# Runs that have no bills, or soon none: the period may be run again.
DEAD_RUNS = (RunState.CANCELLED, RunState.FAILED)


class Omission(StrEnum):
    """Why a house has no bill in a run (D3), in the order in which reasons are looked at."""

    KIND_NOT_COVERED = "kind_not_covered"
    EXCLUDED = "excluded"
    NO_HANDOVER_DATE = "no_handover_date"
    NOT_HANDED_OVER = "not_handed_over"
    OUTSIDE_VALIDITY = "outside_validity"
    NO_AREA = "no_area"
    NO_PRICE = "no_price"
    EXEMPT = "exempt"
    ZERO_AMOUNT = "zero_amount"
    AMOUNT_TOO_LARGE = "amount_too_large"
    ALREADY_BILLED = "already_billed"


OMISSION_TEXT: Mapping[Omission, str] = {
    Omission.KIND_NOT_COVERED: "该收费项目不适用于这类房屋",
    Omission.EXCLUDED: "已由工作人员设为不收费",
    Omission.NO_HANDOVER_DATE: "房屋没有填写交付日期",
    Omission.NOT_HANDED_OVER: "房屋在本期结束之后才交付",
    Omission.OUTSIDE_VALIDITY: "本期不在收费项目的有效期内",
    Omission.NO_AREA: "房屋没有填写计费面积",
    Omission.NO_PRICE: "收费项目在本期有日期没有生效的单价",
    Omission.EXEMPT: "房屋的收费系数为 0，免收",
    Omission.ZERO_AMOUNT: "算出的金额为 0 元，不出账单",
    Omission.AMOUNT_TOO_LARGE: "算出的金额过大，请检查面积和单价",
    Omission.ALREADY_BILLED: "该房屋在本期已有账单",
}
