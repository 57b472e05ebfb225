"""States of stays, their moves, and the names of what is unusual; the database holds the same lists (I-13)."""

from collections.abc import Mapping
from enum import StrEnum


class Basis(StrEnum):
    """Which version of the tariff counts for a stay: that of its entry, or that of its exit."""

    ENTRY = "entry"
    EXIT = "exit"


class Way(StrEnum):
    """The direction of a lane."""

    IN = "in"
    OUT = "out"


class CardKind(StrEnum):
    """Kinds of cards (月租, 产权, 内部, 免费, 访客)."""

    MONTHLY = "monthly"
    OWNED = "owned"
    INTERNAL = "internal"
    FREE = "free"
    VISITOR = "visitor"


class ListKind(StrEnum):
    """Black and white lists (黑名单, 白名单)."""

    BLACK = "black"
    WHITE = "white"


class Overstay(StrEnum):
    """From when on a visitor's vehicle is charged that stays beyond its window."""

    WINDOW_END = "window_end"
    ENTRY = "entry"


class SessionState(StrEnum):
    """A stay. QUOTED: asked to pay; PAID: may leave until its grace ends."""

    IN = "IN"
    QUOTED = "QUOTED"
    PAID = "PAID"
    OUT = "OUT"
    VOIDED = "VOIDED"


INSIDE = (SessionState.IN, SessionState.QUOTED, SessionState.PAID)

SESSION_MOVES: Mapping[SessionState, frozenset[SessionState]] = {
    SessionState.IN: frozenset({SessionState.QUOTED, SessionState.OUT, SessionState.VOIDED}),
    SessionState.QUOTED: frozenset({SessionState.PAID, SessionState.OUT, SessionState.VOIDED}),
    SessionState.PAID: frozenset({SessionState.QUOTED, SessionState.IN, SessionState.OUT, SessionState.VOIDED}),
    SessionState.OUT: frozenset({SessionState.VOIDED}),
    # An exit that nobody had seen is told late.
    SessionState.VOIDED: frozenset({SessionState.OUT}),
}


class Flag(StrEnum):
    """What is unusual about a stay, for the guard (D8)."""

    NO_ENTRY = "no_entry"
    ENTERED_TWICE = "entered_twice"
    MISREAD = "misread"
    PLATELESS = "plateless"
    BY_HAND = "by_hand"
    CORRECTED = "corrected"
    CLOCK_SKEW = "clock_skew"
    LATE = "late"
    LEFT_UNPAID = "left_unpaid"
    OVER_SPACES = "over_spaces"
    OPENED_BY_DEVICE = "opened_by_device"


FLAG_TEXT: Mapping[Flag, str] = {
    Flag.NO_ENTRY: "没有入场记录",
    Flag.ENTERED_TWICE: "重复入场，上一次未见出场",
    Flag.MISREAD: "车牌可能识别有误",
    Flag.PLATELESS: "无牌车",
    Flag.BY_HAND: "人工放行",
    Flag.CORRECTED: "车牌已更正",
    Flag.CLOCK_SKEW: "相机时钟不准",
    Flag.LATE: "相机离线后补报",
    Flag.LEFT_UNPAID: "未付费离场",
    Flag.OVER_SPACES: "车位已满，按临时停车收费",
    Flag.OPENED_BY_DEVICE: "相机离线时自行开闸",
}


class EventKind(StrEnum):
    """What happens to a stay."""

    ENTERED = "entered"
    SEEN_AT_EXIT = "seen_at_exit"
    QUOTED = "quoted"
    PAID = "paid"
    REFUNDED = "refunded"
    LEFT = "left"
    OPENED_BY_HAND = "opened_by_hand"
    CORRECTED = "corrected"
    VOIDED = "voided"
    COVERED = "covered"
    COUPON_APPLIED = "coupon_applied"
