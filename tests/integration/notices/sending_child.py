"""A process that plans a round of messages chunk by chunk and is killed at a failpoint: argv is url, round, spec."""

import asyncio
import sys
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

from backend.kernel import failpoints
from backend.kernel.clock import FrozenClock
from backend.kernel.pool import open_database
from backend.notices import sending


async def main(url: str, sending_id: str, armed: str) -> None:
    name, first_pass = armed.split("@")
    failpoints.arm(name, "exit137", first_pass=int(first_pass))
    sending.CHUNK = 2
    clock = FrozenClock(datetime(2026, 9, 1, 2, 0, tzinfo=UTC))
    db = await open_database(url, clock, models=("backend.kernel.models",), pool_size=2)
    while True:
        await db.transact(partial(sending.chunk, sending_id=UUID(sending_id)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
