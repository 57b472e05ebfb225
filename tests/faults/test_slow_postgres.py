"""F-12: PostgreSQL slow (two seconds per answer), and a pool of two for fifty requests.

A clear 503 within the deadline, no callback acknowledged that is not kept, and everything right afterwards.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from backend.kernel.db import ACQUIRE_S, RELEASE_S, UNDO_S
from backend.kernel.resources import Resources
from tests.conftest import Answered, Client, Run, Sandbox, _open
from tests.factories_payments import stage
from tests.mixed_load import Load, load
from tests.served_app import serve, stop
from tests.tcp_proxy import Proxy, proxied

pytestmark = pytest.mark.apart

DEADLINE_S = 3
DELAY_S = 2.0
POOL = 2
# What a request may take beyond its deadline: its transaction is undone, its connection given back.
SLACK_S = UNDO_S + RELEASE_S + 2.0


@dataclass
class Slow:
    """Clients of an app whose way to PostgreSQL is the proxy."""

    clients: Load
    client: Client
    proxy: Proxy

    async def fifty(self, keys: list[str]) -> tuple[list[Answered], float]:
        """Fifty requests at once: orders with these keys, and lists of bills; how long all took."""
        homes = self.clients.households
        began = time.monotonic()
        placing = [
            self.client.of(home.who.token).post(
                "/api/v1/payments", {"bill_ids": [str(self.clients.bills[home.house_id][0][0])]}, key=key
            )
            for home, key in zip(homes, keys, strict=True)
        ]
        reading = [
            self.client.of(homes[n % len(homes)].who.token).get("/api/v1/bills?state=open")
            for n in range(50 - len(placing))
        ]
        told = await asyncio.gather(*placing, *reading)
        return told, time.monotonic() - began


@asynccontextmanager
async def _behind_proxy(clients: Load) -> AsyncIterator[Slow]:
    settings = clients.play.res.settings
    parts = urlsplit(str(settings.database_url))
    async with proxied(parts.hostname or "", parts.port or 0) as proxy:
        url = str(settings.database_url).replace(f":{parts.port}/", f":{proxy.port}/")
        update = {"database_url": url, "database_pool": POOL, "request_timeout_s": DEADLINE_S}
        res = await _open(settings.model_copy(update=update), clients.play.res.clock)
        app, server, session = await serve(res)
        try:
            yield Slow(clients, Client(settings.public_url, session), proxy)
        finally:
            proxy.delay_s = 0
            await stop(app, server, session)
            await res.close()


@pytest.fixture
def clients(sandbox_res: Resources, sandbox: Sandbox, run: Run) -> Load:
    nowhere = Client(sandbox_res.settings.public_url, None)  # type: ignore[arg-type]
    made: Load = run(load(run(stage(sandbox_res, sandbox)), nowhere, households=12, seed=12))
    run(made.bill_all(1))
    return made


async def _all_right_afterwards(slow: Slow, keys: list[str]) -> None:
    """The same requests with the same keys: one order each; paid, told, settled."""
    slow.proxy.delay_s = 0
    clients = slow.clients
    clients.client = slow.client
    for home, key in zip(clients.households, keys, strict=True):
        bill_id, amount_fen = clients.bills[home.house_id][0]
        body = {"bill_ids": [str(bill_id)]}
        answer = await slow.client.of(home.who.token).post("/api/v1/payments", body, key=key)
        assert answer.status == 201, answer.body
        order_id = str(answer.json["payment_id"])
        clients.told["order"][str(bill_id)] = order_id
        clients.told["paid"][order_id] = amount_fen
        await clients.play.user_pays(order_id)
    await clients.settle_down()
    await clients.right()


async def test_f12_fifty_requests_at_a_slow_postgres_are_told_so_within_the_deadline(clients: Load) -> None:
    async with _behind_proxy(clients) as slow:
        keys = [uuid4().hex for _ in clients.households]
        slow.proxy.delay_s = DELAY_S
        told, seconds = await slow.fifty(keys)
        assert seconds < DEADLINE_S + ACQUIRE_S + SLACK_S
        assert {answer.status for answer in told} <= {200, 201, 503}
        refused = [answer for answer in told if answer.status == 503]
        assert len(refused) >= 40
        assert {answer.code for answer in refused} <= {"timed_out", "database_unavailable", "database_busy"}
        assert all(answer.json["error"]["details"]["retryable"] for answer in refused)
        await _all_right_afterwards(slow, keys)


@pytest.mark.parametrize("how", ["slow", "cut off"])
async def test_f12_a_callback_that_is_not_kept_is_not_acknowledged_and_comes_again(clients: Load, how: str) -> None:
    play, home = clients.play, clients.households[0]
    async with _behind_proxy(clients) as slow:
        clients.client = slow.client
        bill_id, amount_fen = clients.bills[home.house_id][0]
        made = await slow.client.of(home.who.token).post("/api/v1/payments", {"bill_ids": [str(bill_id)]})
        order_id = str(made.json["payment_id"])
        clients.told["order"][str(bill_id)] = order_id
        clients.told["paid"][order_id] = amount_fen
        if how == "slow":
            slow.proxy.delay_s = DELAY_S
        else:
            slow.proxy.refuse = True
            slow.proxy.cut()
        await play.user_pays(order_id)
        await play.deliver()
        (attempt, *_) = (await play.notification(order_id))["attempts"]
        assert (attempt["outcome"], attempt["status"]) == ("refused", 503)
        assert await play.state(order_id) == "PAYING"
        slow.proxy.delay_s, slow.proxy.refuse = 0, False
        await clients.settle_down()
        await clients.right()


async def test_f12_a_pool_of_two_serves_fifty_who_come_at_once(clients: Load) -> None:
    async with _behind_proxy(clients) as slow:
        keys = [uuid4().hex for _ in clients.households]
        told, seconds = await slow.fifty(keys)
        assert seconds < DEADLINE_S + ACQUIRE_S + SLACK_S
        assert {answer.status for answer in told} <= {200, 201, 503}
        assert any(answer.status < 300 for answer in told)
        await _all_right_afterwards(slow, keys)
