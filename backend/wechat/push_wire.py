"""Signatures and safe mode of WeChat's pushes (wechat-official-account.md section 1, wechat-miniprogram.md section 5).

Promises: signatures are compared in constant time; what is wrong raises `PushRefused`, whose reason is for our log and
never for whoever asked. wechatpy's crypto is not used: it compares in plain time, raises whatever the bytes lead to,
and takes its random bytes from a generator that can be predicted (sdk-notes 2.3); tests hold both against each other.
"""

import base64
import binascii
import hashlib
import re
import secrets

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC

from backend.kernel import crypto

ENCODING_KEY = re.compile(r"[0-9A-Za-z]{43}")
SALT_BYTES = 16
LENGTH_BYTES = 4
PAD_BLOCK = 32
CIPHER_BLOCK = 16


class PushRefused(Exception):
    """Not proven to be WeChat's, or not as it writes; `reason` names what, without anything of the content."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def sign(*parts: str) -> str:
    """The lower-case hex SHA-1 over `parts`, sorted as bytes and joined."""
    joined = b"".join(sorted(part.encode() for part in parts))
    return hashlib.sha1(joined, usedforsecurity=False).hexdigest()


def require_signed(signature: str, *parts: str) -> None:
    """PushRefused unless `signature` is that of `parts`."""
    if not all(part.isascii() for part in parts) or not crypto.equal(sign(*parts).encode(), signature.encode()):
        raise PushRefused("signature")


def key_of(encoding_aes_key: str) -> bytes:
    """The 32 bytes behind an EncodingAESKey; surplus bits of its last character do not count (pitfalls E12).

    ValueError for anything but 43 letters and digits.
    """
    if not ENCODING_KEY.fullmatch(encoding_aes_key):
        raise ValueError("not an EncodingAESKey")
    return base64.b64decode(encoding_aes_key + "=")


def opened(key: bytes, appid: str, encrypted: str) -> bytes:
    """The message in an `Encrypt` text that was made for `appid`; PushRefused."""
    try:
        sealed = base64.b64decode(encrypted, validate=True)
    except (binascii.Error, ValueError) as error:
        raise PushRefused("base64") from error
    if not sealed or len(sealed) % CIPHER_BLOCK:
        raise PushRefused("cipher length")
    decryptor = Cipher(AES256(key), CBC(key[:CIPHER_BLOCK])).decryptor()
    plain = decryptor.update(sealed) + decryptor.finalize()
    pad = plain[-1]
    if not 1 <= pad <= PAD_BLOCK or not plain.endswith(bytes([pad]) * pad):
        raise PushRefused("padding")
    start = SALT_BYTES + LENGTH_BYTES
    end = start + int.from_bytes(plain[SALT_BYTES:start])
    if len(plain) - pad < end:
        raise PushRefused("length")
    if not crypto.equal(plain[end : len(plain) - pad], appid.encode()):
        raise PushRefused("appid")
    return plain[start:end]


def sealed(key: bytes, appid: str, message: bytes, *, salt: bytes | None = None) -> str:
    """The `Encrypt` text of a reply; `salt`: 16 random bytes, fresh ones by default."""
    salt = secrets.token_bytes(SALT_BYTES) if salt is None else salt
    plain = salt + len(message).to_bytes(LENGTH_BYTES) + message + appid.encode()
    pad = PAD_BLOCK - len(plain) % PAD_BLOCK
    encryptor = Cipher(AES256(key), CBC(key[:CIPHER_BLOCK])).encryptor()
    return base64.b64encode(encryptor.update(plain + bytes([pad]) * pad) + encryptor.finalize()).decode()
