"""Keys of Alipay in every form that people have them, and what is refused in words that help."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from payments.channels import alipay_certificates, alipay_keys
from payments.channels.base import KeyRefused
from tests import vectors
from tests.unit.payments_channels.alipay_wire import APP_ID, SELLER_ID

PUBLIC_PEM = vectors.public_pem(vectors.key_p())


def private(form: PrivateFormat, encoding: Encoding = Encoding.PEM) -> bytes:
    return vectors.key_m().private_bytes(encoding, form, NoEncryption())


def load(**given: Any) -> alipay_keys.Merchant:
    usual: dict[str, Any] = {
        "private_key_pem": vectors.private_pem(vectors.key_m()),
        "platform_keys": {"public_key": PUBLIC_PEM},
    }
    return alipay_keys.load(APP_ID, SELLER_ID, **{**usual, **given})


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize("armour", ["PEM", "bare", "bare in lines"])
def test_a_private_key_is_read_in_every_form(form: PrivateFormat, armour: str) -> None:
    if armour == "PEM":
        given = "\n" + private(form).decode()
    else:
        given = base64.b64encode(private(form, Encoding.DER)).decode()
        if armour == "bare in lines":
            given = "\r\n".join(given[start : start + 64] for start in range(0, len(given), 64)) + "\n"
    assert load(private_key_pem=given).private_key.private_numbers() == vectors.key_m().private_numbers()


@pytest.mark.parametrize("given", [PUBLIC_PEM, base64.b64encode(vectors.public_der(vectors.key_p())).decode()])
def test_a_public_key_is_read_with_and_without_armour(given: str) -> None:
    believed = load(platform_keys={"public_key": given}).platform_keys["public_key"]
    assert believed.public_numbers() == vectors.key_p().public_key().public_numbers()


def certificate(key: Any = None, *, serial: int = 0x1234) -> tuple[str, str]:
    """A certificate and its number."""
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Ant Financial, 测试"),
            x509.NameAttribute(NameOID.COMMON_NAME, "Ant Financial Certification Authority Class 2 R1"),
        ]
    )
    start = datetime(2026, 1, 1, tzinfo=UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key((key or vectors.key_p()).public_key())
        .serial_number(serial)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=1825))
        .sign(vectors.key_p(), SHA256())
    )
    return made.public_bytes(Encoding.PEM).decode(), alipay_certificates.number(made)


def test_certificates_are_believed_by_their_number() -> None:
    pem, number = certificate()
    certified = load(platform_keys={number: pem}, app_cert_sn="a" * 32, root_cert_sn="b" * 32)
    assert list(certified.platform_keys) == [number]
    assert (certified.app_cert_sn, certified.root_cert_sn) == ("a" * 32, "b" * 32)


NUMBERS = {"app_cert_sn": "a" * 32, "root_cert_sn": "b" * 32}
SMALL = rsa.generate_private_key(65537, 1024)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"private_key_pem": "not a key"}, "应用私钥"),
        ({"private_key_pem": ""}, "应用私钥"),
        ({"private_key_pem": PUBLIC_PEM}, "应用私钥"),
        ({"private_key_pem": vectors.private_pem(SMALL)}, "2048"),
        (
            {
                "private_key_pem": ec.generate_private_key(ec.SECP256R1())
                .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
                .decode()
            },
            "RSA",
        ),
        ({"platform_keys": {}}, "支付宝公钥"),
        ({"platform_keys": {"public_key": "not a key"}}, "支付宝公钥"),
        ({"platform_keys": {"public_key": vectors.public_pem(SMALL)}}, "2048"),
        ({"platform_keys": {"public_key": vectors.public_pem(vectors.key_m())}}, "不是应用公钥"),
        ({"platform_keys": {"0" * 32: certificate()[0]}, **NUMBERS}, "序列号"),
        ({"platform_keys": {"0" * 32: "no certificate"}, **NUMBERS}, "证书"),
        ({"platform_keys": {certificate()[1]: certificate()[0]}}, "证书模式"),
        ({"platform_keys": {certificate()[1]: certificate()[0]}, "app_cert_sn": "a"}, "证书模式"),
        (NUMBERS, "证书模式"),
    ],
)
def test_a_bad_key_is_named(given: dict[str, Any], told: str) -> None:
    with pytest.raises(KeyRefused, match=told):
        load(**given)


def test_keys_do_not_appear_in_the_repr() -> None:
    assert "RSA" not in repr(load())
