"""Y-3: bills per second with lines and postings, 50,000 houses, from the draft of the run to its publication.

The limit is COPY of the very rows that a run made, in binary, into the same tables with the same indexes.
"""

import json
import time
from datetime import date
from io import BytesIO

from backend.kernel.config import Settings
from bench.figures import Figure
from bench.houses_seed import Estate, amount_fen, seed
from bench.matching import Matching, match
from bench.rig import Rig, pairs, progress

HOUSES = 50_000
FIRST = date(2026, 11, 1)
TABLES = ("account", "bill", "bill_line", "posting")

# One row for each bill with everything that must agree: its line, its posting, its run.
MADE = """
    SELECT h.no - 1 AS number, b.principal_fen, l.amount_fen, p.amount_fen, r.state || b.state AS states
      FROM bill b
      JOIN house h ON h.id = b.house_id
      JOIN bill_line l ON l.bill_id = b.id
      JOIN posting p ON p.kind = 'bill.issued' AND p.reference = b.id
      JOIN billing_run r ON r.id = b.run_id
"""


async def y3(rig: Rig) -> Figure:
    """A run against COPY."""
    estate = await seed(rig, rig.size(HOUSES))
    rows: dict[str, bytes] = {}

    async def ours() -> float:
        async with rig.copy(estate.settings) as settings:
            told = await run_child(rig, settings, estate, months=1)
            found = await matched(rig, settings, estate)
            await rig.sound(settings)
            if not rows:
                rows.update(await _rows(rig, settings))
        progress(f"    {found.text()}")
        return found.rate(told["seconds"]) if told["bills"] == estate.houses else 0.0

    async def limit() -> float:
        async with rig.copy(estate.settings) as settings:
            return await _copy(rig, settings, rows, estate.houses)

    await ours()
    limits, mine = await pairs(rig, limit, ours)
    return Figure(
        "Y-3",
        "bills issued, with lines and postings, published",
        "/s",
        "COPY of the same rows into the same tables and indexes",
        limits,
        mine,
        0.6,
        notes=(f"{estate.houses:,} houses, an owner each",),
    )


async def run_child(rig: Rig, settings: Settings, estate: Estate, *, months: int) -> dict[str, float]:
    """What the child process said of its runs; RuntimeError with its log when it failed."""
    arguments = (str(estate.item_id), FIRST.isoformat(), str(months))
    process = rig.start("bench.billing_child", settings, arguments=arguments)
    await rig.ended(process)
    said = (rig.directory / "bench.billing_child.log").read_text()
    if process.returncode != 0:
        raise RuntimeError(said)
    told: dict[str, float] = json.loads(said.splitlines()[-1])
    return told


async def matched(rig: Rig, settings: Settings, estate: Estate) -> Matching:
    """What each house owes, worked out here, against the rows."""
    told = {number: (amount_fen(number),) * 3 + ("PUBLISHEDISSUED",) for number in range(estate.houses)}
    async with rig.owner(settings) as owner:
        found = await owner.fetch(MADE)
    return match(told, ((row[0], (row[1], row[2], row[3], row[4])) for row in found))


async def _rows(rig: Rig, settings: Settings) -> dict[str, bytes]:
    """The rows of a run, as COPY takes them."""
    made = {}
    async with rig.owner(settings) as owner:
        for table in TABLES:
            rows = BytesIO()
            await owner.copy_from_table(table, output=rows, format="binary")
            made[table] = rows.getvalue()
    return made


async def _copy(rig: Rig, settings: Settings, rows: dict[str, bytes], bills: int) -> float:
    async with rig.owner(settings) as owner:
        started = time.perf_counter()
        async with owner.transaction():
            for table in TABLES:
                await owner.copy_to_table(table, source=BytesIO(rows[table]), format="binary")
        seconds = time.perf_counter() - started
        assert await owner.fetchval("SELECT count(*) FROM bill") == bills
    return bills / seconds
