"""The traps of protocols/cameras.md section 6, and the odd forms of its tables, one by one."""

import json
from datetime import UTC, datetime

import pytest

from backend.parking.cameras import board, dahua, hikvision, qy, vendors, zhenshi
from backend.parking.cameras.base import Adapter, CameraError, Screen, Wiring
from backend.parking.lanes.sighting import (
    Absence,
    Decision,
    Heartbeat,
    OpenedBy,
    Other,
    Picture,
    PictureRole,
    Sighting,
    SightingKind,
)
from backend.parking.plates import Colour
from tests import vectors_cameras as v

ENTRY = json.loads(v.ZHENSHI_ENTRY)


def entry(**changes: object) -> Sighting:
    """The Zhenshi sample with some values of its result changed; None takes one away."""
    document = json.loads(v.ZHENSHI_ENTRY)
    result = document["AlarmInfoPlate"]["result"]["PlateResult"]
    for name, value in changes.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = value
    event = zhenshi.read({}, json.dumps(document).encode())
    assert isinstance(event, Sighting)
    return event


def alert(*changes: tuple[str, str]) -> Sighting:
    """The Hikvision sample with some of its text changed."""
    text = v.HIKVISION_XML
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    event = hikvision.read({}, text.encode())
    assert isinstance(event, Sighting)
    return event


def refused(adapter: Adapter, body: bytes, headers: dict[str, str] | None = None) -> str:
    with pytest.raises(CameraError) as error:
        adapter.read(headers or {}, body)
    return error.value.reason


def test_numbers_may_be_texts_and_optional_keys_may_be_missing() -> None:
    told = entry(plateid="4711", confidence="96", triggerType="8", colorType="1", isoffline="0")
    assert told == entry()
    bare = entry(confidence=None, direction=None, gioouts=None, colorType=None, type=None, imageFile=None)
    assert bare.confidence is None and bare.colour is Colour.UNKNOWN and bare.opened_by is OpenedBy.UNKNOWN


def test_a_gbk_body_of_old_firmware() -> None:
    event = zhenshi.read({}, v.ZHENSHI_ENTRY.encode("gbk"))
    assert isinstance(event, Sighting) and event.plate == "粤B12345"
    assert refused(zhenshi.ADAPTER, b'{"a":"\xff\xff"}') == "charset"


def test_colours_from_other_places() -> None:
    assert entry(colorType=None, plates=[{"color": 2}]).colour is Colour.YELLOW
    assert entry(colorType=None, color=5).colour is Colour.GREEN
    assert entry(colorType=None, plateColor="黄绿色").colour is Colour.YELLOW_GREEN
    assert entry(colorType=None, colorName="Blue").colour is Colour.BLUE
    assert entry(colorType=77).colour is Colour.OTHER


@pytest.mark.parametrize(
    ("trigger", "kind", "manual"),
    [(1, SightingKind.PLATE, False), (4, SightingKind.PLATE, True), (64, SightingKind.STAY, False),
     (65, SightingKind.STAY_END, False), (66, SightingKind.TURN_BACK, False)],
)  # fmt: skip
def test_triggers_are_an_enumeration(trigger: int, kind: SightingKind, manual: bool) -> None:
    event = entry(triggerType=trigger)
    assert (event.kind, event.manual) == (kind, manual)


def test_a_manual_trigger_is_not_sent_in_answer_to_its_own_result() -> None:
    again = Decision(recognise=True)
    for adapter, manual, sent in ((zhenshi, 4, False), (zhenshi, 8, True), (qy, 4, False), (qy, 1, True)):
        answer = adapter.answer(entry(triggerType=manual, license="_无_"), again)
        assert ("manualTrigger" in json.loads(answer.body)["Response_AlarmInfoPlate"]) is sent


def test_the_number_of_a_record_alone_is_no_key() -> None:
    later = {"Timeval": {"sec": 1795141816, "usec": 120500}}
    assert entry().key != entry(timeStamp=later).key
    assert entry(plateid=None).key == entry(plateid=None).key != entry(plateid=None, timeStamp=later).key
    assert entry(plateid=None).key != entry(plateid=None, license="粤B12346").key


def test_seconds_are_believed_before_the_wall_clock() -> None:
    wall = {"decyear": 2026, "decmon": 11, "decday": 20, "dechour": 10, "decmin": 30, "decsec": 15}
    assert entry(timeStamp={"Timeval": {"sec": 1795120000, **wall}}).at == datetime(
        2026, 11, 19, 20, 26, 40, tzinfo=UTC
    )
    assert entry(timeStamp={"Timeval": wall}).at == datetime(2026, 11, 20, 2, 30, 15, tzinfo=UTC)
    assert entry(timeStamp={"Timeval": {"sec": 3600}}).at == datetime(1970, 1, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "timeval", [{}, {"sec": -1}, {"sec": 10**12}, {"sec": 10**30}, {"decyear": 2026}, {"sec": "soon"}]
)
def test_an_event_without_a_time_is_refused(timeval: object) -> None:
    with pytest.raises(CameraError, match="bad_time"):
        entry(timeStamp={"Timeval": timeval})


def test_what_cannot_be_stored_is_refused() -> None:
    for text in ("粤B\x0012345", "粤" * 33, "粤B1234\ud800", "㋿" * 20):
        with pytest.raises(CameraError):
            entry(license=text)
    assert refused(zhenshi.ADAPTER, v.ZHENSHI_ENTRY.replace("0a1b2c3d-4e5f6071", "").encode()) == "no_device"
    assert refused(zhenshi.ADAPTER, v.ZHENSHI_ENTRY.replace("0a1b2c3d", "x" * 70).encode()) == "bad_device"
    assert refused(zhenshi.ADAPTER, b'{"AlarmInfoPlate":{}}') == "no_result"
    assert refused(zhenshi.ADAPTER, b"[1]") == "no_device"
    assert refused(qy.ADAPTER, b"[1]") == "not_an_object"


def test_doubts() -> None:
    assert entry(license="粤BD12345").doubtful and entry(colorType=5).doubtful and not entry().doubtful
    assert entry(is_fake_plate=1).fake


def test_each_dialect_refuses_the_heartbeat_of_the_other() -> None:
    assert refused(zhenshi.ADAPTER, v.QY_HEARTBEAT.encode()) == "unknown_root"
    assert refused(qy.ADAPTER, b"serialno=1") == "not_json"


def test_qy_sends_an_opening_without_serial_bytes() -> None:
    answer = qy.answer(Heartbeat("1"), Decision(open=True, voice="一路平安"))
    assert json.loads(answer.body)["Response_Heartbeat"]["serialData"] == [] and answer.dropped == ("texts",)
    shut = json.loads(qy.answer(Heartbeat("1"), Decision(close=True, recognise=True)).body)["Response_Heartbeat"]
    assert (shut["info"], shut["shutoff"], shut["snapnow"]) == ("no", "ok", "yes")


def test_closing_and_holding_go_by_the_wiring() -> None:
    beat = Heartbeat("1")
    close = zhenshi.answer(beat, Decision(close=True), Wiring(close_output=1))
    assert json.loads(close.body)["Response_AlarmInfoPlate"]["ivs_ioctrl"] == {"io": 1, "value": 2, "delay": 500}
    assert zhenshi.answer(beat, Decision(close=True)).dropped == ("close",)
    for decision, value in ((Decision(hold=True), 1), (Decision(release=True), 0)):
        held = json.loads(zhenshi.answer(beat, decision, Wiring(output=2)).body)["Response_AlarmInfoPlate"]
        assert held["ivs_ioctrl"] == {"io": 2, "value": value} and held["info"] == "no"


def test_a_decision_moves_the_barrier_one_way() -> None:
    with pytest.raises(ValueError, match="one way"):
        Decision(open=True, close=True)
    quiet = Decision(open=True, lines=("欢迎",), voice="欢迎", next_late=False).quiet()
    assert quiet.idle and not quiet.next_late and not Decision(recognise=True).idle


@pytest.mark.parametrize(
    ("told", "plate", "colour"),
    [
        ("蓝浙AX2P12", "浙AX2P12", Colour.BLUE),
        ("浙AX2P12", "浙AX2P12", Colour.UNKNOWN),
        ("黑A12345", "黑A12345", Colour.UNKNOWN),
        ("黑粤Z1234港", "粤Z1234港", Colour.BLACK),
        ("黑使014578", "使014578", Colour.BLACK),
        ("蓝黑A12345", "黑A12345", Colour.BLUE),
        ("黄绿粤B12345D", "粤B12345D", Colour.YELLOW_GREEN),
        ("渐变绿粤BD12345", "粤BD12345", Colour.GREEN),
        ("白WJ粤1234X", "WJ粤1234X", Colour.WHITE),
    ],
)
def test_hikvision_puts_the_colour_before_the_plate(told: str, plate: str, colour: Colour) -> None:
    event = alert(("蓝粤B12345", told), ("<plateColor>blue</plateColor>", ""))
    assert (event.plate, event.colour) == (plate, colour)


def test_hikvision_namespaces_offsets_and_fractions() -> None:
    prefixed = v.HIKVISION_XML.replace("</", "</ns1:").replace("<", "<ns1:").replace("<ns1:/ns1:", "</ns1:")
    prefixed = prefixed.replace("<ns1:?xml", "<?xml").replace("xmlns=", "xmlns:ns1=")
    event = hikvision.read({}, prefixed.encode())
    assert isinstance(event, Sighting) and event.plate == "粤B12345"
    local = alert((".120+08:00", ""))
    assert local.at == datetime(2026, 11, 20, 2, 30, 15, tzinfo=UTC) == alert((".120+08:00", "+08:00")).at
    assert alert(("97", "92.5")).confidence == 92 and alert(("97", "0")).confidence is None
    assert alert(("enter", "sideways")).direction == "unknown"


def test_hikvision_times_tell_captures_of_one_vehicle_apart() -> None:
    assert alert().key != alert(("10:30:15", "10:30:16")).key
    nameless = alert(("<UUID>0f9c1c1e-7f10-4c1b-9d55-0a1437001122</UUID>", ""))
    assert nameless.vehicle is None and "粤" not in nameless.key


def test_hikvision_other_events_are_taken_and_mean_nothing() -> None:
    motion = v.HIKVISION_XML.replace("<eventType>ANPR", "<eventType>VMD")
    assert hikvision.read({}, motion.encode()) == Other("a4:14:37:00:11:22", "VMD")
    idle = motion.replace("<eventState>active", "<eventState>inactive").replace("a4:14:37:00:11:22", "")
    assert hikvision.read({}, idle.encode()) == Heartbeat(None)


def test_hikvision_parts_without_a_name_and_faces() -> None:
    body = v.HIKVISION_PUSH.replace(b'name="anpr.xml"; ', b"").replace(b'filename="anpr.xml"', b'filename="event.xml"')
    event = hikvision.read(v.MULTIPART, body)
    assert isinstance(event, Sighting) and len(event.pictures) == 2
    face = v.HIKVISION_PUSH.replace(b"<type>detectionPicture", b"<type>pilotPicture")
    event = hikvision.read(v.MULTIPART, face)
    assert isinstance(event, Sighting) and [picture.role for picture in event.pictures] == [PictureRole.PLATE]
    unlisted = v.HIKVISION_PUSH.replace(
        b'name="P2"; filename="detectionPicture.jpg"', b'filename="detectionPicture_2.jpg"'
    )
    event = hikvision.read({}, unlisted.replace(b"<pId>P2</pId>", b""))
    assert isinstance(event, Sighting) and len(event.pictures) == 2


def test_hikvision_truncated() -> None:
    whole = v.HIKVISION_PUSH
    assert refused(hikvision.ADAPTER, whole[:900], v.MULTIPART) == "bad_xml"
    event = hikvision.read(v.MULTIPART, whole[:-60])
    assert isinstance(event, Sighting)
    assert refused(hikvision.ADAPTER, b"--b\r\n\r\nhello\r\n--b--") == "no_event"


def test_hikvision_requests() -> None:
    moves = (Decision(close=True), Decision(hold=True), Decision(release=True))
    bodies = [hikvision.requests(move).requests[0].body for move in moves]
    assert [body.split(b"ctrlMode>")[1] for body in bodies] == [b"close</", b"lock</", b"unlock</"]
    pulse = hikvision.requests(Decision(open=True), Wiring(io_only=True)).requests
    assert [(order.path, order.wait_s) for order in pulse] == [
        ("/ISAPI/System/IO/outputs/1/trigger", place) for place in (0, 3)
    ]
    assert b"high" in pulse[0].body and b"low" in pulse[1].body
    said = hikvision.requests(Decision(voice="请缴费<10>元", lines=("a",), qr="b", recognise=True), Wiring(channel=2))
    assert said.requests[0].path == "/ISAPI/Parking/channels/2/voiceBroadcastInfo"
    assert "[v5]请缴费&lt;10&gt;元".encode() in said.requests[0].body and said.dropped == ("display", "qr", "recognise")
    assert hikvision.requests(Decision(close=True), Wiring(io_only=True)).dropped == ("close",)
    assert (
        hikvision.requests(Decision()).requests == ()
        and vendors.adapter("qy").requests(Decision(), Wiring()).requests == ()
    )


def test_dahua_forms_of_rebadged_models() -> None:
    plain = dahua.read({}, v.DAHUA_PUSH.encode())
    body = f'--b7\r\nContent-Disposition: form-data; name="info"\r\n\r\n{v.DAHUA_PUSH}\r\n--b7--\r\n'.encode()
    assert dahua.read({"Content-Type": "multipart/form-data; boundary=b7"}, body) == plain
    dotted = b"Picture.Plate.PlateNumber=%E7%B2%A4B12345&Picture.SnapInfo.SnapTime=2026-11-20T10:30:15"
    event = dahua.read({}, dotted)
    assert isinstance(event, Sighting) and event.plate == "粤B12345" and event.device is None
    assert refused(dahua.ADAPTER, b"Picture=1&Picture.Plate=2") == "bad_form"
    assert refused(dahua.ADAPTER, b'{"Picture":{"Plate":{"PlateNumber":"x"}}}') == "bad_time"
    assert refused(dahua.ADAPTER, b'{"Picture":1}') == "no_result"
    assert dahua.read({}, b"Active=keepAlive") == dahua.read({}, b"") == Heartbeat(None)


def test_dahua_drops_what_only_other_cameras_can() -> None:
    everything = Decision(hold=True, lines=("a",), voice="b", qr="c", recognise=True)
    assert dahua.requests(everything).dropped == ("hold", "display", "voice", "qr", "recognise")


def test_pictures_are_decoded_late_and_leniently() -> None:
    for text in (b"data:image/jpeg;base64,/9j/2Q==", b"/9j/2Q", b"/9j/\r\n2Q=="):
        assert Picture(PictureRole.SCENE, text, base64=True).content() == b"\xff\xd8\xff\xd9"
    for text in (b"", b"AAAA", "图".encode(), b"/9j/2Q=Q"):
        assert Picture(PictureRole.SCENE, text, base64=True).content() is None
    assert Picture(PictureRole.SCENE, b"GIF89a").content() is None


def test_text_for_the_board_is_cut_between_characters_and_nothing_vanishes() -> None:
    assert board.gbk("请缴费", 5) == "请缴".encode("gbk")
    assert board.gbk("🚗a\r", 10) == b"?a?"
    assert len(board.show(["长" * 40] * 9, "长" * 99, show_s=999)) <= 255 + 8
    assert board.show_code("https://" + "x" * 300, "") is None


def test_a_code_on_the_board_and_on_the_screen() -> None:
    code = Decision(qr="https://park.example.cn/q/1")
    on_board = json.loads(zhenshi.answer(Heartbeat("1"), code).body)["Response_AlarmInfoPlate"]
    assert on_board["serialData"][0]["dataLen"] == 6 + 32 + len(code.qr or "") + 2 + 2
    screen = zhenshi.answer(Heartbeat("1"), code, Wiring(screen=Screen.LCD))
    assert json.loads(screen.body)["Response_AlarmInfoPlate"]["body"]["qrcode_text"] == code.qr
    nothing = zhenshi.answer(Heartbeat("1"), Decision(qr="q", lines=("a",)), Wiring(screen=Screen.NONE))
    assert nothing.dropped == ("display", "qr")


def test_an_unreadable_plate_is_no_missing_one() -> None:
    assert alert(("蓝粤B12345", "unknown")).absence is Absence.UNREADABLE
    assert alert(("蓝粤B12345", "noPlate")).absence is Absence.NONE


def test_refusals_say_nothing_of_the_message() -> None:
    for adapter in vendors.ADAPTERS.values():
        with pytest.raises(CameraError) as error:
            adapter.read({}, '{"Picture":{"Plate":{"PlateNumber":"粤B12345'.encode())
        assert "粤" not in str(error.value)
