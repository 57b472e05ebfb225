"""A merchant of the sandbox's Alipay: signs with key M, verifies with key P, catches notifications; shares no code."""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode
from zoneinfo import ZoneInfo

import yarl
from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests import vectors
from tests.sandbox import rig
from tests.sandbox.rig import Rig, eventually

SHANGHAI = ZoneInfo("Asia/Shanghai")
APP_ID = "2021000000000001"
SELLER_ID = "2088531891668739"
NUMBER = "WY202609010002"
NOTIFY = "https://pay.example.com/notify/ali"


def sign(key: rsa.RSAPrivateKey, text: bytes) -> str:
    return base64.b64encode(key.sign(text, padding.PKCS1v15(), hashes.SHA256())).decode()


def verifies(pem: str, text: bytes, signature: str) -> bool:
    key = serialization.load_pem_public_key(pem.encode())
    assert isinstance(key, rsa.RSAPublicKey)
    try:
        key.verify(base64.b64decode(signature), text, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


def joined(values: dict[str, str], without: tuple[str, ...]) -> str:
    return "&".join(f"{name}={value}" for name, value in sorted(values.items()) if name not in without and value)


def raw_node(body: str, key: str) -> str:
    """The node's exact text, by a decoder that stops at its end."""
    start = body.index(f'"{key}":') + len(key) + 3
    _, end = json.JSONDecoder().raw_decode(body, start)
    return body[start:end]


@dataclass(frozen=True)
class Told:
    """An answer of the gateway."""

    status: int
    content_type: str
    body: str
    pem: str
    charset: str

    @property
    def key(self) -> str:
        return next(iter(json.loads(self.body)))

    @property
    def node(self) -> Any:
        return json.loads(self.body)[self.key]

    @property
    def code(self) -> str:
        return str(self.node["code"])

    @property
    def sub_code(self) -> str | None:
        found: str | None = self.node.get("sub_code")
        return found

    @property
    def is_genuine(self) -> bool:
        signature = json.loads(self.body).get("sign", "")
        return bool(signature) and verifies(self.pem, raw_node(self.body, self.key).encode(self.charset), signature)


@dataclass
class Payee:
    """One merchant at one sandbox."""

    rig: Rig
    pem: str = ""
    common: dict[str, str] = field(default_factory=dict)

    async def register(self, **more: Any) -> Any:
        body = {"seller_id": SELLER_ID, "public_key_pem": vectors.public_pem(vectors.key_m()), **more}
        told = await self.rig.control("PUT", f"/alipay/merchants/{APP_ID}", body)
        self.pem = told.get("alipay_public_key_pem", self.pem)
        return told

    def parameters(self, method: str, content: Any, /, **changes: str | None) -> dict[str, str]:
        """All parameters, signed; a change to None leaves one out."""
        now = datetime.fromtimestamp(self.rig.now_s(), SHANGHAI)
        values: dict[str, str | None] = {
            "app_id": APP_ID,
            "method": method,
            "format": "json",
            "charset": "utf-8",
            "sign_type": "RSA2",
            "timestamp": f"{now:%Y-%m-%d %H:%M:%S}",
            "version": "1.0",
            "biz_content": content if isinstance(content, str) else json.dumps(content, ensure_ascii=False),
            **self.common,
            **changes,
        }
        given = {name: value for name, value in values.items() if value is not None}
        charset = given.get("charset", "utf-8")
        if "sign" not in changes:
            given["sign"] = sign(vectors.key_m(), joined(given, ("sign",)).encode(charset))
        return given

    def address(self, parameters: dict[str, str]) -> str:
        return f"{self.rig.url}/gateway.do?{urlencode(parameters, encoding=parameters.get('charset', 'utf-8'))}"

    async def call(self, method: str, content: Any, /, **changes: str | None) -> Told:
        """As customary: common parameters in the query, the content in the form."""
        given = self.parameters(method, content, **changes)
        charset = given.get("charset", "utf-8")
        form = {"biz_content": given.pop("biz_content")}
        return await self.send(given, form, charset)

    async def send(self, query: dict[str, str], form: dict[str, str], charset: str = "utf-8") -> Told:
        url = yarl.URL(self.address(query), encoded=True)
        body = urlencode(form, encoding=charset)
        headers = {"Content-Type": f"application/x-www-form-urlencoded;charset={charset}"}
        async with self.rig.http.post(url, data=body, headers=headers) as answer:
            text = (await answer.read()).decode(charset, errors="replace")
            return Told(answer.status, answer.headers["Content-Type"], text, self.pem, charset)

    async def precreate(self, number: str = NUMBER, amount: str = "123.45", *, url: str = NOTIFY, **more: Any) -> Told:
        content = {"out_trade_no": number, "total_amount": amount, "subject": "物业费2026年09月", **more}
        return await self.call("alipay.trade.precreate", content, notify_url=url)

    async def query(self, number: str = NUMBER) -> Told:
        return await self.call("alipay.trade.query", {"out_trade_no": number})

    async def close(self, number: str = NUMBER) -> Told:
        return await self.call("alipay.trade.close", {"out_trade_no": number})

    async def refund(self, amount: str, request_no: str | None = "R1", number: str = NUMBER, **more: Any) -> Told:
        content = {"out_trade_no": number, "refund_amount": amount, **more}
        if request_no is not None:
            content["out_request_no"] = request_no
        return await self.call("alipay.trade.refund", content)

    async def refund_query(self, request_no: str = "R1", number: str = NUMBER, **more: Any) -> Told:
        content = {"out_trade_no": number, "out_request_no": request_no, **more}
        return await self.call("alipay.trade.fastpay.refund.query", content)

    async def payer(self, deed: str, number: str = NUMBER, *, status: int = 200, **body: Any) -> Any:
        """What a payer does: scan, pay, refuse; and finish."""
        return await self.rig.control("POST", f"/alipay/orders/{APP_ID}/{number}/{deed}", body, status=status)

    async def paid(self, number: str = NUMBER, amount: str = "123.45", *, url: str = NOTIFY) -> Any:
        assert (await self.precreate(number, amount, url=url)).code == "10000"
        return await self.payer("pay", number)

    async def hostile(self, **plan: Any) -> None:
        await self.rig.control("PUT", "/alipay/hostile", plan)

    async def flush(self) -> int:
        return int((await self.rig.control("POST", "/alipay/notifications/flush"))["count"])

    async def notices(self, number: str = NUMBER) -> Any:
        return (await self.rig.control("GET", f"/alipay/notifications?out_trade_no={number}"))["notifications"]

    def page_address(self, method: str, content: Any, **changes: str | None) -> yarl.URL:
        return yarl.URL(self.address(self.parameters(method, content, **changes)), encoded=True)


@dataclass
class Listener:
    """A merchant's notification address; answers `answers` one by one and then `success`."""

    pem: str
    url: str = ""
    answers: list[tuple[int, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.read())
        status, text = self.answers.pop(0) if self.answers else (200, "success")
        headers = {"Location": self.url} if status == 302 else {}
        return web.Response(status=status, text=text, headers=headers)

    def told(self, position: int = -1, charset: str = "utf-8") -> dict[str, str]:
        return dict(parse_qsl(self.bodies[position].decode(), strict_parsing=True, encoding=charset))

    def is_genuine(self, position: int = -1, charset: str = "utf-8") -> bool:
        fields = self.told(position, charset)
        text = joined(fields, ("sign", "sign_type", "alipay_cert_sn"))
        return verifies(self.pem, text.encode(charset), fields["sign"])

    async def until(self, count: int) -> None:
        await eventually(lambda: len(self.bodies) >= count)


@contextlib.asynccontextmanager
async def listener(payee: Payee) -> AsyncIterator[Listener]:
    """A listening merchant."""
    made = Listener(payee.pem)
    app = web.Application()
    app.router.add_post("/notify", made.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/notify"
    try:
        yield made
    finally:
        await runner.cleanup()


def play(data_dir: Path, scene: Callable[[Payee], Awaitable[None]], *, fresh: bool = False) -> None:
    """Run a scene with a registered merchant against an empty sandbox; `fresh` for one that changes Alipay's keys.

    Alipay signs with key P, its root with key M.
    """

    async def run() -> None:
        async with rig.running(data_dir) if fresh else rig.emptied() as running:
            payee = Payee(running)
            await payee.register()
            await scene(payee)

    asyncio.run(run())


def quoted(text: str, charset: str) -> str:
    return quote(text, encoding=charset)
