"""After a rotation of the data key: rows sealed by an older key are sealed anew (I-24).

Begun by the rotation itself, once all processes have heard of it, and once a day for what slipped through (a merchant's
keys that were proposed before the rotation and approved after it). Repeatable: done rows are told by their key.
"""

import time
from collections.abc import Mapping, Sequence
from datetime import time as clock_time

from backend.kernel import crypto, outbox, seals
from backend.kernel.db import Tx
from backend.kernel.outbox import Handler, Job, Lane
from backend.kernel.periodic import Daily, Periodic
from backend.kernel.resources import Resources
from backend.kernel.seals import OUTDATED, SealedColumn

BUDGET_S = 20.0


def handlers(columns: Sequence[SealedColumn]) -> Mapping[str, Handler]:
    """The reaction to an outdated key, for all sealed columns of the nouns."""

    async def on_outdated(job: Job) -> None:
        began = time.monotonic()
        await crypto.refresh(job.res.keyring, job.res.db, job.res.settings)
        place = int(job.payload.get("place", 0)) if job.res.keyring.rotated else len(columns)
        after = job.payload.get("after")
        while place < len(columns):
            column = columns[place]
            after = await seals.reseal(job.res.db, job.res.keyring, column, after or column.before_all)
            place += after is None
            if time.monotonic() - began > BUDGET_S:
                break

        async def finish(tx: Tx) -> None:
            if place < len(columns):
                outbox.emit(tx, OUTDATED, {"place": place, "after": after}, lane=Lane.BULK)

        await job.transact(finish)

    return {OUTDATED: on_outdated}


async def look_daily(res: Resources, period: str) -> None:
    """Ask for a round over all sealed columns."""
    await res.db.transact(lambda tx: seals.request(tx, since=period))


PERIODIC = (Periodic("keys.reseal", Daily(at=clock_time(hour=2, minute=30), catch_up=False), look_daily),)
