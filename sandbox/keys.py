"""The cryptography of WeChat Pay v3 (protocols/wechat-pay-v3.md sections 2 to 7), and private keys kept in files."""

import base64
import binascii
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SIGNATURE_TYPE = "WECHATPAY2-SHA256-RSA2048"


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key and the text by which `Wechatpay-Serial` names it."""

    serial: str
    key: rsa.RSAPrivateKey


def private_key(file: Path) -> rsa.RSAPrivateKey:
    """The key in `file`, made first where there is none."""
    if not file.exists():
        fresh = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        form = serialization.PrivateFormat.PKCS8
        pem = fresh.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
        write(file, pem.decode())
    key = serialization.load_pem_private_key(file.read_bytes(), None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError(f"{file.name} holds no RSA key")
    return key


def write(file: Path, text: str) -> None:
    """Replace a file at once, readable by its owner alone."""
    fresh = file.with_suffix(".new")
    fresh.touch(mode=0o600)
    fresh.write_text(text)
    fresh.replace(file)


def load_public_key(pem: str) -> rsa.RSAPublicKey:
    """The merchant's public key (SubjectPublicKeyInfo PEM); ValueError for anything else."""
    key = serialization.load_pem_public_key(pem.encode())
    if not isinstance(key, rsa.RSAPublicKey):
        raise ValueError("not an RSA public key")
    return key


def lines(*parts: bytes) -> bytes:
    """A text to sign: every part ended by LF, the last one too."""
    return b"".join(part + b"\n" for part in parts)


def request_text(method: str, target: str, timestamp: str, nonce: str, body: bytes) -> bytes:
    """Section 2: what the merchant signs for a request."""
    return lines(method.encode(), target.encode(), timestamp.encode(), nonce.encode(), body)


def answer_text(timestamp: str, nonce: str, body: bytes) -> bytes:
    """Section 3: what the platform signs for a response or a callback."""
    return lines(timestamp.encode(), nonce.encode(), body)


def pay_sign_text(appid: str, timestamp: str, nonce: str, prepay_id: str) -> bytes:
    """Section 7.2: what the merchant signs for `wx.requestPayment`."""
    return lines(appid.encode(), timestamp.encode(), nonce.encode(), f"prepay_id={prepay_id}".encode())


def sign(key: rsa.RSAPrivateKey, text: bytes) -> str:
    """RSASSA-PKCS1-v1_5 with SHA-256 in Base64."""
    return base64.b64encode(key.sign(text, padding.PKCS1v15(), hashes.SHA256())).decode()


def verify(key: rsa.RSAPublicKey, text: bytes, signature: str) -> bool:
    """Whether `signature` (Base64) is `key`'s over `text`; what is no Base64 is simply not."""
    try:
        key.verify(base64.b64decode(signature, validate=True), text, padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def unseal(key: rsa.RSAPrivateKey, sealed: str) -> str:
    """Section 5: RSAES-OAEP with SHA-1, from Base64; empty for what was not encrypted for this key."""
    oaep = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)
    try:
        return key.decrypt(base64.b64decode(sealed, validate=True), oaep).decode()
    except (binascii.Error, ValueError):
        return ""


def seal(apiv3_key: str, plaintext: bytes, nonce: str, associated_data: str) -> str:
    """Section 6: AES-256-GCM, ciphertext and tag in Base64."""
    sealed = AESGCM(apiv3_key.encode()).encrypt(nonce.encode(), plaintext, associated_data.encode())
    return base64.b64encode(sealed).decode()
