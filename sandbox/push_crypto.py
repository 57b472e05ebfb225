"""The cryptography of pushes: SHA-1 over sorted texts, AES-256-CBC with the app's own id behind the message.

Official account page, sections 1.1 and 1.5; mini-program page, sections 5.1 to 5.3.
"""

import base64
import binascii
import hashlib

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

BLOCK_BYTES = 32
RANDOM_BYTES = 16
LENGTH_BYTES = 4


def signature(*parts: str) -> str:
    """Lower-case hex SHA-1 over the parts, sorted by their bytes and joined without a separator."""
    return hashlib.sha1(b"".join(sorted(part.encode() for part in parts))).hexdigest()


def seal(aes_key: str, appid: str, message: bytes, random16: bytes) -> str:
    """The text of `Encrypt`; ValueError for a key that is not 43 characters of Base64."""
    plain = random16 + len(message).to_bytes(LENGTH_BYTES, "big") + message + appid.encode()
    pad = BLOCK_BYTES - len(plain) % BLOCK_BYTES
    encryptor = _cipher(aes_key).encryptor()
    return base64.b64encode(encryptor.update(plain + bytes([pad]) * pad) + encryptor.finalize()).decode()


def unseal(aes_key: str, encrypted: str) -> tuple[bytes, str]:
    """The message in an `Encrypt` and the appid behind it; ValueError for what no such key has sealed."""
    try:
        sealed = base64.b64decode(encrypted, validate=True)
    except binascii.Error as error:
        raise ValueError("Encrypt is no Base64") from error
    decryptor = _cipher(aes_key).decryptor()
    plain = decryptor.update(sealed) + decryptor.finalize()
    pad = plain[-1] if plain else 0
    if not 1 <= pad <= BLOCK_BYTES or plain[-pad:] != bytes([pad]) * pad:
        raise ValueError("Encrypt is padded wrongly")
    content = plain[RANDOM_BYTES:-pad]
    end = LENGTH_BYTES + int.from_bytes(content[:LENGTH_BYTES], "big")
    if len(content) < end:
        raise ValueError("Encrypt is shorter than the length in it")
    return content[LENGTH_BYTES:end], content[end:].decode()


def _cipher(aes_key: str) -> Cipher[modes.CBC]:
    # The last character may carry two surplus bits; this decoder lets them be.
    key = base64.b64decode(aes_key + "=")
    return Cipher(algorithms.AES256(key), modes.CBC(key[:16]))
