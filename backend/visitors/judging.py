"""What a token means at a gate and an instant, by what the token says alone; no I/O (docs/gates.md).

The same answers, in the same order, as the reference verifier gives, so that a maker's gate and the server do not
disagree about what both of them know. Online the rows decide beyond it: `passes.redeem`, `resident_passes.opens`.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from backend.visitors import windows
from backend.visitors.states import REFUSAL_TEXT, Refusal
from backend.visitors.tokens import Claims, Form

SKEW_S = 30


class Fault(StrEnum):
    """Why a text opens nothing, before any pass is looked at."""

    MALFORMED = "malformed"
    WRONG_COMMUNITY = "wrong_community"
    UNKNOWN_KEY = "unknown_key"
    BAD_SIGNATURE = "bad_signature"
    KEY_ENDED = "key_ended"


TEXTS: Mapping[Fault | Refusal, str] = {
    Fault.MALFORMED: "这不是有效的通行码，请让对方重新出示。",
    Fault.WRONG_COMMUNITY: "这是其他小区的通行码，不能从这里进入。",
    Fault.UNKNOWN_KEY: "无法识别这个通行码，请让对方刷新后重新出示。",
    Fault.BAD_SIGNATURE: "这个通行码不是本系统签发的，请勿放行。",
    Fault.KEY_ENDED: "这个通行码已经作废，请让住户重新发送。",
    **dict(REFUSAL_TEXT.items()),
}


def at_gate(claims: Claims, gate_no: int) -> Refusal | None:
    """WRONG_GATE where the token names gates, and not this one."""
    return Refusal.WRONG_GATE if claims.gates and gate_no not in claims.gates else None


def in_time(claims: Claims, at: datetime) -> Refusal | None:
    """Why the token opens nothing at an instant; a live code is forgiven SKEW_S of a phone's or a gate's clock."""
    at_s, skew_s = at.timestamp(), 0 if claims.form is Form.PASS else SKEW_S
    if at_s < claims.from_s - skew_s:
        return Refusal.TOO_EARLY
    if at_s >= claims.until_s + skew_s:
        return Refusal.EXPIRED
    return None if windows.is_open(claims.slots or None, at) else Refusal.OUTSIDE_HOURS
