"""Plays a 大华 camera on the wire (protocols/cameras.md 4): the ITSAPI push, and a barrier that takes requests."""

import base64
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

from sandbox.cameras.shots import Identity, Obeyed, Post, Record

SHANGHAI = ZoneInfo("Asia/Shanghai")
COLOURS = {"blue": "Blue", "yellow": "Yellow", "white": "White", "black": "Black", "green": "Green"}


def push(record: Record, identity: Identity) -> Post:
    """One plate event. Nothing in it says that it comes late: only its time does."""
    shot, local = record.shot, record.shot.at.astimezone(SHANGHAI)
    plate = "Unknown" if shot.plate is None or shot.unreadable else shot.plate
    milliseconds = f"{local.microsecond // 1000:03d}"
    picture: dict[str, Any] = {
        "Plate": {
            "PlateNumber": plate,
            "PlateColor": COLOURS.get(shot.colour, "YellowGreen" if shot.colour == "yellow_green" else "Unknown"),
            "Confidence": shot.confidence,
            "IsExist": shot.plate is not None,
            "Channel": identity.channel,
        },
        "Vehicle": {"VehicleColor": "White", "VehicleType": "Car"},
        "SnapInfo": {
            "DeviceID": identity.serial,
            "AccurateTime": f"{local:%Y-%m-%d %H:%M:%S}.{milliseconds}",
            "Direction": "Obverse",
            "LanNo": 1,
            "TriggerSource": "Video",
        },
        "NormalPic": _picture(f"{local:%Y%m%d%H%M%S}{milliseconds}_{plate}.jpg", shot.scene),
        "CutoutPic": _picture("c.jpg", shot.crop),
    }
    return _json({"Picture": picture})


def poll(identity: Identity) -> Post:
    """A heartbeat."""
    return _json({"Active": "keepAlive", "DeviceID": identity.serial})


def obey(status: int, body: bytes) -> Obeyed:
    """Without `Result` true, or an `OK`, the camera sends the same event again; it obeys nothing else."""
    try:
        told = json.loads(body)
    except ValueError:
        return Obeyed(taken=status == 200 and body.strip() == b"OK")
    return Obeyed(taken=status == 200 and isinstance(told, dict) and told.get("Result") is True)


def request(method: str, path: str, body: bytes) -> Obeyed:
    """What the camera does with a request from inside the site."""
    address = urlsplit(path)
    told = parse_qs(address.query)
    opens = method == "GET" and address.path == "/cgi-bin/trafficSnap.cgi" and told.get("action") == ["openStrobe"]
    return Obeyed(taken=opens, opens=opens)


def _picture(name: str, content: bytes) -> dict[str, str]:
    return {"PicName": name, "Content": base64.b64encode(content).decode()}


def _json(document: dict[str, Any]) -> Post:
    return Post({"Content-Type": "application/json"}, json.dumps(document, ensure_ascii=False).encode())
