"""I-16 under concurrency: no row leased twice, emitted twice under one key, or finished after its lease went."""

import asyncio
from collections import Counter

from backend.kernel import leases, outbox
from backend.kernel.db import Tx
from backend.kernel.leases import Lease
from backend.kernel.outbox import Fenced, Job
from backend.kernel.resources import Resources
from tests import workers_rig as rig


async def test_many_claimers_share_the_rows_without_overlap(res: Resources) -> None:
    await rig.emit_many(res.db, "test.row", 2_000)

    async def claim_all() -> list[Lease]:
        mine: list[Lease] = []
        while claimed := await leases.claim(res.db, limit=50, lease_s=60):
            mine += claimed
        return mine

    found = await asyncio.gather(*(claim_all() for _ in range(8)))
    counted = Counter(lease.id for mine in found for lease in mine)
    assert len(counted) == 2_000
    assert set(counted.values()) == {1}


async def test_one_key_emitted_at_the_same_time_is_one_row(res: Resources) -> None:
    async def emit(tx: Tx) -> None:
        outbox.emit(tx, "test.row", {}, dedup_key="same")

    await asyncio.gather(*(res.db.transact(emit) for _ in range(20)))
    assert await rig.states(res.db) == {"READY": 1}


async def test_a_lease_that_is_swept_while_its_job_ends_gives_one_effect(res: Resources) -> None:
    """The late job and the next one meet at the same row; exactly one of them keeps its effect."""
    rounds, fenced = 60, 0

    async def effect(tx: Tx) -> None:
        await tx.execute(
            "INSERT INTO inbox (source, event_key, received_at) VALUES ('effect', gen_random_uuid()::text, $1)", tx.now
        )

    async def finish(lease: Lease) -> int:
        job = Job(res, lease.id, lease.attempt, lease.event, lease.payload)
        try:
            await job.transact(effect)
        except Fenced:
            return 1
        return 0

    async def sweep_and_finish() -> int:
        await leases.sweep(res.db)
        lost = 0
        for lease in await leases.claim(res.db, limit=1, lease_s=60):
            lost += await finish(lease)
        return lost

    for _ in range(rounds):
        await rig.emit(res.db, "test.row", {})
        (lease,) = await leases.claim(res.db, limit=1, lease_s=0)
        fenced += sum(await asyncio.gather(finish(lease), sweep_and_finish()))
        # A row that the late job had just looked at was skipped; the next claim takes it.
        fenced += await sweep_and_finish()
    assert await rig.states(res.db) == {"DONE": rounds}
    assert await res.db.fetchval("SELECT count(*) FROM inbox") == rounds
    assert fenced <= rounds
