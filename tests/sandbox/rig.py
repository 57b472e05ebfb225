"""A sandbox as a real process, a signing merchant and a catcher of callbacks, for the tests of the sandbox."""

import asyncio
import base64
import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import yarl
from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests import vectors

ROOT = Path(__file__).parents[2]
MINI_APPID = vectors.APPID
OFFICIAL_APPID = "wx00000000000000aa"
SECRET = "0" * 32
PAGES = ["pages/bill/index"]
BILL_FIELDS = {"thing1": "1栋101", "amount2": "￥123.45", "time3": "2026-09", "phrase4": "待缴"}


@dataclass
class Rig:
    """One running sandbox."""

    data_dir: Path
    http: aiohttp.ClientSession = field(default=None)  # type: ignore[assignment]
    process: subprocess.Popen[str] | None = None
    url: str = ""
    public_key_id: str = ""
    platform_pem: str = ""
    offset_s: int = 0

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sandbox", "--port", "0", "--data-dir", str(self.data_dir)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("sandbox listening on http://127.0.0.1:"), line
        self.url = line.split()[-1]

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None and self.process.stdout is not None
        self.process.send_signal(number)
        code = self.process.wait(10)
        self.process.stdout.close()
        self.process = None
        return code

    def advance(self, step_s: int) -> None:
        """Move the shared clock forward."""
        self.offset_s += step_s
        fresh = self.data_dir / f"clock-offset.{os.getpid()}"
        fresh.write_text(str(self.offset_s))
        fresh.replace(self.data_dir / "clock-offset")

    def now_s(self) -> float:
        return time.time() + self.offset_s

    async def control(self, method: str, path: str, body: object = None, *, status: int = 200) -> Any:
        async with self.http.request(method, f"{self.url}/control{path}", json=body) as response:
            text = await response.text()
            assert response.status == status, f"{response.status} {text}"
            return json.loads(text)

    async def api(self, method: str, path: str, body: object = None, **query: str) -> Any:
        data = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        async with self.http.request(method, self.url + path, data=data, params=query) as response:
            assert response.status == 200
            return json.loads(await response.text())

    async def furnish(self, mode: str = "public_key") -> None:
        """One merchant with key M, a mini-program and an official account on one Open Platform account."""
        template = {"title": "缴费通知", "fields": BILL_FIELDS}
        mini = {
            "secret": SECRET,
            "kind": "miniprogram",
            "open_platform": "op1",
            "pages": PAGES,
            "templates": [{"template_id": "sub-1", "kind": "subscribe", **template}],
        }
        official = {
            "secret": SECRET,
            "kind": "official",
            "original_id": "gh_1",
            "open_platform": "op1",
            "templates": [
                {
                    "template_id": "tpl-1",
                    "kind": "template",
                    "title": "缴费提醒",
                    "fields": {**BILL_FIELDS, "const5": "已缴"},
                    "consts": {"const5": ["已缴", "待缴"]},
                }
            ],
        }
        await self.control("PUT", f"/apps/{MINI_APPID}", mini)
        await self.control("PUT", f"/apps/{OFFICIAL_APPID}", official)
        answer = await self.control("PUT", f"/merchants/{vectors.MCHID}", self.merchant(mode))
        self.public_key_id = answer["platform_public_key_id"]
        self.platform_pem = answer["platform_public_key_pem"]

    def merchant(self, mode: str = "public_key") -> dict[str, Any]:
        return {
            "appids": [MINI_APPID],
            "apiv3_key": vectors.APIV3_KEY,
            "serial_no": vectors.MERCHANT_SERIAL,
            "public_key_pem": vectors.public_pem(vectors.key_m()),
            "mode": mode,
        }

    async def user(self, appid: str = MINI_APPID) -> tuple[str, str]:
        user = await self.control("POST", "/users", {"nickname": "张三", "phone": "13580006666"})
        found = await self.control("GET", f"/users/{user['user_id']}/openid?appid={appid}")
        return user["user_id"], found["openid"]

    async def token(self, appid: str = MINI_APPID) -> str:
        body = {"grant_type": "client_credential", "appid": appid, "secret": SECRET}
        return (await self.api("POST", "/cgi-bin/stable_token", body))["access_token"]

    async def pay_call(self, method: str, target: str, body: bytes = b"", **changes: Any) -> "Signed":
        """One request signed with key M; `changes` spoil parts of it."""
        timestamp = changes.get("timestamp", str(int(self.now_s()) + changes.get("skew_s", 0)))
        nonce = changes.get("nonce", secrets.token_hex(16))
        text = f"{method}\n{target}\n{timestamp}\n{nonce}\n".encode() + body + b"\n"
        raw = vectors.key_m().sign(text, padding.PKCS1v15(), hashes.SHA256())
        values = {
            "mchid": vectors.MCHID,
            "nonce_str": nonce,
            "signature": base64.b64encode(raw).decode(),
            "timestamp": timestamp,
            "serial_no": vectors.MERCHANT_SERIAL,
            **changes.get("values", {}),
        }
        scheme = changes.get("scheme", "WECHATPAY2-SHA256-RSA2048")
        pairs = ",".join(f'{name}="{values[name]}"' for name in changes.get("order", values))
        headers = {"Accept": "application/json", "User-Agent": "linli-test", "Authorization": f"{scheme} {pairs}"}
        if body:
            headers["Content-Type"] = "application/json"
        headers.update(changes.get("headers", {}))
        url = self.url + target
        sent = changes.get("sent", body) or None
        async with self.http.request(method, yarl_exact(url), data=sent, headers=headers) as response:
            return Signed(response.status, dict(response.headers), await response.read(), self)

    async def order(self, openid: str, notify_url: str, **changes: Any) -> "Signed":
        body = self.order_body(openid, notify_url, **changes)
        return await self.pay_call("POST", "/v3/pay/transactions/jsapi", json.dumps(body).encode())

    def order_body(self, openid: str, notify_url: str, **changes: Any) -> dict[str, Any]:
        return {
            "appid": MINI_APPID,
            "mchid": vectors.MCHID,
            "description": "物业费-2026年09月-1栋101",
            "out_trade_no": "WY202609010001",
            "notify_url": notify_url,
            "amount": {"total": 12345, "currency": "CNY"},
            "payer": {"openid": openid},
            **changes,
        }

    async def query(self, out_trade_no: str = "WY202609010001", **changes: Any) -> "Signed":
        target = f"/v3/pay/transactions/out-trade-no/{out_trade_no}?mchid={vectors.MCHID}"
        return await self.pay_call("GET", target, **changes)

    async def close(self, out_trade_no: str = "WY202609010001", **changes: Any) -> "Signed":
        target = f"/v3/pay/transactions/out-trade-no/{out_trade_no}/close"
        return await self.pay_call("POST", target, json.dumps({"mchid": vectors.MCHID}).encode(), **changes)


def yarl_exact(url: str) -> Any:
    """The URL untouched, so that the signed target is the sent one."""
    return yarl.URL(url, encoded=True)


@dataclass(frozen=True)
class Signed:
    """An answer, or a callback, of the platform."""

    status: int
    headers: dict[str, str]
    body: bytes
    rig: Rig

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def serial(self) -> str:
        return self.headers["Wechatpay-Serial"]

    def is_genuine(self, pem: str | None = None) -> bool:
        """Whether the signature is the public key's (or `pem`'s) over exactly this body."""
        key = serialization.load_pem_public_key((pem or self.rig.platform_pem).encode())
        head = f"{self.headers['Wechatpay-Timestamp']}\n{self.headers['Wechatpay-Nonce']}\n".encode()
        try:
            raw = base64.b64decode(self.headers["Wechatpay-Signature"], validate=True)
            key.verify(raw, head + self.body + b"\n", padding.PKCS1v15(), hashes.SHA256())  # type: ignore[union-attr]
        except (InvalidSignature, ValueError):
            return False
        return True

    def opened(self) -> Any:
        """The decrypted resource of a callback."""
        resource = self.json["resource"]
        return json.loads(unseal(resource))


def unseal(resource: dict[str, str]) -> bytes:
    """AES-256-GCM with the vectors' APIv3 key."""
    return AESGCM(vectors.APIV3_KEY.encode()).decrypt(
        resource["nonce"].encode(), base64.b64decode(resource["ciphertext"]), resource["associated_data"].encode()
    )


@dataclass
class Catcher:
    """A merchant's callback address; answers `statuses` one by one and then 204."""

    rig: Rig
    url: str = ""
    statuses: list[int] = field(default_factory=list)
    caught: list[Signed] = field(default_factory=list)
    wait_s: float = 0.0

    async def handle(self, request: web.Request) -> web.Response:
        self.caught.append(Signed(0, dict(request.headers), await request.read(), self.rig))
        await asyncio.sleep(self.wait_s)
        status = self.statuses.pop(0) if self.statuses else 204
        headers = {"Location": self.url} if status == 302 else {}
        return web.Response(status=status, text="" if status == 204 else "answered", headers=headers)

    async def until(self, count: int, within_s: float = 5.0) -> None:
        await eventually(lambda: len(self.caught) >= count, within_s)


async def eventually(holds: Callable[[], bool], within_s: float = 5.0) -> None:
    """Poll until it holds; fail after the deadline."""
    until = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < until, "did not happen in time"
        await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def hold(app: web.Application) -> AsyncIterator[str]:
    """The application on a free port; gives its address."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def catcher(rig: Rig) -> AsyncIterator[Catcher]:
    """A listening catcher."""
    made = Catcher(rig)
    app = web.Application()
    app.router.add_post("/notify", made.handle)
    async with hold(app) as url:
        made.url = f"{url}/notify"
        yield made


def seed_keys(data_dir: Path) -> None:
    """Key P of the vectors, and key M for Alipay's root: making keys would take longer than the tests."""
    for name in ("public-mode-key", "certificate-key", "alipay-key", "alipay-certificate-key"):
        (data_dir / f"{name}.pem").write_text(vectors.private_pem(vectors.key_p()))
    (data_dir / "alipay-root-key.pem").write_text(vectors.private_pem(vectors.key_m()))


@contextlib.asynccontextmanager
async def running(data_dir: Path, *, seeded: bool = True) -> AsyncIterator[Rig]:
    """A sandbox process of its own on a free port."""
    if seeded:
        seed_keys(data_dir)
    async with aiohttp.ClientSession() as http:
        rig = Rig(data_dir, http)
        rig.start()
        try:
            yield rig
        finally:
            if rig.process is not None:
                rig.stop()


@dataclass
class Shared:
    """The sandbox that the tests of one worker use in turn: to start one takes longer than most scenes."""

    data_dir: Path | None = None
    rig: Rig | None = None

    def stop(self) -> None:
        if self.rig is not None and self.rig.process is not None:
            self.rig.stop()
        self.rig = None


SHARED = Shared()


@contextlib.asynccontextmanager
async def emptied() -> AsyncIterator[Rig]:
    """The shared sandbox, without anything that an earlier test left."""
    assert SHARED.data_dir is not None, "tests/sandbox/conftest.py gives the shared sandbox its directory"
    if SHARED.rig is None or SHARED.rig.process is None or SHARED.rig.process.poll() is not None:
        seed_keys(SHARED.data_dir)
        SHARED.rig = Rig(SHARED.data_dir)
        SHARED.rig.start()
    rig = SHARED.rig
    rig.advance(-rig.offset_s)
    async with aiohttp.ClientSession() as rig.http:
        await rig.control("POST", "/reset")
        yield rig


def play(
    data_dir: Path, scene: Callable[[Rig], Awaitable[None]], mode: str = "public_key", *, fresh: bool = False
) -> None:
    """Run a scene against an empty, furnished sandbox; `fresh` for one that changes the platform's keys."""

    async def run() -> None:
        async with running(data_dir) if fresh else emptied() as rig:
            await rig.furnish(mode)
            await scene(rig)

    asyncio.run(run())
