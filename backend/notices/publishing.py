"""Publishing notices (发布): at once, at an instant, withdrawn, expired; one table of moves (I-13).

Publishing freezes the audience and begins the round of messages in one transaction. A schedule fires by its version
alone: one that was moved or taken back finds another version and does nothing.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from backend.kernel import audit, outbox
from backend.kernel.audit import SYSTEM, Actor
from backend.kernel.db import Record, Tx
from backend.kernel.errors import Conflict, Invalid
from backend.kernel.outbox import Lane
from backend.messaging import withdrawing
from backend.notices import audience, drafts, sending, words
from backend.notices.audience import Frozen
from backend.notices.states import NOTICE_MOVES, NoticeState, SendingKind

DUE, WITHDRAWN = "notices.due", "notices.withdrawn"
LONGEST_AHEAD = timedelta(days=366)
# Freezing fifty thousand people by arrears takes a second or two.
FREEZE_S = 25

SCHEDULE = "UPDATE notice SET state = 'SCHEDULED', publish_at = $2, version = version + 1 WHERE id = $1"
UNSCHEDULE = "UPDATE notice SET state = 'DRAFT', publish_at = NULL, version = version + 1 WHERE id = $1"
PUBLISH = """
    UPDATE notice
       SET state = 'PUBLISHED', publish_at = NULL, published_at = $2, person_count = $3, house_count = $4
     WHERE id = $1
"""
WITHDRAW = """
    UPDATE notice
       SET state = 'WITHDRAWN', publish_at = NULL, withdrawn_at = $2, withdrawn_why = $3
     WHERE id = $1
"""
SCHEDULED = "SELECT * FROM notice WHERE id = $1 AND version = $2 AND state = 'SCHEDULED' FOR UPDATE"
# Index notice_expiry. One that is being withdrawn is passed over.
EXPIRE = """
    UPDATE notice SET state = 'EXPIRED'
     WHERE id IN (SELECT id FROM notice
                   WHERE state = 'PUBLISHED' AND expires_at <= $1
                   ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)
 RETURNING id, community_id
"""
REFUSALS = {
    NoticeState.DRAFT: "这条公告不是定时发布的公告。",
    NoticeState.SCHEDULED: "这条公告不是草稿，不能定时发布。",
    NoticeState.PUBLISHED: "这条公告已经发布或撤回，不能再发布。",
    NoticeState.WITHDRAWN: "这条公告已经撤回或过期，不用再撤回。",
}


async def publish(tx: Tx, actor: Actor, *, notice_id: UUID, communities: Sequence[UUID]) -> Frozen:
    """Publish now; NotFound, Conflict `notice_moved`, `notice_over`, `notice_reaches_nobody`."""
    row = await _lock(tx, notice_id, communities, NoticeState.PUBLISHED)
    if row["expires_at"] is not None and row["expires_at"] <= tx.now:
        raise Conflict("公告的到期时间已经过去，请修改后再发布。", code="notice_over")
    frozen = await _publish(tx, actor, row)
    if frozen.people == 0:
        raise Conflict("所选的受众里目前没有住户，请调整受众后再发布。", code="notice_reaches_nobody")
    return frozen


async def schedule(tx: Tx, actor: Actor, *, notice_id: UUID, communities: Sequence[UUID], at: datetime) -> None:
    """Publish by itself at `at`, also instead of another instant; NotFound, Conflict `notice_moved`, Invalid."""
    row = await drafts.lock(tx, notice_id, communities)
    if row["state"] != NoticeState.SCHEDULED:
        _require_move(row, NoticeState.SCHEDULED)
    if not tx.now < at <= tx.now + LONGEST_AHEAD or (row["expires_at"] is not None and at >= row["expires_at"]):
        problem = "发布时间须晚于现在、早于公告的到期时间，最多提前一年。"
        raise Invalid(problem, fields=[{"field": "publish_at", "message": problem}])
    await tx.execute(SCHEDULE, notice_id, at)
    payload = {"notice_id": str(notice_id), "version": row["version"] + 1}
    outbox.emit(tx, DUE, payload, community_id=row["community_id"], run_at=at)
    _record(tx, actor, "notice.scheduled", row, after={"publish_at": at.isoformat()})


async def unschedule(tx: Tx, actor: Actor, *, notice_id: UUID, communities: Sequence[UUID]) -> None:
    """Back to a draft; NotFound, Conflict `notice_moved`."""
    row = await _lock(tx, notice_id, communities, NoticeState.DRAFT)
    await tx.execute(UNSCHEDULE, notice_id)
    _record(tx, actor, "notice.unscheduled", row, after={})


async def fire(tx: Tx, *, notice_id: UUID, version: int) -> None:
    """The instant of a schedule has come: publish, unless it was moved or taken back meanwhile."""
    row = await tx.fetchrow(SCHEDULED, notice_id, version)
    if row is not None:
        await _publish(tx, SYSTEM, row)


async def withdraw(tx: Tx, actor: Actor, *, notice_id: UUID, communities: Sequence[UUID], why: str) -> None:
    """Take a notice back, whatever it is by now: nothing more is sent, and a job puts the inboxes right.

    Raises NotFound, Conflict `notice_moved`.
    """
    row = await _lock(tx, notice_id, communities, NoticeState.WITHDRAWN)
    await tx.execute(WITHDRAW, notice_id, tx.now, why)
    if keys := await sending.event_keys(tx, notice_id):
        await withdrawing.withdraw(
            tx, event_keys=keys, community_id=row["community_id"], title=words.WITHDRAWN_TITLE,
            body=words.taken_back(row["title"], why),
        )  # fmt: skip
        clear(tx, keys, community_id=row["community_id"])
    _record(tx, actor, "notice.withdrawn", row, reason=why, after={})


def clear(tx: Tx, event_keys: Sequence[str], *, community_id: UUID) -> None:
    """Emit that inboxes are to be put right."""
    payload = {"event_keys": list(event_keys), "community_id": str(community_id)}
    outbox.emit(tx, WITHDRAWN, payload, community_id=community_id, lane=Lane.BULK)


async def expire(tx: Tx, *, limit: int) -> int:
    """End what is over by the clock; returns how many. What is not sent yet stays in the inbox alone."""
    rows = await tx.fetch(EXPIRE, tx.now, limit)
    for row in rows:
        await withdrawing.withdraw(
            tx, event_keys=await sending.event_keys(tx, row["id"]), community_id=row["community_id"],
            title=words.OVER_TITLE, body=words.OVER_BODY,
        )  # fmt: skip
    return len(rows)


async def _publish(tx: Tx, actor: Actor, row: Record) -> Frozen:
    await tx.allow(statement_s=FREEZE_S)
    whom = audience.of_json(row["audience"])
    frozen = await audience.freeze(tx, whom, community_id=row["community_id"], notice_id=row["id"])
    await tx.execute(PUBLISH, row["id"], tx.now, frozen.people, frozen.houses)
    await sending.begin(tx, row, kind=SendingKind.PUBLICATION)
    _record(tx, actor, "notice.published", row, after={"people": frozen.people, "houses": frozen.houses})
    return frozen


async def _lock(tx: Tx, notice_id: UUID, communities: Sequence[UUID], to: NoticeState) -> Record:
    row = await drafts.lock(tx, notice_id, communities)
    _require_move(row, to)
    return row


def _require_move(row: Record, to: NoticeState) -> None:
    if to not in NOTICE_MOVES[NoticeState(row["state"])]:
        raise Conflict(REFUSALS[to], code="notice_moved")


def _record(
    tx: Tx, actor: Actor, action: str, row: Record, *, after: dict[str, Any], reason: str | None = None
) -> None:
    audit.record(
        tx, actor, action=action, target=f"notice:{row['id']}", community_id=row["community_id"], reason=reason,
        before={"state": row["state"]}, after=after,
    )  # fmt: skip
