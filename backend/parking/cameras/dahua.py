"""大华 (Dahua) cameras: the ITSAPI push (protocols/cameras.md 4).

Promises: the acknowledgement is always given, for without it the camera repeats for ever. The protocol does not say
whether an event is late: `replayed` is None, and the event's age decides (5.1).
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from backend.parking.cameras import base, forms, words
from backend.parking.cameras.base import Adapter, Answer, CameraError, CameraRequest, Orders, Wiring, integer, part
from backend.parking.lanes.sighting import Decision, Event, Heartbeat, Picture, PictureRole, Sighting, SightingKind

MAX_KEY_DEPTH = 6
_PICTURES = (("NormalPic", PictureRole.SCENE), ("CutoutPic", PictureRole.PLATE))


def read(headers: Mapping[str, str], body: bytes) -> Event:
    """The event of one push: JSON, a form that holds JSON, or a form of dotted keys. Raises CameraError.

    What has no `Picture` is a heartbeat or a registration, whose form nothing confirms.
    """
    if not body.strip():
        return Heartbeat(None)
    if body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        document = base.document(base.decoded(body))
    else:
        document = _in_form(forms.fields(headers, body))
    if "Picture" not in document:
        return Heartbeat(base.word(document.get("DeviceID")) or None)
    return _sighting(part(document, "Picture"))


def answer(event: Event, decision: Decision, wiring: Wiring = base.STANDARD) -> Answer:
    """The acknowledgement, in the form that the model wants; it opens nothing (4.1)."""
    return Answer(b"OK") if wiring.plain_ok else Answer(base.dump({"Result": True}), base.JSON)


def requests(decision: Decision, wiring: Wiring = base.STANDARD) -> Orders:
    """What the lane agent sends to the camera, with its own digest login (4.1, unconfirmed there)."""
    orders: tuple[CameraRequest, ...] = ()
    if decision.open:
        plate = f"&info.plateNumber={quote(decision.plate, safe='')}" if decision.plate else ""
        path = f"/cgi-bin/trafficSnap.cgi?action=openStrobe&channel={wiring.channel}&info.openType=Normal{plate}"
        orders = (CameraRequest("GET", path),)
    wanted = (
        ("close", decision.close),
        ("hold", decision.hold),
        ("release", decision.release),
        ("display", bool(decision.lines)),
        ("voice", bool(decision.voice)),
        ("qr", bool(decision.qr)),
        ("recognise", decision.recognise),
    )
    return Orders(orders, tuple(name for name, asked in wanted if asked))


def _in_form(fields: Mapping[str, str]) -> dict[str, Any]:
    """The document in a form: the field that holds it, else the dotted keys put together."""
    for value in fields.values():
        if value.startswith("{"):
            return base.document(value)
    document: dict[str, Any] = {}
    for name, value in fields.items():
        *path, last = name.split(".", MAX_KEY_DEPTH)
        holder = document
        for key in path:
            holder = holder.setdefault(key, {})
            if not isinstance(holder, dict):
                raise CameraError("bad_form")
        holder[last] = value
    return document


def _sighting(picture: Mapping[str, Any]) -> Sighting:
    told, snap = part(picture, "Plate"), part(picture, "SnapInfo")
    if not told and not snap:
        raise CameraError("no_result")
    plate, absence = base.plate_text(told.get("PlateNumber"))
    taken = snap.get("AccurateTime") or snap.get("SnapTime")
    if not isinstance(taken, str):
        raise CameraError("bad_time")
    name = base.word(part(picture, "NormalPic").get("PicName"))
    colour = words.colour(told.get("PlateColor"))
    return Sighting(
        device=base.identity(snap.get("DeviceID")),
        key=base.digest(name, taken.strip(), plate),
        kind=SightingKind.PLATE if plate else SightingKind.NO_PLATE,
        plate=plate,
        at=base.instant(taken),
        absence=absence,
        colour=colour,
        plate_class=base.word(told.get("PlateType")),
        doubtful=base.mismatched(plate, colour),
        vehicle_class=words.vehicle(part(picture, "Vehicle").get("VehicleType")),
        confidence=base.percent(told.get("Confidence")),
        movement=base.word(snap.get("Direction")),
        replayed=None,
        channel=integer(told.get("Channel")),
        lane=integer(snap.get("LanNo", snap.get("Lane"))),
        pictures=tuple(_pictures(picture)),
    )


def _pictures(picture: Mapping[str, Any]) -> list[Picture]:
    found = []
    for name, role in _PICTURES:
        data = part(picture, name).get("Content")
        if isinstance(data, str) and data:
            found.append(Picture(role, data.encode("utf-8", "replace"), base64=True))
    return found


ADAPTER = Adapter("dahua", "大华", False, read, answer, requests)
