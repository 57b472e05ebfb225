"""An Alipay merchant (支付宝商户) with its keys parsed once: who signs, and whom we believe (protocols/alipay.md 2, 4).

An app uses plain keys or certificates, never both. Alipay gives keys with and without PEM armour, in PKCS#1 and PKCS#8:
all are read. The key that is believed is Alipay's, never the app's own, which is the commonest mistake (pitfalls C1).
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    load_der_private_key,
    load_der_public_key,
    load_pem_private_key,
    load_pem_public_key,
)

from payments.channels import alipay_certificates
from payments.channels.base import KeyRefused

PUBLIC_KEY = "public_key"
RSA2_BITS = 2048


@dataclass(frozen=True, slots=True)
class Merchant:
    """A merchant ready to sign and verify. Keys never appear in its repr.

    `platform_keys` are Alipay's by certificate number, or the one named `public_key`. The certificate numbers are empty
    in key mode.
    """

    app_id: str
    seller_id: str
    app_cert_sn: str
    root_cert_sn: str
    private_key: RSAPrivateKey = field(repr=False)
    platform_keys: Mapping[str, RSAPublicKey] = field(repr=False)


def load(
    app_id: str,
    seller_id: str,
    *,
    private_key_pem: str,
    platform_keys: Mapping[str, str],
    app_cert_sn: str = "",
    root_cert_sn: str = "",
    proven: bool = False,
) -> Merchant:
    """Parse a merchant's keys, once; KeyRefused names the one that is no good.

    `proven`: the private key was parsed here before, and its arithmetic need not be proven again (85 ms).

    `platform_keys`: `{"public_key": PEM or Base64}`, or in certificate mode certificate number → PEM of Alipay's
    certificate. Certificate mode needs both numbers of `alipay_certificates`.
    """
    if not platform_keys:
        raise KeyRefused("请填写支付宝公钥或支付宝公钥证书。")
    if (PUBLIC_KEY in platform_keys) == bool(app_cert_sn) or bool(app_cert_sn) != bool(root_cert_sn):
        raise KeyRefused("公钥模式只填写支付宝公钥；证书模式要同时填写应用证书、支付宝根证书和支付宝公钥证书。")
    private_key = _private_key(private_key_pem, proven=proven)
    believed = {number: _platform_key(number, given) for number, given in platform_keys.items()}
    own = private_key.public_key().public_numbers()
    if any(key.public_numbers() == own for key in believed.values()):
        raise KeyRefused("这里要填写支付宝公钥，不是应用公钥。请在开放平台查看“支付宝公钥”。")
    return Merchant(app_id, seller_id, app_cert_sn, root_cert_sn, private_key, believed)


def _private_key(given: str, *, proven: bool) -> RSAPrivateKey:
    try:
        if "-----BEGIN" in given:
            key = load_pem_private_key(given.strip().encode(), None, unsafe_skip_rsa_key_validation=proven)
        else:
            key = load_der_private_key(_bare(given), None, unsafe_skip_rsa_key_validation=proven)
    except (ValueError, TypeError) as error:
        raise KeyRefused("应用私钥读不出来，请使用密钥工具生成的私钥（PKCS#1 或 PKCS#8 均可）。") from error
    if not isinstance(key, RSAPrivateKey) or key.key_size < RSA2_BITS:
        raise KeyRefused("应用私钥应为 2048 位以上的 RSA 密钥（RSA2）。")
    return key


def _platform_key(number: str, given: str) -> RSAPublicKey:
    key = _public_key(given) if number == PUBLIC_KEY else _certified_key(number, given)
    if not isinstance(key, RSAPublicKey) or key.key_size < RSA2_BITS:
        raise KeyRefused("支付宝公钥应为 2048 位以上的 RSA 密钥（RSA2）。")
    return key


def _public_key(given: str) -> object:
    try:
        if "-----BEGIN" in given:
            return load_pem_public_key(given.strip().encode())
        return load_der_public_key(_bare(given))
    except ValueError as error:
        raise KeyRefused("支付宝公钥读不出来，请从开放平台复制“支付宝公钥”。") from error


def _certified_key(number: str, pem: str) -> object:
    """The key in a certificate, which must have the very number that it is filed under."""
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
        key = certificate.public_key()
    except ValueError as error:
        raise KeyRefused("支付宝公钥证书读不出来，请使用 alipayCertPublicKey_RSA2.crt 的内容。") from error
    if alipay_certificates.number(certificate) != number:
        raise KeyRefused(f"支付宝公钥证书的序列号与 {number} 不符。")
    return key


def _bare(given: str) -> bytes:
    """A key without PEM armour; line breaks do not matter."""
    try:
        return base64.b64decode("".join(given.split()), validate=True)
    except binascii.Error as error:
        raise ValueError("not Base64") from error
