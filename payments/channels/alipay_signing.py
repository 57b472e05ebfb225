"""Texts and signatures of Alipay's gateway. Pure: no network, no clock, no storage.

Truth on the wire is protocols/alipay.md sections 2, 3 and 9.2. Promises: what is signed of an answer is the raw text of
its node, never serialised again; what is signed of a notification are the bytes of its form, decoded once; RSA2 alone
is spoken, so that a SHA-1 signature is a bad one; a signature has one spelling.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

SIGN_TYPE = "RSA2"
_OUTSIDE_NOTIFICATIONS = frozenset({"sign", "sign_type", "alipay_cert_sn"})
_BLANK = re.compile(r"[ \t\r\n]*")
_JSON = json.JSONDecoder()


class SignatureRefused(Exception):
    """A message is not proven to be Alipay's; the text says why, for our log only."""


def request_text(parameters: Mapping[str, str]) -> bytes:
    """The text of a request: every parameter with a value but `sign`, by name, raw (section 2)."""
    named = sorted((name, value) for name, value in parameters.items() if value and name != "sign")
    return "&".join(f"{name}={value}" for name, value in named).encode()


def sign(key: RSAPrivateKey, text: bytes) -> str:
    """RSASSA-PKCS1-v1_5 with SHA-256 in Base64."""
    return base64.b64encode(key.sign(text, PKCS1v15(), SHA256())).decode()


def verify(keys: Mapping[str, RSAPublicKey], text: bytes, signature: str, *, number: str = "") -> None:
    """Prove that Alipay signed `text`; SignatureRefused otherwise.

    The certificate's `number` chooses the key. A number that is not known may be a certificate issued anew, which keeps
    its key (section 4, pitfalls C24): then any key that is believed proves as much.
    """
    try:
        given = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        raise SignatureRefused("the signature is not Base64") from None
    if base64.b64encode(given).decode() != signature:
        raise SignatureRefused("the signature is spelled in another way")
    candidates = [keys[number]] if number in keys else list(keys.values())
    if not any(_signed_by(key, text, given) for key in candidates):
        raise SignatureRefused("bad signature")


def _signed_by(key: RSAPublicKey, text: bytes, signature: bytes) -> bool:
    try:
        key.verify(signature, text, PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True


def members(body: bytes) -> dict[str, str]:
    """The members of an answer's outer object, each as the raw text that it came in (section 3).

    ValueError for anything that is not one JSON object of UTF-8 in which each name stands once.
    """
    text, found = body.decode(), dict[str, str]()
    try:
        at = _expect(text, 0, "{")
        while True:
            name, at = _JSON.raw_decode(text, at)
            start = _expect(text, at, ":")
            _, at = _JSON.raw_decode(text, start)
            if not isinstance(name, str) or name in found:
                raise ValueError("a name that is no text, or stands twice")
            found[name] = text[start:at]
            at = _skip(text, at)
            if text[at] == "}":
                break
            at = _expect(text, at, ",")
    except (IndexError, RecursionError) as error:
        raise ValueError("not a JSON object") from error
    if _skip(text, at + 1) != len(text):
        raise ValueError("something stands behind the object")
    return found


def _expect(text: str, at: int, mark: str) -> int:
    """Where what follows `mark` begins."""
    at = _skip(text, at)
    if text[at] != mark:
        raise ValueError(f"no {mark} where one must stand")
    return _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    blank = _BLANK.match(text, at)
    return at if blank is None else blank.end()


def form(raw: bytes) -> dict[str, bytes]:
    """The fields of a form, decoded once, in the bytes of its charset; ValueError when a name stands twice."""
    fields: dict[str, bytes] = {}
    for pair in raw.split(b"&"):
        name, _, value = pair.partition(b"=")
        key = _decoded(name).decode("ascii")
        if key in fields:
            raise ValueError("a field stands twice")
        fields[key] = _decoded(value)
    return fields


def notification_text(fields: Mapping[str, bytes]) -> bytes:
    """The text of a notification: as of a request, but without `sign_type` too (section 9.2)."""
    named = sorted((name, value) for name, value in fields.items() if value and name not in _OUTSIDE_NOTIFICATIONS)
    return b"&".join(name.encode() + b"=" + value for name, value in named)


def _decoded(part: bytes) -> bytes:
    return unquote_to_bytes(part.replace(b"+", b" "))
