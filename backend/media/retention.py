"""What was uploaded and never bound goes after a day: first the row says so, then the files go, then the row."""

import time
from datetime import timedelta
from uuid import UUID

from backend.kernel.media.formats import Kind
from backend.kernel.periodic import Minutes, Periodic
from backend.kernel.resources import Resources
from backend.media import attachments

KEPT = timedelta(hours=24)
BATCH = 200
BUDGET_S = 20.0

# Index media_unbound. One that is being bound is passed over.
EXPIRE = """
    UPDATE media SET state = 'EXPIRED'
     WHERE id IN (SELECT id FROM media
                   WHERE state IN ('RECEIVING', 'UPLOADED') AND created_at < $1
                   ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED)
"""
EXPIRED = """
    SELECT id, kind, created_at FROM media
     WHERE state = 'EXPIRED' ORDER BY created_at LIMIT $1
"""
FORGET = "DELETE FROM media WHERE id = $1 AND state = 'EXPIRED'"


async def expire(res: Resources, _period: str) -> None:
    """Delete uploads that nobody bound in time, BUDGET_S seconds at most; the rest goes in the next period."""
    began = time.monotonic()
    while time.monotonic() - began < BUDGET_S:
        await res.db.execute(EXPIRE, res.clock.now() - KEPT, BATCH)
        found = await res.db.fetch(EXPIRED, BATCH)
        for row in found:
            await _forget(res, row["id"], attachments.file_keys(row["id"], Kind(row["kind"]), row["created_at"]))
        if len(found) < BATCH:
            break


async def _forget(res: Resources, media_id: UUID, keys: tuple[str, str | None]) -> None:
    for key in keys:
        if key is not None:
            await res.storage.delete(key)
    await res.db.execute(FORGET, media_id)


PERIODIC: tuple[Periodic, ...] = (Periodic("media.expire", Minutes(30), expire),)
