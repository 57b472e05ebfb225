"""Signed requests of devices: HMAC-SHA256 over method, target, time stamp, nonce and body (security: replay).

    Authorization: LINLI-HMAC-SHA256 device=<id>,timestamp=<Unix seconds>,nonce=<16 to 64 characters>,signature=<hex>
    signed text:   method \\n path and query \\n timestamp \\n nonce \\n SHA-256 of the body in hex

Promises: nothing of a request is believed before its signature is; a time stamp counts for WINDOW on either side; a
nonce is heard once by a device, whatever process hears it, because the row that keeps it is unique. A device that was
revoked a moment ago is refused by the same statement. A route that is asked all day keeps the nonce with what it writes
itself (`spend_along`, decision 0037); no route answers without having kept it.
"""

import hmac
import re
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from backend.devices import registry
from backend.kernel.auth import DEVICE, Kind, Nonce, Principal, SignedRequest
from backend.kernel.crypto import equal
from backend.kernel.db import Batch, Reader, Tx, Write
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

NONCES = Batch("device_nonce", (("device_id", "uuid"), ("nonce", "text"), ("used_at", "timestamptz")))


def signature(secret: str, request: SignedRequest, *, timestamp: str, nonce: str) -> str:
    """The signature of a request in hex."""
    text = "\n".join((request.method, request.target, timestamp, nonce, sha256(request.body).hexdigest()))
    return hmac.digest(secret.encode(), text.encode(), "sha256").hex()


async def verify(res: Resources, request: SignedRequest, request_id: str) -> tuple[Principal, Nonce]:
    """The device behind a signed request, and the nonce that is to be spent before it is answered.

    Raises Unauthenticated: `bad_signature`, `bad_timestamp` (with our time, so that a clock can be set).
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
    principal = Principal(
        kind=Kind.DEVICE, id=device.id, grants={DEVICE: frozenset({device.community_id})}, request_id=request_id
    )
    return principal, Nonce(device.id, nonce)


async def spend(res: Resources, nonce: Nonce) -> None:
    """Keep the nonce by itself; Unauthenticated `replayed` where the device has used it before, or is revoked."""
    await _use(res.db, nonce, res.clock.now())


async def spend_first(tx: Tx, nonce: Nonce) -> None:
    """The same as the first thing in a transaction."""
    await _use(tx, nonce, tx.now)


def spend_along(write: Write, nonce: Nonce) -> None:
    """Keep the nonce with the next statement, which fails where the device has used it before."""
    write.add(NONCES, nonce.device_id, nonce.text, write.now)
    nonce.spent = True


async def _use(db: Reader, nonce: Nonce, now: datetime) -> None:
    if await db.fetchval(USE_NONCE, nonce.device_id, nonce.text, now) is None:
        raise Unauthenticated("这个请求已经处理过，请换用新的随机数重新签名。", code="replayed")
    nonce.spent = True


def _bad_signature() -> Unauthenticated:
    return Unauthenticated("设备签名无效。", code="bad_signature")


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise _bad_signature() from None
