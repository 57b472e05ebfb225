"""A ledger of paid attempts without any channel behind it, and statements over them: for F-21 and the like."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from backend.kernel.audit import SYSTEM
from backend.kernel.clock import SHANGHAI
from backend.kernel.db import Tx
from backend.kernel.resources import Resources
from payments import merchants, settlement
from payments.channels.base import StatementKind, Trade, TradeState
from payments.merchant_keys import Keys
from payments.reconcile import runs
from payments.reconcile.runs import Result
from payments.settlement import Door
from tests import factories, factories_payments, vectors
from tests import factories_statements as made
from tests.factories_payments import API_V3_KEY, Stage
from tests.factories_statements import DAY, MCHID, Row


@dataclass
class Books:
    """One merchant of WeChat Pay with payments of DAY; files are made from `rows` and changed by the test."""

    stage: Stage
    rows: list[Row] = field(default_factory=list)

    @property
    def res(self) -> Resources:
        return self.stage.res

    async def pay(self, amount_fen: int, *, at: datetime | None = None) -> Row:
        """A bill, its order, its payment at `at` (by default ten in the morning of DAY): a row of the statement."""
        at = at or datetime(2026, 9, 1, 2, tzinfo=UTC)
        bill_id = await self.stage.bill(amount_fen)
        order_id = await self.stage.order(bill_id)
        attempt = await self.stage.attempt(order_id)
        row = made.payment(
            len(self.rows) + 1, amount_fen, out_trade_no=attempt["out_trade_no"],
            at=f"{at.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}",
        )  # fmt: skip
        merchant = await merchants.merchant(self.res, self.stage.merchant_id)
        trade = trade_of(row, at=at, appid=merchant.appid)
        await self.res.db.transact(lambda tx: settlement.settle(tx, merchant, trade=trade, door=Door.QUERY))
        self.rows.append(row)
        return row

    async def order(self, amount_fen: int) -> str:
        """An order that nobody has paid; its number."""
        order_id = await self.stage.order(await self.stage.bill(amount_fen))
        return str((await self.stage.attempt(order_id))["out_trade_no"])

    async def run(
        self, path: Path, file: bytes | None, *, day: date = DAY, kind: StatementKind = StatementKind.TRADES,
        force: bool = False,
        trades: bytes | None = None,
    ) -> Result:  # fmt: skip
        """Reconcile a file as if the channel had given it."""
        taken = await runs.take(self.res, merchant_id=self.stage.merchant_id, day=day, kind=kind, force=force)
        assert taken is not None
        if file is None:
            return await runs.apply(self.res, taken, None)
        (path / "statement").write_bytes(file)
        try:
            beside = None
            if trades is not None:
                beside = path / "trades"
                beside.write_bytes(trades)
            with (path / "statement").open("rb") as file:
                return await runs.apply(self.res, taken, file, trades=beside and beside.open("rb"))
        except runs.Refused as error:
            await runs.fail(self.res, taken, str(error))
            raise

    async def trades(self, path: Path, rows: list[Row], **options: Any) -> Result:
        return await self.run(path, made.wechat_trades(rows), **options)

    async def found(self) -> list[tuple[str, str, str]]:
        """Class, state and transaction of every difference."""
        rows = await self.res.db.fetch(
            "SELECT class, state, transaction_no FROM difference ORDER BY class, transaction_no"
        )
        return [(row["class"], row["state"], row["transaction_no"]) for row in rows]


def trade_of(row: Row, *, at: datetime, appid: str, amount_fen: int | None = None) -> Trade:
    return Trade(
        row.out_trade_no, row.transaction_no, TradeState.SUCCESS, row.amount_fen if amount_fen is None else amount_fen,
        "CNY", MCHID, appid, "o1", at, "", "JSAPI",
    )  # fmt: skip


async def books(res: Resources) -> Books:
    """A company, a house, a merchant with keys of its own; no channel answers."""
    place = await factories.community(res)
    house_id = await factories.house(res, place)
    keys = Keys(
        vectors.MERCHANT_SERIAL, vectors.private_pem(vectors.key_m()), API_V3_KEY,
        {"PUB_KEY_ID_0000000000": vectors.public_pem(vectors.key_p())},
    )  # fmt: skip

    async def work(tx: Tx) -> UUID:
        created = await merchants.create(
            tx, SYSTEM, keyring=res.keyring, mode=res.settings.mode, company_id=place.company_id, community_id=None,
            item_id=None, mchid=MCHID, appid=factories.APPID, name="对账商户", keys=keys,
        )  # fmt: skip
        return created.id

    merchant_id = await res.db.transact(work)
    owner = await factories.person(res, "13800000001", "张三", openid="o1")
    family = await factories.person(res, "13800000002", "李四", openid="o2")
    await factories.occupy(res, owner, house_id)
    item_id, run_id = await factories_payments.item(res, place)
    nowhere: Any = None
    return Books(Stage(res, nowhere, place, item_id, run_id, house_id, owner, family, merchant_id))
