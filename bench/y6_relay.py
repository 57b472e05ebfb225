"""Y-6: outbox rows per second that the relay claims and pushes to Redis, one relay, nobody consuming.

The limit is the claim alone, in PostgreSQL: pgbench with batches of 50 over 4 connections.
"""

import time

from arq.constants import default_queue_name

from backend.kernel import leases
from backend.kernel.config import Settings
from bench.figures import Figure
from bench.matching import match
from bench.rig import Rig, pairs, progress
from workers import relay
from workers.queue import Queue

ROWS = 100_000
CLIENTS = 4
CLAIM_BATCH = 50
LEASE_S = 600

FILL = """
    INSERT INTO outbox (event, payload, state, run_at, emitted_at)
    SELECT 'bench.nothing', jsonb_build_object('n', n), 'READY', $2, $2 FROM generate_series(1, $1::integer) AS n
"""
CLAIM = (
    leases.CLAIM.replace("$1", "timestamptz '2100-01-01'")
    .replace("$2", str(CLAIM_BATCH))
    .replace("$3", str(LEASE_S))
    .replace("$4", "ARRAY['prompt', 'bulk']")
    + ";"
)


async def y6(rig: Rig) -> Figure:
    """The relay against the claim loop."""
    rows = rig.size(ROWS)
    full = await filled(rig, rows)

    async def limit() -> float:
        turns = rows // CLAIM_BATCH // CLIENTS
        async with rig.copy(full) as settings:
            per_second = await rig.pgbench(settings, CLAIM, clients=CLIENTS, transactions=turns)
            async with rig.owner(settings) as owner:
                claimed: int = await owner.fetchval("SELECT count(*) FROM outbox WHERE state = 'LEASED'")
        return claimed * per_second / (turns * CLIENTS)

    async def ours() -> float:
        async with rig.copy(full) as settings:
            return await _relayed(rig, settings)

    limits, mine = await pairs(rig, limit, ours)
    return Figure(
        "Y-6",
        "outbox rows claimed and pushed to Redis by one relay",
        "rows/s",
        f"the claim alone by pgbench, batch {CLAIM_BATCH}, c={CLIENTS}",
        limits,
        mine,
        0.3,
        notes=(f"{rows:,} rows, batch {relay.BATCH}",),
    )


async def filled(rig: Rig, rows: int) -> Settings:
    """A fresh database with `rows` outbox rows that are due."""
    settings = await rig.fresh()
    async with rig.resources(settings) as res, rig.owner(settings) as owner:
        await owner.execute(FILL, rows, res.clock.now())
        await owner.execute("VACUUM ANALYZE outbox")
    return settings


async def _relayed(rig: Rig, settings: Settings) -> float:
    async with rig.resources(settings) as res:
        queue = Queue(str(settings.redis_url))
        started = time.perf_counter()
        while await relay.turn(res.db, queue, lease_s=LEASE_S, depth_limit=1 << 40):
            continue
        seconds = time.perf_counter() - started
        await queue.close()
        pushed = await res.redis.zrange(default_queue_name, 0, -1)
        leased = await res.db.fetch("SELECT id || ':' || attempt AS job FROM outbox WHERE state = 'LEASED'")
    rows = [row for job in pushed for row in job.decode().split(",")]
    found = match({row["job"]: True for row in leased}, ((row, True) for row in rows))
    progress(f"    {found.text()}")
    return found.rate(seconds)
