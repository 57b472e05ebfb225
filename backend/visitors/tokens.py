"""The token of a visitor's pass (访客通行码): what a QR carries, read by a gate without a network (D10, docs/gates.md).

    form 1 | key id 4 | community 4 | subject 16 | from 4 | until 4 | entries 2 | nonce 8
    | gates: count 1, then 2 each | slots: count 1, then days 1, start 2, end 2 each | Ed25519 signature 64

Promises: at most MAX_CHARS characters of base64url; one token has one text, and one text one meaning: whatever differs
from what `sign` would write, be it by the spare bits of the last character, is refused. What is signed begins with
PURPOSE, so that a signature made for anything else opens no gate. A live code (动态码) is a token whose window is one
step of STEP_S seconds; it needs no secret in a gate (decision 0027).
"""

import base64
import binascii
import io
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from uuid import UUID

import segno
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from backend.visitors.windows import DAY_MIN, EVERY_DAY, MAX_SLOTS, Slot

PURPOSE = b"linli-visitor-token-1\0"
MAX_CHARS = 199
MAX_GATES = 8
NONCE_BYTES = 8
STEP_S = 30
_HEAD = struct.Struct(">BII16sIIH8s")
_SLOT = struct.Struct(">BHH")
_SIGNATURE_BYTES = 64
_MODULE_PX = 8


class Malformed(Exception):
    """No token of ours: not canonical, of unknown form, or with fields that `sign` never writes."""


class Form(IntEnum):
    """A pass that may be printed and sent on; a pass that the phone shows live; a resident's own door code."""

    PASS = 1
    LIVE_PASS = 2
    LIVE_DOOR = 3


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says. Instants in Unix seconds, the end excluded; `entries` 0: no limit; no gates: all of them."""

    form: Form
    key_id: int
    community_no: int
    subject: UUID
    from_s: int
    until_s: int
    entries: int
    nonce: bytes
    gates: tuple[int, ...] = ()
    slots: tuple[Slot, ...] = ()


@dataclass(frozen=True, slots=True)
class Unproven:
    """A token that is well formed; nothing in it is to be believed before `is_signed_by`."""

    claims: Claims
    signed: bytes
    signature: bytes

    def is_signed_by(self, key: Ed25519PublicKey) -> bool:
        """Whether this key has signed it."""
        try:
            key.verify(self.signature, self.signed)
        except InvalidSignature:
            return False
        return True


def sign(claims: Claims, key: Ed25519PrivateKey) -> str:
    """The token's text. ValueError for claims that no token can carry."""
    if (fault := _fault(claims)) is not None:
        raise ValueError(fault)
    body = b"".join(_parts(claims))
    return base64.urlsafe_b64encode(body + key.sign(PURPOSE + body)).decode().rstrip("=")


def read(text: str) -> Unproven:
    """What a text says, unproven; Malformed for any other text than `sign` writes."""
    raw = _raw(text)
    body, signature = raw[:-_SIGNATURE_BYTES], raw[-_SIGNATURE_BYTES:]
    if len(body) < _HEAD.size + 2:
        raise Malformed("too short")
    form, key_id, community_no, subject, from_s, until_s, entries, nonce = _HEAD.unpack_from(body)
    gates, rest = _counted(body[_HEAD.size :], struct.Struct(">H"))
    slots, rest = _counted(rest, _SLOT)
    if rest:
        raise Malformed("bytes left over")
    try:
        kind = Form(form)
    except ValueError:
        raise Malformed("unknown form") from None
    claims = Claims(
        kind, key_id, community_no, UUID(bytes=subject), from_s, until_s, entries, nonce,
        tuple(gate for (gate,) in gates), tuple(Slot(*slot) for slot in slots),
    )  # fmt: skip
    if (fault := _fault(claims)) is not None:
        raise Malformed(fault)
    return Unproven(claims, PURPOSE + body, signature)


def picture(text: str) -> bytes:
    """The QR of a token as a PNG, to be shown or sent on."""
    out = io.BytesIO()
    segno.make_qr(text, error="m", boost_error=False).save(out, kind="png", scale=_MODULE_PX, border=4)
    return out.getvalue()


def _raw(text: str) -> bytes:
    """The bytes of a canonical text: of the texts that decode to them, the one that encoding gives."""
    if len(text) > MAX_CHARS:
        raise Malformed("too long")
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        raise Malformed("not base64url") from None
    if base64.urlsafe_b64encode(raw).decode().rstrip("=") != text:
        raise Malformed("not canonical")
    return raw


def _counted(body: bytes, item: struct.Struct) -> tuple[list[tuple[int, ...]], bytes]:
    """The items behind a count, and what follows them."""
    end = 1 + body[0] * item.size if body else 1
    if len(body) < end:
        raise Malformed("too short")
    return list(item.iter_unpack(body[1:end])), body[end:]


def _parts(claims: Claims) -> Iterable[bytes]:
    yield _HEAD.pack(
        claims.form, claims.key_id, claims.community_no, claims.subject.bytes, claims.from_s, claims.until_s,
        claims.entries, claims.nonce,
    )  # fmt: skip
    yield bytes([len(claims.gates)])
    yield b"".join(struct.pack(">H", gate) for gate in claims.gates)
    yield bytes([len(claims.slots)])
    yield b"".join(_SLOT.pack(*slot) for slot in claims.slots)


def _fault(claims: Claims) -> str | None:
    """Why no token can say this; None where one can."""
    live, gates = claims.form is not Form.PASS, claims.gates
    faults = {
        "key id": not 0 < claims.key_id < 1 << 32,
        "community": not 0 < claims.community_no < 1 << 32,
        "window": not 0 <= claims.from_s < claims.until_s < 1 << 32,
        "step": live and (claims.from_s % STEP_S != 0 or claims.until_s != claims.from_s + STEP_S),
        "entries": not 0 <= claims.entries < 1 << 16,
        "nonce": len(claims.nonce) != NONCE_BYTES,
        "gates": len(gates) > MAX_GATES or list(gates) != sorted(set(gates)) or not all(0 < n < 1 << 16 for n in gates),
        "slots": len(claims.slots) > (0 if live else MAX_SLOTS) or not all(map(_possible, claims.slots)),
    }
    return next((name for name, wrong in faults.items() if wrong), None)


def _possible(slot: Slot) -> bool:
    days, start_min, end_min = slot
    return 0 < days <= EVERY_DAY and 0 <= start_min < DAY_MIN and 0 < end_min <= DAY_MIN and start_min != end_min
