"""海康 (Hikvision) cameras: ANPR events as XML and pictures; opening is a request to the camera (cameras.md 3).

Promises: the colour that stands before a plate is taken off and kept as the colour; an UUID names the vehicle, not the
event; pictures of the driver's face are never taken. The answer moves nothing: the orders go through a lane agent.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from xml.sax.saxutils import escape

from backend.parking import plates
from backend.parking.cameras import base, forms, hik_xml, words
from backend.parking.cameras.base import Adapter, Answer, CameraError, CameraRequest, Orders, Wiring, integer
from backend.parking.cameras.hik_xml import Node
from backend.parking.lanes.sighting import (
    Decision,
    Direction,
    Event,
    Heartbeat,
    OpenedBy,
    Other,
    Picture,
    PictureRole,
    Sighting,
    SightingKind,
)
from backend.parking.plates import Colour

ROOT, EVENT, EVENT_FILE = "EventNotificationAlert", "ANPR", "anpr.xml"
HISTORICAL = 1
MAX_PICTURES = 8
PULSE_S = 3
_JPEG = b"\xff\xd8"
_ROLES: Mapping[str, PictureRole] = {
    "detectionPicture": PictureRole.SCENE,
    "vehiclePicture": PictureRole.SCENE,
    "panoramaPicture": PictureRole.SCENE,
    "licensePlatePicture": PictureRole.PLATE,
}
_DIRECTIONS = {"enter": Direction.IN, "leave": Direction.OUT}
_STORED_OPENED = {0: OpenedBy.DEVICE, 1: OpenedBy.NONE}
_MAC = re.compile(r"(?:[0-9a-f]{2}[:-]?){5}[0-9a-f]{2}", re.IGNORECASE)
# 黑 is a province too; before any other first character of a plate it is a colour.
_AFTER_BLACK = plates.PROVINCES + "使民"
_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'


def read(headers: Mapping[str, str], body: bytes) -> Event:
    """The event of one push. Raises CameraError; events that are not ANPR are `Other`, or heartbeats."""
    if len(body) > base.BODY_BYTES:
        raise CameraError("too_large")
    found = forms.parts(headers, body) if forms.is_multipart(headers, body) else ()
    alert = hik_xml.parse(_event_part(found).data if found else body)
    if alert.name != ROOT:
        raise CameraError("unknown_root")
    anpr = alert.child(EVENT)
    if anpr is None or alert.value("eventType").upper() != EVENT:
        beats = alert.value("eventState").lower() == "inactive"
        return Heartbeat(_device(alert)) if beats else Other(_device(alert), base.word(alert.value("eventType")))
    return _sighting(alert, anpr, found)


def answer(event: Event, decision: Decision, wiring: Wiring = base.STANDARD) -> Answer:
    """An empty 200: the camera obeys no answer (3.5)."""
    return Answer()


def requests(decision: Decision, wiring: Wiring = base.STANDARD) -> Orders:
    """What the lane agent sends to the camera, with its own digest login (3.6).

    Text on an LED differs by model and must be read back first, so that it is dropped here.
    """
    moves = (("open", decision.open), ("close", decision.close), ("lock", decision.hold), ("unlock", decision.release))
    move = next((name for name, wanted in moves if wanted), "")
    orders, dropped = (_output(move, wiring) if wiring.io_only else _gate(move, wiring)) if move else ((), ())
    if decision.voice:
        orders += (_voice(decision.voice, wiring),)
    dropped += ("display",) if decision.lines or decision.plate else ()
    dropped += ("qr",) if decision.qr else ()
    return Orders(orders, dropped + (("recognise",) if decision.recognise else ()))


def _gate(move: str, wiring: Wiring) -> tuple[tuple[CameraRequest, ...], tuple[str, ...]]:
    body = f"{_DECLARATION}<BarrierGate><ctrlMode>{move}</ctrlMode></BarrierGate>"
    return (CameraRequest("PUT", f"/ISAPI/Parking/channels/{wiring.channel}/barrierGate", body.encode()),), ()


def _voice(text: str, wiring: Wiring) -> CameraRequest:
    body = f"{_DECLARATION}<VoiceBroadcastInfo><TTSInfo>[v5]{escape(base.word(text))}</TTSInfo></VoiceBroadcastInfo>"
    return CameraRequest("PUT", f"/ISAPI/Parking/channels/{wiring.channel}/voiceBroadcastInfo", body.encode())


def _output(move: str, wiring: Wiring) -> tuple[tuple[CameraRequest, ...], tuple[str, ...]]:
    """The same by the relay itself: a pulse opens, a held level holds."""
    states = {"open": ("high", "low"), "lock": ("high",), "unlock": ("low",)}.get(move, ())
    orders = tuple(
        CameraRequest(
            "PUT",
            f"/ISAPI/System/IO/outputs/{wiring.output + 1}/trigger",
            f"{_DECLARATION}<IOPortData><outputState>{state}</outputState></IOPortData>".encode(),
            wait_s=PULSE_S if place else 0,
        )
        for place, state in enumerate(states)
    )
    return orders, () if states else (move,)


def _event_part(found: Sequence[forms.Part]) -> forms.Part:
    """The part that holds the event: by name, else by type, else by its look (3.1)."""
    for looks_like in (_is_named, _is_typed, _is_xml):
        for part in found:
            if looks_like(part):
                return part
    raise CameraError("no_event")


def _is_named(part: forms.Part) -> bool:
    return EVENT_FILE in (part.name.lower(), part.file_name.lower())


def _is_typed(part: forms.Part) -> bool:
    return part.content_type.startswith((base.XML, "text/xml")) and ROOT.encode() in part.data


def _is_xml(part: forms.Part) -> bool:
    return part.data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") and ROOT.encode() in part.data


def _sighting(alert: Node, anpr: Node, found: Sequence[forms.Part]) -> Sighting:
    plate, absence = base.plate_text(anpr.value("licensePlate") or anpr.value("originalLicensePlate"))
    plate, mark = _without_colour(plate)
    colour = words.colour(anpr.value("plateColor"))
    colour = words.colour(mark) if colour is Colour.UNKNOWN else colour
    at = base.instant(alert.value("dateTime"))
    vehicle = base.word(alert.value("UUID")) or None
    channel = integer(alert.value("channelID") or alert.value("dynChannelID"))
    lane = integer(anpr.value("line"))
    historical = integer(anpr.value("alarmDataType")) == HISTORICAL
    return Sighting(
        device=_device(alert),
        # Several captures of one car share its UUID, so that the time belongs to the key.
        key=f"{vehicle}@{at.isoformat()}" if vehicle else base.digest(plate, at.isoformat(), channel, lane),
        kind=SightingKind.PLATE if plate else SightingKind.NO_PLATE,
        plate=plate,
        at=at,
        absence=absence,
        colour=colour,
        plate_class=base.word(anpr.value("plateType")),
        doubtful=base.mismatched(plate, colour),
        vehicle_class=words.vehicle(anpr.value("vehicleType")),
        confidence=base.percent(anpr.value("confidenceLevel")),
        direction=_DIRECTIONS.get(anpr.value("EntranceInfo", "direction").lower(), Direction.UNKNOWN),
        movement=base.word(anpr.value("direction")),
        replayed=historical or alert.value("isDataRetransmission").lower() == "true",
        opened_by=_opened_by(anpr, historical=historical),
        vehicle=vehicle,
        more_to_come="true" in (anpr.value("hasMoreData").lower(), alert.value("hasMoreData").lower()),
        channel=channel,
        lane=lane,
        pictures=tuple(_pictures(anpr, found))[:MAX_PICTURES],
    )


def _device(alert: Node) -> str | None:
    """The camera's name for itself; some firmware gives none, then the address's secret alone vouches for it."""
    mac = alert.value("macAddress")
    if _MAC.fullmatch(mac):
        plain = mac.lower().replace(":", "").replace("-", "")
        return ":".join(plain[place : place + 2] for place in range(0, 12, 2))
    return base.identity(alert.value("deviceUUID") or alert.value("deviceID"))


def _without_colour(plate: str | None) -> tuple[str | None, str]:
    """The plate without the colour in front of it, and that colour's word."""
    for mark in words.COLOUR_MARKS:
        if plate is not None and plate.startswith(mark) and len(plate) > len(mark):
            if mark == "黑" and plate[1] not in _AFTER_BLACK:
                break
            return plate[len(mark) :], mark
    return plate, ""


def _opened_by(anpr: Node, *, historical: bool) -> OpenedBy:
    """Who opened before a stored event reached us; of a live one the camera does not tell (3.2)."""
    told = integer(anpr.value("barrierGateCtrlType"))
    return OpenedBy.UNKNOWN if told is None or not historical else _STORED_OPENED.get(told, OpenedBy.UNKNOWN)


def _pictures(anpr: Node, found: Sequence[forms.Part]) -> Iterator[Picture]:
    """The pictures of kinds that we keep; a part that nothing explains may show a face, and is left."""
    listed = anpr.child("pictureInfoList")
    types: dict[str, str] = {}
    for info in listed.children if listed else ():
        types.update({info.value(key): info.value("type") for key in ("pId", "fileName") if info.value(key)})
    for part in found:
        stem = re.sub(r"(?:_\d+)?\.\w+\Z", "", part.file_name or part.name)
        role = _ROLES.get(types.get(part.name) or types.get(part.file_name) or stem)
        if role and part.data.startswith(_JPEG):
            yield Picture(role, part.data)


ADAPTER = Adapter("hikvision", "海康", False, read, answer, requests)
