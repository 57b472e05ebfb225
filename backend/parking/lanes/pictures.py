"""Pictures of passages (过车图片): kept after the car has its answer, shown to a guard for minutes, then deleted (D8).

Promises: the barrier never waits for a picture; only what decodes is kept, written anew without what else was in the
file (place, camera, hidden data; see kernel/media); one scene and one plate for each event, however often it is told; a
picture belongs to a stay or is not kept; what fails costs the picture and never the event. Pictures show plates and
people: reading them takes a reason, and the lot says for how many days they stay.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import NamedTuple
from uuid import UUID
from weakref import WeakKeyDictionary

from backend.devices import inbox
from backend.kernel import audit, log
from backend.kernel.audit import Actor
from backend.kernel.db import Database, Record, Tx
from backend.kernel.errors import AppError
from backend.kernel.ids import uuid7
from backend.kernel.media import checking
from backend.kernel.media.formats import Kind, Refused
from backend.kernel.resources import Resources
from backend.parking.lanes import guard
from backend.parking.lanes.sighting import Picture, Sighting

LINK_S = 300
# What one process holds in memory at once, and how many pictures it works on; what comes on top is dropped.
WAITING_BYTES = 64 << 20
AT_ONCE = 2
BATCH = 500

# The passage's stay: index parking_event_device. A repeat finds the row of the first.
CLAIM = """
    INSERT INTO parking_picture (id, community_id, lot_id, lane_id, session_id, device_event_id, role, file_key,
                                 taken_at, created_at)
    SELECT $1, s.community_id, s.lot_id, lane.id, s.id, $2, $3, $4, $5, $6
      FROM parking_event e
      JOIN parking_session s ON s.id = e.session_id
      JOIN parking_lane lane ON lane.camera_device_id = $7 AND lane.lot_id = s.lot_id
     WHERE e.device_event_id = $2
     ORDER BY e.id DESC
     LIMIT 1
        ON CONFLICT DO NOTHING
 RETURNING id
"""

KEPT = "UPDATE parking_picture SET kept_at = $2 WHERE id = $1"

FORGET = "DELETE FROM parking_picture WHERE id = ANY ($1::uuid[])"

# Index parking_picture_session.
OF_STAY = """
    SELECT p.id, p.role, p.taken_at, p.file_key, lane.name AS lane_name, lane.direction
      FROM parking_picture p JOIN parking_lane lane ON lane.id = p.lane_id
     WHERE p.session_id = $1 AND p.kept_at IS NOT NULL
     ORDER BY p.taken_at, p.role
     LIMIT 50
"""

# Index parking_picture_age.
OLD = """
    SELECT p.id, p.file_key
      FROM parking_lot l
      JOIN LATERAL (SELECT id, file_key FROM parking_picture
                     WHERE lot_id = l.id AND created_at < $1::timestamptz - make_interval(days => l.picture_days)
                     ORDER BY created_at LIMIT $2) AS p ON true
     LIMIT $2
"""

logger = log.get_logger("parking.pictures")


@dataclass(slots=True)
class _Album:
    """What a process has taken and not stored yet."""

    waiting_bytes: int = 0
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))


class Shown(NamedTuple):
    """A picture and the address at which it can be read for LINK_S seconds."""

    role: str
    lane_name: str
    direction: str
    taken_at: datetime
    url: str


_albums: WeakKeyDictionary[Database, _Album] = WeakKeyDictionary()


def keep_later(res: Resources, camera_id: UUID, sighting: Sighting) -> None:
    """Store the pictures of a sighting that has been decided, after the answer; dropped where too many wait."""
    if not sighting.pictures:
        return
    album = _albums.setdefault(res.db, _Album())
    size = sum(len(picture.data) for picture in sighting.pictures)
    if album.waiting_bytes + size > WAITING_BYTES:
        logger.warning("pictures_dropped", camera_id=str(camera_id), waiting_bytes=album.waiting_bytes)
        return
    album.waiting_bytes += size
    task = asyncio.create_task(_keep_all(res, album, camera_id, sighting))
    album.tasks.add(task)
    task.add_done_callback(partial(_done, album, size))


def _done(album: _Album, size: int, task: asyncio.Task[None]) -> None:
    album.tasks.discard(task)
    album.waiting_bytes -= size


async def settled(res: Resources) -> None:
    """Wait until everything that was taken is stored or lost; before a process ends."""
    album = _albums.get(res.db)
    if album is not None and album.tasks:
        await asyncio.gather(*album.tasks)


async def _keep_all(res: Resources, album: _Album, camera_id: UUID, sighting: Sighting) -> None:
    async with album.turns:
        try:
            read = [(each, await written_anew(each)) for each in sighting.pictures]
            good = [(picture, body) for picture, body in read if body is not None]
            if len(good) < len(read):
                logger.info("picture_unreadable", camera_id=str(camera_id))
            event = await inbox.find(res.db, device_id=camera_id, event_key=sighting.key) if good else None
            for picture, body in good:
                if event is not None:
                    await _keep(res, camera_id, event, picture, body)
        except (AppError, OSError) as error:
            logger.warning("picture_lost", camera_id=str(camera_id), error=log.redact_text(repr(error)))


async def _keep(res: Resources, camera_id: UUID, event: Record, picture: Picture, body: bytes) -> None:
    now = res.clock.now()
    picture_id = uuid7(now)
    key = f"parking-pictures/{now:%Y-%m}/{picture_id.hex}.jpg"
    claimed = await res.db.fetchval(
        CLAIM, picture_id, event["id"], picture.role.value, key, event["happened_at"], now, camera_id
    )
    if claimed is None:
        return
    try:
        await res.storage.put(key, body)
    except (AppError, OSError):
        # So that a repeat of the event may bring it again.
        await res.db.execute(FORGET, [picture_id])
        raise
    await res.db.execute(KEPT, picture_id, res.clock.now())


async def written_anew(picture: Picture) -> bytes | None:
    """The picture as it is kept; None where it is none."""
    content = picture.content()
    if content is None:
        return None
    try:
        return (await checking.written_anew(content, accepted=frozenset({Kind.PICTURE}))).body
    except Refused:
        return None


async def of_stay(
    tx: Tx, actor: Actor, res: Resources, *, session_id: UUID, communities: Sequence[UUID], reason: str
) -> list[Shown]:
    """The pictures of a stay with addresses for a guard; who looked and why is recorded. NotFound."""
    stay = await guard.stay_in(tx, session_id, communities=communities)
    rows = await tx.fetch(OF_STAY, session_id)
    audit.record(
        tx, actor, action="parking.pictures_read", target=f"parking_session:{session_id}",
        community_id=stay["community_id"], reason=reason, after={"pictures": len(rows)},
    )  # fmt: skip
    return [
        Shown(
            row["role"], row["lane_name"], row["direction"], row["taken_at"], res.storage.url(row["file_key"], LINK_S)
        )
        for row in rows
    ]


async def forget(res: Resources) -> int:
    """Delete a batch of pictures that are older than their lot keeps them: the file first; how many there were."""
    rows = await res.db.fetch(OLD, res.clock.now(), BATCH)
    for row in rows:
        await res.storage.delete(row["file_key"])
    await res.db.execute(FORGET, [row["id"] for row in rows])
    return len(rows)
