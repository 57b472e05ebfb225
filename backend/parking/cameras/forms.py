"""Forms that cameras post: multipart by a parser of our own, because the usual ones refuse parts without a name and cut
parts without a file name (protocols/cameras.md 3.1), and urlencoded.

Promises: at most MAX_PARTS parts; a body without its last boundary still gives the parts that it has.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from backend.parking.cameras.base import BODY_BYTES, CameraError, decoded, header

MAX_PARTS = 64
MAX_HEAD_BYTES = 4096
_BOUNDARY = re.compile(r"boundary=(?:\"([^\"]{1,200})\"|([^\s;,]{1,200}))", re.IGNORECASE)
_NAME = re.compile(r"(?:^|;)\s*name=(?:\"([^\"]*)\"|([^\s;]*))", re.IGNORECASE)
_FILE_NAME = re.compile(r"(?:^|;)\s*filename=(?:\"([^\"]*)\"|([^\s;]*))", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a multipart body; `name` and `file_name` are empty where the camera left them out."""

    name: str
    file_name: str
    content_type: str
    data: bytes


def is_multipart(headers: Mapping[str, str], body: bytes) -> bool:
    """Whether the body is multipart, by its header or, where that is missing or wrong, by its first bytes."""
    return "multipart/" in header(headers, "content-type").lower() or body.lstrip().startswith(b"--")


def parts(headers: Mapping[str, str], body: bytes) -> tuple[Part, ...]:
    """The parts of a multipart body. CameraError when it is too large, has too many, or has none."""
    if len(body) > BODY_BYTES:
        raise CameraError("too_large")
    boundary = _boundary(headers, body)
    newline = b"\r\n" if b"\r\n--" + boundary in b"\r\n" + body and b"\r\n" in body else b"\n"
    pieces = (newline + body).split(newline + b"--" + boundary, MAX_PARTS + 2)[1:]
    closing = next((place for place, piece in enumerate(pieces) if piece.startswith(b"--")), None)
    if closing is None and pieces and newline * 2 not in pieces[-1]:
        # Cut off within the head of its last part: what came before is whole.
        pieces.pop()
    found = [_part(piece, newline) for piece in pieces[:closing]]
    if not found or len(found) > MAX_PARTS:
        raise CameraError("bad_multipart")
    return tuple(found)


def fields(headers: Mapping[str, str], body: bytes) -> dict[str, str]:
    """The text fields of a multipart or urlencoded form; CameraError when there are none."""
    if is_multipart(headers, body):
        return {part.name: decoded(part.data).strip() for part in parts(headers, body) if part.name}
    try:
        found = dict(parse_qsl(decoded(body), keep_blank_values=True, max_num_fields=MAX_PARTS))
    except ValueError as error:
        raise CameraError("bad_form") from error
    if not found:
        raise CameraError("bad_form")
    return found


def _boundary(headers: Mapping[str, str], body: bytes) -> bytes:
    """The boundary that the header names; where that does not occur, the one with which the body begins."""
    match = _BOUNDARY.search(header(headers, "content-type"))
    told = (match.group(1) or match.group(2)).encode("utf-8", "replace") if match else b""
    if told and b"--" + told in body:
        return told
    first = body.lstrip()[:256].splitlines()[0].rstrip() if body.strip() else b""
    if not first.startswith(b"--") or len(first) < 3:
        raise CameraError("bad_multipart")
    return first[2:]


def _part(piece: bytes, newline: bytes) -> Part:
    head, blank, data = piece.partition(newline * 2)
    if not blank or len(head) > MAX_HEAD_BYTES:
        raise CameraError("bad_multipart")
    disposition = content_type = ""
    for line in head.decode("utf-8", "replace").splitlines():
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-disposition":
            disposition = value.strip()
        elif name.strip().lower() == "content-type":
            content_type = value.strip().lower()
    return Part(_found(_NAME, disposition), _found(_FILE_NAME, disposition), content_type, data)


def _found(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    return (match.group(1) or match.group(2) or "") if match else ""
