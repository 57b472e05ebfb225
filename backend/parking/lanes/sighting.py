"""What a camera tells and what it is answered, without a word of any vendor (protocols/cameras.md section 5).

Promises: instants are aware UTC; every text can be stored (no control characters, bounded); `key` is the same for every
repeat of one event of one device. Nothing here decides: lanes, sessions and tariffs do.
"""

import binascii
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from backend.parking.plates import Colour

MAX_PICTURE_BYTES = 6 * 1024 * 1024
STALE_S = 120
SKEW_S = 60
NONSENSE_S = 30 * 86_400
_BASE64_PREFIX = re.compile(rb"\Adata:[\w/+.-]{0,60};base64,")
_BLANK = b" \t\r\n"
_JPEG = b"\xff\xd8"


class SightingKind(StrEnum):
    """What happened in front of the camera (cameras.md 1.5)."""

    PLATE = "plate"
    NO_PLATE = "no_plate"
    STAY = "stay"
    STAY_END = "stay_end"
    TURN_BACK = "turn_back"


class Absence(StrEnum):
    """Why there is no plate text; guards treat the two differently (cameras.md 5.1 rule 1)."""

    NONE = "none"
    UNREADABLE = "unreadable"


class VehicleClass(StrEnum):
    """The vehicle as the camera sees it; UNKNOWN where it tells nothing that we understand."""

    CAR = "car"
    BUS = "bus"
    SMALL_LORRY = "small_lorry"
    LARGE_LORRY = "large_lorry"
    MOTORCYCLE = "motorcycle"
    OTHER = "other"
    UNKNOWN = "unknown"


class Direction(StrEnum):
    """In or out where the camera knows it; UNKNOWN means: take it from the lane. Never the movement in the image."""

    IN = "in"
    OUT = "out"
    UNKNOWN = "unknown"


class OpenedBy(StrEnum):
    """Who had opened the barrier before we were asked."""

    NONE = "none"
    SERVER = "server"
    DEVICE = "device"
    UNKNOWN = "unknown"


class PictureRole(StrEnum):
    """The whole scene, or the crop of the plate."""

    SCENE = "scene"
    PLATE = "plate"


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as it arrived; decoding waits until the car has its answer (cameras.md 5.1 rule 8)."""

    role: PictureRole
    data: bytes
    base64: bool = False

    def content(self) -> bytes | None:
        """The JPEG; None when it is none, too large or damaged: a lost picture never costs the event."""
        data = self.data
        if self.base64:
            bare = _BASE64_PREFIX.sub(b"", data, count=1).translate(None, _BLANK).rstrip(b"=")
            try:
                data = binascii.a2b_base64(bare + b"=" * (-len(bare) % 4), strict_mode=True)
            except binascii.Error:
                return None
        return data if data.startswith(_JPEG) and len(data) <= MAX_PICTURE_BYTES else None


@dataclass(frozen=True, slots=True)
class Moment:
    """When an event counts as having happened, and what the camera's clock is worth (cameras.md 5.1 rule 3)."""

    at: datetime
    late: bool
    skew_s: int | None


@dataclass(frozen=True, slots=True)
class Sighting:
    """One reading of one vehicle.

    `device` is the identity that the camera gives, None where the protocol has none. `key` tells repeats of this event
    from other events of the same device. `sequence` is the device's own number, which may restart. `plate` is the text
    as read in the form of `plates.loose`, not necessarily a valid plate; None with `absence` saying why. `plate_class`
    and `movement` are the vendor's words. `confidence` is 1 to 100. `replayed` is None where the protocol
    does not tell.
    `vehicle` is shared by several readings of one car; with `more_to_come` a second upload brings the pictures.
    `channel` and `lane` are the device's own numbers.
    """

    device: str | None
    key: str
    kind: SightingKind
    plate: str | None
    at: datetime
    sequence: int | None = None
    absence: Absence | None = None
    colour: Colour = Colour.UNKNOWN
    plate_class: str = ""
    doubtful: bool = False
    fake: bool = False
    vehicle_class: VehicleClass = VehicleClass.UNKNOWN
    confidence: int | None = None
    direction: Direction = Direction.UNKNOWN
    movement: str = ""
    replayed: bool | None = False
    manual: bool = False
    opened_by: OpenedBy = OpenedBy.UNKNOWN
    vehicle: str | None = None
    more_to_come: bool = False
    channel: int | None = None
    lane: int | None = None
    pictures: tuple[Picture, ...] = ()

    def moment(self, received_at: datetime, *, stale_s: int = STALE_S) -> Moment:
        """When this counts as having happened, given when it arrived.

        A late one counts at the camera's time; one whose clock is off (SKEW_S for a live one, NONSENSE_S for any, such
        as 1970 after a power cut) counts at its arrival.
        """
        behind = received_at - self.at
        nonsense = behind > timedelta(seconds=NONSENSE_S)
        late = not nonsense and behind > timedelta(seconds=stale_s) if self.replayed is None else self.replayed
        skewed = nonsense or -behind > timedelta(seconds=SKEW_S) or (not late and behind > timedelta(seconds=SKEW_S))
        return Moment(received_at if skewed else self.at, late, round(-behind.total_seconds()) if skewed else None)


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A camera that is alive and may be waiting for a command."""

    device: str | None


@dataclass(frozen=True, slots=True)
class InputChange:
    """A wired input (loop, limit switch, fire contact) has a new level; it happened when it arrived (1.9)."""

    device: str | None
    port: int
    level: int


@dataclass(frozen=True, slots=True)
class SerialBytes:
    """What a board or reader behind the camera said."""

    device: str | None
    port: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A picture that was asked for; the camera does not say who it is (cameras.md 1.9)."""

    device: str | None
    picture: Picture


@dataclass(frozen=True, slots=True)
class Other:
    """An event that means nothing to parking; it is acknowledged, so that the camera does not repeat it."""

    device: str | None
    name: str


Event = Sighting | Heartbeat | InputChange | SerialBytes | Snapshot | Other


@dataclass(frozen=True, slots=True)
class Decision:
    """What the lane shall do, said to a camera in answer to an event, or as a command while it waits.

    `lines` are up to four lines of the display, shown for `show_s` seconds; `plate` is printed above them. `voice` is
    spoken, phrases separated by commas. `qr` is an address to be shown as a code. `close`, `hold` (stay open) and
    `release` (end of that) are for guards. `recognise` asks for another reading. `next_late` lets a camera go on
    with its backlog.
    Raises ValueError when two movements of the barrier are asked for at once.
    """

    open: bool = False
    lines: tuple[str, ...] = ()
    voice: str = ""
    plate: str | None = None
    qr: str | None = None
    show_s: int = 10
    close: bool = False
    hold: bool = False
    release: bool = False
    recognise: bool = False
    next_late: bool = True

    def __post_init__(self) -> None:
        if self.open + self.close + self.hold + self.release > 1:
            raise ValueError("a decision moves the barrier one way")

    @property
    def idle(self) -> bool:
        """Whether nothing at all is to be done."""
        return self.quiet() == self

    def quiet(self) -> "Decision":
        """The same without any effect in the lane: for late events and late repeats (cameras.md 5.1 rules 4 and 7)."""
        return Decision(show_s=self.show_s, next_late=self.next_late)
