"""A process that generates one run chunk by chunk, and may be killed at a failpoint: argv is url, run, houses, spec."""

import asyncio
import sys
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

from backend.fees import billing_run
from backend.kernel import failpoints
from backend.kernel.clock import FrozenClock
from backend.kernel.failpoints import failpoint
from backend.kernel.pool import open_database


async def main(url: str, run_id: str, houses: str, armed: str) -> None:
    if armed:
        name, first_pass = armed.split("@")
        failpoints.arm(name, "exit137", first_pass=int(first_pass))
    clock = FrozenClock(datetime(2026, 9, 1, 2, 0, tzinfo=UTC))
    db = await open_database(url, clock, models=("backend.kernel.models",), pool_size=2)
    chunk = partial(billing_run.generate_chunk, run_id=UUID(run_id), houses=int(houses))
    while not (await db.transact(chunk)).done:
        await failpoint("billing_run.after_chunk")
    await db.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
