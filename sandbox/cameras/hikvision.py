"""Plays a 海康 camera on the wire (protocols/cameras.md 3): multipart pushes, and a barrier that takes requests."""

import re
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

from sandbox.cameras.shots import Identity, Obeyed, Post, Record, Shot

SHANGHAI = ZoneInfo("Asia/Shanghai")
BOUNDARY = "MIME_boundary"
NAMESPACE = "http://www.isapi.org/ver20/XMLSchema"
COLOURS = {"green": "newEnergyGreen", "yellow_green": "newEnergyYellowGreen"}
MARKS = {"blue": "蓝", "yellow": "黄", "white": "白", "black": "黑", "green": "绿", "yellow_green": "黄绿"}
PICTURES = (("P1", "licensePlatePicture", "image/jpeg"), ("P2", "detectionPicture", "application/octet-stream"))
_GATE = re.compile(r"/ISAPI/Parking/channels/\d+/barrierGate")
_VOICE = re.compile(r"/ISAPI/Parking/channels/\d+/voiceBroadcastInfo")
_OUTPUT = re.compile(r"/ISAPI/System/IO/outputs/\d+/trigger")


def push(record: Record, identity: Identity) -> Post:
    """One upload with its pictures: the XML first."""
    shot = record.shot
    pictures = {"P1": shot.crop, "P2": shot.scene}
    body = _part("anpr.xml", "anpr.xml", "application/xml", _alert(record, identity, pictures=2, more=False).encode())
    for key, kind, content_type in PICTURES:
        body += _part(key, f"{kind}.jpg", content_type, pictures[key])
    body += f"--{BOUNDARY}--\r\n".encode()
    return Post({"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}, body)


def push_plate_first(record: Record, identity: Identity) -> Post:
    """The first of two stages: the plate alone, the pictures follow in an ordinary `push`."""
    return Post({"Content-Type": "application/xml"}, _alert(record, identity, pictures=0, more=True).encode())


def obey(status: int, body: bytes) -> Obeyed:
    """The camera takes any 200 and obeys no answer."""
    return Obeyed(taken=status == 200)


def request(method: str, path: str, body: bytes) -> Obeyed:
    """What the camera does with a request from inside the site (3.6)."""
    text = body.decode()
    if method != "PUT":
        return Obeyed()
    if _GATE.fullmatch(path):
        mode = _value(text, "ctrlMode")
        return Obeyed(taken=True, opens=mode in ("open", "lock"), closes=mode == "close")
    if _OUTPUT.fullmatch(path):
        return Obeyed(taken=True, opens=_value(text, "outputState") == "high")
    if _VOICE.fullmatch(path):
        return Obeyed(taken=True, voice=re.sub(r"\A\[v\d+\]", "", _value(text, "TTSInfo")))
    return Obeyed()


def _alert(record: Record, identity: Identity, *, pictures: int, more: bool) -> str:
    shot, local = record.shot, record.shot.at.astimezone(SHANGHAI)
    stamp = local.strftime("%Y%m%d%H%M%S") + f"{local.microsecond // 1000:03d}"
    infos = "".join(
        f"<pictureInfo><fileName>{kind}.jpg</fileName><type>{kind}</type><dataType>0</dataType>"
        f"<pId>{key}</pId><absTime>{stamp}</absTime></pictureInfo>"
        for key, kind, _ in PICTURES[:pictures]
    )
    direction = "enter" if identity.way == "in" else "leave"
    stored = "<barrierGateCtrlType>" + ("0" if record.opened_itself else "1") + "</barrierGateCtrlType>"
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<EventNotificationAlert version="2.0" xmlns="{NAMESPACE}">
 <ipAddress>{identity.address}</ipAddress><protocol>HTTP</protocol><macAddress>{identity.serial}</macAddress>
 <channelID>1</channelID><dateTime>{local.isoformat(timespec="milliseconds")}</dateTime>
 <activePostCount>1</activePostCount><eventType>ANPR</eventType><eventState>active</eventState>
 <eventDescription>ANPR</eventDescription><channelName>{escape(identity.name)}</channelName>
 <ANPR><licensePlate>{escape(_license(shot))}</licensePlate><line>1</line><direction>forward</direction>
  <confidenceLevel>{shot.confidence}</confidenceLevel><plateType>{_type(shot)}</plateType>
  <plateColor>{COLOURS.get(shot.colour, shot.colour)}</plateColor><vehicleType>vehicle</vehicleType>
  <alarmDataType>{int(record.late)}</alarmDataType>{stored if record.late else ""}
  <EntranceInfo><gateID>1</gateID><direction>{direction}</direction></EntranceInfo>
  <pictureInfoList>{infos}</pictureInfoList><listType>temporary</listType>
  {"<hasMoreData>true</hasMoreData>" if more else ""}</ANPR>
 <UUID>{record.uuid}</UUID><picNum>{pictures}</picNum>
 <isDataRetransmission>{"true" if record.late else "false"}</isDataRetransmission>
</EventNotificationAlert>"""


def _license(shot: Shot) -> str:
    """The plate behind its colour, or the word for none."""
    if shot.unreadable:
        return "unknown"
    return f"{MARKS.get(shot.colour, '')}{shot.plate}" if shot.plate else "noPlate"


def _type(shot: Shot) -> str:
    return "newEnergy" if shot.colour in COLOURS else "92TypeCivil" if shot.plate else "unknown"


def _part(name: str, file_name: str, content_type: str, data: bytes) -> bytes:
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; filename="{file_name}"\r\n'
        f"Content-Type: {content_type}\r\n\r\n"
    )
    return head.encode() + data + b"\r\n"


def _value(text: str, name: str) -> str:
    match = re.search(rf"<{name}>(.*?)</{name}>", text, re.DOTALL)
    return match.group(1) if match else ""
