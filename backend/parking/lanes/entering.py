"""A car at an entry (入场): let in under its card or as a guest, or refused with a reason (D8)."""

from dataclasses import replace
from uuid import UUID

from backend.devices.states import Outcome
from backend.fees import bills
from backend.kernel.clock import local_date
from backend.kernel.crypto import Keyring
from backend.kernel.db import Again, Record, Tx
from backend.parking import stays
from backend.parking.cards import cards
from backend.parking.lanes import late
from backend.parking.lanes.passages import SAME_PASSAGE, Passage, Ruling
from backend.parking.states import INSIDE, EventKind, Flag, ListKind

WELCOME_CARD: tuple[str, ...] = ("欢迎回家",)
WELCOME_GUEST: tuple[str, ...] = ("欢迎光临",)
WELCOME_OVER = ("欢迎光临", "车位已占用，按临时车收费")
FORBIDDEN = ("禁止入场", "请联系保安")
ARREARS = ("请先缴清物业费", "详询物业服务中心")
FULL = ("车位已满",)


async def enter(tx: Tx, passage: Passage, facts: Record, *, keyring: Keyring) -> Ruling:
    """Decide about a car that stands at an entry and keep what follows."""
    flags = passage.flags
    if facts["session_id"] is not None and _same_passage(passage, facts):
        return Ruling(Outcome.IGNORED, "same_passage", open=True, lines=WELCOME_GUEST)
    if (refusal := await _refusal(tx, passage, facts)) is not None:
        return refusal
    if facts["session_id"] is not None:
        stay = await stays.lock(tx, facts["session_id"], at=passage.at)
        if stay["state"] not in INSIDE:
            raise Again
        await late.end_unseen(tx, passage, stay)
        flags |= {Flag.ENTERED_TWICE}
    return await _let_in(tx, passage, facts, flags, keyring=keyring)


def _same_passage(passage: Passage, facts: Record) -> bool:
    entered = facts["entered_at"]
    return (
        entered is not None and facts["entry_lane_id"] == passage.lane_id and abs(passage.at - entered) <= SAME_PASSAGE
    )


async def _refusal(tx: Tx, passage: Passage, facts: Record) -> Ruling | None:
    """Why the car is not let in; None when it is."""
    if facts["listed"] == ListKind.BLACK:
        return Ruling(Outcome.REFUSED, "black_list", lines=FORBIDDEN)
    if facts["arrears_days"] is not None and facts["house_id"] is not None:
        oldest = await bills.oldest_due_on(tx, facts["house_id"])
        if oldest is not None and (local_date(passage.at) - oldest).days > facts["arrears_days"]:
            return Ruling(Outcome.REFUSED, "arrears", lines=ARREARS)
    if facts["card_id"] is None and facts["listed"] is None and facts["inside"] >= facts["spaces"]:
        return Ruling(Outcome.REFUSED, "full", lines=FULL)
    return None


async def _let_in(tx: Tx, passage: Passage, facts: Record, flags: frozenset[Flag], *, keyring: Keyring) -> Ruling:
    car, lines = passage.car, WELCOME_GUEST
    if facts["card_id"] is not None:
        if await cards.has_space(tx, facts["card_id"]):
            car, lines = replace(car, card_id=facts["card_id"]), WELCOME_CARD
        else:
            flags, lines = flags | {Flag.OVER_SPACES}, WELCOME_OVER
    session_id = await stays.begin(
        tx, passage.place, car, keyring=keyring, entered_at=passage.at, tariff_id=facts["tariff_id"], flags=flags
    )
    _note(tx, passage, session_id, {"card": car.card_id is not None})
    return Ruling(Outcome.APPLIED, "entered", open=True, lines=lines)


def _note(tx: Tx, passage: Passage, session_id: UUID, detail: dict[str, object]) -> None:
    stays.note(
        tx, passage.actor, community_id=passage.place.community_id, session_id=session_id, kind=EventKind.ENTERED,
        at=passage.at, device_event_id=passage.device_event_id,
        detail={"lane_id": str(passage.lane_id), **detail},
    )  # fmt: skip
