"""Plays 臻识 and 千熠 cameras on the wire (protocols/cameras.md 1 and 2): two dialects of one push."""

import base64
import json
from typing import Any
from zoneinfo import ZoneInfo

from sandbox.cameras import frames
from sandbox.cameras.shots import Identity, Obeyed, Post, Record, Shot, Texts

SHANGHAI = ZoneInfo("Asia/Shanghai")
COLOURS = {"unknown": 0, "blue": 1, "yellow": 2, "white": 3, "black": 4, "green": 5, "yellow_green": 6}
VIRTUAL_LOOP, MANUAL = 8, 4
HELD, PULSED = 1, 2
BOUNDARY = "b7"
# The web password goes over the wire in clear in every heartbeat (1.10).
PASSWORD = "admin-of-the-camera"


def push(record: Record, identity: Identity) -> Post:
    """One plate result of a Zhenshi camera."""
    shot = record.shot
    result = {
        "license": _license(shot, "_无_"),
        "colorType": COLOURS[shot.colour],
        "type": _type(shot, {"blue": 1, "yellow": 3, "green": 19, "yellow_green": 20, "white": 5}, absent=31),
        "confidence": shot.confidence if shot.plate else 0,
        "direction": 4,
        "triggerType": MANUAL if shot.manual else VIRTUAL_LOOP,
        "plateid": record.number,
        "isoffline": int(record.late),
        "gioouts": [{"ionum": "0", "ctrltype": 2 if record.opened_itself else 0}],
        "is_fake_plate": 0,
        "carColor": 8,
        "location": {"RECT": {"left": 802, "top": 565, "right": 1063, "bottom": 640}},
        "timeStamp": {"Timeval": _time(shot) | _wall(shot)},
    }
    for name, picture in (("imageFile", shot.scene), ("imageFragmentFile", shot.crop)):
        if picture:
            result |= {name: base64.b64encode(picture).decode(), f"{name}Len": len(picture)}
    return _json(
        {
            "AlarmInfoPlate": {
                "channel": identity.channel,
                "deviceName": identity.name,
                "ipaddr": identity.address,
                "serialno": identity.serial,
                "result": {"PlateResult": result},
            }
        }
    )


def push_qy(record: Record, identity: Identity) -> Post:
    """One plate result of a QY camera: other words for no plate, other numbers for types."""
    shot = record.shot
    result: dict[str, Any] = {
        "license": _license(shot, "No Plate"),
        "type": _type(shot, {"blue": 1, "yellow": 3, "green": 11, "yellow_green": 12, "white": 5}, absent=0),
        "colorType": COLOURS[shot.colour],
        "confidence": shot.confidence if shot.plate else 0,
        "triggerType": MANUAL if shot.manual else 1,
        "timeStamp": {"Timeval": _time(shot)},
    }
    if shot.scene:
        result["imageFile"] = base64.b64encode(shot.scene).decode()
    if record.late:
        result["isoffline"] = 1
    alarm = {"serialno": identity.serial, "deviceName": identity.name, "ipaddr": identity.address}
    return _json({"AlarmInfoPlate": {**alarm, "channel": identity.channel, "result": {"PlateResult": result}}})


def poll(identity: Identity) -> Post:
    """A heartbeat, which in comet mode waits for a command."""
    fields = {
        "device_name": identity.name,
        "ipaddr": identity.address,
        "port": "80",
        "user_name": "admin",
        "pass_wd": PASSWORD,
        "serialno": identity.serial,
        "channel_num": str(identity.channel),
    }
    parts = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    body = "".join(parts) + f"--{BOUNDARY}--\r\n"
    return Post({"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}, body.encode())


def poll_qy(identity: Identity) -> Post:
    """A heartbeat of a QY camera, whose answer is obeyed."""
    return _json({"heartbeat": {"serialno": identity.serial, "ipaddr": identity.address}})


def gio(identity: Identity, source: int, value: int) -> Post:
    """A wired input has changed."""
    told = {"deviceName": identity.name, "ipaddr": identity.address, "serialno": identity.serial}
    return _json({"AlarmGioIn": {**told, "result": {"TriggerResult": {"source": source, "value": value}}}})


def serial(identity: Identity, port: int, data: bytes) -> Post:
    """The board has said something."""
    told = {"channel": 0, "serialno": identity.serial, "ipaddr": identity.address, "deviceName": identity.name}
    text = base64.b64encode(data).decode()
    return _json({"SerialData": {**told, "serialChannel": port, "data": text, "dataLen": len(data)}})


def obey(status: int, body: bytes) -> Obeyed:
    """What a Zhenshi camera does with an answer: it obeys a late record's too, which is why none may open."""
    told = _told(status, body)
    answer = told.get("Response_AlarmInfoPlate")
    taken = status == 200
    return _obeyed(answer, taken=taken) if isinstance(answer, dict) else Obeyed(taken=taken)


def obey_qy(status: int, body: bytes) -> Obeyed:
    """What a QY camera does: without `retransfer_stop` it sends the same event for ever (2.2)."""
    told = _told(status, body)
    answer = told.get("Response_AlarmInfoPlate")
    if isinstance(answer, dict):
        return _obeyed(answer, taken=status == 200 and answer.get("content") == "retransfer_stop")
    answer = told.get("Response_Heartbeat") or told.get("Response_SerialData")
    if not isinstance(answer, dict):
        return Obeyed()
    texts = frames.heard(answer.get("serialData"))
    opens = answer.get("info") == "ok"
    if opens and answer.get("serialData"):
        # Seen at one site: an opening and serial bytes in one round get lost together (2.4).
        return Obeyed(taken=True)
    return Obeyed(
        taken=True,
        opens=opens,
        closes=answer.get("shutoff") == "ok",
        lines=texts.lines,
        voice=texts.voice,
        code=texts.code,
        shoots_again=answer.get("snapnow") == "yes",
    )


def _obeyed(answer: dict[str, Any], *, taken: bool) -> Obeyed:
    texts = frames.heard(answer.get("serialData"))
    texts = _on_screen(answer.get("body"), texts)
    speech = answer.get("playserver_json_request")
    voice = base64.b64decode(speech["voice"]).decode(errors="replace") if isinstance(speech, dict) else texts.voice
    resume, output = answer.get("ContinuePushOffline"), answer.get("ivs_ioctrl")
    return Obeyed(
        taken=taken,
        opens=answer.get("info") == "ok" or (isinstance(output, dict) and output.get("value") == HELD),
        closes=isinstance(output, dict) and output.get("value") == PULSED,
        lines=texts.lines,
        voice=voice,
        code=texts.code,
        next_late=isinstance(resume, dict) and resume.get("continue") == 1,
        shoots_again=answer.get("manualTrigger") == "ok",
    )


def _on_screen(body: Any, texts: Texts) -> Texts:
    """What a camera with a screen shows (1.8)."""
    if not isinstance(body, dict):
        return texts
    shown = [*body.get("car_id", []), *body.get("custom", [])]
    lines = tuple(base64.b64decode(line).decode() for line in shown)
    return Texts(lines, texts.voice, body.get("qrcode_text", ""))


def _told(status: int, body: bytes) -> dict[str, Any]:
    try:
        told = json.loads(body) if status == 200 else {}
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _license(shot: Shot, absent: str) -> str:
    return absent if shot.plate is None or shot.unreadable else shot.plate


def _type(shot: Shot, types: dict[str, int], *, absent: int) -> int:
    return types.get(shot.colour, 0) if shot.plate and not shot.unreadable else absent


def _time(shot: Shot) -> dict[str, int]:
    return {"sec": int(shot.at.timestamp()), "usec": shot.at.microsecond}


def _wall(shot: Shot) -> dict[str, int]:
    wall = shot.at.astimezone(SHANGHAI)
    return {
        "decyear": wall.year,
        "decmon": wall.month,
        "decday": wall.day,
        "dechour": wall.hour,
        "decmin": wall.minute,
        "decsec": wall.second,
    }


def _json(document: dict[str, Any]) -> Post:
    return Post({"Content-Type": "application/json"}, json.dumps(document, ensure_ascii=False).encode())
