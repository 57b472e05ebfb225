"""The LED and voice board on a camera's RS-485 port: it understands the frames of cameras.md 1.7, or stays silent."""

import base64
import binascii
from typing import Any

from sandbox.cameras.shots import Texts

HEAD, TAIL = 6, 2
SAY, SHOW, CODE = 0x30, 0x6E, 0xE1
LINE_HEAD = 10
CODE_HEAD = 32


class Silent(Exception):
    """The board did not understand and does nothing."""


def heard(entries: Any) -> Texts:
    """What the board does with `serialData`; entries that it does not understand are lost."""
    texts = Texts()
    for entry in entries if isinstance(entries, list) else []:
        try:
            texts = _obey(_bytes(entry))
        except (Silent, IndexError):
            continue
    return texts


def _bytes(entry: Any) -> bytes:
    try:
        data = base64.b64decode(entry["data"], validate=True)
    except (KeyError, TypeError, binascii.Error) as error:
        raise Silent from error
    # A length of the base64 text instead of the bytes makes the camera send rubbish (1.6).
    if entry.get("dataLen") != len(data):
        raise Silent
    return data


def _obey(frame: bytes) -> Texts:
    if len(frame) < HEAD + TAIL or frame[1] != 0x64 or frame[2:4] != b"\xff\xff":
        raise Silent
    body, told = frame[:-TAIL], int.from_bytes(frame[-TAIL:], "little")
    if crc(body) != told or frame[5] != len(body) - HEAD:
        raise Silent
    command, data = frame[4], body[HEAD:]
    if command == SAY and data[0] == 1:
        return Texts(voice=data[1:].decode("gbk"))
    if command == SHOW:
        return _shown(data)
    if command == CODE:
        return Texts(code=data[CODE_HEAD : CODE_HEAD + data[13]].decode("gbk"))
    raise Silent


def _shown(data: bytes) -> Texts:
    place, lines = 2, []
    for number in range(data[1]):
        if data[place] != number:
            raise Silent
        start = place + LINE_HEAD
        end = start + data[start - 1]
        if data[end] != (0x00 if number == data[1] - 1 else 0x0D):
            raise Silent
        lines.append(data[start:end].decode("gbk"))
        place = end + 1
    if data[place] != 0x0A:
        raise Silent
    voice = data[place + 2 : place + 2 + data[place + 1]]
    return Texts(tuple(lines), voice.decode("gbk"))


def crc(data: bytes) -> int:
    """CRC-16/Modbus, by the table of each half byte."""
    value = 0xFFFF
    for byte in data:
        for half in (byte & 0x0F, byte >> 4):
            value = (value >> 4) ^ _TABLE[(value ^ half) & 0x0F]
    return value


def _step(value: int) -> int:
    for _ in range(4):
        value = (value >> 1) ^ (0xA001 * (value & 1))
    return value


_TABLE = tuple(_step(nibble) for nibble in range(16))
