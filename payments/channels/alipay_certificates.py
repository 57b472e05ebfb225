"""Numbers by which Alipay names certificates (证书序列号; protocols/alipay.md section 4). Pure.

A number is the MD5 of issuer and serial number; of a bundle of root certificates, those of its RSA roots in file order.
Each PEM block is parsed apart: the real bundle holds certificates of Chinese algorithms that do not parse here.
"""

import hashlib
import re

from cryptography import x509

RSA_FAMILY = "1.2.840.113549.1.1."
_BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def number(certificate: x509.Certificate) -> str:
    """`app_cert_sn` or `alipay_cert_sn`: MD5 in hex of the issuer's text and the serial number in decimals."""
    text = f"{_issuer(certificate.issuer)}{certificate.serial_number}"
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def root_number(bundle: str) -> str:
    """`alipay_root_cert_sn` of a PEM bundle; empty when it holds no RSA root."""
    found = (_parsed(block) for block in _BLOCK.findall(bundle))
    return "_".join(
        number(each)
        for each in found
        if each is not None and each.signature_algorithm_oid.dotted_string.startswith(RSA_FAMILY)
    )


def _parsed(block: str) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificate(block.encode())
    except ValueError:
        return None


def _issuer(name: x509.Name) -> str:
    """The issuer as RFC 2253 orders it, the reverse of the certificate's own order, without any escaping."""
    return ",".join(
        "+".join(f"{attribute.rfc4514_attribute_name}={_value(attribute)}" for attribute in part)
        for part in reversed(name.rdns)
    )


def _value(attribute: x509.NameAttribute[str | bytes]) -> str:
    return attribute.value if isinstance(attribute.value, str) else attribute.value.decode("latin-1")
