"""A merchant's message server for the tests: keeps what it was sent and answers as it was told to."""

import contextlib
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

from aiohttp import web

from tests.sandbox.rig import Rig, hold

TOKEN = "PropTok2026"
AES_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"


@dataclass(frozen=True)
class Caught:
    """One push as it came."""

    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def xml(self) -> dict[str, str]:
        """The top nodes' texts."""
        return {node.tag: node.text or "" for node in ElementTree.fromstring(self.body)}

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def is_signed(self, token: str = TOKEN) -> bool:
        """Whether `signature` is right, and `msg_signature` where there is one."""
        query = self.query
        known = [token, query["timestamp"], query["nonce"]]
        if "msg_signature" in query:
            encrypted = self.xml["Encrypt"] if self.body.startswith(b"<") else self.json["Encrypt"]
            if query["msg_signature"] != sha1(*known, encrypted):
                return False
        return query["signature"] == sha1(*known)


def sha1(*parts: str) -> str:
    return hashlib.sha1("".join(sorted(parts)).encode()).hexdigest()


Answer = Callable[[Caught], str | int | None]


@dataclass
class Receiver:
    """`answers` are used up push by push: a text, a status, or a function of the push; then it says `success`."""

    url: str = ""
    token: str = TOKEN
    answers: list[str | int | Answer] = field(default_factory=list)
    caught: list[Caught] = field(default_factory=list)

    async def push(self, request: web.Request) -> web.StreamResponse:
        told = Caught(dict(request.query), dict(request.headers), await request.read())
        self.caught.append(told)
        answer: Any = self.answers.pop(0) if self.answers else "success"
        answer = answer(told) if callable(answer) else answer
        if isinstance(answer, int):
            return web.Response(status=answer)
        return web.Response(text=answer)

    async def check(self, request: web.Request) -> web.Response:
        query = request.query
        if query["signature"] != sha1(self.token, query["timestamp"], query["nonce"]):
            return web.Response(status=403)
        return web.Response(text=query["echostr"])

    def address(self, **changes: str) -> dict[str, str]:
        return {"url": self.url, "token": TOKEN, "aes_key": AES_KEY, "mode": "plain", "format": "xml", **changes}


@contextlib.asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """A listening receiver."""
    made = Receiver()
    app = web.Application()
    app.router.add_post("/wechat", made.push)
    app.router.add_get("/wechat", made.check)
    async with hold(app) as url:
        made.url = f"{url}/wechat"
        yield made


async def told(rig: Rig) -> list[dict[str, Any]]:
    """All pushes after everything that is due was delivered."""
    await rig.control("POST", "/pushes/flush")
    return list((await rig.control("GET", "/pushes"))["pushes"])
