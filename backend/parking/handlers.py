"""What parking does by events: a barrier that opened for a stay that is paid lets its car out (D8)."""

from collections.abc import Mapping
from uuid import UUID

from backend.kernel.audit import SYSTEM
from backend.kernel.db import Tx
from backend.kernel.outbox import Handler, Job
from backend.parking import stays
from backend.parking.states import EventKind, SessionState

SUBJECT = "parking_session:"


async def on_command_finished(job: Job) -> None:
    """The barrier has opened: the stay for which it was told to ends at the exit at which its car stood."""
    subject = str(job.payload["subject"])

    async def work(tx: Tx) -> None:
        if not job.payload["done"] or not subject.startswith(SUBJECT):
            return
        stay = await stays.lock(tx, UUID(subject.removeprefix(SUBJECT)), at=tx.now)
        if stay["state"] != SessionState.PAID or stay["waiting_lane_id"] is None:
            return
        await stays.leave(tx, stay["id"], at=tx.now, lane_id=stay["waiting_lane_id"])
        stays.note(tx, SYSTEM, community_id=stay["community_id"], session_id=stay["id"], kind=EventKind.LEFT)

    await job.transact(work)


HANDLERS: Mapping[str, Handler] = {"devices.command_finished": on_command_finished}
