"""A WeChat Pay merchant (商户) with its keys parsed once: who signs, who is believed, what opens a callback.

The platform's keys stand in one map, certificates and public keys alike, so that both kinds are believed while WeChat
moves a merchant from one to the other (wechat-pay-v3.md section 4.2, pitfalls B7).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from payments.channels.base import KeyRefused
from payments.channels.wechat_signing import PUBLIC_KEY_PREFIX, serial_key

API_V3_KEY_BYTES = 32
_CERTIFICATE = "BEGIN CERTIFICATE"


@dataclass(frozen=True, slots=True)
class PlatformCertificate:
    """A platform certificate (平台证书) as `GET /v3/certificates` gives it; `pem` is what a merchant's row keeps."""

    serial_no: str
    effective_at: datetime
    expires_at: datetime
    pem: str


@dataclass(frozen=True, slots=True)
class Merchant:
    """A merchant ready to sign and verify. Keys never appear in its repr.

    With `sub_mchid`, `mchid` and `appid` are the service provider's, who signs for its sub merchant (section 13).
    `field_serial` names the platform key that sensitive fields are encrypted with: the public key, else the newest
    certificate (sections 4.1 and 5); None while no platform key is known.
    """

    mchid: str
    appid: str
    serial_no: str
    public_key_id: str | None
    private_key: RSAPrivateKey = field(repr=False)
    api_v3_key: bytes = field(repr=False)
    platform_keys: Mapping[str, RSAPublicKey] = field(repr=False)
    field_serial: str | None = None
    sub_mchid: str | None = None
    sub_appid: str | None = None

    @property
    def payee(self) -> str:
        """Whose money it is: the sub merchant's where a service provider (服务商) collects for one."""
        return self.sub_mchid or self.mchid

    def believing(self, pems: Mapping[str, str]) -> "Merchant":
        """The same merchant that also believes these platform keys (serial → PEM)."""
        believed = {**self.platform_keys, **_platform_keys(pems)}
        return replace(self, platform_keys=believed, field_serial=self.public_key_id or _newest(pems))


def load(
    mchid: str,
    appid: str,
    *,
    serial_no: str,
    private_key_pem: str,
    api_v3_key: str,
    platform_keys: Mapping[str, str],
    sub_mchid: str | None = None,
    sub_appid: str | None = None,
    proven: bool = False,
) -> Merchant:
    """Parse a merchant's keys, once; KeyRefused names the one that is no good.

    `proven`: the private key was parsed here before, and its arithmetic need not be proven again (85 ms).

    `platform_keys` maps a serial or a `PUB_KEY_ID_…` to the PEM of a certificate or public key. It may be empty: then
    `WechatPayV3.fetch_certificates` is the first call. The last public key's id is sent with every request,
    so that the platform signs with a key that we hold (section 4.2).
    """
    if len(api_v3_key.encode()) != API_V3_KEY_BYTES:
        raise KeyRefused("APIv3 密钥应为 32 个字符。")
    public_key_id = max((serial for serial in platform_keys if serial.startswith(PUBLIC_KEY_PREFIX)), default=None)
    return Merchant(
        mchid=mchid,
        appid=appid,
        serial_no=serial_no,
        public_key_id=public_key_id,
        private_key=_private_key(private_key_pem, proven=proven),
        api_v3_key=api_v3_key.encode(),
        platform_keys=_platform_keys(platform_keys),
        field_serial=public_key_id or _newest(platform_keys),
        sub_mchid=sub_mchid,
        sub_appid=sub_appid,
    )


def _private_key(pem: str, *, proven: bool) -> RSAPrivateKey:
    try:
        key = load_pem_private_key(pem.encode(), None, unsafe_skip_rsa_key_validation=proven)
    except (ValueError, TypeError) as error:
        raise KeyRefused("商户 API 私钥读不出来，请使用 apiclient_key.pem 的内容。") from error
    if not isinstance(key, RSAPrivateKey):
        raise KeyRefused("商户 API 私钥应为 RSA 密钥。")
    return key


def _platform_keys(pems: Mapping[str, str]) -> dict[str, RSAPublicKey]:
    return {serial_key(serial): _platform_key(serial, pem) for serial, pem in pems.items()}


def _platform_key(serial: str, pem: str) -> RSAPublicKey:
    """The key in `pem`. A certificate must carry the very serial that it is filed under."""
    key: object
    try:
        if _CERTIFICATE in pem:
            certificate = x509.load_pem_x509_certificate(pem.encode())
            carried, key = f"{certificate.serial_number:X}", certificate.public_key()
        else:
            carried, key = serial, load_pem_public_key(pem.encode())
    except ValueError as error:
        raise KeyRefused(f"微信支付平台公钥或证书 {serial} 读不出来。") from error
    if serial_key(carried) != serial_key(serial):
        raise KeyRefused(f"微信支付平台证书的序列号与 {serial} 不符。")
    if not isinstance(key, RSAPublicKey):
        raise KeyRefused(f"微信支付平台公钥 {serial} 应为 RSA 密钥。")
    return key


def _newest(pems: Mapping[str, str]) -> str | None:
    """The serial of the certificate that began last, None where there is none; `_platform_key` has read them all."""
    began_at = {
        serial: x509.load_pem_x509_certificate(pem.encode()).not_valid_before_utc
        for serial, pem in pems.items()
        if _CERTIFICATE in pem
    }
    return max(began_at, key=began_at.__getitem__, default=None)
