"""A stay's class of vehicle is corrected by the guard (更正车型), and what it costs follows at once (D8, I-22)."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.db import Record, Tx
from backend.kernel.errors import Conflict
from backend.parking import stays
from backend.parking.lanes import guard
from backend.parking.prices import dues, quotes
from backend.parking.prices.classes import PriceClass
from backend.parking.states import INSIDE, EventKind, SessionState


@dataclass(frozen=True, slots=True)
class Reclassed:
    """A stay by its right class; `quote`: None where it owes nothing now, or no entry of it was seen."""

    vehicle_class: PriceClass
    quote: Record | None


async def correct(
    tx: Tx,
    actor: Actor,
    *,
    key: bytes,
    session_id: UUID,
    communities: Sequence[UUID],
    vehicle_class: PriceClass,
    reason: str,
) -> Reclassed:
    """Give a stay its right class, and a quote by it where one was asked for. NotFound, Conflict `not_inside`."""
    stay = await guard.stay_in(tx, session_id, communities=communities)
    if stay["state"] not in INSIDE:
        raise Conflict("这辆车已经不在停车场内。", code="not_inside")
    await stays.reclass(tx, session_id, vehicle_class)
    stays.note(
        tx, actor, community_id=stay["community_id"], session_id=session_id, kind=EventKind.CORRECTED,
        detail={"reason": reason, "vehicle_class": vehicle_class.value},
    )  # fmt: skip
    audit.record(
        tx, actor, action="parking.class_corrected", target=f"parking_session:{session_id}",
        community_id=stay["community_id"], reason=reason, before={"vehicle_class": stay["vehicle_class"]},
        after={"vehicle_class": vehicle_class.value},
    )  # fmt: skip
    return Reclassed(vehicle_class, await _quote(tx, actor, key=key, session_id=session_id))


async def _quote(tx: Tx, actor: Actor, *, key: bytes, session_id: UUID) -> Record | None:
    stay = await stays.lock(tx, session_id, at=tx.now)
    if stay["state"] != SessionState.QUOTED:
        return None
    due = await dues.due(tx, stay, at=tx.now)
    if due.open_fen == 0:
        return None
    return await quotes.of_stay(tx, actor, key=key, stay=stay, due=due, anew=True)
