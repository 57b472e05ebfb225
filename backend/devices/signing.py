"""Signed requests of devices: HMAC-SHA256 over method, target, time stamp, nonce and body (security: replay).

    Authorization: LINLI-HMAC-SHA256 device=<id>,timestamp=<Unix seconds>,nonce=<16 to 64 characters>,signature=<hex>
    signed text:   method \\n path and query \\n timestamp \\n nonce \\n SHA-256 of the body in hex

Promises: nothing of a request is believed before its signature is; a time stamp counts for WINDOW on either side; a
nonce is heard once by a device, whatever process hears it, because the row that keeps it is unique. A device that was
revoked a moment ago is refused by the same statement.
"""

import hmac
import re
from datetime import timedelta
from hashlib import sha256
from uuid import UUID

from backend.devices import registry
from backend.kernel.auth import DEVICE, Kind, Principal, SignedRequest
from backend.kernel.crypto import equal
from backend.kernel.errors import Unauthenticated
from backend.kernel.resources import Resources

WINDOW = timedelta(seconds=300)
_CREDENTIALS = re.compile(
    r"device=(?P<device>[0-9a-f-]{36}),timestamp=(?P<timestamp>[0-9]{1,12}),"
    r"nonce=(?P<nonce>[0-9A-Za-z_-]{16,64}),signature=(?P<signature>[0-9a-f]{64})"
)

# In one statement: the device is still one of ours, and this nonce is new.
USE_NONCE = """
    INSERT INTO device_nonce (device_id, nonce, used_at)
    SELECT id, $2, $3 FROM device WHERE id = $1 AND revoked_at IS NULL
        ON CONFLICT (device_id, nonce) DO NOTHING
 RETURNING device_id
"""


def signature(secret: str, request: SignedRequest, *, timestamp: str, nonce: str) -> str:
    """The signature of a request in hex."""
    text = "\n".join((request.method, request.target, timestamp, nonce, sha256(request.body).hexdigest()))
    return hmac.digest(secret.encode(), text.encode(), "sha256").hex()


async def verify(res: Resources, request: SignedRequest, request_id: str) -> Principal:
    """The device behind a signed request.

    Raises Unauthenticated: `bad_signature`, `bad_timestamp` (with our time, so that a clock can be set), `replayed`.
    """
    given = _CREDENTIALS.fullmatch(request.credentials)
    device = await registry.known(res, _id(given["device"])) if given else None
    if given is None or device is None:
        raise _bad_signature()
    now = res.clock.now()
    timestamp, nonce = given["timestamp"], given["nonce"]
    right = [signature(each, request, timestamp=timestamp, nonce=nonce) for each in device.secrets(now)]
    if not any(equal(given["signature"], each) for each in right):
        raise _bad_signature()
    if abs(int(timestamp) - now.timestamp()) > WINDOW.total_seconds():
        raise Unauthenticated("设备时钟与服务器相差太多。", code="bad_timestamp", server_time=now)
    if await res.db.fetchval(USE_NONCE, device.id, nonce, now) is None:
        raise Unauthenticated("这个请求已经处理过，请换用新的随机数重新签名。", code="replayed")
    return Principal(
        kind=Kind.DEVICE, id=device.id, grants={DEVICE: frozenset({device.community_id})}, request_id=request_id
    )


def _bad_signature() -> Unauthenticated:
    return Unauthenticated("设备签名无效。", code="bad_signature")


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise _bad_signature() from None
