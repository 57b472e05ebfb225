"""The requests about reconciliation and the bank, each upon rows of its own."""

from datetime import date, timedelta
from uuid import UUID

from backend.kernel.ids import uuid7
from tests.security.prepared import Prepared, plain, request
from tests.security.world import Who, World, difference

plain("GET /admin/v1/bank-lines", "/admin/v1/bank-lines?limit=100")
plain("GET /admin/v1/closing-day", "/admin/v1/closing-day?day=2019-01-01")
FILE = "日期,金额,摘要\r\n2026-09-01,{amount},结算\r\n"
COLUMNS = {
    "booked_on": "日期", "amount": "金额", "income": None, "expense": None, "counterparty": None, "summary": "摘要",
    "serial": None,
}  # fmt: skip


async def run(world: World) -> UUID:
    """A run of our merchant that found our difference."""
    now, run_id = world.res.clock.now(), uuid7(world.res.clock.now())
    await world.res.db.execute(
        """INSERT INTO reconciliation_run (id, merchant_id, company_id, channel, day, kind, state, started_at,
                                           finished_at, error)
           VALUES ($1, $2, $3, 'wechat', $4, 'trades', 'FAILED', $5, $5, '账单被截断')""",
        run_id, world.ids["merchant"], world.a.company_id, date(2020, 1, 1) + timedelta(days=world.next()), now,
    )  # fmt: skip
    await world.res.db.execute(
        """INSERT INTO reconciliation_finding (run_id, difference_id, transaction_no, subject, statement_fen)
           VALUES ($1, $2, '4200', '', 0)""",
        run_id, world.ids["difference"],
    )  # fmt: skip
    return run_id


async def layout(world: World) -> UUID:
    """A mapping of our bank."""
    layout_id = uuid7(world.res.clock.now())
    await world.res.db.execute(
        """INSERT INTO bank_layout (id, company_id, name, columns, created_by, created_at)
           VALUES ($1, $2, $3, $4, $1, $5)""",
        layout_id, world.a.company_id, f"银行{world.next()}", COLUMNS, world.res.clock.now(),
    )  # fmt: skip
    return layout_id


async def line(world: World) -> int:
    """A line of our bank that waits for somebody."""
    file_id, now = uuid7(world.res.clock.now()), world.res.clock.now()
    await world.res.db.execute(
        """INSERT INTO bank_file (id, company_id, file_name, file_sha256, lines, imported_by, imported_at)
           VALUES ($1, $2, 'f', $3, 1, $1, $4)""",
        file_id, world.a.company_id, file_id.bytes, now,
    )  # fmt: skip
    number: int = await world.res.db.fetchval(
        """INSERT INTO bank_line (file_id, company_id, booked_on, amount_fen, counterparty, reference, summary, digest)
           VALUES ($1, $2, '2026-09-01', 1, '', '', '', $3) RETURNING id""",
        file_id, world.a.company_id, file_id.bytes,
    )  # fmt: skip
    return number


@request("GET /admin/v1/reconciliation-runs")
async def list_runs(world: World, who: Who) -> Prepared:
    await run(world)
    return Prepared("/admin/v1/reconciliation-runs?limit=100")


@request("GET /admin/v1/reconciliation-runs/{run_id}")
async def show_run(world: World, who: Who) -> Prepared:
    return Prepared(f"/admin/v1/reconciliation-runs/{await run(world)}")


@request("GET /admin/v1/reconciliation-runs/{run_id}/differences")
async def list_found(world: World, who: Who) -> Prepared:
    return Prepared(f"/admin/v1/reconciliation-runs/{await run(world)}/differences?limit=100")


@request("POST /admin/v1/reconciliation-runs")
async def ask_run(world: World, who: Who) -> Prepared:
    day = date(2020, 1, 1) + timedelta(days=world.next())
    body = {
        "merchant_id": str(world.ids["merchant"]), "day": day.isoformat(), "kind": "trades", "reason": "渠道更正了账单",
    }  # fmt: skip
    return Prepared("/admin/v1/reconciliation-runs", body, shows=(day,), touches=(day, world.ids["merchant"]))


@request("POST /admin/v1/differences/{difference_id}/write-off")
async def propose_write_off(world: World, who: Who) -> Prepared:
    made = await difference(world)
    return Prepared(f"/admin/v1/differences/{made}/write-off", {"reason": "无法追回"}, touches=(made,))


@request("GET /admin/v1/bank-layouts")
async def list_layouts(world: World, who: Who) -> Prepared:
    await layout(world)
    return Prepared("/admin/v1/bank-layouts")


@request("POST /admin/v1/bank-layouts")
async def save_layout(world: World, who: Who) -> Prepared:
    name = f"新银行{world.next()}"
    return Prepared("/admin/v1/bank-layouts", {"name": name, **COLUMNS}, shows=(name,), touches=(name,))


@request("POST /admin/v1/bank-files/preview")
async def preview_file(world: World, who: Who) -> Prepared:
    path = f"/admin/v1/bank-files/preview?layout_id={await layout(world)}"
    return Prepared(path, raw=FILE.format(amount=f"{world.next()}.00").encode(), shows=("2026-09-01",))


@request("POST /admin/v1/bank-files")
async def import_file(world: World, who: Who) -> Prepared:
    path = f"/admin/v1/bank-files?layout_id={await layout(world)}&file_name=f.csv"
    amount = 1_000_000 + world.next()
    return Prepared(path, raw=FILE.format(amount=f"{amount}.00").encode(), touches=(f"{amount}00",))


@request("POST /admin/v1/bank-lines/{number}/set-aside")
async def set_line_aside(world: World, who: Who) -> Prepared:
    number = await line(world)
    return Prepared(f"/admin/v1/bank-lines/{number}/set-aside", {"reason": "股东借款"}, touches=(number,))
