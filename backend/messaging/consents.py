"""The ledger of consent to subscription messages (订阅授权): what people answered, what was used, what is left (D11).

One accepted answer is one send (wechat-miniprogram.md section 4.1). A credit is taken before the send, together with
the intent's move to SENDING, so that two messages never count on the same one; it comes back when WeChat surely sent
nothing, and all are gone when WeChat says that there is none (43101).

The same answer reaches us twice: the phone reports it, and WeChat pushes it (section 4.3). Neither is sure to come, so
either counts, and the other only seconds it: an answer of the same kind from the other source, given within SAME_WITHIN
and not seconded yet, is the same one. A withdrawal in WeChat's own settings takes all credits away.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Literal
from uuid import UUID

from backend.kernel.db import Batch, Reader, Record, Tx
from backend.messaging import templates
from backend.messaging.templates import Channel, Template

Answer = Literal["accept", "reject", "ban", "filter"]
Key = tuple[UUID, str]

SAME_WITHIN = timedelta(minutes=10)
ASK_AGAIN_AFTER = timedelta(days=30)
ENOUGH_CREDITS = 3
ASKED_AT_ONCE = 5
EVER = datetime(1970, 1, 1, tzinfo=UTC)


class Source(StrEnum):
    """Who told an answer."""

    PHONE = "phone"
    WECHAT = "wechat"


class Standing(StrEnum):
    """How a person stands to a template: what there is, or why there is nothing."""

    GRANTED = "granted"
    USED = "used"
    REFUSED = "refused"
    EXPIRED = "expired"
    NEVER_ASKED = "never_asked"


EVENT = Batch(
    table="message_consent_event",
    columns=(
        ("person_id", "uuid"),
        ("template_id", "text"),
        ("event", "text"),
        ("at", "timestamptz"),
        ("source", "text"),
        ("seconds", "bigint"),
    ),
)

# Locks the rows, which is what makes two reports of one answer meet; the newest answer is the one that stands.
HEAR = """
    INSERT INTO message_consent AS c (person_id, template_id, credits, last_answer, answered_at)
    SELECT $1, template_id, 0, answer, $4
      FROM unnest($2::text[], $3::text[]) AS given (template_id, answer)
     ORDER BY template_id
        ON CONFLICT (person_id, template_id) DO UPDATE
       SET last_answer = CASE WHEN EXCLUDED.answered_at >= c.answered_at THEN EXCLUDED.last_answer
                              ELSE c.last_answer END,
           answered_at = greatest(c.answered_at, EXCLUDED.answered_at)
"""
# Uses message_consent_event_person.
HEARD = """
    SELECT DISTINCT ON (e.template_id) e.template_id, e.id
      FROM message_consent_event e
      JOIN unnest($2::text[], $3::text[]) AS given (template_id, answer)
        ON given.template_id = e.template_id AND given.answer = e.event
     WHERE e.person_id = $1 AND e.source <> $4 AND e.seconds IS NULL AND e.at BETWEEN $5 AND $6
       AND NOT EXISTS (SELECT FROM message_consent_event s WHERE s.seconds = e.id)
     ORDER BY e.template_id, e.at, e.id
"""
GRANT = """
    UPDATE message_consent SET credits = credits + 1, exhausted_at = NULL
     WHERE person_id = $1 AND template_id = ANY($2::text[])
"""
REVOKE = """
    INSERT INTO message_consent AS c (person_id, template_id, credits, last_answer, answered_at)
    SELECT $1, template_id, 0, 'reject', $3
      FROM unnest($2::text[]) AS given (template_id)
     ORDER BY template_id
        ON CONFLICT (person_id, template_id) DO UPDATE
       SET credits = 0, last_answer = 'reject', answered_at = EXCLUDED.answered_at
     WHERE c.answered_at <= EXCLUDED.answered_at
 RETURNING template_id
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
       SET credits = 0, exhausted_at = $3
      FROM unnest($1::uuid[], $2::text[]) AS given (person_id, template_id)
     WHERE c.person_id = given.person_id AND c.template_id = given.template_id
"""
OF_PERSON = """
    SELECT template_id, credits, last_answer, answered_at, exhausted_at FROM message_consent WHERE person_id = $1
"""


@dataclass(frozen=True, slots=True)
class Consent:
    """What a person allows by a template. `ask_from`: since when asking is worthwhile; None: not while it is so."""

    template_id: str
    meaning: str
    credits: int
    standing: Standing
    ask_from: datetime | None


async def record(
    tx: Tx,
    *,
    person_id: UUID,
    appid: str,
    answers: Mapping[str, Answer],
    source: Source = Source.PHONE,
    at: datetime | None = None,
) -> int:
    """Keep what a person answered, `at` a moment that WeChat tells or now, for templates that the app has.

    Returns how many were kept. One that the other source has told already counts no second time.
    """
    known = await _known(tx, appid)
    kept = {template_id: answer for template_id, answer in answers.items() if template_id in known}
    if not kept:
        return 0
    at = at or tx.now
    given = list(kept), list(kept.values())
    await tx.execute(HEAR, person_id, *given, at)
    rows = await tx.fetch(HEARD, person_id, *given, source, at - SAME_WITHIN, at + SAME_WITHIN)
    heard = {row["template_id"]: row["id"] for row in rows}
    granted = [template_id for template_id, answer in kept.items() if answer == "accept" and template_id not in heard]
    if granted:
        await tx.execute(GRANT, person_id, granted)
    for template_id, answer in kept.items():
        tx.add(EVENT, person_id, template_id, answer, at, source, heard.get(template_id))
    return len(kept)


async def revoke(tx: Tx, *, person_id: UUID, appid: str, template_ids: Collection[str], at: datetime) -> None:
    """The person has taken consent back in WeChat's settings; an answer given after `at` stands."""
    kept = sorted(await _known(tx, appid) & set(template_ids))
    if kept:
        for row in await tx.fetch(REVOKE, person_id, kept, at):
            tx.add(EVENT, person_id, row["template_id"], "revoked", at, Source.WECHAT, None)


async def _known(tx: Tx, appid: str) -> set[str]:
    return {template.template_id for template in await templates.of_app(tx, appid, Channel.SUBSCRIPTION)}


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
        people, template_ids = [person for person, _ in distinct], [template for _, template in distinct]
        await tx.execute(EXHAUST, people, template_ids, tx.now)
    for person_id, template_id in distinct:
        tx.add(EVENT, person_id, template_id, "exhausted", tx.now, None, None)


async def _change(tx: Tx, keys: Sequence[Key], step: int, event: str) -> None:
    total: dict[Key, int] = {}
    for key in keys:
        total[key] = total.get(key, 0) + step
        tx.add(EVENT, *key, event, tx.now, None, None)
    if total:
        ordered = sorted(total)
        people, template_ids = [person for person, _ in ordered], [template for _, template in ordered]
        await tx.execute(CHANGE, people, template_ids, [total[key] for key in ordered])


async def of_person(db: Reader, *, person_id: UUID, appid: str) -> list[Consent]:
    """How the person stands to every template of the app that has a consent."""
    held = {row["template_id"]: row for row in await db.fetch(OF_PERSON, person_id)}
    offered = await templates.of_app(db, appid, Channel.SUBSCRIPTION)
    return [_consent(template, held.get(template.template_id)) for template in offered]


def worth_asking(held: Sequence[Consent], now: datetime) -> list[Consent]:
    """Templates to ask for at the next tap, fewest credits first; at most five, as WeChat allows.

    Nothing is asked that is plentiful, or was refused, banned or filtered within the last ASK_AGAIN_AFTER.
    """
    asks = [one for one in held if one.ask_from is not None and one.ask_from <= now]
    return sorted(asks, key=lambda ask: (ask.credits, ask.meaning))[:ASKED_AT_ONCE]


def _consent(template: Template, row: Record | None) -> Consent:
    if row is None:
        return Consent(template.template_id, template.meaning, 0, Standing.NEVER_ASKED, EVER)
    ask_from: datetime | None = row["answered_at"]
    if row["last_answer"] != "accept":
        standing, ask_from = Standing.REFUSED, row["answered_at"] + ASK_AGAIN_AFTER
    elif row["credits"] > 0:
        standing = Standing.GRANTED
    else:
        standing = Standing.EXPIRED if row["exhausted_at"] is not None else Standing.USED
    if row["credits"] >= ENOUGH_CREDITS:
        ask_from = None
    return Consent(template.template_id, template.meaning, row["credits"], standing, ask_from)
