"""The sandbox as seen by the demo data: accounts and a merchant registered there, people given WeChat, taps on 支付.

Speaks the sandbox's control API through the product's egress; a sandbox elsewhere than on this machine is refused.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from backend.kernel.errors import Unavailable
from backend.kernel.resources import Resources
from backend.messaging.meanings import BILL_ISSUED, NOTICE, PAYMENT_RECEIVED
from backend.messaging.templates import Channel
from payments.merchant_keys import Keys

LOOPBACK = ("127.0.0.1", "localhost", "::1")
OPEN_PLATFORM = "linli-demo"
RSA_BITS = 2048


@dataclass(frozen=True, slots=True)
class Layout:
    """A message template: what the phone shows, key by key, and which value of the meaning stands there."""

    meaning: str
    title: str
    fields: Mapping[str, str]
    examples: Mapping[str, str]


LAYOUTS = (
    Layout(
        BILL_ISSUED.name,
        "物业账单通知",
        {"thing1": "houses", "thing2": "item", "thing3": "period", "amount4": "amount", "date5": "due_on"},
        {
            "thing1": "1栋1单元101",
            "thing2": "物业费",
            "thing3": "2026年9月",
            "amount4": "226.54元",
            "date5": "2026-09-30",
        },
    ),
    Layout(
        PAYMENT_RECEIVED.name,
        "缴费成功通知",
        {"thing1": "subject", "amount2": "amount", "time3": "paid_at", "character_string4": "order_no"},
        {
            "thing1": "物业费 2026年9月",
            "amount2": "226.54元",
            "time3": "2026-09-03 10:00",
            "character_string4": "7QK2M9",
        },
    ),
    Layout(
        NOTICE.name,
        "小区公告通知",
        {"thing1": "title", "thing2": "community", "thing3": "summary", "time4": "published_at"},
        {"thing1": "2栋周三停水", "thing2": "阳光小区", "thing3": "请提前储水", "time4": "2026-09-01 10:00"},
    ),
)


@dataclass(frozen=True, slots=True)
class Offered:
    """A template as an app has it."""

    appid: str
    channel: Channel
    layout: Layout
    template_id: str


@dataclass(frozen=True, slots=True)
class Accounts:
    """What the company has at WeChat: two apps with their templates, and a merchant with its keys."""

    miniprogram: str
    official: str
    mchid: str
    secrets: Mapping[str, str]
    original_ids: Mapping[str, str]
    templates: tuple[Offered, ...]
    keys: Keys


async def control(res: Resources, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
    """Call `/control<path>` of the sandbox; Unavailable, with what the sandbox said, when it refuses."""
    url = res.settings.wechat_api_url.rstrip("/")
    if urlsplit(url).hostname not in LOOPBACK:
        raise Unavailable("示例数据要用本机的沙箱：请用 linli up 启动整个系统。", code="sandbox_required")
    data = None if body is None else json.dumps(body).encode()
    answer = await res.egress.request(method, f"{url}/control{path}", body=data)
    if answer.status != 200:
        said = answer.body.decode(errors="replace")[:300]
        raise Unavailable(f"沙箱没有接受 {method} {path}：{said}", code="sandbox_refused")
    return json.loads(answer.body)


async def register(res: Resources) -> Accounts:
    """Register a mini-program, an official account and a merchant in public-key mode, all with fresh secrets."""
    made = Accounts(
        miniprogram=_appid(),
        official=_appid(),
        mchid=f"16{secrets.randbelow(10**8):08}",
        secrets={},
        original_ids={},
        templates=(),
        keys=Keys("", "", "", {}),
    )
    kinds = {made.miniprogram: Channel.SUBSCRIPTION, made.official: Channel.TEMPLATE}
    app_secrets = {appid: secrets.token_hex(16) for appid in kinds}
    original_ids = {appid: f"gh_{secrets.token_hex(6)}" for appid in kinds}
    offered = tuple(
        Offered(appid, channel, layout, secrets.token_urlsafe(32))
        for appid, channel in kinds.items()
        for layout in LAYOUTS
    )
    for appid, channel in kinds.items():
        document = _app(made, appid, channel, app_secrets[appid], offered)
        await control(res, "PUT", f"/apps/{appid}", {**document, "original_id": original_ids[appid]})
    keys = await _merchant(res, made)
    return Accounts(made.miniprogram, made.official, made.mchid, app_secrets, original_ids, offered, keys)


def _appid() -> str:
    return f"wx{secrets.token_hex(8)}"


def _app(made: Accounts, appid: str, channel: Channel, secret: str, offered: tuple[Offered, ...]) -> dict[str, Any]:
    kind = "subscribe" if channel is Channel.SUBSCRIPTION else "template"
    templates = [
        {
            "template_id": one.template_id,
            "title": one.layout.title,
            "kind": kind,
            "fields": dict(one.layout.examples),
        }
        for one in offered
        if one.appid == appid
    ]
    return {
        "secret": secret,
        "kind": "miniprogram" if channel is Channel.SUBSCRIPTION else "official",
        "open_platform": OPEN_PLATFORM,
        "templates": templates,
        "bound_mchids": [made.mchid],
    }


async def _merchant(res: Resources, made: Accounts) -> Keys:
    key = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    public_pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    api_v3_key, serial_no = secrets.token_hex(16), secrets.token_hex(20).upper()
    told = await control(
        res,
        "PUT",
        f"/merchants/{made.mchid}",
        {
            "appids": [made.miniprogram, made.official],
            "apiv3_key": api_v3_key,
            "serial_no": serial_no,
            "public_key_pem": public_pem,
            "mode": "public_key",
        },
    )
    return Keys(
        serial_no=serial_no,
        private_key_pem=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        api_v3_key=api_v3_key,
        platform_keys={told["platform_public_key_id"]: told["platform_public_key_pem"]},
    )
