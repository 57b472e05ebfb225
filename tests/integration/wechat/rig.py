"""A merchant, accounts and a user in the sandbox, and the product's clients that speak to it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from aiohttp import web

from backend.kernel.processes import free_port
from backend.kernel.resources import Resources
from backend.wechat.api import WechatApi
from backend.wechat.apps import App, AppKind
from backend.wechat.tokens import Tokens
from payments.channels import wechat_merchant
from payments.channels.base import Method, PrepayRequest
from payments.channels.wechat_merchant import Merchant
from payments.channels.wechat_v3 import WechatPayV3
from tests import vectors
from tests.conftest import Sandbox

SECRET = "0" * 32
COMPANY = UUID(int=1)
MINI = App(vectors.APPID, AppKind.MINIPROGRAM, COMPANY, SECRET)
OFFICIAL = App("wx00000000000000aa", AppKind.OFFICIAL, COMPANY, SECRET)
FIELDS = {"thing1": "1栋101", "amount2": "￥123.45", "time3": "2026-09-01 10:00", "phrase4": "待缴"}


@dataclass(frozen=True)
class User:
    """A user of the sandbox with his openid in the mini-program."""

    id: str
    openid: str


async def merchant(sandbox: Sandbox, mode: str = "public_key") -> Merchant:
    """The merchant of the vectors, registered in the sandbox; he believes the platform's public key."""
    told = await sandbox.ask(
        "PUT",
        f"/merchants/{vectors.MCHID}",
        {
            "appids": [MINI.appid],
            "apiv3_key": vectors.APIV3_KEY,
            "serial_no": vectors.MERCHANT_SERIAL,
            "public_key_pem": vectors.public_pem(vectors.key_m()),
            "mode": mode,
        },
    )
    believed = {told["platform_public_key_id"]: told["platform_public_key_pem"]}
    return wechat_merchant.load(
        vectors.MCHID,
        MINI.appid,
        serial_no=vectors.MERCHANT_SERIAL,
        private_key_pem=vectors.private_pem(vectors.key_m()),
        api_v3_key=vectors.APIV3_KEY,
        platform_keys=believed if mode == "public_key" else {},
    )


async def furnish(sandbox: Sandbox) -> None:
    """The mini-program and the official account with one template each."""
    template = {"title": "缴费提醒", "fields": FIELDS}
    mini = {
        "secret": SECRET,
        "kind": "miniprogram",
        "open_platform": "op1",
        "pages": ["pages/bill/index"],
        "templates": [{"template_id": "sub-1", "kind": "subscribe", **template}],
    }
    official = {
        "secret": SECRET,
        "kind": "official",
        "original_id": "gh_1",
        "open_platform": "op1",
        "templates": [{"template_id": "tpl-1", "kind": "template", **template}],
    }
    await sandbox.ask("PUT", f"/apps/{MINI.appid}", mini)
    await sandbox.ask("PUT", f"/apps/{OFFICIAL.appid}", official)


async def user(sandbox: Sandbox, app: App = MINI) -> User:
    """A new user, with the openid under `app`."""
    made = await sandbox.ask("POST", "/users", {"nickname": "张三", "phone": "13580006666"})
    found = await sandbox.ask("GET", f"/users/{made['user_id']}/openid?appid={app.appid}")
    return User(made["user_id"], found["openid"])


def request(res: Resources, openid: str, out_trade_no: str, **changed: Any) -> PrepayRequest:
    """An order of 123.45 yuan that lives for an hour."""
    usual = PrepayRequest(
        method=Method.JSAPI,
        out_trade_no=out_trade_no,
        description="物业费-2026年09月-1栋101",
        amount_fen=12345,
        payer_openid=openid,
        app_id=MINI.appid,
        notify_url="http://127.0.0.1:9/pay/notify/wechat/m",
        expires_at=(res.clock.now() + timedelta(hours=1)).replace(microsecond=0),
        attach="o:1",
    )
    return replace(usual, **changed)


def channel(res: Resources, *, total_s: float = 15.0) -> WechatPayV3:
    return WechatPayV3(res.egress, res.clock, res.settings.wechat_pay_url, total_s=total_s)


def another_process(res: Resources) -> WechatApi:
    """A WechatApi with no memory of its own: what a freshly started process has."""
    base_url = res.settings.wechat_api_url
    return WechatApi(res.egress, Tokens(res.egress, res.redis, base_url, res.clock), base_url)


@dataclass
class Catcher:
    """Receives callbacks and keeps their raw bytes."""

    url: str
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def take(self, incoming: web.Request) -> web.Response:
        self.received.append((dict(incoming.headers), await incoming.read()))
        return web.Response(status=204)


@asynccontextmanager
async def catcher() -> AsyncIterator[Catcher]:
    port = free_port()
    caught = Catcher(f"http://127.0.0.1:{port}/notify")
    app = web.Application()
    app.router.add_post("/notify", caught.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield caught
    await runner.cleanup()
