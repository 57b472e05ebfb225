"""A small stage for payments: a house with bills, an owner and a family member, a merchant that the sandbox knows."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from backend.composition import CHECKS
from backend.kernel import failpoints
from backend.kernel.audit import SYSTEM, Actor
from backend.kernel.auth import HouseScope
from backend.kernel.db import Record, Tx
from backend.kernel.ids import uuid7
from backend.kernel.resources import Resources
from backend.ledger import accounts, postings
from backend.ledger.accounts import Code, Key
from payments import janitor, merchants, orders, prepay
from payments.merchant_keys import Keys
from payments.orders import Payer
from payments.payables import Kind, Wish
from tests import factories, vectors
from tests.conftest import Answered, Client, Sandbox
from tests.soundness import broken

API_V3_KEY = "0123456789abcdef0123456789ABCDEF"


@dataclass
class Stage:
    """What the tests of payments play on."""

    res: Resources
    sandbox: Sandbox
    place: factories.Community
    item_id: UUID
    run_id: UUID
    house_id: UUID
    owner: factories.Person
    family: factories.Person
    merchant_id: UUID
    months: int = 0

    @property
    def payer(self) -> Payer:
        return self.payer_of(self.owner)

    def payer_of(self, who: factories.Person) -> Payer:
        return Payer(who.id, HouseScope(who.id, (self.house_id,), (self.house_id,), ()), factories.APPID, who.openid)

    async def order(self, *bill_ids: UUID, who: factories.Person | None = None) -> UUID:
        """An order placed by code, not yet known to the channel."""
        payer = self.payer_of(who or self.owner)

        async def work(tx: Tx) -> UUID:
            placed = await orders.place(
                tx, payer, res=self.res, actor=Actor("resident", payer.person_id),
                wishes=[Wish(Kind.BILL, each) for each in bill_ids],
            )  # fmt: skip
            return placed.order_id

        return await self.res.db.transact(work)

    async def ready(self, *bill_ids: UUID, who: factories.Person | None = None) -> UUID:
        """An order that the channel knows, without HTTP on our side (and its rate limit)."""
        order_id = await self.order(*bill_ids, who=who)
        await prepay.pay_parameters(self.res, order_id)
        return order_id

    async def attempt(self, order_id: UUID | str) -> Record:
        row = await self.res.db.fetchrow(
            "SELECT * FROM payment_attempt WHERE order_id = $1 ORDER BY id DESC LIMIT 1", UUID(str(order_id))
        )
        assert row is not None
        return row

    async def state(self, order_id: UUID | str) -> str:
        return await self.res.db.fetchval("SELECT state FROM payment_order WHERE id = $1", UUID(str(order_id)))

    async def bill_state(self, bill_id: UUID) -> str:
        return await self.res.db.fetchval("SELECT state FROM bill WHERE id = $1", bill_id)

    async def user_pays(self, order_id: UUID | str) -> Any:
        """The payer presses "pay" in WeChat; the callback is due at once."""
        attempt = await self.attempt(order_id)
        return await self.sandbox.ask("POST", f"/orders/{vectors.MCHID}/{attempt['out_trade_no']}/pay", {})

    async def deliver(self) -> None:
        """Deliver every callback that is due, and wait for the answers."""
        await self.sandbox.ask("POST", "/notifications/flush", {})

    async def hostile(self, **plan: Any) -> None:
        await self.sandbox.ask("PUT", "/hostile", plan)

    async def forge(self, kind: str, order_id: UUID | str, **more: Any) -> Any:
        attempt = await self.attempt(order_id)
        body = {"kind": kind, "mchid": vectors.MCHID, "out_trade_no": attempt["out_trade_no"], **more}
        return await self.sandbox.ask("POST", "/forge", body)

    async def notification(self, order_id: UUID | str) -> Any:
        attempt = await self.attempt(order_id)
        found = await self.sandbox.ask("GET", f"/notifications?out_trade_no={attempt['out_trade_no']}")
        return found["notifications"][0]

    async def repeat(self, notification_id: str) -> Any:
        return await self.sandbox.ask("POST", f"/notifications/{notification_id}/repeat", {})

    async def captured(self, order_id: UUID | str) -> tuple[bytes, dict[str, str]]:
        """The order is paid and its callback was refused once: the very bytes and headers, to be sent by the test.

        The point is one that only a first hearing passes: the channel may repeat an older callback at the same time.
        """
        failpoints.arm("settle.before_write", "raise", times=1)
        await self.user_pays(order_id)
        await self.deliver()
        told = await self.notification(order_id)
        assert told["attempts"][-1]["status"] == 500
        return told["body"].encode(), told["attempts"][-1]["headers"]

    async def send(self, client: Client, callback: tuple[bytes, dict[str, str]]) -> int:
        """Send a captured callback once more; the status answered."""
        body, headers = callback
        answer = await client.call("POST", f"/pay/notify/wechat/{self.merchant_id}", raw=body, headers=headers)
        return answer.status

    async def later(self, **step: float) -> None:
        """Time passes, for us and for the channel."""
        self.sandbox.clock.advance(timedelta(**step))

    async def janitor(self) -> None:
        """One tick of the janitor."""
        await janitor.tick(self.res, "")

    async def channel_fen(self) -> int:
        """What the channel's books say came in."""
        return int((await self.sandbox.ask("GET", f"/books?mchid={vectors.MCHID}"))["total_fen"])

    async def clearing_fen(self) -> int:
        """What our clearing accounts say came in."""
        return await self.res.db.fetchval(
            """SELECT coalesce(sum(CASE p.debit_account WHEN a.id THEN amount_fen ELSE -amount_fen END), 0)::bigint
                 FROM account a JOIN posting p ON a.id IN (p.debit_account, p.credit_account)
                WHERE a.code = 'clearing'"""
        )

    async def differences(self) -> list[tuple[str, str, int]]:
        rows = await self.res.db.fetch("SELECT class, state, booked_fen FROM difference ORDER BY id")
        return [(row["class"], row["state"], row["booked_fen"]) for row in rows]

    async def count(self, sql: str, *args: Any) -> int:
        return int(await self.res.db.fetchval(f"SELECT count(*) FROM {sql}", *args))

    async def balanced(self, *, forged_fen: int = 0) -> None:
        """Every invariant holds, and our clearing accounts equal the channel's books (and what was forged)."""
        await sound(self.res)
        assert await self.clearing_fen() == await self.channel_fen() + forged_fen

    async def create(
        self, client: Client, *bill_ids: UUID, who: factories.Person | None = None, **options: Any
    ) -> Answered:
        """POST /api/v1/payments as the phone does."""
        body = {"bill_ids": [str(bill_id) for bill_id in bill_ids]}
        return await client.of((who or self.owner).token).post("/api/v1/payments", body, **options)

    async def bill(self, amount_fen: int = 26_805, *, house_id: UUID | None = None) -> UUID:
        """A published, unpaid bill with its posting."""
        bill_id = uuid7(self.res.clock.now())
        self.months += 1
        starts, ends = _month(self.months), _month(self.months + 1)

        async def work(tx: Tx) -> None:
            house = house_id or self.house_id
            await tx.execute(
                """INSERT INTO bill (id, community_id, item_id, house_id, run_id, period_start, period_end, seq, state,
                                     principal_fen, liable_kind, due_on, created_at)
                   VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 'ISSUED', $8, 'owner', $9, $10)""",
                bill_id, self.place.id, self.item_id, house, self.run_id, starts, ends, amount_fen,
                date(2026, 9, 30), tx.now,
            )  # fmt: skip
            await tx.execute(
                """INSERT INTO bill_line (bill_id, seq, label, inputs, coefficient, exact_num, exact_den, amount_fen)
                   VALUES ($1, 1, \'物业费\', \'{}\', 1, $2::bigint, 1, $2::bigint)""",
                bill_id, amount_fen,
            )  # fmt: skip
            debit, credit = await accounts.ensure_all(
                tx, (Key(self.place.id, Code.RECEIVABLE, house), Key(self.place.id, Code.INCOME, self.item_id))
            )
            postings.post(
                tx, "bill.issued", reference=bill_id, debit=debit, credit=credit, amount_fen=amount_fen,
                community_id=self.place.id, bill_id=bill_id,
            )  # fmt: skip

        await self.res.db.transact(work)
        return bill_id

    async def bills(self, count: int) -> list[UUID]:
        return [await self.bill(10_000 + n) for n in range(count)]


def _month(number: int) -> date:
    """The first day of a month; every bill has one of its own."""
    return date(2026 + (8 + number) // 12, (8 + number) % 12 + 1, 1)


async def sound(res: Resources) -> None:
    """Every invariant check finds nothing."""
    for finding in await broken(res.db, CHECKS):
        raise AssertionError(f"{finding.check.code} {finding.check.title}: {finding.samples}")


async def item(res: Resources, place: factories.Community, code: str = "WY") -> tuple[UUID, UUID]:
    """A fee item of 3 yuan per square metre and a published run of September 2026."""
    item_id, run_id, now = uuid7(res.clock.now()), uuid7(res.clock.now()), res.clock.now()
    await res.db.execute(
        """INSERT INTO fee_item (id, community_id, code, name, type, nature, formula, cycle_months, rounding,
                                 rounding_unit, house_kinds, liable, valid_from, state, created_at)
           VALUES ($1, $2, $3, '物业费', 'property', 'recurring', 'gross_area', 1, 'half_up', 'fen', '{residence}',
                   'owner', '2026-01-01', 'ACTIVE', $4)""",
        item_id, place.id, code, now,
    )  # fmt: skip
    await res.db.execute(
        """INSERT INTO billing_run (id, community_id, item_id, period_start, period_end, state, plan, due_on,
                                    created_at, published_at)
           VALUES ($1, $2, $3, '2026-09-01', '2026-10-01', 'PUBLISHED', '{}', '2026-09-30', $4, $4)""",
        run_id, place.id, item_id, now,
    )  # fmt: skip
    return item_id, run_id


async def merchant(
    res: Resources, sandbox: Sandbox, place: factories.Community, *, community_id: UUID | None = None
) -> UUID:
    """A merchant of the company whose keys the sandbox knows, and the other way round."""
    await sandbox.ask("PUT", f"/apps/{factories.APPID}", {"secret": "s" * 32, "kind": "miniprogram"})
    told = await sandbox.ask(
        "PUT", f"/merchants/{vectors.MCHID}",
        {
            "appids": [factories.APPID], "apiv3_key": API_V3_KEY, "serial_no": vectors.MERCHANT_SERIAL,
            "public_key_pem": vectors.public_pem(vectors.key_m()), "mode": "public_key",
        },
    )  # fmt: skip
    keys = Keys(
        vectors.MERCHANT_SERIAL, vectors.private_pem(vectors.key_m()), API_V3_KEY,
        {told["platform_public_key_id"]: told["platform_public_key_pem"]},
    )  # fmt: skip

    async def work(tx: Tx) -> UUID:
        made = await merchants.create(
            tx, SYSTEM, keyring=res.keyring, mode=res.settings.mode, company_id=place.company_id,
            community_id=community_id, item_id=None, mchid=vectors.MCHID, appid=factories.APPID, name="沙箱商户",
            keys=keys,
        )  # fmt: skip
        return made.id

    return await res.db.transact(work)


async def user(sandbox: Sandbox) -> str:
    """A WeChat user of the mini-program; the openid."""
    made = await sandbox.ask("POST", "/users", {})
    return str((await sandbox.ask("GET", f"/users/{made['user_id']}/openid?appid={factories.APPID}"))["openid"])


async def stage(res: Resources, sandbox: Sandbox) -> Stage:
    """Everything together."""
    place = await factories.community(res)
    house_id = await factories.house(res, place)
    merchant_id = await merchant(res, sandbox, place)
    owner = await factories.person(res, "13800000001", "张三", openid=await user(sandbox))
    family = await factories.person(res, "13800000002", "李四", openid=await user(sandbox))
    await factories.occupy(res, owner, house_id)
    await factories.occupy(res, family, house_id, "family")
    item_id, run_id = await item(res, place)
    return Stage(res, sandbox, place, item_id, run_id, house_id, owner, family, merchant_id)
