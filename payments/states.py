"""The states of orders, attempts and differences, and the moves they may make (D6, I-13).

The triggers of `0008_payments.sql` hold the same tables. Only `settlement.settle` moves anything to PAID, on a
channel's success alone; that a closed order or attempt may still become paid is meant.
"""

from collections.abc import Mapping
from enum import StrEnum


class OrderState(StrEnum):
    """An order (支付单): what one payer wants to pay at once."""

    CREATED = "CREATED"
    PAYING = "PAYING"
    PAID = "PAID"
    CLOSED = "CLOSED"


class AttemptState(StrEnum):
    """An attempt (支付尝试): one number at one channel. UNKNOWN: the channel may or may not know it."""

    CREATED = "CREATED"
    SENT = "SENT"
    UNKNOWN = "UNKNOWN"
    PAID = "PAID"
    FAILED = "FAILED"
    CLOSED = "CLOSED"


class DifferenceState(StrEnum):
    """A difference (差异): a person's case, unless the channel's next word clears it up."""

    OPEN = "OPEN"
    AUTO_RESOLVED = "AUTO_RESOLVED"
    RESOLVED = "RESOLVED"
    ESCALATED = "ESCALATED"


class DifferenceClass(StrEnum):
    """What does not fit. Up to LATE_PAYMENT the order is that in which a message is looked at; the others are found by
    reconciliation (D7)."""

    UNKNOWN_ORDER = "unknown_order"
    MERCHANT = "merchant"
    APP = "app"
    CURRENCY = "currency"
    AMOUNT = "amount"
    TRANSACTION = "transaction"
    SECOND_PAYMENT = "second_payment"
    LATE_PAYMENT = "late_payment"
    MISSING_HERE = "missing_here"
    MISSING_THERE = "missing_there"
    STATUS = "status"
    REFUND = "refund"
    FEE = "fee"
    DUPLICATE = "duplicate"
    CROSS_DAY = "cross_day"
    SETTLEMENT = "settlement"


class RefundState(StrEnum):
    """A refund (退款). ABNORMAL: the money cannot reach the payer's account, a person's case under the same number."""

    REQUESTED = "REQUESTED"
    APPROVED = "APPROVED"
    SUBMITTING = "SUBMITTING"
    PROCESSING = "PROCESSING"
    ABNORMAL = "ABNORMAL"
    SUCCEEDED = "SUCCEEDED"
    CLOSED = "CLOSED"
    FAILED = "FAILED"
    REJECTED = "REJECTED"


LIVE_ORDER = frozenset({OrderState.CREATED, OrderState.PAYING})

ORDER_MOVES: Mapping[OrderState, frozenset[OrderState]] = {
    OrderState.CREATED: frozenset({OrderState.PAYING, OrderState.PAID, OrderState.CLOSED}),
    OrderState.PAYING: frozenset({OrderState.PAID, OrderState.CLOSED}),
    OrderState.PAID: frozenset(),
    OrderState.CLOSED: frozenset({OrderState.PAID}),
}

ATTEMPT_MOVES: Mapping[AttemptState, frozenset[AttemptState]] = {
    AttemptState.CREATED: frozenset(
        {
            AttemptState.SENT,
            AttemptState.UNKNOWN,
            AttemptState.PAID,
            AttemptState.FAILED,
            AttemptState.CLOSED,
        }
    ),
    AttemptState.UNKNOWN: frozenset(
        {AttemptState.SENT, AttemptState.PAID, AttemptState.FAILED, AttemptState.CLOSED},
    ),
    AttemptState.SENT: frozenset({AttemptState.PAID, AttemptState.FAILED, AttemptState.CLOSED}),
    AttemptState.PAID: frozenset(),
    AttemptState.FAILED: frozenset({AttemptState.PAID}),
    AttemptState.CLOSED: frozenset({AttemptState.PAID}),
}

DIFFERENCE_MOVES: Mapping[DifferenceState, frozenset[DifferenceState]] = {
    DifferenceState.OPEN: frozenset(
        {DifferenceState.AUTO_RESOLVED, DifferenceState.RESOLVED, DifferenceState.ESCALATED}
    ),
    DifferenceState.ESCALATED: frozenset({DifferenceState.RESOLVED, DifferenceState.AUTO_RESOLVED}),
    DifferenceState.AUTO_RESOLVED: frozenset(),
    DifferenceState.RESOLVED: frozenset(),
}

REFUND_MOVES: Mapping[RefundState, frozenset[RefundState]] = {
    RefundState.REQUESTED: frozenset({RefundState.APPROVED, RefundState.REJECTED}),
    RefundState.APPROVED: frozenset({RefundState.SUBMITTING}),
    RefundState.SUBMITTING: frozenset(
        {
            RefundState.PROCESSING,
            RefundState.SUCCEEDED,
            RefundState.ABNORMAL,
            RefundState.CLOSED,
            RefundState.FAILED,
        }
    ),
    RefundState.PROCESSING: frozenset(
        {RefundState.SUCCEEDED, RefundState.ABNORMAL, RefundState.CLOSED, RefundState.FAILED}
    ),
    RefundState.ABNORMAL: frozenset({RefundState.PROCESSING, RefundState.SUCCEEDED, RefundState.CLOSED}),
    RefundState.SUCCEEDED: frozenset(),
    RefundState.CLOSED: frozenset(),
    RefundState.FAILED: frozenset(),
    RefundState.REJECTED: frozenset(),
}
