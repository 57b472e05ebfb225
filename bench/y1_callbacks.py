"""Y-1 and Y-1b: callbacks settled per second, over HTTP, with signatures, audit and logs, answered after the commit.

The limit of Y-1 is pgbench with the nine statements of the plain variant; that of Y-1b is a bare asyncpg handler that
does the same after the same verification. Each measurement has a copy of one seeded database, is matched with what the
client was told, and ends with every invariant.
"""

import statistics

from backend.kernel.config import Settings
from bench import loopback, plain
from bench.callbacks_seed import SETTLED, Town, amount_fen, callbacks, out_trade_no, seed, transaction_no
from bench.figures import Figure, percentile
from bench.loopback import Run
from bench.matching import Matching, match
from bench.rig import Rig, pairs, progress

ORDERS = 8_000
WARM = 400
CLIENTS = 8
PACED_CONNECTIONS = 64
PACED = 6_000
DONE = "PAIDPAIDapplied"


async def y1(rig: Rig) -> Figure:
    """Callbacks against pgbench."""
    town = await seed(rig, rig.size(ORDERS))

    async def limit() -> float:
        async with rig.copy(town.settings) as settings:
            await rig.admin(plain.NO_TRIGGERS, settings=settings)
            return await rig.pgbench(settings, plain.PGBENCH, clients=CLIENTS, transactions=town.orders // CLIENTS)

    async def ours() -> float:
        return await rate(rig, town, "backend.main")

    limits, mine = await pairs(rig, limit, ours)
    half = await _at_half_load(rig, town, statistics.median(mine) / 2)
    p50, p99, p999 = (percentile(half, share) * 1000 for share in (0.5, 0.99, 0.999))
    return Figure(
        "Y-1",
        "callbacks settled: verify, decrypt, one transaction with audit, log, acknowledge",
        "/s",
        "pgbench, nine prepared statements, c=8",
        limits,
        mine,
        0.4,
        also=(
            (f"half load: p50 {p50:.1f} ms, p99 {p99:.1f} ms (≤ 100)", p99 <= 100),
            (f"p99.9 {p999:.1f} ms (≤ 1,000)", p999 <= 1000),
        ),
        notes=(f"{town.orders:,} orders, one process, {CLIENTS} connections",),
    )


async def y1b(rig: Rig) -> Figure:
    """Callbacks against a bare handler."""
    town = await seed(rig, rig.size(ORDERS))

    async def limit() -> float:
        return await rate(rig, town, "bench.peer", guarded=False)

    async def ours() -> float:
        return await rate(rig, town, "backend.main")

    limits, mine = await pairs(rig, limit, ours)
    return Figure(
        "Y-1b",
        "the same",
        "/s",
        "bare Sanic handler, nine statements by asyncpg, no log, no limits",
        limits,
        mine,
        1.0,
        notes=(f"{town.orders:,} orders, one process each, {CLIENTS} connections",),
    )


async def rate(rig: Rig, town: Town, module: str, *, guarded: bool = True, connections: int = CLIENTS) -> float:
    """Callbacks per second as fast as the connections take them, 0 when one of them came out wrong."""
    warm = min(WARM, town.orders // 10)
    async with rig.copy(town.settings) as settings:
        if not guarded:
            await rig.admin(plain.NO_TRIGGERS, settings=settings)
        async with rig.serving(module, settings) as port:
            # Each merchant's keys are opened at its first callback; nobody waits for that in the measured part.
            met = len(town.merchant_ids)
            alone = await loopback.drive(port, callbacks(town, range(met)), connections=1)
            first = await loopback.drive(port, callbacks(town, range(met, warm)), connections=connections)
            rest = callbacks(town, range(warm, town.orders))
            await rig.admin("CHECKPOINT")
            run = await loopback.drive(port, rest, connections=connections)
        found = await _matched(rig, settings, (alone, first, run))
        if guarded:
            await rig.sound(settings)
    progress(f"    {module}: {found.text()}")
    return found.rate(run.seconds) * len(rest) / town.orders


async def _at_half_load(rig: Rig, town: Town, per_second: float) -> list[float]:
    """Seconds from when each callback was due to its acknowledgement, at a steady pace."""
    warm = min(WARM, town.orders // 10)
    last = min(town.orders, warm + rig.size(PACED))
    async with rig.copy(town.settings) as settings:
        async with rig.serving("backend.main", settings) as port:
            first = await loopback.drive(port, callbacks(town, range(warm)), connections=CLIENTS)
            paced = callbacks(town, range(warm, last))
            run = await loopback.drive(port, paced, connections=PACED_CONNECTIONS, per_second=per_second)
        found = await _matched(rig, settings, (first, run))
        await rig.sound(settings)
    progress(f"    at {per_second:,.0f}/s: {found.text()}")
    return [answer.seconds for answer in run.answers] if found.clean else [float("inf")]


async def _matched(rig: Rig, settings: Settings, runs: tuple[Run, ...]) -> Matching:
    """The client's log against the rows."""
    answers = [answer for run in runs for answer in run.answers]
    told = {
        out_trade_no(number): (transaction_no(number), DONE, amount_fen(number)) if answer.status == 204 else None
        for number, answer in enumerate(answers)
    }
    async with rig.owner(settings) as owner:
        rows = await owner.fetch(SETTLED)
    return match(told, ((row[0], (row[1], row[2], row[3])) for row in rows))
