"""The words of paid repairs (有偿维修); the database holds the same lists (I-13, D9)."""

from enum import StrEnum


class Sort(StrEnum):
    """人工, 配件: what a line charges for."""

    LABOUR = "labour"
    PART = "part"


class QuoteState(StrEnum):
    """A quote (报价). OPEN waits for the resident; DUE is owed since the work was signed off; FREE: nothing to pay."""

    OPEN = "OPEN"
    AGREED = "AGREED"
    DECLINED = "DECLINED"
    WITHDRAWN = "WITHDRAWN"
    DUE = "DUE"
    FREE = "FREE"
    PAID = "PAID"
    WAIVED = "WAIVED"


QUOTE_TEXT = {
    QuoteState.OPEN: "待确认",
    QuoteState.AGREED: "已同意",
    QuoteState.DECLINED: "未同意",
    QuoteState.WITHDRAWN: "已作废",
    QuoteState.DUE: "待付款",
    QuoteState.FREE: "无需付款",
    QuoteState.PAID: "已付款",
    QuoteState.WAIVED: "已减免",
}


class Movement(StrEnum):
    """How parts come and go: 入库, 调拨, 领用, 退回, 盘点."""

    RECEIVED = "received"
    TRANSFERRED = "transferred"
    USED = "used"
    PUT_BACK = "put_back"
    COUNTED = "counted"


class CostState(StrEnum):
    """A cost of free work (维修成本). CHARGEABLE: it may be charged to a shared pool; BORNE: the company bears it."""

    PROPOSED = "PROPOSED"
    CHARGEABLE = "CHARGEABLE"
    REFUSED = "REFUSED"
    BORNE = "BORNE"
