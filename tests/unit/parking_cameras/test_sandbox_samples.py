"""The sandbox against the samples of protocols/cameras.md: what it pushes, and what it makes of the answers."""

import base64
import json
import xml.etree.ElementTree as ET
from datetime import UTC, datetime

import pytest

from sandbox.cameras import dahua, frames, hikvision, zhenshi
from sandbox.cameras.shots import Identity, Obeyed, Record, Shot
from tests import vectors_cameras as v

ENTRY = Record(4711, "0f9c1c1e-7f10-4c1b-9d55-0a1437001122", Shot("粤B12345", v.AT))


def test_zhenshi_entry() -> None:
    post = zhenshi.push(ENTRY, Identity("0a1b2c3d-4e5f6071"))
    assert json.loads(post.body) == json.loads(v.ZHENSHI_ENTRY)


def test_zhenshi_obeys() -> None:
    assert zhenshi.obey(200, v.ZHENSHI_OPENED.encode()) == Obeyed(taken=True, opens=True, voice="粤B12345,欢迎光临")
    assert zhenshi.obey(200, v.ZHENSHI_OWES.encode()) == Obeyed(
        taken=True, lines=("粤B12345", "请缴费10元"), voice="请缴费,10,元"
    )
    assert zhenshi.obey(200, v.ZHENSHI_COMMAND.encode()) == Obeyed(taken=True, opens=True, voice="一路平安")
    assert zhenshi.obey(200, v.ZHENSHI_IDLE.encode()) == Obeyed(taken=True)
    assert zhenshi.obey(200, v.ZHENSHI_REPLAYED.encode()) == Obeyed(taken=True, next_late=True)
    assert not zhenshi.obey(503, b"").taken


def test_qy() -> None:
    exit_lane = Identity("23d022da94b8469b", "OUT", "192.168.1.101")
    shot = Shot("粤BD12345", datetime(2026, 11, 20, 2, 31, 40, tzinfo=UTC), "green", 91)
    assert json.loads(zhenshi.push_qy(Record(1, "", shot), exit_lane).body) == json.loads(v.QY_EXIT)
    assert json.loads(zhenshi.poll_qy(exit_lane).body) == json.loads(v.QY_HEARTBEAT)
    assert zhenshi.obey_qy(200, v.QY_STAYS.encode()) == Obeyed(taken=True)
    assert zhenshi.obey_qy(200, v.QY_HEARTBEAT_OPEN.encode()) == Obeyed(taken=True, opens=True)
    assert zhenshi.obey_qy(200, v.QY_HEARTBEAT_IDLE.encode()) == Obeyed(taken=True)
    assert not zhenshi.obey_qy(200, b'{"Response_AlarmInfoPlate":{"info":"ok"}}').taken


def test_hikvision() -> None:
    shot = Shot("粤B12345", datetime(2026, 11, 20, 2, 30, 15, 120_000, UTC), confidence=97)
    camera = Identity("a4:14:37:00:11:22", address="192.168.1.64")
    post = hikvision.push(Record(1, ENTRY.uuid, shot), camera)
    told, sample = (pieces(body) for body in (post.body, v.HIKVISION_PUSH))
    assert post.headers == v.MULTIPART and [head for head, _ in told] == [head for head, _ in sample]
    assert leaves(told[0][1]) == leaves(sample[0][1])
    assert [data for _, data in told[1:]] == [data for _, data in sample[1:]]
    assert hikvision.obey(200, b"") == Obeyed(taken=True)
    assert hikvision.request("PUT", v.HIKVISION_OPEN_PATH, v.HIKVISION_OPEN).opens


def pieces(body: bytes) -> list[tuple[bytes, bytes]]:
    """Head and data of each part."""
    found = body.split(b"--MIME_boundary")[1:-1]
    return [(head, data) for head, _, data in (piece.partition(b"\r\n\r\n") for piece in found)]


def leaves(xml: bytes) -> list[tuple[str, str]]:
    """Name and text of each element that has no other in it."""
    return [(node.tag, (node.text or "").strip()) for node in ET.fromstring(xml).iter() if not len(node)]


def test_dahua() -> None:
    shot = Shot("粤BD12345", datetime(2026, 11, 20, 2, 30, 15, 120_000, UTC), "green", 95)
    camera = Identity("8B0A1C2PAG00001")
    assert json.loads(dahua.push(Record(1, "", shot), camera).body) == json.loads(v.DAHUA_PUSH)
    assert json.loads(dahua.poll(camera).body) == json.loads(v.DAHUA_KEEPALIVE)
    assert dahua.obey(200, v.DAHUA_TAKEN.encode()).taken and dahua.obey(200, b"OK").taken
    assert not dahua.obey(200, b'{"Result":false}').taken and not dahua.obey(500, v.DAHUA_TAKEN.encode()).taken


@pytest.mark.parametrize("text", v.FRAMES)
def test_the_board_hears(text: str) -> None:
    hexadecimal, data, length = v.FRAMES[text]
    assert base64.b64decode(data).hex().upper() == hexadecimal
    assert frames.heard([{"serialChannel": 0, "data": data, "dataLen": length}]).voice == text


def test_the_board_is_silent_on_a_wrong_length_or_checksum() -> None:
    wrong = base64.b64encode(bytes.fromhex(v.SHOWN)[:-1] + b"\x00").decode()
    for entry in ({"data": v.SHOWN_BASE64, "dataLen": len(v.SHOWN_BASE64)}, {"data": wrong, "dataLen": 65}, 5, {}):
        assert frames.heard([entry]) == frames.Texts()


def test_the_clock_frame_of_the_protocol_has_the_same_checksum() -> None:
    frame = bytes.fromhex("0064FFFF0508EA070B14060A1E0F9756")
    assert frames.crc(frame[:-2]).to_bytes(2, "little") == frame[-2:]
