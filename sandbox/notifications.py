"""Delivery of notifications: five seconds for an answer, then the real ladder on the shared clock (section 10).

Only 200 or 204 within five seconds counts as delivered; the answer's body is kept and ignored. The real channel calls
https alone; the sandbox also calls http on the loopback, because that is where the product listens in sandbox mode.
A plan is in the store before the first attempt, and an attempt is written down after it: a killed sandbox repeats.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import web

from sandbox import merchants, notices, pay_auth
from sandbox.keys import Signer
from sandbox.merchants import Merchant
from sandbox.rounds import Rounds
from sandbox.store import Row
from sandbox.world import World

LADDER_S = (15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10800, 10800, 10800, 21600, 21600)
ANSWER_KEPT_BYTES = 4096

# The row's number makes two keys in use sign by turns.
DUE = "SELECT rowid AS number, * FROM notifications WHERE next_s <= ? ORDER BY next_s LIMIT ?"
LOAD = "SELECT rowid AS number, * FROM notifications WHERE id = ?"
WRITE_ATTEMPT = """
INSERT INTO attempts (notification_id, started_s, outcome, status, answer, headers) VALUES (?, ?, ?, ?, ?, ?)
"""
WRITE_PROBE = "UPDATE notifications SET probed = 1, next_s = ? WHERE id = ?"
WRITE_DELIVERED = "UPDATE notifications SET state = 'delivered', next_s = NULL WHERE id = ?"
WRITE_RESULT = "UPDATE notifications SET state = ?, attempts = attempts + 1, next_s = ?, copies = 1 WHERE id = ?"


Tick = Callable[[World], None]


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one HTTP call to the merchant came to; `status` is None where no answer came."""

    started_s: float
    outcome: str
    status: int | None
    answer: str
    headers: dict[str, str]

    @property
    def is_delivered(self) -> bool:
        """Whether the channel stops repeating."""
        return self.outcome == "delivered"


class Postman(Rounds):
    """Delivers what is due and remembers what is on its way. Ticks are the parts that act by themselves in time."""

    def __init__(self, world: World, ticks: Sequence[Tick] = ()) -> None:
        super().__init__(auto_decompress=False)
        self._world = world
        self._ticks = ticks

    def _due(self, limit: int) -> Sequence[Row]:
        for tick in self._ticks:
            tick(self._world)
        return self._world.store.rows(DUE, self._world.now_s(), limit)

    async def _deliver(self, row: Row) -> int:
        world = self._world
        merchant = merchants.find(world.store, row["mchid"])
        if merchant is None:
            return 0
        if row["lost"]:
            attempts = [Attempt(world.now_s(), "lost", None, "", {})]
        else:
            probe = not row["probed"] and not row["manner"] and world.hostile.wants_signtest()
            calls = [self._call(row, merchant, probe=probe) for _ in range(row["copies"])]
            attempts = list(await asyncio.gather(*calls))
            if probe:
                self._write(row, attempts, probe=True)
                return len(attempts)
        self._write(row, attempts)
        return len(attempts)

    async def _call(self, row: Row, merchant: Merchant, *, probe: bool = False) -> Attempt:
        signer = merchants.callback_signer(self._world.keys, merchant, turn=row["attempts"] + row["number"])
        headers = self.headers(signer, row["body"].encode(), probe=probe)
        if row["manner"] == notices.FORGED:
            headers["Wechatpay-Signature"] = pay_auth.spoiled(headers["Wechatpay-Signature"])
        return await self.post(row["url"], headers, row["body"].encode())

    def headers(
        self, signer: Signer, body: bytes, *, probe: bool = False, signed_s: float | None = None
    ) -> dict[str, str]:
        """The headers of one attempt, signed now, or at the instant that a forger wants."""
        at_s = self._world.now_s() if signed_s is None else signed_s
        signed = pay_auth.signed_headers(signer, at_s, body, probe=probe)
        return {"Content-Type": "application/json", "User-Agent": "Mozilla/4.0", "Accept": "*/*", **signed}

    async def post(self, url: str, headers: dict[str, str], body: bytes) -> Attempt:
        """One call to the merchant; a redirect, an error and five silent seconds are failures like any 5xx."""
        started_s = self._world.now_s()
        try:
            async with self._http.post(url, data=body, headers=headers, allow_redirects=False) as response:
                answer = (await response.content.read(ANSWER_KEPT_BYTES)).decode(errors="replace")
                outcome = "delivered" if response.status in (200, 204) else "refused"
                return Attempt(started_s, outcome, response.status, answer, headers)
        except TimeoutError:
            return Attempt(started_s, "timeout", None, "", headers)
        except (aiohttp.ClientError, OSError) as error:
            return Attempt(started_s, "unreachable", None, str(error), headers)

    def _write(self, row: Row, attempts: list[Attempt], *, probe: bool = False) -> None:
        store = self._world.store
        delivered = any(attempt.is_delivered for attempt in attempts)
        done = row["attempts"]
        now_s = attempts[0].started_s
        with store.change():
            for attempt in attempts:
                self._write_attempt(row["id"], attempt, outcome=f"signtest_{attempt.outcome}" if probe else None)
            if probe:
                store.run(WRITE_PROBE, now_s, row["id"])
            elif row["manner"] == notices.FORGED:
                store.run(WRITE_RESULT, "forged", None, row["id"])
            elif delivered:
                store.run(WRITE_RESULT, "delivered", None, row["id"])
            elif done < len(LADDER_S):
                store.run(WRITE_RESULT, "pending", now_s + LADDER_S[done], row["id"])
            else:
                store.run(WRITE_RESULT, "given_up", None, row["id"])

    def _write_attempt(self, notification_id: str, attempt: Attempt, *, outcome: str | None = None) -> None:
        self._world.store.run(
            WRITE_ATTEMPT,
            notification_id,
            attempt.started_s,
            outcome or attempt.outcome,
            attempt.status,
            attempt.answer,
            json.dumps(attempt.headers),
        )

    async def repeat(self, row: Row) -> dict[str, Any]:
        """Send a stored notification once more right now, whatever its state and even if it was to be lost."""
        merchant = merchants.find(self._world.store, row["mchid"])
        if merchant is None:
            return {"outcome": "no_merchant", "status": None, "answer": ""}
        attempt = await self._call(row, merchant)
        with self._world.store.change():
            self._write_attempt(row["id"], attempt)
            if attempt.is_delivered:
                self._world.store.run(WRITE_DELIVERED, row["id"])
        return {"outcome": attempt.outcome, "status": attempt.status, "answer": attempt.answer}


POSTMAN = web.AppKey("postman", Postman)
