"""States of passes, walk-ins and goods permits, their moves, and kinds; the database holds the same lists (I-13)."""

from collections.abc import Mapping
from enum import StrEnum


class PassKind(StrEnum):
    """For whom a pass is (访客, 保姆, 快递外卖, 装修维修)."""

    GUEST = "guest"
    NANNY = "nanny"
    COURIER = "courier"
    CONTRACTOR = "contractor"


class PassState(StrEnum):
    """A pass. PENDING: the property decides; USED: n of N; taken back by the resident CANCELLED, by us REVOKED."""

    DRAFT = "DRAFT"
    PENDING = "PENDING"
    ACTIVE = "ACTIVE"
    USED = "USED"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"
    REVOKED = "REVOKED"


PASS_MOVES: Mapping[PassState, frozenset[PassState]] = {
    PassState.DRAFT: frozenset({PassState.PENDING, PassState.ACTIVE, PassState.CANCELLED, PassState.EXPIRED}),
    PassState.PENDING: frozenset({PassState.ACTIVE, PassState.REJECTED, PassState.CANCELLED, PassState.EXPIRED}),
    PassState.ACTIVE: frozenset({PassState.USED, PassState.EXPIRED, PassState.CANCELLED, PassState.REVOKED}),
    PassState.USED: frozenset(),
    PassState.EXPIRED: frozenset(),
    PassState.CANCELLED: frozenset(),
    PassState.REJECTED: frozenset(),
    PassState.REVOKED: frozenset(),
}


class WalkInState(StrEnum):
    """A visitor without a pass. The resident: CONFIRMED or REFUSED; then the guard: ADMITTED or TURNED_AWAY."""

    WAITING = "WAITING"
    CONFIRMED = "CONFIRMED"
    REFUSED = "REFUSED"
    ADMITTED = "ADMITTED"
    TURNED_AWAY = "TURNED_AWAY"


_DECIDED = frozenset({WalkInState.ADMITTED, WalkInState.TURNED_AWAY})
WALK_IN_MOVES: Mapping[WalkInState, frozenset[WalkInState]] = {
    WalkInState.WAITING: frozenset({WalkInState.CONFIRMED, WalkInState.REFUSED}) | _DECIDED,
    WalkInState.CONFIRMED: _DECIDED,
    WalkInState.REFUSED: frozenset(),
    WalkInState.ADMITTED: frozenset(),
    WalkInState.TURNED_AWAY: frozenset(),
}


class GoodsState(StrEnum):
    """A permit for goods to leave. PENDING: waits for the property's approval."""

    PENDING = "PENDING"
    APPROVED = "APPROVED"
    CHECKED_OFF = "CHECKED_OFF"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"


GOODS_MOVES: Mapping[GoodsState, frozenset[GoodsState]] = {
    GoodsState.PENDING: frozenset({GoodsState.APPROVED, GoodsState.REJECTED, GoodsState.CANCELLED, GoodsState.EXPIRED}),
    GoodsState.APPROVED: frozenset({GoodsState.CHECKED_OFF, GoodsState.CANCELLED, GoodsState.EXPIRED}),
    GoodsState.CHECKED_OFF: frozenset(),
    GoodsState.EXPIRED: frozenset(),
    GoodsState.CANCELLED: frozenset(),
    GoodsState.REJECTED: frozenset(),
}


class EntryWay(StrEnum):
    """How somebody came in: by the token, six digits, a guard who looked the pass up, a gate without a network."""

    TOKEN = "token"
    CODE = "code"
    GUARD = "guard"
    OFFLINE = "offline"
    WALK_IN = "walk_in"


class LeftWay(StrEnum):
    """How it is known that a visitor has left."""

    GUARD = "guard"
    GATE = "gate"
    ASSUMED = "assumed"


class BanKind(StrEnum):
    """By what a banned visitor is recognised."""

    PHONE = "phone"
    ID_NUMBER = "id_number"
    PLATE = "plate"


class Refusal(StrEnum):
    """Why a pass does not open."""

    UNKNOWN = "unknown"
    NOT_ACTIVE = "not_active"
    REVOKED = "revoked"
    TOO_EARLY = "too_early"
    EXPIRED = "expired"
    OUTSIDE_HOURS = "outside_hours"
    WRONG_GATE = "wrong_gate"
    USED_UP = "used_up"
    BANNED = "banned"


REFUSAL_TEXT: Mapping[Refusal, str] = {
    Refusal.UNKNOWN: "没有找到这张通行证，请核对后再试，或按临时来访登记。",
    Refusal.NOT_ACTIVE: "这张通行证还没有生效。",
    Refusal.REVOKED: "这张通行证已被撤销。",
    Refusal.TOO_EARLY: "还没有到这张通行证的开始时间。",
    Refusal.EXPIRED: "这张通行证已经过期。",
    Refusal.OUTSIDE_HOURS: "现在不在这张通行证的可通行时段内。",
    Refusal.WRONG_GATE: "这张通行证不能从这个门进入。",
    Refusal.USED_UP: "这张通行证的可用次数已经用完。",
    Refusal.BANNED: "访客或车辆在黑名单上，不能进入，请联系管理处。",
}
