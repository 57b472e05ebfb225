"""Which car stands at a lane at this moment, by what its camera saw last (D8).

A code may be scanned from anywhere, by a photograph of it: what opens a barrier must be in front of it. One sighting
speaks for one car: once the barrier was told to open, by whatever, it is spent.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from backend.devices import commands, inbox
from backend.kernel.db import Tx
from backend.parking.lanes.lane_codes import Lane
from backend.parking.lanes.passages import SAME_PASSAGE
from backend.parking.lanes.sighting import SightingKind
from backend.parking.payable import AT_THE_EXIT

# For how long a car counts as standing where it was seen: time to take out a phone, to scan and to log in.
STANDS = timedelta(minutes=3)
PASSING = (SightingKind.PLATE, SightingKind.NO_PLATE, SightingKind.TURN_BACK)

# Another sighting of the same passage has let a car in; both by the camera's clock. Index parking_session_inside.
LET_IN = """
    SELECT EXISTS (
           SELECT FROM parking_session s JOIN parking_scanned_entry e ON e.session_id = s.id
            WHERE s.lot_id = $1 AND s.state IN ('IN', 'QUOTED', 'PAID') AND s.entry_lane_id = $2
              AND e.seen_at >= $3::timestamptz - $4::interval)
"""

# The car that was seen is being paid for as somebody else's stay; both by our clock. Index parking_session_inside.
TAKEN = """
    SELECT EXISTS (
           SELECT FROM parking_session
            WHERE lot_id = $1 AND state IN ('IN', 'QUOTED', 'PAID') AND waiting_lane_id = $2 AND waiting_since >= $3
              AND id <> $4)
"""

# Index parking_session_inside.
WAITING = """
    SELECT id FROM parking_session
     WHERE lot_id = $1 AND state IN ('QUOTED', 'PAID') AND waiting_lane_id = $2 AND waiting_since >= $3
     ORDER BY waiting_since DESC
     LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """A car without a plate in front of a camera: the event that told of it, when it was seen, when we heard of it."""

    event_id: UUID
    at: datetime
    heard_at: datetime


async def at_entry(tx: Tx, lane: Lane) -> Seen | None:
    """The car without a plate that stands at this entry and has not been let in; None where there is none."""
    seen = await _plateless(tx, lane)
    if seen is None or await commands.ordered_since(tx, lane.barrier_device_id, since=seen.heard_at):
        return None
    return None if await tx.fetchval(LET_IN, lane.lot_id, lane.id, seen.at, SAME_PASSAGE) else seen


async def at_exit(tx: Tx, lane: Lane, *, session_id: UUID) -> Seen | None:
    """The car without a plate that stands at this exit and may be that of this stay; None where there is none."""
    seen, own = await _plateless(tx, lane), f"parking_session:{session_id}"
    if seen is None or await commands.ordered_since(tx, lane.barrier_device_id, since=seen.heard_at, but_for=own):
        return None
    return None if await tx.fetchval(TAKEN, lane.lot_id, lane.id, seen.heard_at, session_id) else seen


async def stay_at_exit(tx: Tx, lane: Lane) -> UUID | None:
    """The stay of the car with a plate that stands at this exit, asked to pay or paid; None where there is none."""
    latest = await inbox.latest(
        tx, community_id=lane.community_id, device_id=lane.camera_device_id, kinds=PASSING, since=tx.now - AT_THE_EXIT
    )
    since = tx.now - AT_THE_EXIT if latest is None else latest["received_at"]
    session_id: UUID | None = await tx.fetchval(WAITING, lane.lot_id, lane.id, since)
    return session_id


async def _plateless(tx: Tx, lane: Lane) -> Seen | None:
    latest = await inbox.latest(
        tx, community_id=lane.community_id, device_id=lane.camera_device_id, kinds=PASSING, since=tx.now - STANDS
    )
    if latest is None or latest["reason"] != "no_plate":
        return None
    return Seen(latest["id"], latest["happened_at"], latest["received_at"])
