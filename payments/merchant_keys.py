"""The keys of merchants (商户密钥): entered by people, sealed in the merchant's row, parsed by their channel's module.

Live mode takes no key of a sandbox: neither WeChat Pay's public key that the sandbox made, nor an application of
Alipay's sandboxes. Secrets are never shown again, and never in a repr.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from cryptography import x509

from backend.kernel.config import Mode
from backend.kernel.crypto import Context, Keyring
from backend.kernel.db import Record
from backend.kernel.errors import Invalid, Unavailable
from payments.channels import alipay_certificates, alipay_keys, wechat_merchant
from payments.channels.base import Channel, KeyRefused

SANDBOX_KEY = "PUB_KEY_ID_0000"
# Applications of Alipay's own sandbox, and those that our sandbox makes for the demo.
ALIPAY_SANDBOX_APPS = ("9021", "2021000000000")


@dataclass(frozen=True, slots=True)
class Account:
    """Who a merchant is at its channel, as its row has it.

    WeChat Pay: merchant number and app; with `sub_mchid` these are the service provider's (服务商), who collects for
    the sub merchant. Alipay: `mchid` is the seller id (2088…), `appid` the application.
    """

    channel: Channel
    mchid: str
    appid: str
    sub_mchid: str | None = None
    sub_appid: str | None = None


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of a merchant as a person enters them.

    Alipay has no `api_v3_key`; in key mode its `serial_no` is empty and the one platform key is named `public_key`, in
    certificate mode `serial_no` and `root_serial_no` are the numbers of the application's and of the root certificates
    (protocols/alipay.md section 4), and platform keys are named by their certificate's number.
    """

    serial_no: str
    private_key_pem: str = field(repr=False)
    api_v3_key: str = field(repr=False)
    platform_keys: Mapping[str, str]
    root_serial_no: str | None = None


@dataclass(frozen=True, slots=True)
class Sealed:
    """Private key and APIv3 key as the merchant's row keeps them; None where the channel has no such key."""

    private_key: bytes
    api_v3_key: bytes | None


def of_alipay_certificates(private_key_pem: str, *, app: str, root: str, platform: str) -> Keys:
    """The keys of Alipay's certificate mode out of the three files that its console gives, numbered by us.

    Raises Invalid `key_refused`.
    """
    try:
        return Keys(
            serial_no=alipay_certificates.number(x509.load_pem_x509_certificate(app.encode())),
            private_key_pem=private_key_pem,
            api_v3_key="",
            platform_keys={alipay_certificates.number(x509.load_pem_x509_certificate(platform.encode())): platform},
            root_serial_no=alipay_certificates.root_number(root),
        )
    except ValueError as error:
        raise Invalid(
            "支付宝的证书读不出来，请使用 appCertPublicKey、alipayRootCert、alipayCertPublicKey_RSA2 三个文件的内容。",
            code="key_refused",
        ) from error


def account_of(row: Record) -> Account:
    """The account that a row of `merchant` names."""
    return Account(Channel(row["channel"]), row["mchid"], row["appid"], row["sub_mchid"], row["sub_appid"])


def check(account: Account, keys: Keys, mode: Mode) -> None:
    """Invalid `sandbox_key` or `key_refused` for keys that must not or do not work."""
    if mode is Mode.LIVE and _of_sandbox(account, keys.platform_keys):
        raise Invalid("正式环境不能使用沙箱的商户或密钥。", code="sandbox_key")
    try:
        _parse(account, keys, proven=False)
    except ValueError as error:
        raise Invalid(str(error), code="key_refused") from error


def seal(keyring: Keyring, merchant_id: UUID, keys: Keys) -> Sealed:
    """The secrets as the row of `merchant_id` keeps them."""
    return Sealed(
        keyring.seal(keys.private_key_pem, _place(merchant_id, "private_key_sealed")),
        keyring.seal(keys.api_v3_key, _place(merchant_id, "api_v3_key_sealed")) if keys.api_v3_key else None,
    )


def opened(row: Record, keyring: Keyring, mode: Mode) -> Any:
    """What the channel's module works with, from the merchant's row; None for the counter, which has no keys."""
    account = account_of(row)
    if account.channel is Channel.COUNTER:
        return None
    if mode is Mode.LIVE and _of_sandbox(account, row["platform_keys"]):
        raise Unavailable("正式环境不能使用沙箱的商户，请更换收款商户。", code="sandbox_merchant")
    v3_key = row["api_v3_key_sealed"]
    keys = Keys(
        serial_no=row["serial_no"],
        private_key_pem=keyring.open(row["private_key_sealed"], _place(row["id"], "private_key_sealed")),
        api_v3_key=keyring.open(v3_key, _place(row["id"], "api_v3_key_sealed")) if v3_key is not None else "",
        platform_keys=row["platform_keys"],
        root_serial_no=row["root_serial_no"],
    )
    return _parse(account, keys, proven=True)


def _parse(account: Account, keys: Keys, *, proven: bool) -> Any:
    """ValueError in Chinese for keys that their channel cannot work with. `proven`: they were checked when entered."""
    if account.channel is Channel.ALIPAY:
        return _parse_alipay(account, keys, proven=proven)
    if keys.root_serial_no is not None or not keys.serial_no:
        raise KeyRefused("请填写商户 API 证书序列号；微信支付没有支付宝的证书。")
    return wechat_merchant.load(
        account.mchid,
        account.appid,
        serial_no=keys.serial_no,
        private_key_pem=keys.private_key_pem,
        api_v3_key=keys.api_v3_key,
        platform_keys=keys.platform_keys,
        sub_mchid=account.sub_mchid,
        sub_appid=account.sub_appid,
        proven=proven,
    )


def _parse_alipay(account: Account, keys: Keys, *, proven: bool) -> alipay_keys.Merchant:
    if account.sub_mchid is not None or account.sub_appid is not None or keys.api_v3_key:
        raise KeyRefused("支付宝商户没有特约商户号和 APIv3 密钥。")
    return alipay_keys.load(
        account.appid,
        account.mchid,
        private_key_pem=keys.private_key_pem,
        platform_keys=keys.platform_keys,
        app_cert_sn=keys.serial_no,
        root_cert_sn=keys.root_serial_no or "",
        proven=proven,
    )


def _of_sandbox(account: Account, platform_keys: Mapping[str, str]) -> bool:
    if account.channel is Channel.ALIPAY:
        return account.appid.startswith(ALIPAY_SANDBOX_APPS)
    return any(serial.startswith(SANDBOX_KEY) for serial in platform_keys)


def _place(merchant_id: UUID, column: str) -> Context:
    return Context("merchant", column, merchant_id)
