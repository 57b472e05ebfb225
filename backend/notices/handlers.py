"""What notices do by events and by the clock (D11)."""

from collections.abc import Mapping
from datetime import time
from uuid import UUID

from backend.kernel.db import Tx
from backend.kernel.outbox import Handler, Job
from backend.kernel.periodic import Daily, Minutes, Periodic
from backend.kernel.resources import Resources
from backend.messaging import withdrawing
from backend.notices import publishing, retention, sending

CHUNK = 100


async def on_due(job: Job) -> None:
    """The instant of a schedule has come."""
    notice_id, version = UUID(job.payload["notice_id"]), int(job.payload["version"])
    await job.transact(lambda tx: publishing.fire(tx, notice_id=notice_id, version=version))


async def on_sending(job: Job) -> None:
    """A round of messages goes on by one chunk."""
    await job.transact(lambda tx: sending.chunk(tx, UUID(job.payload["sending_id"])))


async def on_withdrawn(job: Job) -> None:
    """Inboxes are put right, a chunk at a time."""
    keys = job.payload["event_keys"]

    async def work(tx: Tx) -> None:
        if await withdrawing.clear(tx, event_keys=keys):
            publishing.clear(tx, keys, community_id=UUID(job.payload["community_id"]))

    await job.transact(work)


async def expire(res: Resources, _period: str) -> None:
    """Notices whose time is over."""
    while await res.db.transact(lambda tx: publishing.expire(tx, limit=CHUNK)) == CHUNK:
        pass


HANDLERS: Mapping[str, Handler] = {
    publishing.DUE: on_due,
    publishing.WITHDRAWN: on_withdrawn,
    sending.GOES_ON: on_sending,
}

PERIODIC: tuple[Periodic, ...] = (
    Periodic("notices.expire", Minutes(5), expire),
    Periodic("notices.forget", Daily(time(4, 10), catch_up=False), retention.forget),
)
