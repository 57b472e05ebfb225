"""Delivery of Alipay's notifications: only HTTP 200 with the seven characters `success` stops the ladder (section 9.3).

A plan is in the store before the first delivery and a delivery is written down after it: a killed sandbox repeats.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import aiohttp
from aiohttp import web

from sandbox import alipay_books, alipay_merchants, alipay_notices
from sandbox.rounds import Rounds, going
from sandbox.store import Row
from sandbox.world import WORLD, World

ACKNOWLEDGED = b"success"
ANSWER_KEPT_BYTES = 4096
LADDER_S = (240, 600, 600, 3600, 7200, 21600, 54000)
# Order codes are repeated three times at once before the ladder begins.
LADDERS_S = {"precreate": (0, 0, 0, *LADDER_S)}

DUE = "SELECT * FROM alipay_notices WHERE next_s <= ? ORDER BY next_s, id LIMIT ?"
WRITE_ATTEMPT = """
INSERT INTO alipay_attempts (notice_id, started_s, outcome, status, answer, body) VALUES (?, ?, ?, ?, ?, ?)
"""
WRITE_RESULT = "UPDATE alipay_notices SET state = ?, attempts = attempts + 1, next_s = ?, copies = 1 WHERE id = ?"
WRITE_DELIVERED = "UPDATE alipay_notices SET state = 'delivered', next_s = NULL WHERE id = ?"


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one HTTP call to the merchant came to; `status` is None where no answer came."""

    started_s: float
    outcome: str
    status: int | None
    answer: str
    body: str


class AlipayPostman(Rounds):
    """Delivers what is due and remembers what is on its way."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def _due(self, limit: int) -> Sequence[Row]:
        alipay_books.close_overdue(self._world)
        return self._world.store.rows(DUE, self._world.now_s(), limit)

    async def _deliver(self, row: Row) -> int:
        if row["lost"]:
            deliveries = [Delivery(self._world.now_s(), "lost", None, "", "")]
        else:
            calls = [self.send(row) for _ in range(row["copies"])]
            deliveries = list(await asyncio.gather(*calls))
        self._write(row, deliveries)
        return len(deliveries)

    async def send(self, row: Row) -> Delivery:
        """One delivery of a stored notification, signed now."""
        merchant = alipay_merchants.find(self._world.store, row["app_id"])
        assert merchant is not None
        fields = alipay_notices.complete(alipay_notices.stored(row["fields"]), row["id"], self._world.now_s())
        body = alipay_notices.form(fields, alipay_merchants.signer(self._world, merchant))
        return await self.post(row["url"], body, charset=fields["charset"])

    async def post(self, url: str, body: str, *, charset: str = "utf-8") -> Delivery:
        """One call to the merchant; redirects, quotes, JSON, HTML and five silent seconds are failures."""
        started_s = self._world.now_s()
        headers = {"Content-Type": f"application/x-www-form-urlencoded; charset={charset}", "User-Agent": "Mozilla/4.0"}
        try:
            async with self._http.post(url, data=body, headers=headers, allow_redirects=False) as response:
                said = await response.content.read(ANSWER_KEPT_BYTES)
                heard = response.status == 200 and said == ACKNOWLEDGED
                outcome = "delivered" if heard else "refused"
                return Delivery(started_s, outcome, response.status, said.decode(errors="replace"), body)
        except TimeoutError:
            return Delivery(started_s, "timeout", None, "", body)
        except (aiohttp.ClientError, OSError) as error:
            return Delivery(started_s, "unreachable", None, str(error), body)

    def _write(self, row: Row, deliveries: list[Delivery]) -> None:
        store, done = self._world.store, row["attempts"]
        ladder_s = LADDERS_S.get(row["product"], LADDER_S)
        with store.change():
            for delivery in deliveries:
                self._write_attempt(row["id"], delivery)
            if any(delivery.outcome == "delivered" for delivery in deliveries):
                store.run(WRITE_RESULT, "delivered", None, row["id"])
            elif done < len(ladder_s):
                store.run(WRITE_RESULT, "pending", deliveries[0].started_s + ladder_s[done], row["id"])
            else:
                store.run(WRITE_RESULT, "given_up", None, row["id"])

    def _write_attempt(self, notice_id: str, delivery: Delivery) -> None:
        self._world.store.run(
            WRITE_ATTEMPT, notice_id, delivery.started_s, delivery.outcome, delivery.status, delivery.answer,
            delivery.body,
        )  # fmt: skip

    async def repeat(self, row: Row) -> Delivery:
        """Send a stored notification once more right now, whatever its state and even if it was to be lost."""
        delivery = await self.send(row)
        with self._world.store.change():
            self._write_attempt(row["id"], delivery)
            if delivery.outcome == "delivered":
                self._world.store.run(WRITE_DELIVERED, row["id"])
        return delivery


ALIPAY_POSTMAN = web.AppKey("alipay_postman", AlipayPostman)


async def deliver(app: web.Application) -> AsyncIterator[None]:
    """The postman's life beside the server's."""
    app[ALIPAY_POSTMAN] = AlipayPostman(app[WORLD])
    async with going(app[ALIPAY_POSTMAN]):
        yield
