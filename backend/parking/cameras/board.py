"""Frames for the LED and voice board behind a camera, the "0x64 protocol" (protocols/cameras.md 1.7).

Promises: text is GBK; what GBK lacks, and control characters, become `?`; what is too long is cut between characters;
a frame's checksum is CRC-16/Modbus, low byte first.
"""

import re
from collections.abc import Sequence

VERSION = 0x64
NO_PACKET_NUMBER = b"\xff\xff"
PLAY_VOICE, SHOW_AND_SAY, SHOW_CODE = 0x30, 0x6E, 0xE1
MAX_DATA, MAX_LINE, MAX_LINES, MAX_SPOKEN_WITH_LINES = 255, 32, 4, 64
_RED = b"\xff\x00\x00\x00"
_NOW, _TEMPORARY, _ONCE, _SPEED = 0, 0, 1, 0
_PLAY_NOW = b"\x01"
_COMMAS = re.compile(r"[，、;；。\s]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_CODE_HEADER_BYTES, _CODE_KIND, _CODE_SECONDS, _CODE_FLAGS = 32, 1, 10, (0x80, 0x01)


def gbk(text: str, limit: int) -> bytes:
    """`text` in GBK, at most `limit` bytes, cut between characters."""
    encoded = [_CONTROL.sub("?", character).encode("gbk", "replace") for character in text]
    kept, size = [], 0
    for character in encoded:
        size += len(character)
        if size > limit:
            break
        kept.append(character)
    return b"".join(kept)


def frame(address: int, command: int, data: bytes) -> bytes:
    """One frame to the board at `address`."""
    head = bytes((address, VERSION)) + NO_PACKET_NUMBER + bytes((command, len(data))) + data
    return head + _crc(head).to_bytes(2, "little")


def say(text: str, *, address: int = 0) -> bytes:
    """Queue and play `text`, phrases separated by commas."""
    return frame(address, PLAY_VOICE, _PLAY_NOW + gbk(_phrases(text), MAX_DATA - 1))


def show(lines: Sequence[str], voice: str, *, show_s: int, address: int = 0) -> bytes:
    """Up to four lines in red for `show_s` seconds (1 to 255), and a voice text, in one frame."""
    shown = lines[:MAX_LINES]
    data = bytes((_TEMPORARY, len(shown)))
    for index, line in enumerate(shown):
        text = gbk(line, MAX_LINE)
        data += bytes((index, _NOW, _SPEED, min(max(show_s, 1), 255), _ONCE)) + _RED + bytes((len(text),)) + text
        data += b"\x00" if index == len(shown) - 1 else b"\x0d"
    spoken = gbk(_phrases(voice), MAX_SPOKEN_WITH_LINES)
    return frame(address, SHOW_AND_SAY, data + b"\x0a" + bytes((len(spoken),)) + spoken + b"\x00")


def show_code(url: str, caption: str, *, address: int = 0) -> bytes | None:
    """A QR code of `url`; None when it does not fit in a frame. The header's meaning is inferred (1.7)."""
    address_text, below = gbk(url, MAX_DATA), gbk(caption, MAX_LINE)
    header = bytearray(_CODE_HEADER_BYTES)
    header[0], header[3], header[13], header[14] = _CODE_KIND, _CODE_SECONDS, len(address_text), len(below)
    header[15:17] = bytes(_CODE_FLAGS)
    data = bytes(header) + address_text + b"\x00" + below + b"\x00"
    return frame(address, SHOW_CODE, data) if len(data) <= MAX_DATA else None


def _phrases(text: str) -> str:
    return _COMMAS.sub(",", text).strip(",")


def _crc(data: bytes) -> int:
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ 0xA001 if value & 1 else value >> 1
    return value
