"""Writing notices (拟稿): made and changed by staff until they are scheduled or published, audited (I-22)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.db import Record, Tx
from backend.kernel.errors import Conflict, Invalid, NotFound
from backend.kernel.ids import uuid7
from backend.kernel.media.formats import Kind
from backend.media import attachments
from backend.media.attachments import Owner
from backend.notices import audience
from backend.notices.audience import Audience
from backend.notices.states import NoticeState
from backend.notices.words import Text

OWNER = "notice"
ATTACHED = frozenset({Kind.PICTURE, Kind.DOCUMENT})

INSERT = """
    INSERT INTO notice (id, community_id, kind, title, body, media_ids, urgent, pinned_until, expires_at, audience,
                        state, version, created_by, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'DRAFT', 1, $11, $12)
"""
CHANGE = """
    UPDATE notice
       SET kind = $2, title = $3, body = $4, media_ids = $5, urgent = $6, pinned_until = $7, expires_at = $8,
           audience = $9
     WHERE id = $1
"""
LOCK = "SELECT * FROM notice WHERE id = $1 AND community_id = ANY ($2::uuid[]) FOR UPDATE"


@dataclass(frozen=True, slots=True)
class Content:
    """All of a notice that staff write. `media_ids`: pictures and documents, in this order."""

    text: Text
    audience: Audience
    media_ids: tuple[UUID, ...]
    urgent: bool
    pinned_until: datetime | None
    expires_at: datetime | None

    def audited(self) -> dict[str, Any]:
        """As the audit keeps it: no plain personal data is in it."""
        return {
            "kind": self.text.kind, "title": self.text.title, "urgent": self.urgent,
            "audience": self.audience.as_json(),
        }  # fmt: skip


async def create(tx: Tx, actor: Actor, *, community_id: UUID, content: Content) -> UUID:
    """A draft; NotFound for places elsewhere, Invalid for its times and for files that cannot be bound."""
    await _require_sound(tx, content, community_id)
    notice_id, text = uuid7(tx.now), content.text
    await tx.execute(
        INSERT, notice_id, community_id, text.kind, text.title, text.body, list(content.media_ids), content.urgent,
        content.pinned_until, content.expires_at, content.audience.as_json(), actor.id, tx.now,
    )  # fmt: skip
    await _attach(tx, actor, content.media_ids, notice_id=notice_id, community_id=community_id)
    audit.record(
        tx, actor, action="notice.written", target=f"notice:{notice_id}", community_id=community_id,
        after=content.audited(),
    )  # fmt: skip
    return notice_id


async def change(tx: Tx, actor: Actor, *, notice_id: UUID, communities: Sequence[UUID], content: Content) -> None:
    """Write a draft anew; raises like `create`, and Conflict `notice_not_draft` once it is one no more."""
    row = await lock(tx, notice_id, communities)
    if row["state"] != NoticeState.DRAFT:
        raise Conflict(
            "公告已不是草稿，不能修改。定时发布的公告请先取消定时；已发布的请撤回后重写。", code="notice_not_draft"
        )
    await _require_sound(tx, content, row["community_id"])
    kept = {file.id for file in (await attachments.of(tx, OWNER, [str(notice_id)]))[str(notice_id)]}
    fresh = tuple(media_id for media_id in content.media_ids if media_id not in kept)
    await _attach(tx, actor, fresh, notice_id=notice_id, community_id=row["community_id"])
    text = content.text
    await tx.execute(
        CHANGE, notice_id, text.kind, text.title, text.body, list(content.media_ids), content.urgent,
        content.pinned_until, content.expires_at, content.audience.as_json(),
    )  # fmt: skip
    audit.record(
        tx, actor, action="notice.changed", target=f"notice:{notice_id}", community_id=row["community_id"],
        before={"kind": row["kind"], "title": row["title"], "urgent": row["urgent"], "audience": row["audience"]},
        after=content.audited(),
    )  # fmt: skip


async def lock(tx: Tx, notice_id: UUID, communities: Sequence[UUID]) -> Record:
    """The notice, locked, where it is of one of these communities; NotFound."""
    row = await tx.fetchrow(LOCK, notice_id, list(communities))
    if row is None:
        raise NotFound
    return row


async def _require_sound(tx: Tx, content: Content, community_id: UUID) -> None:
    await audience.require_places(tx, content.audience, community_id=community_id)
    for name, at in (("pinned_until", content.pinned_until), ("expires_at", content.expires_at)):
        if at is not None and at <= tx.now:
            problem = "这个时间已经过去了，请选择以后的时间。"
            raise Invalid(problem, fields=[{"field": name, "message": problem}])


async def _attach(tx: Tx, actor: Actor, ids: Sequence[UUID], *, notice_id: UUID, community_id: UUID) -> None:
    await attachments.bind(
        tx, actor, ids=ids, community_id=community_id, owner=Owner(OWNER, str(notice_id)), kinds=ATTACHED
    )
