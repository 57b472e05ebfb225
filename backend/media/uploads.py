"""Receiving a file: counted, checked, written anew, stored; then it waits a day to be bound (attachments.py).

Promises: the row is there before the file, so that no file is ever without one; an upload is counted before anything of
it is decoded; the same Idempotency-Key with the same file is the same upload, whatever happened in between.
"""

from collections.abc import Mapping
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from backend.kernel.audit import Actor
from backend.kernel.clock import start_of_day
from backend.kernel.db import Tx
from backend.kernel.errors import AppError, Conflict, TooLarge, TooMany, Unavailable
from backend.kernel.http import Call
from backend.kernel.ids import uuid7
from backend.kernel.media import checking
from backend.kernel.media.formats import MAX_BYTES, Kind, Made, Refused, kind_of
from backend.kernel.ratelimit import Rule
from backend.kernel.resources import Resources
from backend.media import attachments
from backend.media.attachments import Media
from backend.media.schemas import Begun, MediaView
from backend.media.states import MediaState

RATE = Rule("media.upload", count=40, period_s=3_600)
# For so long an upload that broke off can be taken up again; well before it expires (retention.py).
RETRY = timedelta(hours=1)
PER_DAY: Mapping[str, int] = {"resident": 60, "staff": 300}
LARGEST_BYTES = max(MAX_BYTES.values())
ERRORS: tuple[type[AppError], ...] = (Refused, Conflict, TooLarge, TooMany, Unavailable)

# Uploads of one person are counted one after the other.
LOCK_UPLOADER = "SELECT pg_advisory_xact_lock(hashtextextended('media:' || $1::uuid::text, 0))"
# Index media_uploader.
COUNT = "SELECT count(*) FROM media WHERE uploader_id = $1 AND created_at >= $2"
BEGIN = """
    INSERT INTO media (id, community_id, kind, state, uploader_kind, uploader_id, created_at)
    VALUES ($1, $2, $3, 'RECEIVING', $4, $5, $6)
"""
ONE = "SELECT id, kind, state, created_at, size_bytes, width, height, length_ms FROM media WHERE id = $1"
STORED = """
    UPDATE media
       SET state = 'UPLOADED', sha256 = $2, size_bytes = $3, width = $4, height = $5, length_ms = $6, stored_at = $7
     WHERE id = $1 AND state = 'RECEIVING'
"""


async def receive(call: Call[None, None], *, community_id: UUID, accepted: frozenset[Kind]) -> MediaView:
    """Take the file of a request for a community in which the caller may upload; the links are for the caller."""
    kind, actor = kind_of(call.raw, accepted=accepted), call.principal.actor

    async def work(tx: Tx) -> Begun:
        return Begun(media_id=await begin(tx, actor, community_id=community_id, kind=kind))

    begun = await call.once(work, Begun)
    return attachments.view(call.res, await finish(call.res, begun.media_id, body=call.raw))


async def begin(tx: Tx, actor: Actor, *, community_id: UUID, kind: Kind) -> UUID:
    """Count an upload and make its row; TooMany `media_per_day`."""
    limit = PER_DAY[actor.kind]
    await tx.execute(LOCK_UPLOADER, actor.id)
    if await tx.fetchval(COUNT, actor.id, start_of_day(tx.today)) >= limit:
        raise TooMany(f"今天已经上传了 {limit} 个文件，请明天再传。", code="media_per_day")
    media_id = uuid7(tx.now)
    await tx.execute(BEGIN, media_id, community_id, kind, actor.kind, actor.id, tx.now)
    return media_id


async def finish(res: Resources, media_id: UUID, *, body: bytes) -> Media:
    """Check and store the file of an upload, unless that is done; Refused, Unavailable, Conflict `media_expired`."""
    row = await _row(res, media_id)
    kind, created_at = Kind(row["kind"]), row["created_at"]
    if row["state"] == MediaState.RECEIVING:
        made = await checking.written_anew(body, accepted=frozenset({kind}))
        await _store(res, made, *attachments.file_keys(media_id, kind, created_at))
        await res.db.execute(
            STORED, media_id, sha256(made.body).digest(), len(made.body), made.width, made.height, made.length_ms,
            res.clock.now(),
        )  # fmt: skip
        row = await _row(res, media_id)
    return Media(media_id, kind, created_at, row["size_bytes"], row["width"], row["height"], row["length_ms"])


async def _store(res: Resources, made: Made, key: str, small_key: str | None) -> None:
    await res.storage.put(key, made.body)
    if small_key is not None and made.small is not None:
        await res.storage.put(small_key, made.small)


async def _row(res: Resources, media_id: UUID) -> Any:
    row = await res.db.fetchrow(ONE, media_id)
    late = row is not None and row["state"] == MediaState.RECEIVING and res.clock.now() - row["created_at"] > RETRY
    if row is None or late or row["state"] == MediaState.EXPIRED:
        raise Conflict("这次上传已经过期，请重新选择文件上传。", code="media_expired")
    return row
