"""The platform's keys: made at the first start, kept in the data directory, renewed beside those in use (section 4).

A public key's id begins with PUB_KEY_ID_0000 and a certificate is issued to "Linli Sandbox", so that a product in live
mode can tell them from real ones. There are two of a kind while it is renewed, and both sign.
"""

import itertools
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from sandbox import keys
from sandbox.keys import Signer

PUBLIC_KEY_ID_PREFIX = "PUB_KEY_ID_"
CERTIFICATE_YEARS = 5
GENERATION = re.compile(r"(?:-(\d+))?")


class KeyKind(StrEnum):
    """What of the platform can be renewed."""

    PUBLIC_KEY = "public_key"
    CERTIFICATE = "certificate"


# The private key's file comes first; later generations have a number before the suffix.
FILES = {
    KeyKind.PUBLIC_KEY: ("public-mode-key.pem", "public-key-id"),
    KeyKind.CERTIFICATE: ("certificate-key.pem", "certificate.pem"),
}


@dataclass(frozen=True, slots=True)
class Certificate:
    """A platform certificate with its private key."""

    signer: Signer
    pem: str
    valid_from_s: float
    valid_until_s: float


class PlatformKeys:
    """What the platform signs with: the public key mode's keys and the certificates, oldest first, newest last."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._turns = itertools.count()
        self.public_keys = [self._public_key(number) for number in self._numbers(KeyKind.PUBLIC_KEY)]
        self.certificates = [self._certificate(number) for number in self._numbers(KeyKind.CERTIFICATE)]

    @property
    def public_key(self) -> Signer:
        """The newest key of the public key mode."""
        return self.public_keys[-1]

    @property
    def certificate(self) -> Certificate:
        """The newest platform certificate."""
        return self.certificates[-1]

    @property
    def public_key_pem(self) -> str:
        """The public half of the newest key as the merchant console hands it out."""
        return public_pem(self.public_key.key)

    def next_turn(self) -> int:
        """A number that grows with every signature for which it does not matter which of two keys makes it."""
        return next(self._turns)

    def public_key_by_turn(self, turn: int) -> Signer:
        """The keys of the public key mode one after the other."""
        return self.public_keys[turn % len(self.public_keys)]

    def certificate_by_turn(self, turn: int) -> Signer:
        """The certificates one after the other."""
        return self.certificates[turn % len(self.certificates)].signer

    def named_public_key(self, serial: str) -> Signer | None:
        """The key of the public key mode that a caller names in `Wechatpay-Serial`."""
        return next((signer for signer in self.public_keys if signer.serial == serial), None)

    def named(self, serial: str) -> Signer | None:
        """The key or certificate that a caller names in `Wechatpay-Serial`."""
        signers = [*self.public_keys, *(certificate.signer for certificate in self.certificates)]
        return next((signer for signer in signers if signer.serial == serial), None)

    def renew(self, kind: KeyKind) -> None:
        """A new key or certificate beside those in use."""
        number = self._numbers(kind)[-1] + 1
        if kind is KeyKind.PUBLIC_KEY:
            self.public_keys.append(self._public_key(number))
        else:
            self.certificates.append(self._certificate(number))

    def retire(self, kind: KeyKind) -> None:
        """Only the newest of a kind stays in use."""
        for number in self._numbers(kind)[:-1]:
            for name in FILES[kind]:
                self._file(name, number).unlink(missing_ok=True)
        if kind is KeyKind.PUBLIC_KEY:
            self.public_keys = self.public_keys[-1:]
        else:
            self.certificates = self.certificates[-1:]

    def _numbers(self, kind: KeyKind) -> list[int]:
        stem = Path(FILES[kind][0]).stem
        found = [GENERATION.fullmatch(file.stem.removeprefix(stem)) for file in self._directory.glob(f"{stem}*.pem")]
        return sorted(int(match[1] or 1) for match in found if match) or [1]

    def _file(self, name: str, number: int) -> Path:
        path = self._directory / name
        return path if number == 1 else path.with_stem(f"{path.stem}-{number}")

    def _public_key(self, number: int) -> Signer:
        key_name, id_name = FILES[KeyKind.PUBLIC_KEY]
        key = keys.private_key(self._file(key_name, number))
        id_file = self._file(id_name, number)
        if not id_file.exists():
            keys.write(id_file, PUBLIC_KEY_ID_PREFIX + "0000" + "".join(str(secrets.randbelow(10)) for _ in range(24)))
        return Signer(id_file.read_text(), key)

    def _certificate(self, number: int) -> Certificate:
        key_name, certificate_name = FILES[KeyKind.CERTIFICATE]
        key = keys.private_key(self._file(key_name, number))
        file = self._file(certificate_name, number)
        if not file.exists():
            keys.write(file, _self_made(key))
        pem = file.read_text()
        certificate = x509.load_pem_x509_certificate(pem.encode())
        return Certificate(
            Signer(f"{certificate.serial_number:X}", key),
            pem,
            certificate.not_valid_before_utc.timestamp(),
            certificate.not_valid_after_utc.timestamp(),
        )


def public_pem(key: rsa.RSAPrivateKey) -> str:
    """The public half as SubjectPublicKeyInfo PEM."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def _self_made(key: rsa.RSAPrivateKey) -> str:
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
