"""The product against the samples of protocols/cameras.md: what it reads in each push, what it answers."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from backend.parking.cameras import board, dahua, hikvision, qy, vendors, zhenshi
from backend.parking.cameras.base import CameraRequest, Wiring
from backend.parking.lanes.sighting import (
    Absence,
    Decision,
    Direction,
    Heartbeat,
    OpenedBy,
    PictureRole,
    Sighting,
    SightingKind,
    VehicleClass,
)
from backend.parking.plates import Colour
from tests import vectors_cameras as v

JPEG = b"\xff\xd8\xff\xd9"
PICTURES = {PictureRole.SCENE: JPEG, PictureRole.PLATE: JPEG}


def sighting(event: object) -> Sighting:
    assert isinstance(event, Sighting)
    return event


def pictures(event: Sighting) -> dict[PictureRole, bytes | None]:
    return {picture.role: picture.content() for picture in event.pictures}


def test_zhenshi_entry() -> None:
    event = sighting(zhenshi.read({}, v.ZHENSHI_ENTRY.encode()))
    assert replace(event, pictures=()) == Sighting(
        device="0a1b2c3d-4e5f6071",
        key="4711-1795141815-120500",
        kind=SightingKind.PLATE,
        plate="粤B12345",
        at=v.AT,
        sequence=4711,
        colour=Colour.BLUE,
        plate_class="blue",
        confidence=96,
        movement="down",
        opened_by=OpenedBy.NONE,
        channel=0,
    )
    assert pictures(event) == PICTURES
    answer = zhenshi.answer(event, Decision(open=True, voice="粤B12345,欢迎光临"))
    assert json.loads(answer.body) == json.loads(v.ZHENSHI_OPENED)
    assert answer.content_type == "application/json; charset=utf-8" and answer.dropped == ()


def test_zhenshi_exit_with_money_owed_then_paid() -> None:
    event = zhenshi.read({}, v.ZHENSHI_ENTRY.replace("4711", "4712").encode())
    owes = Decision(plate="粤B12345", lines=("请缴费10元",), voice="请缴费,10,元")
    assert json.loads(zhenshi.answer(event, owes).body) == json.loads(v.ZHENSHI_OWES)
    poll = Heartbeat("0a1b2c3d-4e5f6072")
    assert json.loads(zhenshi.answer(poll, Decision(open=True, voice="一路平安")).body) == json.loads(v.ZHENSHI_COMMAND)
    assert json.loads(zhenshi.answer(poll, Decision()).body) == json.loads(v.ZHENSHI_IDLE)


def test_zhenshi_replay_is_acknowledged_and_moves_nothing() -> None:
    event = sighting(zhenshi.read({}, v.ZHENSHI_REPLAY.encode()))
    assert event.replayed and event.opened_by is OpenedBy.DEVICE and event.sequence == 4690
    everything = Decision(open=True, lines=("欢迎",), voice="欢迎", qr="https://park.example.cn/q", recognise=True)
    assert json.loads(zhenshi.answer(event, everything).body) == json.loads(v.ZHENSHI_REPLAYED)
    assert zhenshi.read({}, v.ZHENSHI_REPLAY.encode()) == event


def test_zhenshi_poll_as_a_form_keeps_no_password() -> None:
    body = b'--b7\r\nContent-Disposition: form-data; name="serialno"\r\n\r\n0a1b2c3d-4e5f6072\r\n' \
           b'--b7\r\nContent-Disposition: form-data; name="pass_wd"\r\n\r\nsecret\r\n--b7--\r\n'  # fmt: skip
    event = zhenshi.read({"content-type": "multipart/form-data; boundary=b7"}, body)
    assert event == Heartbeat("0a1b2c3d-4e5f6072") and "secret" not in repr(event)
    assert zhenshi.read({}, b"serialno=0a1b2c3d-4e5f6072&pass_wd=secret") == event
    assert zhenshi.read({}, b"") == Heartbeat(None)


def test_qy() -> None:
    beat = qy.read({}, v.QY_HEARTBEAT.encode())
    assert beat == Heartbeat("23d022da94b8469b")
    assert json.loads(qy.answer(beat, Decision()).body) == json.loads(v.QY_HEARTBEAT_IDLE)
    assert json.loads(qy.answer(beat, Decision(open=True)).body) == json.loads(v.QY_HEARTBEAT_OPEN)
    event = sighting(qy.read({}, v.QY_EXIT.encode()))
    assert (event.plate, event.colour, event.plate_class) == ("粤BD12345", Colour.GREEN, "new_energy_small")
    assert event.at == datetime(2026, 11, 20, 2, 31, 40, tzinfo=UTC) and event.replayed is False
    assert json.loads(qy.answer(event, Decision()).body) == json.loads(v.QY_STAYS)


def test_the_same_number_of_a_type_means_another_thing_in_each_dialect() -> None:
    assert sighting(zhenshi.read({}, v.QY_EXIT.encode())).plate_class == "hong_kong"
    assert sighting(qy.read({}, v.QY_EXIT.replace('"type":11', '"type":12').encode())).plate_class == "new_energy_large"


def test_hikvision() -> None:
    event = sighting(hikvision.read(v.MULTIPART, v.HIKVISION_PUSH))
    at = datetime(2026, 11, 20, 2, 30, 15, 120_000, UTC)
    assert replace(event, pictures=()) == Sighting(
        device="a4:14:37:00:11:22",
        key=f"0f9c1c1e-7f10-4c1b-9d55-0a1437001122@{at.isoformat()}",
        kind=SightingKind.PLATE,
        plate="粤B12345",
        at=at,
        colour=Colour.BLUE,
        plate_class="92TypeCivil",
        vehicle_class=VehicleClass.CAR,
        confidence=97,
        direction=Direction.IN,
        movement="forward",
        vehicle="0f9c1c1e-7f10-4c1b-9d55-0a1437001122",
        channel=1,
        lane=1,
    )
    assert pictures(event) == PICTURES
    assert hikvision.answer(event, Decision(open=True)).body == b""
    orders = hikvision.requests(Decision(open=True))
    assert orders.requests == (CameraRequest("PUT", v.HIKVISION_OPEN_PATH, v.HIKVISION_OPEN),) and not orders.dropped


def test_hikvision_two_stages_share_the_vehicle() -> None:
    first = v.HIKVISION_XML.replace("<listType>", "<hasMoreData>true</hasMoreData><listType>")
    early, full = hikvision.read({}, first.encode()), hikvision.read(v.MULTIPART, v.HIKVISION_PUSH)
    assert sighting(early).more_to_come and not sighting(full).more_to_come
    assert sighting(early).vehicle == sighting(full).vehicle and sighting(early).key == sighting(full).key


def test_hikvision_late() -> None:
    late = v.HIKVISION_XML.replace(
        "<alarmDataType>0</alarmDataType>",
        "<alarmDataType>1</alarmDataType><barrierGateCtrlType>0</barrierGateCtrlType>",
    ).replace("Retransmission>false", "Retransmission>true")
    event = sighting(hikvision.read({}, late.encode()))
    assert event.replayed and event.opened_by is OpenedBy.DEVICE


def test_dahua() -> None:
    event = sighting(dahua.read({}, v.DAHUA_PUSH.encode()))
    assert (event.device, event.plate, event.colour) == ("8B0A1C2PAG00001", "粤BD12345", Colour.GREEN)
    assert event.at == datetime(2026, 11, 20, 2, 30, 15, 120_000, UTC)
    assert (event.channel, event.lane, event.movement, event.replayed) == (0, 1, "Obverse", None)
    assert event.vehicle_class is VehicleClass.CAR and pictures(event) == PICTURES
    assert dahua.read({}, v.DAHUA_PUSH.encode()) == event
    assert json.loads(dahua.answer(event, Decision(open=True)).body) == json.loads(v.DAHUA_TAKEN)
    assert dahua.answer(event, Decision(), Wiring(plain_ok=True)).body == b"OK"
    assert dahua.read({}, v.DAHUA_KEEPALIVE.encode()) == Heartbeat("8B0A1C2PAG00001")
    orders = dahua.requests(Decision(open=True, plate="粤BD12345"))
    assert orders.requests[0].path.startswith("/cgi-bin/trafficSnap.cgi?action=openStrobe&channel=1&")


@pytest.mark.parametrize("text", v.FRAMES)
def test_frames_of_the_voice_board(text: str) -> None:
    hexadecimal, base64_text, length = v.FRAMES[text]
    frame = board.say(text)
    assert frame.hex().upper() == hexadecimal and len(frame) == length
    event = zhenshi.answer(Heartbeat(None), Decision(voice=text, close=False))
    assert json.loads(event.body)["Response_AlarmInfoPlate"]["serialData"] == [
        {"serialChannel": 0, "data": base64_text, "dataLen": length}
    ]


def test_frame_of_lines_and_voice() -> None:
    frame = board.show(("粤B12345", "请缴费10元"), "请缴费,10,元", show_s=10)
    assert frame.hex().upper() == v.SHOWN and len(frame) == v.SHOWN_LENGTH


@pytest.mark.parametrize(
    ("words", "absence"),
    [("_无_", Absence.NONE), ("No Plate", Absence.NONE), ("", Absence.NONE), ("noPlate", Absence.NONE),
     ("unknown", Absence.UNREADABLE), ("Unrecognised", Absence.UNREADABLE)],
)  # fmt: skip
def test_no_plate_and_unreadable_are_told_apart(words: str, absence: Absence) -> None:
    for event in (
        qy.read({}, v.QY_EXIT.replace("粤BD12345", words).encode()),
        hikvision.read({}, v.HIKVISION_XML.replace("蓝粤B12345", words).encode()),
        dahua.read({}, v.DAHUA_PUSH.replace("粤BD12345", words).encode()),
    ):
        read = sighting(event)
        assert (read.plate, read.absence, read.kind) == (None, absence, SightingKind.NO_PLATE)


def test_the_device_must_be_the_registered_one() -> None:
    event = hikvision.read(v.MULTIPART, v.HIKVISION_PUSH)
    assert vendors.is_from(event, "A4-14-37-00-11-22") and not vendors.is_from(event, "a4:14:37:00:11:23")
    assert vendors.is_from(Heartbeat(None), "anything")


def test_moments() -> None:
    live = sighting(zhenshi.read({}, v.ZHENSHI_ENTRY.encode()))
    assert live.moment(v.AT + timedelta(seconds=30)) == type(live.moment(v.AT))(v.AT, False, None)
    slow = live.moment(v.AT + timedelta(seconds=90))
    assert (slow.at, slow.late, slow.skew_s) == (v.AT + timedelta(seconds=90), False, -90)
    late = replace(live, replayed=True).moment(v.AT + timedelta(hours=3))
    assert (late.at, late.late, late.skew_s) == (v.AT, True, None)
    fast = replace(live, replayed=True).moment(v.AT - timedelta(seconds=61))
    assert (fast.at, fast.skew_s) == (v.AT - timedelta(seconds=61), 61)
    untold = replace(live, replayed=None)
    assert untold.moment(v.AT + timedelta(seconds=121)).late and not untold.moment(v.AT + timedelta(seconds=120)).late
    dead_clock = replace(untold, at=datetime(1970, 1, 1, 1, tzinfo=UTC)).moment(v.AT)
    assert dead_clock.at == v.AT and not dead_clock.late
