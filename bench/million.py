"""The million houses of issue 2, Shows 8: run and publish one item; peak memory, and the ratio to INSERT … SELECT.

The limit writes the same rows from tables that lie beside, in one statement, into the same tables and indexes, emptied.
Ours goes first in each pair, because its rows are the limit's; both start after a CHECKPOINT.
"""

import time

from backend.kernel.config import Settings
from bench.figures import Figure
from bench.houses_seed import seed
from bench.rig import Rig, progress
from bench.y3_billing import TABLES, matched, run_child

HOUSES = 1_000_000
PAIRS = 2
RSS_MB = 300

STAGE = (
    *(f"CREATE TABLE stage_{table} AS SELECT * FROM {table}" for table in TABLES),  # noqa: S608 - constants only
    # Whatever names a bill, a dispute for one, is empty here.
    f"TRUNCATE {', '.join(TABLES)} CASCADE",
    *(f"VACUUM ANALYZE stage_{table}" for table in TABLES),
    "CHECKPOINT",
)

INSERT = """
    WITH accounts AS (INSERT INTO account OVERRIDING SYSTEM VALUE SELECT * FROM stage_account),
         bills AS (INSERT INTO bill SELECT * FROM stage_bill),
         lines AS (INSERT INTO bill_line SELECT * FROM stage_bill_line)
    INSERT INTO posting OVERRIDING SYSTEM VALUE SELECT * FROM stage_posting
"""


async def million(rig: Rig) -> Figure:
    """A run over a million houses against INSERT … SELECT."""
    started = time.perf_counter()
    estate = await seed(rig, rig.size(HOUSES))
    seeded_s = time.perf_counter() - started
    progress(f"  {estate.houses:,} houses seeded in {seeded_s:.0f} s")
    limits, mine, peaks_mb, took_s = [], [], [], []
    for _ in range(PAIRS):
        async with rig.copy(estate.settings) as settings:
            told = await run_child(rig, settings, estate, months=1)
            found = await matched(rig, settings, estate)
            await rig.sound(settings)
            mine.append(found.rate(told["seconds"]))
            peaks_mb.append(told["rss_mb"])
            took_s.append(told["seconds"])
            progress(f"  {told['seconds']:.1f} s, {told['rss_mb']:.0f} MB: {found.text()}")
            limits.append(await _insert(rig, settings, estate.houses))
            progress(f"  limit {limits[-1]:,.0f}, ours {mine[-1]:,.0f}")
    return Figure(
        "Y-3 million",
        "one item run and published over a million houses",
        "bills/s",
        "one INSERT … SELECT of the same rows into the same tables and indexes",
        tuple(limits),
        tuple(mine),
        0.5,
        also=((f"peak memory of the process {max(peaks_mb):.0f} MB (≤ {RSS_MB})", max(peaks_mb) <= RSS_MB),),
        notes=(f"{estate.houses:,} houses, an owner each, seeded in {seeded_s:.0f} s; run in {max(took_s):.0f} s",),
    )


async def _insert(rig: Rig, settings: Settings, bills: int) -> float:
    await rig.admin(*STAGE, settings=settings)
    async with rig.owner(settings) as owner:
        await rig.admin(*(f"GRANT SELECT ON stage_{table} TO PUBLIC" for table in TABLES), settings=settings)
        started = time.perf_counter()
        done = await owner.execute(INSERT)
        seconds = time.perf_counter() - started
    if done.split()[-1] != str(bills):
        raise RuntimeError(f"the limit wrote {done}")
    return bills / seconds
