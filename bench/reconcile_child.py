"""One run of reconciliation over a file, by the product's own code, in a process of its own.

`python -m bench.reconcile_child <channel> <merchant id> <file>` prints as JSON: seconds from the file on the disk to
the commit, lines, matched lines, differences, and the process's peak of resident memory in MB.
"""

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from uuid import UUID

import uvloop

from backend.composition import APPROVALS, MODELS
from backend.kernel.config import Settings
from backend.kernel.resources import open_resources
from bench.billing_child import peak_mb
from bench.reconcile_seed import DAY, MCHID
from payments.channels.base import Channel, StatementKind
from payments.merchants import Merchant
from payments.reconcile import runs
from payments.reconcile.matching import Side
from payments.reconcile.runs import Taken

TAKE = """
    INSERT INTO reconciliation_run (id, merchant_id, company_id, channel, day, kind, state, started_at)
    VALUES ($1, $1, $1, $2, $3, 'trades', 'RUNNING', $4) RETURNING attempt
"""


async def main(channel: str, merchant_id: UUID, path: Path) -> None:
    res = await open_resources(Settings.from_env(os.environ), models=MODELS, approval_kinds=APPROVALS)
    merchant = Merchant(
        id=merchant_id, company_id=merchant_id, community_id=None, channel=Channel(channel), mchid=MCHID[channel],
        appid="app", paused=False, version=1, keys=None,
    )  # fmt: skip
    attempt = await res.db.fetchval(TAKE, merchant_id, channel, DAY, res.clock.now())
    taken = Taken(Side(merchant_id, merchant, (merchant_id,), DAY, StatementKind.TRADES), attempt)
    started = time.perf_counter()
    with path.open("rb") as file:
        result = await runs.apply(res, taken, file)
    seconds = time.perf_counter() - started
    differences = await res.db.fetchval("SELECT count(*) FROM difference")
    await res.close()
    print(
        json.dumps(
            {
                "seconds": seconds,
                "lines": result.told.lines,
                "matched": result.matched,
                "differences": differences,
                "rss_mb": peak_mb(),
            }
        )
    )


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(sys.argv[1], UUID(sys.argv[2]), Path(sys.argv[3])))
