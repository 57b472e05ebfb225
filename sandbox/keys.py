"""The platform's keys and the cryptography of WeChat Pay v3 (protocols/wechat-pay-v3.md sections 2 to 7).

The keys are made at the first start and kept in the data directory. The public key's id begins with PUB_KEY_ID_0000
and the certificate is issued to "Linli Sandbox", so that a product in live mode can tell them from real ones.
"""

import base64
import binascii
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.x509.oid import NameOID

SIGNATURE_TYPE = "WECHATPAY2-SHA256-RSA2048"
PUBLIC_KEY_ID_PREFIX = "PUB_KEY_ID_"
CERTIFICATE_YEARS = 5


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key and the text by which `Wechatpay-Serial` names it."""

    serial: str
    key: rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True)
class PlatformKeys:
    """What the platform signs with: the public key mode's key and the certificate mode's."""

    public_key: Signer
    certificate: Signer
    certificate_pem: str
    valid_from_s: float
    valid_until_s: float

    def named(self, serial: str) -> Signer | None:
        """The key that a caller names in `Wechatpay-Serial`."""
        return next((signer for signer in (self.public_key, self.certificate) if signer.serial == serial), None)

    @property
    def public_key_pem(self) -> str:
        """The public half as the merchant console hands it out."""
        public = self.public_key.key.public_key()
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return public.public_bytes(serialization.Encoding.PEM, form).decode()


def load_or_create(directory: Path) -> PlatformKeys:
    """The keys in `directory`; whatever is missing there is made first."""
    directory.mkdir(parents=True, exist_ok=True)
    signing_key = private_key(directory / "public-mode-key.pem")
    id_file = directory / "public-key-id"
    if not id_file.exists():
        write(id_file, PUBLIC_KEY_ID_PREFIX + "0000" + "".join(str(secrets.randbelow(10)) for _ in range(24)))
    certificate_key = private_key(directory / "certificate-key.pem")
    certificate_file = directory / "certificate.pem"
    if not certificate_file.exists():
        write(certificate_file, _self_made_certificate(certificate_key))
    certificate_pem = certificate_file.read_text()
    certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
    return PlatformKeys(
        public_key=Signer(id_file.read_text(), signing_key),
        certificate=Signer(f"{certificate.serial_number:X}", certificate_key),
        certificate_pem=certificate_pem,
        valid_from_s=certificate.not_valid_before_utc.timestamp(),
        valid_until_s=certificate.not_valid_after_utc.timestamp(),
    )


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


def _self_made_certificate(key: rsa.RSAPrivateKey) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Linli Sandbox Tenpay.com sign")])
    start = datetime.now(UTC) - timedelta(days=1)
    # The first hexadecimal digit is 1, so that the serial always has 40 of them.
    serial = int("1" + secrets.token_hex(20)[1:], 16)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=365 * CERTIFICATE_YEARS))
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


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
