"""What visitors do by events and by the clock (D10)."""

from collections.abc import Mapping
from datetime import time
from uuid import UUID

from backend.kernel.db import Tx
from backend.kernel.outbox import Handler, Job
from backend.kernel.periodic import Daily, Minutes, Periodic
from backend.kernel.resources import Resources
from backend.property.occupancy import ENDED
from backend.visitors import bans, entries, goods, passes, resident_passes, retention, short_codes

CHUNK = 500


async def on_entered(job: Job) -> None:
    """Somebody came in: the resident is told."""
    entry_id = UUID(job.payload["entry_id"])
    await job.transact(lambda tx: entries.tell_entered(tx, entry_id, keyring=job.res.keyring))


async def on_moved_out(job: Job) -> None:
    """Somebody has moved out: the door code ends, and so does whatever that person has invited to the house."""
    house_id, person_id = UUID(job.payload["house_id"]), UUID(job.payload["person_id"])

    async def work(tx: Tx) -> None:
        await resident_passes.revoke_of(tx, house_id=house_id, person_id=person_id)
        await passes.end_of_person(tx, house_id=house_id, person_id=person_id)
        await goods.end_of_person(tx, house_id=house_id, person_id=person_id)

    await job.transact(work)


async def expire(res: Resources, _period: str) -> None:
    """Mark what has ended by itself, CHUNK passes a transaction."""
    while await res.db.transact(lambda tx: passes.expire(tx, limit=CHUNK)) == CHUNK:
        pass
    await res.db.transact(lambda tx: goods.expire(tx, limit=CHUNK))
    await res.db.transact(lambda tx: bans.lapse(tx, limit=CHUNK))


async def watch_stays(res: Resources, _period: str) -> None:
    """Name overstays, and take to be over what nobody checked out."""
    while await res.db.transact(lambda tx: entries.name_overstays(tx, keyring=res.keyring)) == entries.OVERSTAY_LIMIT:
        pass
    await res.db.transact(entries.assume_left)


async def forget(res: Resources, _period: str) -> None:
    """Retention: personal data and six-digit codes."""
    await res.db.transact(retention.forget)
    await res.db.transact(short_codes.forget)


HANDLERS: Mapping[str, Handler] = {entries.ENTERED: on_entered, ENDED: on_moved_out}

PERIODIC: tuple[Periodic, ...] = (
    Periodic("visitors.expire", Minutes(5), expire),
    Periodic("visitors.stays", Minutes(5), watch_stays),
    Periodic("visitors.forget", Daily(time(3, 50), catch_up=False), forget),
)
