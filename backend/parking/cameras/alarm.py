"""`AlarmInfoPlate` and the pushes beside it, of Zhenshi and QY cameras (protocols/cameras.md 1.2 to 1.9, 2.1).

Promises: unknown keys are ignored, optional ones may be missing, numbers may be texts; what names no device, has no
result or no time is refused. Movement in the image is never taken for in or out.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from backend.kernel.clock import SHANGHAI
from backend.parking.cameras import base, words
from backend.parking.cameras.base import CameraError, integer, part
from backend.parking.lanes.sighting import (
    Event,
    InputChange,
    OpenedBy,
    Picture,
    PictureRole,
    SerialBytes,
    Sighting,
    SightingKind,
    Snapshot,
    VehicleClass,
)
from backend.parking.plates import Colour

MANUAL_TRIGGER = 4
MAX_SERIAL_BYTES = 4096
INPUTS = range(5)
_KINDS = {64: SightingKind.STAY, 65: SightingKind.STAY_END, 66: SightingKind.TURN_BACK}
_COLOURS: Mapping[int, Colour] = {
    0: Colour.UNKNOWN,
    1: Colour.BLUE,
    2: Colour.YELLOW,
    3: Colour.WHITE,
    4: Colour.BLACK,
    5: Colour.GREEN,
    6: Colour.YELLOW_GREEN,
}
_MOVEMENTS = {1: "left", 2: "right", 3: "up", 4: "down"}
_VEHICLES: Mapping[int, VehicleClass] = {
    1: VehicleClass.CAR,
    2: VehicleClass.CAR,
    3: VehicleClass.CAR,
    4: VehicleClass.BUS,
    5: VehicleClass.BUS,
    6: VehicleClass.SMALL_LORRY,
    7: VehicleClass.LARGE_LORRY,
}
_OPENED = ((2, OpenedBy.DEVICE), (1, OpenedBy.SERVER), (0, OpenedBy.NONE))


@dataclass(frozen=True, slots=True)
class Dialect:
    """In what the two families differ when they push a plate: the numbers of plate types mean different things."""

    plate_types: Mapping[int, str]


def event_in(document: Mapping[str, Any], dialect: Dialect) -> Event:
    """The event that the root key names; CameraError for a root that the dialect does not have."""
    if "AlarmInfoPlate" in document:
        return _sighting(part(document, "AlarmInfoPlate"), dialect)
    if "AlarmGioIn" in document:
        return _input(part(document, "AlarmGioIn"))
    if "SerialData" in document:
        return _serial(part(document, "SerialData"))
    if "TriggerImage" in document:
        pictures = _pictures(part(document, "TriggerImage", "TriggerImage") or part(document, "TriggerImage"))
        if not pictures:
            raise CameraError("no_picture")
        return Snapshot(None, pictures[0])
    raise CameraError("unknown_root")


def _sighting(alarm: Mapping[str, Any], dialect: Dialect) -> Sighting:
    result = part(alarm, "result", "PlateResult")
    if not result:
        raise CameraError("no_result")
    plate, absence = base.plate_text(result.get("license"))
    trigger = integer(result.get("triggerType"))
    number = integer(result.get("plateid"))
    number = number if number is None or number >= 0 else None
    at = _at(part(result, "timeStamp", "Timeval"))
    stamp = f"{int(at.timestamp())}-{at.microsecond}"
    colour = _colour(result)
    seen = SightingKind.PLATE if plate else SightingKind.NO_PLATE
    return Sighting(
        device=base.named(alarm.get("serialno")),
        # A device counts its records anew after a reset, so that the number alone is no key.
        key=f"{number}-{stamp}" if number is not None else base.digest(plate, stamp, trigger),
        kind=_KINDS.get(trigger or 0, seen),
        plate=plate,
        at=at,
        sequence=number,
        absence=absence,
        colour=colour,
        plate_class=dialect.plate_types.get(integer(result.get("type")) or 0, "unknown"),
        doubtful=base.mismatched(plate, colour),
        fake=integer(result.get("is_fake_plate")) == 1,
        vehicle_class=_VEHICLES.get(integer(part(result, "car_brand").get("type")) or 0, VehicleClass.UNKNOWN),
        confidence=base.percent(result.get("confidence")),
        movement=_MOVEMENTS.get(integer(result.get("direction")) or 0, ""),
        replayed=integer(result.get("isoffline")) == 1,
        manual=trigger == MANUAL_TRIGGER,
        opened_by=_opened_by(result.get("gioouts")),
        channel=integer(alarm.get("channel")),
        pictures=_pictures(result),
    )


def _at(told: Mapping[str, Any]) -> datetime:
    """The instant: `sec` and `usec`, which is in microseconds whatever the vendor calls it; else the wall clock."""
    sec, usec = integer(told.get("sec")), integer(told.get("usec")) or 0
    if sec is None:
        wall = [integer(told.get(name)) for name in ("decyear", "decmon", "decday", "dechour", "decmin", "decsec")]
        try:
            year, month, day, hour, minute, second = (number for number in wall if number is not None)
            return base.checked_instant(datetime(year, month, day, hour, minute, second, tzinfo=SHANGHAI))
        except (ValueError, OverflowError) as error:
            raise CameraError("bad_time") from error
    try:
        whole = datetime.fromtimestamp(sec, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise CameraError("bad_time") from error
    return base.checked_instant(whole + timedelta(microseconds=usec if 0 <= usec < 1_000_000 else 0))


def _colour(result: Mapping[str, Any]) -> Colour:
    """The plate's colour from the first place that has one: firmware differs (1.2)."""
    listed = result.get("plates")
    first = listed[0] if isinstance(listed, list) and listed and isinstance(listed[0], dict) else {}
    for value in (result.get("colorType"), first.get("color"), result.get("color")):
        number = integer(value)
        if number is not None:
            return _COLOURS.get(number, Colour.OTHER)
    return words.colour(result.get("colorName") or result.get("plateColor"))


def _opened_by(outputs: Any) -> OpenedBy:
    told = (
        {integer(output.get("ctrltype")) for output in outputs if isinstance(output, dict)}
        if (isinstance(outputs, list))
        else set()
    )
    return next((who for number, who in _OPENED if number in told), OpenedBy.UNKNOWN)


def _pictures(holder: Mapping[str, Any]) -> tuple[Picture, ...]:
    found = []
    for name, role in (("imageFile", PictureRole.SCENE), ("imageFragmentFile", PictureRole.PLATE)):
        data = holder.get(name)
        if isinstance(data, str) and data:
            found.append(Picture(role, data.encode("utf-8", "replace"), base64=True))
    return tuple(found)


def _input(alarm: Mapping[str, Any]) -> InputChange:
    trigger = part(alarm, "result", "TriggerResult")
    port, level = integer(trigger.get("source")), integer(trigger.get("value"))
    if port is None or port not in INPUTS or level is None or not 0 <= level <= 255:
        raise CameraError("bad_input")
    return InputChange(base.named(alarm.get("serialno")), port, level)


def _serial(told: Mapping[str, Any]) -> SerialBytes:
    port, text = integer(told.get("serialChannel")), told.get("data")
    if port is None or not 0 <= port <= 255 or not isinstance(text, str) or len(text) > 2 * MAX_SERIAL_BYTES:
        raise CameraError("bad_serial")
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise CameraError("bad_serial") from error
    return SerialBytes(base.named(told.get("serialno")), port, data)
