"""Whatever arrives, an adapter reads it or says why not; what the sandbox plays, the product reads as it was meant."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.parking import plates
from backend.parking.cameras import base, forms, hik_xml, qy, vendors, zhenshi
from backend.parking.cameras.base import CameraError, Screen, Speech, Wiring
from backend.parking.lanes.sighting import Decision, Event, Heartbeat, InputChange, SerialBytes, Sighting, Snapshot
from sandbox.cameras import zhenshi as played
from sandbox.cameras.models import MODELS
from sandbox.cameras.shots import Identity, Record, Shot, Way, colour_of
from tests import vectors_cameras as v

VENDORS = sorted(vendors.ADAPTERS)
LEAF = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
JSON = st.recursive(LEAF, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner), max_leaves=6)
SOME = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SERIAL_CHARACTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789"
PLATES = st.builds(
    lambda province, office, rest: f"{province}{office}{rest}",
    st.sampled_from("京沪粤黑川"),
    st.sampled_from("ABCDEFGHJKLMNPQRSTUVWXYZ"),
    st.text(SERIAL_CHARACTERS, min_size=5, max_size=5),
) | st.sampled_from(
    ["粤BD12345", "粤B12345D", "粤B1234警", "粤Z1234港", "使014578", "KA12345", "川X0016应急", "WJ粤1234X"]
)
INSTANTS = st.datetimes(datetime(2000, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC))


def must_hold(event: Event) -> None:
    """What every event promises, whatever it was made of."""
    assert event.device is None or (0 < len(event.device) <= 64 and event.device.isprintable())
    if not isinstance(event, Sighting):
        return
    assert 0 < len(event.key) <= 128 and event.key.isprintable()
    assert event.at.utcoffset() == timedelta() and 1970 <= event.at.year < 2100
    assert event.confidence is None or 1 <= event.confidence <= 100
    assert (event.plate is None) == (event.absence is not None)
    assert event.plate is None or (event.plate == plates.loose(event.plate) and 0 < len(event.plate) <= 32)
    for number in (event.sequence, event.channel, event.lane):
        assert number is None or abs(number) <= base.MAX_INTEGER
    for picture in event.pictures:
        picture.content()


def try_all(headers: Mapping[str, str], body: bytes) -> None:
    for adapter in vendors.ADAPTERS.values():
        try:
            event = adapter.read(headers, body)
        except CameraError as error:
            assert error.reason.replace("_", "").isalnum()
            continue
        must_hold(event)
        for decision in (Decision(), Decision(open=True, lines=("欢迎",), voice="欢迎", recognise=True)):
            adapter.answer(event, decision, Wiring())


@SOME
@given(
    st.binary(max_size=400), st.sampled_from(["", "application/json", "multipart/form-data; boundary=b7", "text/xml"])
)
def test_any_bytes(body: bytes, content_type: str) -> None:
    try_all({"Content-Type": content_type}, body)


@SOME
@given(st.data(), st.sampled_from([v.ZHENSHI_ENTRY, v.QY_EXIT, v.DAHUA_PUSH, v.QY_HEARTBEAT]))
def test_any_damage_to_a_json_sample(data: st.DataObject, sample: str) -> None:
    document = json.loads(sample)
    for _ in range(data.draw(st.integers(1, 3))):
        node: Any = document
        while isinstance(node, dict) and node:
            key = data.draw(st.sampled_from(sorted(node)))
            if not isinstance(node[key], dict) or data.draw(st.booleans()):
                node[key] = data.draw(JSON)
                break
            node = node[key]
    try_all({}, json.dumps(document).encode("utf-8", "surrogatepass"))


@SOME
@given(st.data())
def test_any_damage_to_the_bytes_of_a_sample(data: st.DataObject) -> None:
    headers, body = data.draw(
        st.sampled_from(
            [(v.MULTIPART, v.HIKVISION_PUSH), ({}, v.HIKVISION_XML.encode()), ({}, v.ZHENSHI_ENTRY.encode())]
        )
    )
    start = data.draw(st.integers(0, len(body)))
    end = data.draw(st.integers(start, min(len(body), start + 40)))
    try_all(headers, body[:start] + data.draw(st.binary(max_size=20)) + body[end:])


@SOME
@given(st.lists(st.tuples(st.text(max_size=8), JSON), max_size=4))
def test_any_other_root(pairs: list[tuple[str, Any]]) -> None:
    for root in ("AlarmGioIn", "SerialData", "TriggerImage", "AlarmInfoPlate", "heartbeat", "Picture"):
        try_all({}, json.dumps({root: dict(pairs)}).encode("utf-8", "surrogatepass"))


@SOME
@given(
    st.sampled_from(VENDORS),
    PLATES | st.none(),
    INSTANTS,
    st.integers(1, 10**9),
    st.uuids(),
    st.booleans(),
    st.booleans(),
    st.integers(1, 100),
    st.sampled_from(Way),
)
def test_what_the_sandbox_plays_is_read_as_it_was_meant(
    vendor: str,
    plate: str | None,
    at: datetime,
    number: int,
    vehicle: Any,
    late: bool,
    itself: bool,
    sure: int,
    way: Way,
) -> None:
    model, adapter = MODELS[vendor], vendors.adapter(vendor)
    colour = colour_of(plate) if plate else "unknown"
    shot = Shot(plate, at.replace(microsecond=at.microsecond // 1000 * 1000), colour, sure)
    post = model.push(Record(number, str(vehicle), shot, late, itself), Identity(model.serial, way=way))
    event = adapter.read(post.headers, post.body)
    must_hold(event)
    assert isinstance(event, Sighting)
    assert (event.device, event.plate, event.at) == (model.serial, plate, shot.at)
    assert event.colour == colour
    assert event.replayed is (None if vendor == "dahua" else late)
    assert event.confidence == (sure if plate or vendor in ("hikvision", "dahua") else None)
    assert {picture.content() for picture in event.pictures} == {shot.scene}
    assert vendors.is_from(event, model.serial)
    assert adapter.read(post.headers, post.body) == event


@SOME
@given(
    st.sampled_from(["zhenshi", "qy"]),
    st.booleans(),
    st.lists(st.text(st.sampled_from("粤B12345请缴费元欢迎光临 "), max_size=10), max_size=5),
    st.text(st.sampled_from("请缴费元欢迎光临,0123"), max_size=20),
    st.booleans(),
)
def test_what_the_product_answers_is_done(vendor: str, opens: bool, lines: list[str], voice: str, late: bool) -> None:
    model, adapter = MODELS[vendor], vendors.adapter(vendor)
    shot = Shot("粤B12345", v.AT)
    post = model.push(Record(7, "", shot, late), Identity(model.serial))
    decision = Decision(open=opens, lines=tuple(lines), voice=voice)
    done = model.obey(200, adapter.answer(adapter.read(post.headers, post.body), decision, Wiring()).body)
    assert done.taken
    assert done.opens is (opens and not late)
    assert done.lines == (() if late else tuple(line[:16] for line in lines[:4]))
    assert done.voice.replace(",", "") == ("" if late else voice.replace(",", ""))
    assert done.next_late is (late and vendor == "zhenshi")


@SOME
@given(st.text(max_size=300), st.lists(st.text(max_size=60), max_size=6), st.integers(-5, 400))
def test_any_text_makes_a_frame_that_the_board_takes(voice: str, lines: list[str], show_s: int) -> None:
    decision = Decision(lines=tuple(lines), voice=voice, show_s=show_s, qr="https://park.example.cn/" + "q" * show_s)
    answer = zhenshi.answer(Heartbeat(None), decision, Wiring())
    told = json.loads(answer.body).get("Response_AlarmInfoPlate", {})
    for entry in told.get("serialData", []):
        assert entry["dataLen"] <= 255 + 8
        done = played.obey(200, answer.body)
        assert len(done.lines) == min(len(lines), 4)


@pytest.mark.parametrize("screen", Screen)
@pytest.mark.parametrize("speech", Speech)
def test_each_wiring_does_or_drops(screen: Screen, speech: Speech) -> None:
    decision = Decision(
        open=True, plate="粤B12345", lines=("欢迎光临",), voice="欢迎光临", qr="https://park.example.cn/q"
    )
    answer = zhenshi.answer(Heartbeat(None), decision, Wiring(screen=screen, speech=speech))
    done = played.obey(200, answer.body)
    assert done.opens
    assert (done.lines == ()) is ("display" in answer.dropped) is (screen is Screen.NONE)
    assert (done.voice == "") is ("voice" in answer.dropped) is (speech is Speech.NONE)
    assert (done.code == "") is ("qr" in answer.dropped) is (screen is not Screen.LCD)


def test_pushes_beside_plates() -> None:
    camera = Identity("0a1b2c3d-4e5f6071")
    assert zhenshi.read({}, played.gio(camera, 2, 0).body) == InputChange(camera.serial, 2, 0)
    event = zhenshi.read({}, played.serial(camera, 1, b"\x00\x64").body)
    assert event == SerialBytes(camera.serial, 1, b"\x00\x64")
    assert zhenshi.answer(event, Decision(open=True)).body == b"{}"
    assert json.loads(qy.answer(event, Decision(open=True)).body) == {
        "Response_SerialData": {"info": "ok", "serialData": []}
    }
    snapshot = zhenshi.read({}, b'{"TriggerImage":{"ipaddr":"1.2.3.4","TriggerImage":{"imageFile":"/9j/2Q=="}}}')
    assert isinstance(snapshot, Snapshot) and snapshot.picture.content() == b"\xff\xd8\xff\xd9"


def test_limits() -> None:
    deep = b"<a>" * 40 + b"</a>" * 40
    wide = b"<a>" + b"<b/>" * 5000 + b"</a>"
    doctype = b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>'
    for body, reason in (
        (deep, "xml_too_large"),
        (wide, "xml_too_large"),
        (doctype, "xml_doctype"),
        (b"<a>", "bad_xml"),
    ):
        with pytest.raises(CameraError, match=reason):
            hik_xml.parse(body)
    big = b"{" + b" " * base.BODY_BYTES + b"}"
    for adapter in vendors.ADAPTERS.values():
        with pytest.raises(CameraError, match="too_large"):
            adapter.read({}, big)
    many = b"--b7\r\n\r\nx\r\n" * 65 + b"--b7--"
    with pytest.raises(CameraError, match="bad_multipart"):
        forms.parts({"content-type": "multipart/form-data; boundary=b7"}, many)
