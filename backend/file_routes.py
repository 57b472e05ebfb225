"""Files of the local store under `/files/`, to whoever holds a signed address that has not ended (kernel/storage.py).

A wrong or an old signature, an unknown file and a name that is none answer alike. A part of a file is given where
one is asked for (`Range: bytes=…`): phones play no video without. With an S3-compatible store the addresses lead there,
and these routes know no file.
"""

import re

from pydantic import Field

from backend.kernel.auth import PUBLIC
from backend.kernel.errors import AppError, NotFound, TooMany
from backend.kernel.http import Call, Reply, Route, Strict
from backend.kernel.ratelimit import Rule
from backend.kernel.storage import LocalStorage, content_type, saved

_PART = re.compile(r"bytes=(\d{0,12})-(\d{0,12})")


class NoSuchPart(AppError):
    """A part was asked for that lies behind the end of the file."""

    code = "no_such_part"
    status = 416
    message = "文件没有这一部分。"


class AddressQuery(Strict):
    """The end and the signature of an address, as it was given out."""

    until: str = Field(pattern=r"^\d{1,12}$")
    sign: str = Field(max_length=128)


async def give(call: Call[None, AddressQuery]) -> Reply:
    """GET /files/{folder}/{name} and /files/{folder}/{part}/{name}."""
    storage, key = call.res.storage, "/".join(call.path.values())
    try:
        kind = content_type(key)
    except ValueError as error:
        raise NotFound from error
    if not isinstance(storage, LocalStorage):
        raise NotFound
    if not storage.permits(key, until=call.query.until, sign=call.query.sign):
        raise NotFound
    headers = {"Content-Security-Policy": "sandbox", "Accept-Ranges": "bytes"}
    if saved(kind):
        headers["Content-Disposition"] = "attachment"
    body = await storage.get(key)
    part = part_of(call.headers.get("range", ""), len(body))
    if part is None:
        return Reply(200, body, kind, headers)
    headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{len(body)}"
    return Reply(206, body[part.start : part.stop], kind, headers)


def part_of(asked: str, size: int) -> range | None:
    """The bytes that a Range header asks for; None for the whole file (RFC 9110: also where we do not read it)."""
    found = _PART.fullmatch(asked.strip())
    if found is None or not any(found.groups()):
        return None
    first, last = found.groups()
    if not first:
        start, stop = max(size - int(last), 0), size
    else:
        start, stop = int(first), min(int(last) + 1, size) if last else size
    if last and first and int(last) < int(first):
        return None
    if start >= stop:
        raise NoSuchPart
    return range(start, stop)


_RATE = Rule("files", 600, 60)

ROUTES = (
    Route(
        "GET", "/files/{folder}/{name}", give, PUBLIC, "按签名地址读取文件", query=AddressQuery,
        errors=(NotFound, NoSuchPart, TooMany), rate=_RATE,
    ),
    Route(
        "GET", "/files/{folder}/{part}/{name}", give, PUBLIC, "按签名地址读取子目录中的文件", query=AddressQuery,
        errors=(NotFound, NoSuchPart, TooMany), rate=_RATE,
    ),
)  # fmt: skip
