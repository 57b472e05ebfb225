"""The ledger of consent to subscription messages (订阅授权): what people answered, what was used, what is left (D11).

One accepted answer is one send (wechat-miniprogram.md section 4.1). A credit is taken before the send, together with
the intent's move to SENDING, so that two messages never count on the same one; it comes back when WeChat surely sent
nothing, and all are gone when WeChat says that there is none (43101).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from backend.kernel.db import Batch, Reader, Tx
from backend.messaging import templates
from backend.messaging.templates import Channel

Answer = Literal["accept", "reject", "ban", "filter"]
Key = tuple[UUID, str]

ASK_AGAIN_AFTER = timedelta(days=30)
ENOUGH_CREDITS = 3
ASKED_AT_ONCE = 5

EVENT = Batch(
    table="message_consent_event",
    columns=(("person_id", "uuid"), ("template_id", "text"), ("event", "text"), ("at", "timestamptz")),
)

RECORD = """
    INSERT INTO message_consent AS c (person_id, template_id, credits, last_answer, answered_at)
    SELECT $1, template_id, (answer = 'accept')::int, answer, $4
      FROM unnest($2::text[], $3::text[]) AS given (template_id, answer)
     ORDER BY template_id
        ON CONFLICT (person_id, template_id) DO UPDATE
       SET credits = c.credits + EXCLUDED.credits, last_answer = EXCLUDED.last_answer,
           answered_at = EXCLUDED.answered_at
"""
LOCK = """
    SELECT person_id, template_id, credits
      FROM message_consent
     WHERE person_id = ANY($1::uuid[]) AND template_id = ANY($2::text[]) AND credits > 0
     ORDER BY person_id, template_id
       FOR UPDATE
"""
CHANGE = """
    UPDATE message_consent c
       SET credits = greatest(0, c.credits + given.step)
      FROM unnest($1::uuid[], $2::text[], $3::int[]) AS given (person_id, template_id, step)
     WHERE c.person_id = given.person_id AND c.template_id = given.template_id
"""
EXHAUST = """
    UPDATE message_consent c
       SET credits = 0
      FROM unnest($1::uuid[], $2::text[]) AS given (person_id, template_id)
     WHERE c.person_id = given.person_id AND c.template_id = given.template_id
"""
OF_PERSON = "SELECT template_id, credits, last_answer, answered_at FROM message_consent WHERE person_id = $1"


@dataclass(frozen=True, slots=True)
class Ask:
    """A template whose consent is worth asking at present."""

    template_id: str
    meaning: str
    credits: int


async def record(tx: Tx, *, person_id: UUID, appid: str, answers: Mapping[str, Answer]) -> int:
    """Keep what the phone answered, for templates that the app has; returns how many were kept."""
    known = {template.template_id for template in await templates.of_app(tx, appid, Channel.SUBSCRIPTION)}
    kept = {template_id: answer for template_id, answer in answers.items() if template_id in known}
    if kept:
        await tx.execute(RECORD, person_id, list(kept), list(kept.values()), tx.now)
    for template_id, answer in kept.items():
        tx.add(EVENT, person_id, template_id, answer, tx.now)
    return len(kept)


async def lock_credits(tx: Tx, *, person_ids: Collection[UUID], template_ids: Collection[str]) -> dict[Key, int]:
    """Credits left by (person, template), locked until the end of the transaction."""
    if not template_ids:
        return {}
    rows = await tx.fetch(LOCK, list(person_ids), list(template_ids))
    return {(row["person_id"], row["template_id"]): row["credits"] for row in rows}


async def use(tx: Tx, keys: Sequence[Key]) -> None:
    """Take one credit for each key; the caller holds the locks of `lock_credits`."""
    await _change(tx, keys, -1, "used")


async def give_back(tx: Tx, keys: Sequence[Key]) -> None:
    """Return one credit for each key: WeChat surely sent nothing."""
    await _change(tx, keys, 1, "returned")


async def exhaust(tx: Tx, keys: Iterable[Key]) -> None:
    """WeChat says that there is no consent left."""
    distinct = sorted(set(keys))
    if distinct:
        await tx.execute(EXHAUST, [person for person, _ in distinct], [template for _, template in distinct])
    for person_id, template_id in distinct:
        tx.add(EVENT, person_id, template_id, "exhausted", tx.now)


async def _change(tx: Tx, keys: Sequence[Key], step: int, event: str) -> None:
    total: dict[Key, int] = {}
    for key in keys:
        total[key] = total.get(key, 0) + step
        tx.add(EVENT, *key, event, tx.now)
    if total:
        ordered = sorted(total)
        people, template_ids = [person for person, _ in ordered], [template for _, template in ordered]
        await tx.execute(CHANGE, people, template_ids, [total[key] for key in ordered])


async def worth_asking(db: Reader, *, person_id: UUID, appid: str, now: datetime) -> list[Ask]:
    """Templates to ask for at the next tap, fewest credits first; at most five, as WeChat allows.

    Nothing is asked that is plentiful, or was refused, banned or filtered within the last ASK_AGAIN_AFTER.
    """
    held = {row["template_id"]: row for row in await db.fetch(OF_PERSON, person_id)}
    asks = []
    for template in await templates.of_app(db, appid, Channel.SUBSCRIPTION):
        row = held.get(template.template_id)
        refused = row is not None and row["last_answer"] != "accept" and row["answered_at"] > now - ASK_AGAIN_AFTER
        left = 0 if row is None else row["credits"]
        if not refused and left < ENOUGH_CREDITS:
            asks.append(Ask(template.template_id, template.meaning, left))
    return sorted(asks, key=lambda ask: (ask.credits, ask.meaning))[:ASKED_AT_ONCE]
