"""What staff send and read of merchants, field by field; no secret is ever in an answer (security: API3)."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from backend.kernel.http import Strict, example
from payments.channels.base import Channel

_ID = "01991b2a-7c00-7000-8000-000000000001"
_NOW = "2026-09-01T02:00:00Z"
_KEYS = {
    "serial_no": "5157F09EFDC096DE15EBE81A47057A7232F1B8E1",
    "private_key_pem": "-----BEGIN PRIVATE KEY-----…",
    "api_v3_key": "0123456789abcdef0123456789ABCDEF",
    "platform_keys": {"PUB_KEY_ID_0114232134912410000000000000": "-----BEGIN PUBLIC KEY-----…"},
}
_NUMBER = r"^[0-9]{8,32}$"
_APP = r"^[0-9A-Za-z]{8,32}$"


class AlipayCertificates(Strict):
    """The three files of Alipay's certificate mode: appCertPublicKey, alipayRootCert, alipayCertPublicKey_RSA2."""

    app: str = Field(min_length=1, max_length=16_384)
    root: str = Field(min_length=1, max_length=65_536)
    platform: str = Field(min_length=1, max_length=16_384)


class MerchantKeys(Strict):
    """Keys as the channel's console gives them; they are sealed at once and never shown again.

    WeChat Pay: all but `certificates`. Alipay has no `api_v3_key`; its key mode is the private key and the one platform
    key `public_key`, its certificate mode the private key and `certificates`.
    """

    model_config = example(**_KEYS)
    serial_no: str = Field("", pattern=r"^[0-9A-Fa-f]{0,64}$")
    private_key_pem: str = Field(min_length=1, max_length=8_192, repr=False)
    api_v3_key: str | None = Field(None, min_length=32, max_length=32, repr=False)
    platform_keys: dict[str, str] = Field({}, max_length=8)
    certificates: AlipayCertificates | None = None


class MerchantCreate(Strict):
    """A merchant for the company, for one community, or for one item of it.

    Alipay: `mchid` is the seller id (2088…), `appid` the application. With `sub_mchid` the other two are the service
    provider's of WeChat Pay.
    """

    model_config = example(
        community_id=None,
        item_id=None,
        channel="wechat",
        mchid="1900007291",
        appid="wxd678efh567hg6787",
        sub_mchid=None,
        sub_appid=None,
        name="邻里物业微信支付",
        keys=_KEYS,
    )
    community_id: UUID | None = None
    item_id: UUID | None = None
    channel: Literal["wechat", "alipay"] = "wechat"
    mchid: str = Field(pattern=_NUMBER)
    appid: str = Field(pattern=_APP)
    sub_mchid: str | None = Field(None, pattern=_NUMBER)
    sub_appid: str | None = Field(None, pattern=_APP)
    name: str = Field(min_length=1, max_length=60)
    keys: MerchantKeys


class MerchantView(Strict):
    """A merchant without its secrets."""

    model_config = example(
        id=_ID,
        community_id=None,
        item_id=None,
        channel="wechat",
        mchid="1900007291",
        appid="wxd678efh567hg6787",
        sub_mchid=None,
        sub_appid=None,
        name="邻里物业微信支付",
        serial_no="5157F09EFDC096DE15EBE81A47057A7232F1B8E1",
        platform_serials=["PUB_KEY_ID_0114232134912410000000000000"],
        notify_url="https://wy.example.com/pay/notify/wechat/01991b2a-7c00-7000-8000-000000000001",
        paused=False,
        created_at=_NOW,
        retired_at=None,
    )
    id: UUID
    community_id: UUID | None
    item_id: UUID | None
    channel: Channel
    mchid: str
    appid: str
    sub_mchid: str | None
    sub_appid: str | None
    name: str
    serial_no: str
    platform_serials: list[str]
    notify_url: str
    paused: bool
    created_at: datetime
    retired_at: datetime | None


class MerchantList(Strict):
    """All merchants of the company."""

    model_config = example(items=[])
    items: list[MerchantView]


class Reason(Strict):
    """Why."""

    model_config = example(reason="更换收款账户")
    reason: str = Field(min_length=2, max_length=200)


class Proposed(Strict):
    """A change that waits for a second person."""

    model_config = example(approval_id=_ID)
    approval_id: UUID


class PlaceReason(Strict):
    """Where and why; without a community it is the whole company."""

    model_config = example(community_id=None, reason="银行系统维护")
    community_id: UUID | None = None
    reason: str = Field(min_length=2, max_length=200)


class PauseView(Strict):
    """A place where nothing is collected online; without a community it is the whole company."""

    model_config = example(community_id=None, reason="银行系统维护", paused_by=_ID, paused_at=_NOW)
    community_id: UUID | None
    reason: str
    paused_by: UUID | None
    paused_at: datetime


class PauseList(Strict):
    """All places where nothing is collected online, as far as the asker's communities go."""

    model_config = example(items=[])
    items: list[PauseView]


class KeysProposal(Strict):
    """New keys and why."""

    model_config = example(keys=_KEYS, reason="商户 API 证书即将到期")
    keys: MerchantKeys
    reason: str = Field(min_length=2, max_length=200)
