"""Files of the local store under `/files/`, to whoever holds a signed address that has not ended (kernel/storage.py).

A wrong or an old signature, an unknown file and a name that is none answer alike. With an S3-compatible store the
addresses lead there, and these routes know no file.
"""

from pydantic import Field

from backend.kernel.auth import PUBLIC
from backend.kernel.errors import NotFound, TooMany
from backend.kernel.http import Call, Reply, Route, Strict
from backend.kernel.ratelimit import Rule
from backend.kernel.storage import LocalStorage, content_type

# What a browser shows by itself without running anything; all else is saved.
SHOWN = frozenset({"image/jpeg", "image/png", "image/webp", "application/pdf"})


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
    headers = {"Content-Security-Policy": "sandbox"}
    if kind not in SHOWN:
        headers["Content-Disposition"] = "attachment"
    return Reply(200, await storage.get(key), kind, headers)


_RATE = Rule("files", 600, 60)

ROUTES = (
    Route(
        "GET", "/files/{folder}/{name}", give, PUBLIC, "按签名地址读取文件", query=AddressQuery,
        errors=(NotFound, TooMany), rate=_RATE,
    ),
    Route(
        "GET", "/files/{folder}/{part}/{name}", give, PUBLIC, "按签名地址读取子目录中的文件", query=AddressQuery,
        errors=(NotFound, TooMany), rate=_RATE,
    ),
)  # fmt: skip
