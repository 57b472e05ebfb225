"""Delivery of pushes: five seconds for an answer, three attempts in all (official account page, section 1.2).

An attempt that failed sooner waits for the rest of its five seconds on the shared clock. A push is in the store before
its first attempt and an attempt is written down after it: a killed sandbox repeats.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
import yarl
from aiohttp import web

from sandbox import push_crypto, push_replies, push_texts, pushes
from sandbox.pushes import Address
from sandbox.rounds import Rounds, going
from sandbox.store import Row
from sandbox.world import WORLD, World

NEXT_AFTER_S = 5.0
ATTEMPTS = 3
ANSWER_KEPT_BYTES = 65536
OUT_OF_SERVICE = "该公众号暂时无法提供服务，请稍后再试"
# What the follower waits for an answer to; of the rest nothing is seen.
AWAITED = {"click", "subscribe", "scan"}

DUE = "SELECT * FROM pushes WHERE next_s <= ? ORDER BY next_s, id LIMIT ?"
WRITE_ATTEMPT = """
INSERT INTO push_attempts (push_id, started_s, outcome, status, answer, query) VALUES (?, ?, ?, ?, ?, ?)
"""
WRITE_RESULT = """
UPDATE pushes SET state = ?, next_s = ?, repeats = ?, reply = coalesce(?, reply), seen = coalesce(?, seen),
    attempts = attempts + 1, copies = 1
WHERE id = ?
"""


@dataclass(frozen=True, slots=True)
class Told:
    """What one call came to: `outcome` is delivered, or why not; `status` is None where no answer came."""

    started_s: float
    outcome: str
    status: int | None
    answer: str
    query: Mapping[str, str]
    reply: dict[str, Any] | None = None

    @property
    def is_delivered(self) -> bool:
        """Whether WeChat stops repeating."""
        return self.outcome == "delivered"


class PushPostman(Rounds):
    """Delivers what is due to the addresses of the apps."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def _due(self, limit: int) -> Sequence[Row]:
        return self._world.store.rows(DUE, self._world.now_s(), limit)

    async def _deliver(self, row: Row) -> int:
        address = pushes.address_of(self._world, row["appid"])
        if row["lost"]:
            attempts = [Told(self._world.now_s(), "lost", None, "", {})]
        elif address is None:
            attempts = [Told(self._world.now_s(), "no_address", None, "", {})]
        else:
            calls = [self.send(address, row) for _ in range(row["copies"])]
            attempts = list(await asyncio.gather(*calls))
        self._write(row, attempts)
        return len(attempts)

    async def send(self, address: Address, row: Row) -> Told:
        """One call with a stored push, signed now."""
        query = pushes.signed_query(address, row["openid"], row["sealed"], self._world.now_s())
        return await self.post(address, row["openid"], query, row["body"])

    async def post(self, address: Address, openid: str, query: Mapping[str, str], body: str) -> Told:
        """One call to the message server; a redirect, an error and five silent seconds are failures."""
        started_s = self._world.now_s()
        url = yarl.URL(address.url).update_query(query)
        headers = {"Content-Type": push_texts.CONTENT_TYPES[address.form], "User-Agent": "Mozilla/4.0"}
        try:
            async with self._http.post(url, data=body.encode(), headers=headers, allow_redirects=False) as response:
                answer, status = (await response.read())[:ANSWER_KEPT_BYTES], response.status
        except TimeoutError:
            return Told(started_s, "timeout", None, "", query)
        except (aiohttp.ClientError, OSError) as error:
            return Told(started_s, "unreachable", None, str(error), query)
        said = answer.decode(errors="replace")
        if status != 200:
            return Told(started_s, "refused", status, said, query)
        try:
            return Told(started_s, "delivered", status, said, query, push_replies.read(address, openid, answer))
        except push_replies.UnfitReply as error:
            return Told(started_s, f"unfit: {error}", status, said, query)

    async def ask_echo(self, address: Address, *, wrong: bool) -> dict[str, Any]:
        """The handshake of a new address (section 1.1), with a wrong signature where asked for."""
        echostr = str(secrets.randbelow(10**19))
        query = {**pushes.signature_query(address, self._world.now_s()), "echostr": echostr}
        if wrong:
            query["signature"] = push_crypto.signature(query["signature"])
        try:
            url = yarl.URL(address.url).update_query(query)
            async with self._http.get(url, allow_redirects=False) as response:
                answer = (await response.read())[:ANSWER_KEPT_BYTES].decode(errors="replace")
                verified = response.status == 200 and answer == echostr
                return {"verified": verified, "status": response.status, "answer": answer, "echostr": echostr}
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            return {"verified": False, "status": None, "answer": str(error), "echostr": echostr}

    def _write(self, row: Row, attempts: list[Told]) -> None:
        told = next((attempt for attempt in attempts if attempt.is_delivered), attempts[0])
        state, repeats, seen = row["state"], row["repeats"], told.reply
        again_s = told.started_s + NEXT_AFTER_S
        next_s = None
        if told.is_delivered:
            state = "delivered"
            next_s, repeats = (again_s, repeats - 1) if repeats else (None, 0)
        elif state == "waiting" and row["attempts"] + 1 < ATTEMPTS:
            next_s = again_s
        elif state == "waiting":
            state, seen = "given_up", {"type": "text", "content": OUT_OF_SERVICE}
        shown = _json(seen) if self._is_awaited(row) else None
        with self._world.store.change():
            for attempt in attempts:
                self.write_attempt(row["id"], attempt)
            self._world.store.run(WRITE_RESULT, state, next_s, repeats, _json(told.reply), shown, row["id"])

    def _is_awaited(self, row: Row) -> bool:
        """Whether somebody looks at the account's conversation for what comes back."""
        app = self._world.store.row("SELECT kind FROM apps WHERE appid = ?", row["appid"])
        message = json.loads(row["message"])
        is_asked = message["MsgType"] != "event" or message["Event"].lower() in AWAITED
        return app is not None and app["kind"] == "official" and is_asked

    def write_attempt(self, number: int, attempt: Told) -> None:
        """Write one call down."""
        what = (attempt.started_s, attempt.outcome, attempt.status, attempt.answer, json.dumps(dict(attempt.query)))
        self._world.store.run(WRITE_ATTEMPT, number, *what)


def _json(reply: dict[str, Any] | None) -> str | None:
    return None if reply is None else json.dumps(reply, ensure_ascii=False)


PUSH_POSTMAN = web.AppKey("push_postman", PushPostman)


async def deliver(app: web.Application) -> AsyncIterator[None]:
    """The postman's life beside the server's."""
    app[PUSH_POSTMAN] = PushPostman(app[WORLD])
    async with going(app[PUSH_POSTMAN]):
        yield
