"""Rounds of messages about a notice: planned in committed chunks over the frozen audience (I-16).

Each chunk is one job, one transaction: the next CHUNK persons, their intents, where the round stands, and the job that
goes on. A worker that is killed anywhere leaves the round where it stood; the message's key keeps everybody to one. A
round ends where its notice does: the lock upon the notice says which comes first.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

from backend.kernel import audit, outbox
from backend.kernel.audit import Actor
from backend.kernel.db import Record, Tx
from backend.kernel.errors import Conflict
from backend.kernel.failpoints import failpoint
from backend.kernel.ids import uuid7
from backend.kernel.outbox import Lane
from backend.messaging import intents
from backend.messaging.meanings import NOTICE, NOTICE_REMINDER, Meaning
from backend.notices import drafts, words
from backend.notices.states import NoticeKind, NoticeState, SendingKind
from backend.notices.words import Text
from backend.property import communities as places

GOES_ON = "notices.sending"
CHUNK = 4_000

MEANINGS: Mapping[SendingKind, Meaning] = {SendingKind.PUBLICATION: NOTICE, SendingKind.REMINDER: NOTICE_REMINDER}

BEGIN = """
    INSERT INTO notice_sending (id, notice_id, community_id, kind, event_key, begun_on, begun_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT DO NOTHING
 RETURNING id
"""
KEYS = "SELECT event_key FROM notice_sending WHERE notice_id = $1 ORDER BY begun_at, event_key"
LOCK = """
    SELECT s.id, s.notice_id, s.community_id, s.kind, s.event_key, s.after_person_id, s.planned_count,
           n.kind AS notice_kind, n.title, n.body, n.urgent, n.state, n.published_at
      FROM notice_sending s JOIN notice n ON n.id = s.notice_id
     WHERE s.id = $1 AND s.done_at IS NULL
       FOR UPDATE OF s FOR SHARE OF n
"""
# By the primary key. $3: everybody; else whoever has not read it and is in one of those houses on the date $5.
NEXT = """
    SELECT r.person_id FROM notice_recipient r
     WHERE r.notice_id = $1 AND ($2::uuid IS NULL OR r.person_id > $2)
       AND ($3 OR r.read_at IS NULL
                  AND EXISTS (SELECT FROM notice_tie t
                               WHERE t.person_id = r.person_id AND t.house_id = ANY (r.house_ids)
                                 AND t.starts_on <= $5 AND (t.ends_on IS NULL OR t.ends_on > $5)))
     ORDER BY r.person_id
     LIMIT $4
"""
STAND = "UPDATE notice_sending SET after_person_id = $2, planned_count = planned_count + $3, done_at = $4 WHERE id = $1"


async def begin(tx: Tx, notice: Record, *, kind: SendingKind) -> bool:
    """Begin a round and emit its first chunk; False where there is one already, today's in case of a reminder."""
    sending_id, on = uuid7(tx.now), tx.today
    named = "" if kind is SendingKind.PUBLICATION else f":{on}"
    made = await tx.fetchval(
        BEGIN, sending_id, notice["id"], notice["community_id"], kind, f"notice.{kind}:{notice['id']}{named}", on,
        tx.now,
    )  # fmt: skip
    if made is not None:
        _go_on(tx, sending_id, notice["community_id"])
    return made is not None


async def remind(tx: Tx, actor: Actor, *, notice_id: UUID, communities: Sequence[UUID]) -> None:
    """Write once more to who has not read it and has not moved out.

    Raises NotFound, Conflict `notice_not_published`, `reminded_today`.
    """
    row = await drafts.lock(tx, notice_id, communities)
    if row["state"] != NoticeState.PUBLISHED:
        raise Conflict("只有已发布、未撤回、未过期的公告可以提醒未读住户。", code="notice_not_published")
    if not await begin(tx, row, kind=SendingKind.REMINDER):
        raise Conflict("今天已经提醒过未读住户，每天最多提醒一次，请明天再试。", code="reminded_today")
    audit.record(
        tx, actor, action="notice.reminded", target=f"notice:{notice_id}", community_id=row["community_id"], after={}
    )


async def event_keys(tx: Tx, notice_id: UUID) -> list[str]:
    """The keys of all messages about a notice."""
    return [row["event_key"] for row in await tx.fetch(KEYS, notice_id)]


async def chunk(tx: Tx, sending_id: UUID) -> None:
    """Plan the messages to the next CHUNK persons, and emit what goes on; nothing for a round that is done."""
    row = await tx.fetchrow(LOCK, sending_id)
    if row is None:
        return
    if row["state"] != NoticeState.PUBLISHED:
        await tx.execute(STAND, sending_id, row["after_person_id"], 0, tx.now)
        return
    everybody = row["kind"] == SendingKind.PUBLICATION
    found = await tx.fetch(NEXT, row["notice_id"], row["after_person_id"], everybody, CHUNK, tx.today)
    person_ids = [one["person_id"] for one in found]
    planned = await _plan(tx, row, person_ids) if person_ids else 0
    await failpoint("notices.chunk_planned")
    over = len(person_ids) < CHUNK
    last = person_ids[-1] if person_ids else row["after_person_id"]
    await tx.execute(STAND, sending_id, last, planned, tx.now if over else None)
    if not over:
        _go_on(tx, sending_id, row["community_id"])


async def _plan(tx: Tx, row: Record, person_ids: Sequence[UUID]) -> int:
    [community] = await places.by_ids(tx, [row["community_id"]])
    text = Text(NoticeKind(row["notice_kind"]), row["title"], row["body"])
    kind = SendingKind(row["kind"])
    planned = await intents.plan_alike(
        tx, MEANINGS[kind], event_key=row["event_key"], community_id=row["community_id"], person_ids=person_ids,
        values=words.values(text, community=community.name, at=row["published_at"]),
        page=words.page(row["notice_id"]), urgent=row["urgent"] and kind is SendingKind.PUBLICATION,
    )  # fmt: skip
    return planned.count


def _go_on(tx: Tx, sending_id: UUID, community_id: UUID) -> None:
    outbox.emit(tx, GOES_ON, {"sending_id": str(sending_id)}, community_id=community_id, lane=Lane.BULK)
