"""Texts, signatures and ciphers of WeChat Pay v3. Pure: no network, no clock, no storage.

Truth on the wire is protocols/wechat-pay-v3.md sections 2, 3, 5, 6 and 7.2. Promises: bytes are signed exactly as they
are sent and verified exactly as they came; a key is chosen by its serial and by nothing else; a message outside of five
minutes is refused; a signature probe is a bad signature like any other.
"""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA1, SHA256

SCHEME = "WECHATPAY2-SHA256-RSA2048"
WINDOW_S = 300
PUBLIC_KEY_PREFIX = "PUB_KEY_ID_"
_HEX = re.compile(r"[0-9A-Fa-f]+")
_SECONDS = re.compile(r"[0-9]{1,12}")


class SignatureRefused(Exception):
    """A message is not proven to be the platform's; the text says why, for our log only."""


class DecryptionFailed(Exception):
    """A ciphertext was not made with this key, or was changed on its way."""


class RequestPayment(TypedDict):
    """What `wx.requestPayment` takes, word for word (section 7.2)."""

    timeStamp: str
    nonceStr: str
    package: str
    signType: str
    paySign: str


@dataclass(frozen=True, slots=True)
class SignedHeaders:
    """The five `Wechatpay-*` headers of a response or callback."""

    timestamp: str
    nonce: str
    signature: str
    serial: str
    signature_type: str


def sign(key: RSAPrivateKey, text: bytes) -> str:
    """RSASSA-PKCS1-v1_5 with SHA-256 in Base64."""
    return base64.b64encode(key.sign(text, PKCS1v15(), SHA256())).decode()


def request_text(method: str, target: str, *, timestamp: str, nonce: str, body: bytes) -> bytes:
    """The text of a request (section 2). `target` is path and query exactly as they go on the wire."""
    return b"\n".join((method.encode(), target.encode(), timestamp.encode(), nonce.encode(), body, b""))


def authorization(mchid: str, *, serial_no: str, timestamp: str, nonce: str, signature: str) -> str:
    """The value of the `Authorization` header; `serial_no` is the merchant certificate's."""
    return (
        f'{SCHEME} mchid="{mchid}",nonce_str="{nonce}",signature="{signature}",'
        f'timestamp="{timestamp}",serial_no="{serial_no}"'
    )


def message_text(*, timestamp: str, nonce: str, body: bytes) -> bytes:
    """The text of a response or callback (section 3): the raw body, never stripped or serialised again."""
    return b"\n".join((timestamp.encode(), nonce.encode(), body, b""))


def serial_key(serial: str) -> str:
    """The form in which serials are compared: ids of public keys as plain text, hex without case and leading zeros."""
    if _HEX.fullmatch(serial):
        return serial.upper().lstrip("0")
    return serial


def signed_headers(headers: Mapping[str, str]) -> SignedHeaders:
    """The signature headers, whatever their case; SignatureRefused when one is missing."""
    lower = {name.lower(): value for name, value in headers.items()}
    try:
        return SignedHeaders(
            timestamp=lower["wechatpay-timestamp"],
            nonce=lower["wechatpay-nonce"],
            signature=lower["wechatpay-signature"],
            serial=lower["wechatpay-serial"],
            signature_type=lower.get("wechatpay-signature-type", SCHEME),
        )
    except KeyError as missing:
        raise SignatureRefused(f"header {missing} is missing") from None


def verify(keys: Mapping[str, RSAPublicKey], headers: Mapping[str, str], body: bytes, *, now_s: int) -> None:
    """Prove that the platform signed these raw bytes within five minutes of `now_s`; SignatureRefused otherwise.

    `keys` maps `serial_key` to the platform's keys. A SIGNTEST probe, decodable or not, is simply a bad signature.
    """
    signed = signed_headers(headers)
    if signed.signature_type != SCHEME:
        raise SignatureRefused(f"signature type {signed.signature_type!r}")
    if not _SECONDS.fullmatch(signed.timestamp):
        raise SignatureRefused("timestamp is not a number of seconds")
    if abs(now_s - int(signed.timestamp)) >= WINDOW_S:
        raise SignatureRefused("timestamp is outside of five minutes")
    key = keys.get(serial_key(signed.serial))
    if key is None:
        raise SignatureRefused(f"serial {signed.serial!r} is unknown")
    try:
        text = message_text(timestamp=signed.timestamp, nonce=signed.nonce, body=body)
        signature = base64.b64decode(signed.signature, validate=True)
        key.verify(signature, text, PKCS1v15(), SHA256())
    except (InvalidSignature, ValueError):
        raise SignatureRefused("bad signature") from None


def open_resource(api_v3_key: bytes, *, nonce: str, associated_data: str, ciphertext: str) -> bytes:
    """Decrypt AEAD_AES_256_GCM (section 6); DecryptionFailed for another merchant's key or changed bytes."""
    try:
        sealed = base64.b64decode(ciphertext, validate=True)
        return AESGCM(api_v3_key).decrypt(nonce.encode(), sealed, associated_data.encode())
    except (InvalidTag, ValueError):
        raise DecryptionFailed("ciphertext does not open with the APIv3 key") from None


def request_payment(key: RSAPrivateKey, *, app_id: str, prepay_id: str, timestamp: str, nonce: str) -> RequestPayment:
    """The parameters that the client hands to `wx.requestPayment`, signed with the merchant's key (section 7.2)."""
    package = f"prepay_id={prepay_id}"
    text = f"{app_id}\n{timestamp}\n{nonce}\n{package}\n".encode()
    return RequestPayment(timeStamp=timestamp, nonceStr=nonce, package=package, signType="RSA", paySign=sign(key, text))


def _oaep() -> OAEP:
    return OAEP(mgf=MGF1(SHA1()), algorithm=SHA1(), label=None)


def encrypt_field(key: RSAPublicKey, text: str) -> str:
    """A sensitive field for the platform (section 5): at most 214 bytes, name the key in `Wechatpay-Serial`."""
    return base64.b64encode(key.encrypt(text.encode(), _oaep())).decode()


def decrypt_field(key: RSAPrivateKey, ciphertext: str) -> str:
    """A sensitive field from the platform; DecryptionFailed when it was not made for this key."""
    try:
        return key.decrypt(base64.b64decode(ciphertext, validate=True), _oaep()).decode()
    except ValueError:
        raise DecryptionFailed("field does not open with the merchant's key") from None
