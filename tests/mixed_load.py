"""Mixed load through HTTP, and the log of what each client was told, matched with the rows afterwards (F-24).

Households pay by both channels, cashiers take money and ask for refunds, managers approve. A client that got no answer,
or one that says "try again", sends the same request with the same key until it knows: what it was told then must stand
in the database, once, with this amount, and nothing else may.
"""

import asyncio
import itertools
import json
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar
from uuid import UUID, uuid4

import aiohttp

from backend.composition import HANDLERS, PERIODIC
from backend.kernel import leases
from backend.kernel.audit import SYSTEM
from backend.kernel.db import Tx
from backend.kernel.errors import Unavailable
from backend.wechat import apps
from backend.wechat.apps import AppKind
from bench.matching import Matching, match
from tests import factories, factories_alipay, factories_payments, vectors
from tests.conftest import Answered, Client
from tests.factories_alipay import APP_ID, Alipay
from tests.factories_payments import Stage, sound
from workers import edge, schedule

T = TypeVar("T")
# Longer than any limit of a minute.
PATIENCE_S = 75.0
AGAIN_S = 0.1
LEASE_S = 5
# The hourly checks look at everything; `sound` does that at the end.
SCHEDULED = tuple(work for work in PERIODIC if work.name != "invariants.check")
WORK = {**HANDLERS, **schedule.handlers(SCHEDULED)}
STEPS = (0, 1, 1, 3, 6, 20, 40, 60)

# What is found in the rows, in the words of the log: (key, value).
FOUND = {
    "order": """SELECT l.payable_id::text, l.order_id::text FROM payment_line l
                  JOIN payment_attempt a ON a.order_id = l.order_id WHERE a.channel <> 'counter'""",
    "paid": """SELECT a.order_id::text, o.amount_fen FROM payment_attempt a JOIN payment_order o ON o.id = a.order_id
                WHERE a.state = 'PAID' AND a.channel <> 'counter'""",
    "refund": """SELECT a.order_id::text, r.id::text || ' ' || r.amount_fen FROM refund r
                   JOIN payment_attempt a ON a.id = r.attempt_id""",
    "refunded": "SELECT id::text, amount_fen FROM refund WHERE state = 'SUCCEEDED'",
    "voucher": "SELECT voucher_no, amount_fen FROM counter_voucher",
}
ACKNOWLEDGED = "SELECT count(*) FROM inbox WHERE event_key = ANY($1::text[]) AND outcome IS NOT NULL"


@dataclass(frozen=True)
class Household:
    """A house of its own with somebody who pays."""

    house_id: UUID
    who: factories.Person


@dataclass
class Load:
    """The clients and their log. `told[kind]`: key → what the client was told came of it, None for a refusal."""

    play: Stage
    alipay: Alipay
    client: Client
    manager: factories.Staff
    cashier: factories.Staff
    households: list[Household]
    dice: random.Random
    bills: dict[UUID, list[tuple[UUID, int]]] = field(default_factory=dict)
    told: dict[str, dict[str, Any]] = field(default_factory=lambda: {kind: {} for kind in FOUND})
    troubles: list[tuple[float, str]] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    shown_paid: set[str] = field(default_factory=set)
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    async def bill_all(self, rounds: int) -> None:
        """Three bills per household and round, issued before the load."""
        for home in self.households:
            await self._bill(home, 3 * rounds)

    async def _bill(self, home: Household, count: int) -> None:
        made = self.bills.setdefault(home.house_id, [])
        for _ in range(count):
            amount_fen = self.dice.randrange(1_000, 3_000)
            issue = partial(self.play.bill, amount_fen, house_id=home.house_id)
            made.append((await self.patient(issue), amount_fen))

    async def ask(self, token: str, path: str, body: Any, *, settled: Callable[[Answered], bool] | None = None) -> Any:
        """POST until a definite answer is there: the same key, the same body. The JSON told, None where refused.

        `settled`: a refusal that says that an earlier sending of this request was carried out.
        """
        key, deadline = uuid4().hex, time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            try:
                answer = await self.client.of(token).post(path, body, key=key)
            except (aiohttp.ClientError, ConnectionError, TimeoutError) as error:
                self._trouble(type(error).__name__)
                await asyncio.sleep(AGAIN_S)
                continue
            self.statuses[str(answer.status)] += 1
            if answer.status < 300:
                return answer.json
            if settled is not None and answer.status == 409 and settled(answer):
                return {}
            if answer.status < 500 and answer.status != 429:
                self._trouble(f"{answer.status} {answer.code} at {path.rsplit('/', 1)[-1]}")
                return None
            if answer.status != 429:
                self._trouble(f"{answer.status} {answer.code}")
            await asyncio.sleep(AGAIN_S)
        raise AssertionError(f"no definite answer of {path} in {PATIENCE_S} s: {self.troubles[-5:]}")

    def _trouble(self, what: str) -> None:
        self.troubles.append((time.monotonic(), what))

    async def patient(self, work: Callable[[], Awaitable[T]]) -> T:
        """What the test itself reads, also while PostgreSQL is away."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return await work()
            except Unavailable:
                assert time.monotonic() < deadline
                await asyncio.sleep(AGAIN_S)

    async def pay_online(self, home: Household, channel: str) -> str | None:
        """Order, pay in the app, look at the page; the id of the order."""
        bill_id, amount_fen = self.bills[home.house_id].pop()
        way = {"channel": "alipay", "method": "precreate"} if channel == "alipay" else {}
        made = await self.ask(home.who.token, "/api/v1/payments", {"bill_ids": [str(bill_id)], **way})
        self.told["order"][str(bill_id)] = made and made["payment_id"]
        if made is None:
            return None
        order_id = str(made["payment_id"])
        attempt = await self.patient(lambda: self.play.attempt(order_id))
        at = f"/alipay/orders/{APP_ID}" if channel == "alipay" else f"/orders/{vectors.MCHID}"
        await self.play.sandbox.ask("POST", f"{at}/{attempt['out_trade_no']}/pay", {})
        self.told["paid"][order_id] = amount_fen
        await self._look(home, order_id)
        return order_id

    async def _look(self, home: Household, order_id: str) -> None:
        """The page that was told "ok" asks how the payment stands, until it is shown as paid or time is up."""
        for _ in range(20):
            try:
                answer = await self.client.of(home.who.token).get(f"/api/v1/payments/{order_id}?client_says=ok")
            except (aiohttp.ClientError, ConnectionError, TimeoutError) as error:
                self._trouble(type(error).__name__)
            else:
                self.statuses[str(answer.status)] += 1
                if answer.status == 200 and answer.json["state"] == "PAID":
                    self.shown_paid.add(order_id)
                    return
                if answer.status >= 500:
                    self._trouble(f"{answer.status} {answer.code}")
            await asyncio.sleep(AGAIN_S)

    async def pay_at_counter(self, home: Household) -> None:
        """The cashier takes the money and writes a paper."""
        bill_id, amount_fen = self.bills[home.house_id].pop()
        no = f"ZL{next(self.numbers):06d}"
        body = {
            "lines": [{"kind": "bill", "id": str(bill_id), "amount_fen": None}], "voucher_no": no, "method": "cash",
            "amount_fen": amount_fen, "received_fen": amount_fen,
        }  # fmt: skip
        made = await self.ask(self.cashier.token, "/admin/v1/counter/takings", body)
        self.told["voucher"][no] = None if made is None else made["amount_fen"]

    async def refund(self, order_id: str) -> None:
        """The cashier asks for the whole amount, the manager approves."""
        path = f"/admin/v1/orders/{order_id}/refunds"
        asked = await self.ask(self.cashier.token, path, {"reason": "业主要求退款"})
        self.told["refund"][order_id] = asked and f"{asked['refund_id']} {asked['amount_fen']}"
        if asked is None:
            return
        done = await self.ask(
            self.manager.token, f"/admin/v1/approvals/{asked['approval_id']}/decision",
            {"approve": True, "note": "已核对"}, settled=lambda answer: answer.code == "approval_decided",
        )  # fmt: skip
        self.told["refunded"][asked["refund_id"]] = None if done is None else asked["amount_fen"]

    async def live(self, home: Household) -> None:
        """One round of a household, in an order of its own."""
        steps = ["wechat", "alipay", "counter"]
        self.dice.shuffle(steps)
        for step in steps:
            if step == "counter":
                await self.pay_at_counter(home)
                continue
            order_id = await self.pay_online(home, step)
            if order_id in self.shown_paid and self.dice.random() < 0.4:
                await self.refund(order_id)

    async def rounds(self, count: int) -> None:
        """Everybody at once, `count` rounds each."""

        async def all_of(home: Household) -> None:
            for _ in range(count):
                await self.live(home)

        await asyncio.gather(*(all_of(home) for home in self.households))

    async def until(self, stop: asyncio.Event) -> None:
        """Everybody at once, round after round, until told to stop."""

        async def all_of(home: Household) -> None:
            while not stop.is_set():
                await self._bill(home, 3)
                await self.live(home)

        await asyncio.gather(*(all_of(home) for home in self.households))

    async def open_shift(self) -> None:
        body = {"community_id": str(self.play.place.id), "float_fen": 50_000}
        assert await self.ask(self.cashier.token, "/admin/v1/counter/shifts", body) is not None

    async def jobs(self) -> None:
        """What the clock demands and all jobs that are due, as the workers would."""
        res = self.play.res
        await leases.sweep(res.db)
        await schedule.tick(res.db, SCHEDULED)
        while claimed := await leases.claim(res.db, limit=20, lease_s=LEASE_S):
            for lease in claimed:
                await edge.work(res, WORK, lease, False)

    async def settle_down(self) -> None:
        """Leases of those who lost PostgreSQL run out; time passes, callbacks are repeated, the janitor asks, refunds
        end."""
        deadline = time.monotonic() + PATIENCE_S
        while await self.play.count("outbox WHERE state = 'LEASED'"):
            assert time.monotonic() < deadline, "a lease does not run out"
            await leases.sweep(self.play.res.db)
            await asyncio.sleep(AGAIN_S)
        for minutes in STEPS:
            await self.play.later(minutes=minutes)
            await self.play.deliver()
            await self.jobs()

    async def acknowledged(self) -> list[str]:
        """The events that the channels told and that we answered with success (I-14)."""
        keys = []
        for order_id in self.told["paid"]:
            attempt = await self.play.attempt(order_id)
            at = "/alipay/notifications" if attempt["channel"] == "alipay" else "/notifications"
            found = await self.play.sandbox.ask("GET", f"{at}?out_trade_no={attempt['out_trade_no']}")
            keys += [_event_key(attempt["channel"], each) for each in found["notifications"] if _heard(each)]
        return keys

    async def matched(self) -> dict[str, Matching]:
        """What was told against what is there, kind by kind."""
        return {
            kind: match(self.told[kind], [tuple(row.values()) for row in await self.play.res.db.fetch(FOUND[kind])])
            for kind in FOUND
        }

    async def right(self) -> None:
        """Told and done are the same; every invariant holds; our books are the channels'."""
        db = self.play.res.db
        keys = await self.acknowledged()
        assert keys or not self.told["paid"]
        assert await db.fetchval(ACKNOWLEDGED, keys) == len(set(keys)), "an acknowledged callback is not in the inbox"
        for kind, counted in (await self.matched()).items():
            assert counted.clean or not (self.told[kind] or counted.conflicting), (kind, counted.text(), self.odd())
        paid = await db.fetch("SELECT order_id::text AS id FROM payment_attempt WHERE state = 'PAID'")
        assert self.shown_paid <= {row["id"] for row in paid}
        await sound(self.play.res)
        assert await self.play.clearing_fen() == await self.channels_fen()
        left = await db.fetch("SELECT event, last_error FROM outbox WHERE state = 'PARKED'")
        assert not left, [dict(row) for row in left]

    async def channels_fen(self) -> int:
        """What both channels took and did not give back."""
        wechat = await self.play.sandbox.ask("GET", f"/books?mchid={vectors.MCHID}")
        alipay = await self.play.sandbox.ask("GET", f"/alipay/books?app_id={APP_ID}")
        return sum(int(book["total_fen"]) - int(book["refunded_fen"]) for book in (wechat, alipay))

    def odd(self) -> list[str]:
        return [what for _, what in self.troubles[-20:]]


def _heard(notification: Any) -> bool:
    """Whether we have ever answered it with success."""
    return any(attempt["outcome"] == "delivered" for attempt in notification["attempts"])


def _event_key(channel: str, notification: Any) -> str:
    return str(notification["id"] if channel == "alipay" else json.loads(notification["body"])["id"])


async def load(play: Stage, client: Client, *, households: int, seed: int) -> Load:
    """Two channels, an app, a cashier, a manager, and households."""

    async def app(tx: Tx) -> None:
        await apps.register(
            tx, play.res.keyring, actor=SYSTEM, company_id=play.place.company_id, kind=AppKind.MINIPROGRAM,
            appid=factories.APPID, secret="s" * 32,
        )  # fmt: skip

    await play.res.db.transact(app)
    alipay = await factories_alipay.alipay(play)
    manager = await factories.staff(play.res, play.place, "manager")
    cashier = await factories.staff(play.res, play.place, "cashier")
    homes = []
    for number in range(households):
        house_id = await factories.house(play.res, play.place, f"{number + 201}")
        openid = await factories_payments.user(play.sandbox)
        who = await factories.person(play.res, f"139{number:08}", f"居民{number}", openid=openid)
        await factories.occupy(play.res, who, house_id)
        homes.append(Household(house_id, who))
    return Load(play, alipay, client, manager, cashier, homes, random.Random(seed))
