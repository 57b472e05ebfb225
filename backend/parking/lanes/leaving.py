"""A car at an exit (出场): let out, asked to pay, or left to the guard with candidates for what was misread (D8)."""

from collections.abc import Mapping
from uuid import UUID

from backend.devices.states import Outcome
from backend.kernel.crypto import Keyring
from backend.kernel.db import Record, Tx
from backend.kernel.money import yuan_text
from backend.parking import stays
from backend.parking.lanes.passages import SAME_PASSAGE, Passage, Ruling
from backend.parking.prices import coupon_uses, dues, quotes
from backend.parking.states import EventKind, Flag, ListKind, SessionState

MAX_CANDIDATES = 10

# The same car a moment after it was let out. Index parking_session_of_plate.
GONE = """
    SELECT id FROM parking_session
     WHERE lot_id = $1 AND plate_blind = $2 AND state = 'OUT' AND exit_lane_id = $5
       AND left_at BETWEEN $3::timestamptz - $4::interval AND $3::timestamptz + $4::interval
     LIMIT 1
"""

# Cars inside whose plate differs in one character. Index: the primary key of parking_wildcard.
CANDIDATES = """
    SELECT DISTINCT w.session_id FROM parking_wildcard w
     WHERE w.lot_id = $1 AND w.blind = ANY ($2::bytea[])
     LIMIT $3
"""

GOODBYE = ("一路平安",)
UNKNOWN = ("没有入场记录", "请联系保安")


async def leave(tx: Tx, passage: Passage, facts: Record, *, keyring: Keyring, key: bytes) -> Ruling:
    """Decide about a car at an exit and keep what follows."""
    session_id = facts["session_id"]
    if session_id is None:
        return await _not_inside(tx, passage, facts, keyring=keyring)
    stay = await stays.lock(tx, session_id, at=passage.at)
    if stay["state"] in (SessionState.OUT, SessionState.VOIDED):
        return Ruling(Outcome.IGNORED, "already_gone", open=True, lines=GOODBYE)
    if stay["entered_at"] is None:
        await stays.wait(tx, session_id, state=SessionState(stay["state"]), lane_id=passage.lane_id)
        await stays.name(tx, session_id, passage.flags)
        return Ruling(Outcome.REFUSED, "no_entry", lines=UNKNOWN)
    due = await dues.due(tx, stay, at=passage.at)
    in_grace = stay["state"] == SessionState.PAID and passage.at <= stay["grace_until"]
    if in_grace or due.open_fen == 0 or facts["listed"] == ListKind.WHITE:
        await coupon_uses.left_free(tx, stay, due.price)
        await stays.leave(tx, session_id, at=passage.at, lane_id=passage.lane_id, flags=passage.flags)
        _note(tx, passage, session_id, EventKind.LEFT, {})
        return Ruling(Outcome.APPLIED, "left", open=True, lines=GOODBYE)
    quote = await quotes.of_stay(tx, passage.actor, key=key, stay=stay, due=due, lane_id=passage.lane_id)
    await stays.name(tx, session_id, passage.flags)
    _note(tx, passage, session_id, EventKind.SEEN_AT_EXIT, {"amount_fen": quote["amount_fen"]})
    return Ruling(Outcome.REFUSED, "to_pay", lines=(f"请缴费{yuan_text(quote['amount_fen'])}元", "扫码支付后自动放行"))


async def _not_inside(tx: Tx, passage: Passage, facts: Record, *, keyring: Keyring) -> Ruling:
    """Nobody saw this car come in, or it was let out a moment ago."""
    blinds = passage.car.blinds
    assert blinds is not None
    gone = await tx.fetchval(
        GONE, passage.place.lot_id, blinds.whole, passage.at, SAME_PASSAGE, passage.lane_id
    )  # fmt: skip
    if gone is not None:
        return Ruling(Outcome.IGNORED, "same_passage", open=True, lines=GOODBYE)
    return await _unseen_entry(tx, passage, facts, keyring=keyring)


async def _unseen_entry(tx: Tx, passage: Passage, facts: Record, *, keyring: Keyring) -> Ruling:
    """A stay without an entry: the card and the white list leave, all others are the guard's."""
    assert passage.car.blinds is not None
    rows = await tx.fetch(CANDIDATES, passage.place.lot_id, list(passage.car.blinds.wildcards), MAX_CANDIDATES)
    candidates = sorted(row["session_id"] for row in rows)
    flags = passage.flags | {Flag.NO_ENTRY} | ({Flag.MISREAD} if candidates else frozenset())
    welcome = facts["card_id"] is not None or facts["listed"] == ListKind.WHITE
    session_id = await stays.begin(
        tx, passage.place, passage.car, keyring=keyring, state=SessionState.OUT if welcome else SessionState.IN,
        entered_at=None, left_at=passage.at if welcome else None, flags=flags,
    )  # fmt: skip
    detail = {"candidates": [str(each) for each in candidates]}
    _note(tx, passage, session_id, EventKind.LEFT if welcome else EventKind.SEEN_AT_EXIT, detail)
    if welcome:
        return Ruling(Outcome.APPLIED, "no_entry", open=True, lines=GOODBYE)
    await stays.wait(tx, session_id, state=SessionState.IN, lane_id=passage.lane_id)
    return Ruling(Outcome.REFUSED, "no_entry", lines=UNKNOWN)


def _note(tx: Tx, passage: Passage, session_id: UUID, kind: EventKind, detail: Mapping[str, object]) -> None:
    stays.note(
        tx, passage.actor, community_id=passage.place.community_id, session_id=session_id, kind=kind, at=passage.at,
        device_event_id=passage.device_event_id, detail={"lane_id": str(passage.lane_id), **detail},
    )  # fmt: skip
