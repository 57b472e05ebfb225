"""Alipay's own keys and certificates, and the texts that are signed (protocols/alipay.md sections 2 to 4 and 9.2).

Made when first used and kept in the sandbox's data directory. Key mode and certificate mode sign with different keys,
so that a product that mixes them up fails. The root bundle holds, as the real one does, a root of another algorithm
and one that common parsers reject; a reissued certificate keeps its key and gets a new number.
"""

import base64
import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from sandbox import keys

RSA_FAMILY = "1.2.840.113549.1.1"
CERTIFICATE_YEARS = 5
PEM_BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key, and in certificate mode the number of its certificate."""

    key: rsa.RSAPrivateKey
    certificate_sn: str | None


class AlipayKeys:
    """What Alipay signs with; files appear in `directory` at first use."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @cached_property
    def plain(self) -> rsa.RSAPrivateKey:
        """Key mode's key; its public half is the Alipay public key (支付宝公钥)."""
        return keys.private_key(self._directory / "alipay-key.pem")

    @cached_property
    def certified(self) -> rsa.RSAPrivateKey:
        """Certificate mode's key."""
        return keys.private_key(self._directory / "alipay-certificate-key.pem")

    @cached_property
    def root(self) -> rsa.RSAPrivateKey:
        """The key of the root that signs Alipay's and the applications' certificates."""
        return keys.private_key(self._directory / "alipay-root-key.pem")

    def application_key(self, app_id: str) -> rsa.RSAPrivateKey:
        """The application key of a merchant of the sandbox's own making."""
        return keys.private_key(self._directory / f"alipay-application-{app_id}.pem")

    @property
    def public_key_pem(self) -> str:
        """The Alipay public key as the console hands it out."""
        return public_pem(self.plain)

    @property
    def root_bundle_pem(self) -> str:
        """The root certificates (支付宝根证书): an unreadable one, one of elliptic curves, the one in use."""
        file = self._directory / "alipay-roots.pem"
        if not file.exists():
            keys.write(file, self._make_roots())
        return file.read_text()

    @property
    def certificate_pem(self) -> str:
        """The certificate that signs now (支付宝公钥证书)."""
        file = self._directory / "alipay-certificate.pem"
        if not file.exists():
            self.reissue()
        return file.read_text()

    @property
    def certificate_sn(self) -> str:
        """Its number."""
        return certificate_sn(self.certificate_pem)

    def reissue(self) -> str:
        """Replace Alipay's certificate: same key, new number. Returns the certificate."""
        issued = self.issue(self.certified.public_key(), "Linli Sandbox Alipay")
        keys.write(self._directory / "alipay-certificate.pem", issued)
        return issued

    def issue(self, key: rsa.RSAPublicKey, common_name: str) -> str:
        """A certificate of the root in use over `key`, in PEM."""
        root = x509.load_pem_x509_certificate(PEM_BLOCK.findall(self.root_bundle_pem)[-1].encode())
        start = datetime.now(UTC) - timedelta(days=1)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(_name(common_name))
            .issuer_name(root.subject)
            .public_key(key)
            .serial_number(int.from_bytes(secrets.token_bytes(16), "big") | 1)
            .not_valid_before(start)
            .not_valid_after(start + timedelta(days=365 * CERTIFICATE_YEARS))
            .sign(self.root, hashes.SHA256())
        )
        return certificate.public_bytes(serialization.Encoding.PEM).decode()

    def signer(self, *, certified: bool) -> Signer:
        """What signs answers and notifications in a mode."""
        return Signer(self.certified, self.certificate_sn) if certified else Signer(self.plain, None)

    def _make_roots(self) -> str:
        # The SM2 root of production is an ASN.1 error to most parsers; this one is no ASN.1 at all.
        garbage = base64.encodebytes(b"\x30\x82\x01\x00" + b"sandbox: not a certificate" * 8).decode()
        unreadable = f"-----BEGIN CERTIFICATE-----\n{garbage}-----END CERTIFICATE-----\n"
        curve = _self_signed("Linli Sandbox Alipay Root EC", ec.generate_private_key(ec.SECP256R1()))
        return "\n".join((unreadable, curve, _self_signed("Linli Sandbox Alipay Root R1", self.root)))


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Linli Sandbox"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "Certification Authority"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _self_signed(common_name: str, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    start = datetime.now(UTC) - timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_name(common_name))
        .issuer_name(_name(common_name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=365 * 4 * CERTIFICATE_YEARS))
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def public_pem(key: rsa.RSAPrivateKey) -> str:
    """The public half in PEM."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def private_pem(key: rsa.RSAPrivateKey) -> str:
    """The key in PKCS#8 PEM."""
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def certificate_sn(pem: str) -> str:
    """Section 4: MD5 over the issuer's text (reverse of DER order) and the decimal serial number."""
    certificate = x509.load_pem_x509_certificate(pem.encode())
    issuer = ",".join(
        f"{attribute.rfc4514_attribute_name}={attribute.value!s}"
        for group in reversed(certificate.issuer.rdns)
        for attribute in group
    )
    text = f"{issuer}{certificate.serial_number}"
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def root_certificate_sn(bundle_pem: str) -> str:
    """Section 4: the numbers of the bundle's RSA roots in file order; what cannot be parsed is passed over."""
    numbers = []
    for block in PEM_BLOCK.findall(bundle_pem):
        try:
            certificate = x509.load_pem_x509_certificate(block.encode())
        except ValueError:
            continue
        if certificate.signature_algorithm_oid.dotted_string.startswith(RSA_FAMILY):
            numbers.append(certificate_sn(block))
    return "_".join(numbers)


def request_text(parameters: Mapping[str, str]) -> str:
    """Section 2: what the application signs. `sign_type` stays in, empty values go."""
    return _joined(parameters, without=("sign",))


def notification_text(fields: Mapping[str, str]) -> str:
    """Section 9.2: what Alipay signs for a notification and for the return to a page. `sign_type` goes."""
    return _joined(fields, without=("sign", "sign_type", "alipay_cert_sn"))


def _joined(values: Mapping[str, str], *, without: tuple[str, ...]) -> str:
    return "&".join(f"{name}={values[name]}" for name in sorted(values) if name not in without and values[name])
