"""What all adapters share: one error, one form of answer, a device's wiring, and lenient readers of vendors' values.

Promises: whatever arrives, an adapter returns an event or raises CameraError; the error's reason is a code, never a
piece of the message, because messages hold plates and passwords (cameras.md 5.1 rule 10).
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import orjson

from backend.kernel.clock import SHANGHAI
from backend.parking import plates
from backend.parking.lanes.sighting import Absence, Decision, Event

BODY_BYTES = 8 * 1024 * 1024
MAX_INTEGER = (1 << 63) - 1
MAX_WORD = 64
JSON = "application/json; charset=utf-8"
XML = "application/xml"
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(2100, 1, 1, tzinfo=UTC)
_INTEGER = re.compile(r"[+-]?\d{1,19}")
_NUMBER = re.compile(r"[+-]?\d{1,15}(?:\.\d{1,15})?")
_INSTANT = re.compile(
    r"(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}:\d{2})(?:[.,](\d{1,9}))?\s*(Z|[+-]\d{2}:?\d{2})?", re.IGNORECASE
)


class CameraError(Exception):
    """A push that cannot be taken: `reason` is a code that may be logged and counted."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Answer:
    """The body of the HTTP 200 that the camera gets; `dropped` names what of the decision it has no means for."""

    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CameraRequest:
    """A request that something inside the site's network sends to the camera, `wait_s` after the one before it."""

    method: str
    path: str
    body: bytes = b""
    content_type: str = XML
    wait_s: int = 0


@dataclass(frozen=True, slots=True)
class Orders:
    """The requests that carry out a decision, in order; `dropped` as in Answer."""

    requests: tuple[CameraRequest, ...] = ()
    dropped: tuple[str, ...] = ()


class Screen(StrEnum):
    """What shows text: a board on RS-485 (1.7), the camera's own LCD (1.8), or nothing."""

    BOARD = "board"
    LCD = "lcd"
    NONE = "none"


class Speech(StrEnum):
    """What speaks: the board on RS-485, the camera itself from UTF-8 or GBK text (1.6), or nothing."""

    BOARD = "board"
    UTF8 = "utf8"
    GBK = "gbk"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Wiring:
    """How one lane's device is wired: a setting of the device, since nothing on the wire tells.

    `output`: relay that opens; `close_output`: relay that closes, None where there is none; `board_port`: RS-485 port
    of the board, from 0; `channel`: channel of requests to the camera, from 1; `io_only`: Hikvision without a barrier
    interface; `plain_ok`: Dahua's rebadged models that want `OK`.
    """

    output: int = 0
    close_output: int | None = None
    board_port: int = 0
    board_address: int = 0
    screen: Screen = Screen.BOARD
    speech: Speech = Speech.BOARD
    channel: int = 1
    io_only: bool = False
    plain_ok: bool = False


STANDARD = Wiring()


@dataclass(frozen=True, slots=True)
class Adapter:
    """One vendor: `read(headers, body)`, `answer(event, decision, wiring)` and `requests(decision, wiring)`.

    `opens_by_answer`: the answer itself opens; else only `requests`, sent from inside the site, do.
    """

    vendor: str
    title: str
    opens_by_answer: bool
    read: Callable[[Mapping[str, str], bytes], Event]
    answer: Callable[[Event, Decision, Wiring], Answer]
    requests: Callable[[Decision, Wiring], Orders]
    body_bytes: int = BODY_BYTES


def no_requests(decision: Decision, wiring: Wiring) -> Orders:
    """For vendors that obey their answers: nothing is sent to the camera."""
    return Orders()


def header(headers: Mapping[str, str], name: str) -> str:
    """The header `name`, whatever the case in which `headers` keeps it; empty where there is none."""
    return next((value for key, value in headers.items() if key.lower() == name), "")


def decoded(body: bytes) -> str:
    """The text of a body: UTF-8, else GB18030 (old firmware); CameraError otherwise (cameras.md 1.1)."""
    if len(body) > BODY_BYTES:
        raise CameraError("too_large")
    for charset in ("utf-8-sig", "gb18030"):
        try:
            return body.decode(charset)
        except UnicodeDecodeError:
            continue
    raise CameraError("charset")


def document(text: str) -> dict[str, Any]:
    """The JSON object in `text`."""
    try:
        found = orjson.loads(text)
    except ValueError as error:
        raise CameraError("not_json") from error
    if not isinstance(found, dict):
        raise CameraError("not_an_object")
    return found


def part(holder: Mapping[str, Any], *path: str) -> dict[str, Any]:
    """The object under `path`, empty where there is none."""
    found: Any = holder
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def integer(value: Any) -> int | None:
    """A whole number, also as text or with a zero fraction; None where it is none or too large for a column."""
    if isinstance(value, str) and _INTEGER.fullmatch(value.strip()):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > MAX_INTEGER:
        return None
    return value


def percent(value: Any) -> int | None:
    """A confidence of 1 to 100, rounded; None for 0, which means that nothing was read, and for all else."""
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 100:
        return None
    return round(value) or None


def word(value: Any) -> str:
    """A short text or number of the vendor's, as text that can be stored; empty where there is none."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    text = value if isinstance(value, str) else str(integer(value) or 0)
    return "".join(filter(str.isprintable, text[: 2 * MAX_WORD])).strip()[:MAX_WORD].strip()


def identity(value: Any) -> str | None:
    """A device's name for itself: None where it has none; CameraError for one that cannot be a key."""
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > MAX_WORD or not value.isprintable():
        raise CameraError("bad_device")
    return value.strip() or None


def named(value: Any) -> str:
    """The identity where the protocol always gives one; CameraError without it."""
    device = identity(value)
    if device is None:
        raise CameraError("no_device")
    return device


def plate_text(value: Any) -> tuple[str | None, Absence | None]:
    """The plate as read, or why there is none (cameras.md 5.1 rule 1); CameraError for what can be no text."""
    if value is None:
        return None, Absence.NONE
    if not isinstance(value, str) or len(value) > plates.MAX_TEXT:
        raise CameraError("bad_plate")
    text = plates.loose(value)
    if len(text) > plates.MAX_TEXT or not text.isprintable():
        raise CameraError("bad_plate")
    if text in plates.UNREADABLE:
        return None, Absence.UNREADABLE
    if not text or text in plates.PLATELESS:
        return None, Absence.NONE
    return text, None


def mismatched(plate: str | None, colour: plates.Colour) -> bool:
    """Whether length and colour contradict each other (cameras.md 5.1 rule 2)."""
    greens = (plates.Colour.GREEN, plates.Colour.YELLOW_GREEN)
    return plate is not None and (
        (len(plate) == 8 and colour is plates.Colour.BLUE) or (len(plate) == 7 and colour in greens)
    )


def instant(text: str) -> datetime:
    """The aware UTC instant of an ISO 8601 text, in Asia/Shanghai where it has no offset; CameraError otherwise."""
    match = _INSTANT.fullmatch(text.strip())
    if match is None:
        raise CameraError("bad_time")
    day, clock, fraction, offset = match.groups()
    try:
        local = datetime.fromisoformat(f"{day}T{clock}.{(fraction or '0')[:6]:0<6}{(offset or '').upper()}")
    except ValueError as error:
        raise CameraError("bad_time") from error
    return checked_instant(local if local.tzinfo else local.replace(tzinfo=SHANGHAI))


def checked_instant(moment: datetime) -> datetime:
    """`moment` in UTC; CameraError outside 1970 to 2100, which no clock of a camera shows."""
    try:
        moment = moment.astimezone(UTC)
    except OverflowError as error:
        raise CameraError("bad_time") from error
    if not _EARLIEST <= moment < _LATEST:
        raise CameraError("bad_time")
    return moment


def digest(*parts: object) -> str:
    """A key for an event whose protocol has none: it tells repeats, and holds no plate in clear."""
    return hashlib.sha256("\x1f".join(map(str, parts)).encode("utf-8", "replace")).hexdigest()[:32]


def dump(value: Any) -> bytes:
    """JSON as it goes on the wire."""
    return orjson.dumps(value)
