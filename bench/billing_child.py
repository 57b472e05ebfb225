"""One billing run by the product's own commands, in a process of its own whose memory and time are measured.

`python -m bench.billing_child <item id> <first day> <months>` runs and publishes the item for each month and prints
what it was told as JSON: bills, total in fen, seconds, and the process's peak of resident memory in MB.
"""

import asyncio
import json
import os
import re
import sys
import time
from datetime import date
from functools import partial
from pathlib import Path
from uuid import UUID

import uvloop

from backend.composition import APPROVALS, MODELS
from backend.fees import billing_run
from backend.kernel.audit import SYSTEM
from backend.kernel.config import Settings
from backend.kernel.resources import Resources, open_resources


async def bill(res: Resources, item_id: UUID, day: date) -> billing_run.Run:
    """Make the run of the item's period in which `day` lies, generate it chunk by chunk, publish it."""
    run = await res.db.transact(partial(billing_run.create, actor=SYSTEM, item_id=item_id, communities=None, day=day))
    done = False
    while not done:
        done = (await res.db.transact(partial(billing_run.generate_chunk, run_id=run.id))).done
    return await res.db.transact(
        partial(billing_run.publish, actor=SYSTEM, run_id=run.id, communities=(run.community_id,))
    )


async def main(item_id: UUID, first: date, months: int) -> None:
    settings = Settings.from_env(os.environ)
    res = await open_resources(settings, models=MODELS, approval_kinds=APPROVALS)
    started, bills, total_fen = time.perf_counter(), 0, 0
    for number in range(months):
        year, month = divmod(first.month - 1 + number, 12)
        published = await bill(res, item_id, date(first.year + year, month + 1, 1))
        bills += published.bill_count
        total_fen += published.total_fen
    seconds = time.perf_counter() - started
    await res.close()
    print(json.dumps({"bills": bills, "total_fen": total_fen, "seconds": seconds, "rss_mb": peak_mb()}))


def peak_mb() -> float:
    """Peak resident memory of this program; getrusage would count that of the process it was forked from."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024  # type: ignore[index]


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(UUID(sys.argv[1]), date.fromisoformat(sys.argv[2]), int(sys.argv[3])))
