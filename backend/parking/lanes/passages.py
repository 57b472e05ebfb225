"""A car in a lane as entering and leaving see it, and what they rule."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from backend.devices.states import Outcome
from backend.kernel.audit import Actor
from backend.parking.states import Flag
from backend.parking.stays import Car, Place

# Two readings of one car by one camera within this time are one passage: a loop and a video trigger, or a second try.
SAME_PASSAGE = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Passage:
    """A car in front of a barrier. `late`: it is long gone, the device tells it now. `skewed`: by its arrival."""

    place: Place
    car: Car
    at: datetime
    late: bool
    skewed: bool
    misread: bool
    opened_by_device: bool
    device_event_id: UUID
    actor: Actor

    @property
    def flags(self) -> frozenset[Flag]:
        """What is unusual about the passage itself."""
        told = {
            Flag.LATE: self.late,
            Flag.CLOCK_SKEW: self.skewed,
            Flag.MISREAD: self.misread,
            Flag.OPENED_BY_DEVICE: self.opened_by_device and self.late,
        }
        return frozenset(flag for flag, so in told.items() if so)

    @property
    def lane_id(self) -> UUID:
        """The lane in which the car stands."""
        assert self.place.lane_id is not None
        return self.place.lane_id


@dataclass(frozen=True, slots=True)
class Ruling:
    """What becomes of a passage: its outcome and reason for the record, and what the lane does and shows."""

    outcome: Outcome
    reason: str
    open: bool = False
    lines: tuple[str, ...] = ()
