"""The first half of sending, one transaction: choose, reserve quota and credits, commit SENDING before any call (I-16).

What may not go now stays PENDING and comes back as a job of its own: when the quiet hours end, with its slots at their
time, or on the next morning after a day whose limit was reached.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from backend.kernel.clock import start_of_day
from backend.kernel.db import Record, Tx
from backend.messaging import consents, intents, quiet_hours, quotas, templates, withdrawing
from backend.messaging.choosing import Address, Delivery, Intent, Verdict, choose
from backend.messaging.meanings import MEANINGS
from backend.messaging.quiet_hours import Hours
from backend.messaging.quotas import Slots
from backend.messaging.states import IntentState
from backend.messaging.templates import Channel

Way = tuple[str, Channel]

SOON = timedelta(seconds=2)
EARLY = timedelta(seconds=1)
LATE = timedelta(milliseconds=500)
MORNING = timedelta(hours=9)

# The quiet hours of the community, else of the company.
LOCK = """
    SELECT i.id, c.company_id, i.person_id, i.meaning, i.values_shown, i.page, i.state, i.channel, i.appid, i.openid,
           i.template_id, i.first_sent_at, i.attempt, i.urgent,
           coalesce(own.begins, common.begins) AS begins, coalesce(own.ends, common.ends) AS ends
      FROM message_intent i JOIN company_community c ON c.community_id = i.community_id
      LEFT JOIN message_quiet_hours own ON own.company_id = c.company_id AND own.community_id = i.community_id
      LEFT JOIN message_quiet_hours common ON common.company_id = c.company_id AND common.community_id IS NULL
     WHERE i.id = ANY($1::uuid[]) AND i.state IN ('PENDING', 'SENDING')
     ORDER BY i.id
       FOR UPDATE OF i
"""
ADDRESSES = """
    SELECT person_id, appid, openid, reachable FROM message_address
     WHERE person_id = ANY($1::uuid[])
     ORDER BY person_id, appid, openid
"""
# `= ANY` beside the join keeps the planner from reading the whole table while it is small.
BEGIN = """
    UPDATE message_intent i
       SET state = 'SENDING', channel = g.channel, appid = g.appid, openid = g.openid, template_id = g.template_id,
           attempt = g.attempt, first_sent_at = coalesce(i.first_sent_at, $7), errcode = NULL, error = NULL
      FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::integer[])
           AS g (id, channel, appid, openid, template_id, attempt)
     WHERE i.id = g.id AND i.id = ANY($1::uuid[])
"""
END = """
    UPDATE message_intent i
       SET state = g.state, error = g.why, finished_at = $4
      FROM unnest($1::uuid[], $2::text[], $3::text[]) AS g (id, state, why)
     WHERE i.id = g.id
"""


@dataclass(frozen=True, slots=True)
class Timed:
    """A delivery and the instant from which it may go."""

    delivery: Delivery
    at: datetime


async def prepare(
    tx: Tx, intent_ids: Sequence[UUID], *, community_id: UUID, reserved: Mapping[str, Any]
) -> list[Timed]:
    """Move what can go now to SENDING and return it; end or postpone the rest.

    All belong to one community. `reserved` are slots that this job took when it was postponed.
    """
    await withdrawing.end(tx, intent_ids)
    rows = await tx.fetch(LOCK, list(intent_ids))
    if not rows:
        return []
    quiet_until = _hours(rows[0]).end_after(tx.now)
    waiting = [] if quiet_until is None else [row["id"] for row in rows if _can_wait(row)]
    if waiting:
        intents.request_sending(tx, waiting, community_id=community_id, run_at=quiet_until)
    held = set(waiting)
    locked = [_intent(row) for row in rows if row["id"] not in held]
    deliveries, verdicts = await _choices(tx, locked) if locked else ([], [])
    await _end(tx, verdicts)
    going: list[Timed] = []
    for way in sorted({(one.appid, one.channel) for one in deliveries}):
        group = [one for one in deliveries if (one.appid, one.channel) == way]
        going += await _schedule(tx, way, group, community_id, reserved)
    await _begin(tx, [timed.delivery for timed in going])
    return going


def _hours(row: Record) -> Hours:
    return quiet_hours.USUAL if row["begins"] is None else Hours(row["begins"], row["ends"])


def _can_wait(row: Record) -> bool:
    """What is under way is not held up: its key is recognised for ten minutes, and it may have arrived already."""
    meaning = MEANINGS.get(row["meaning"])
    at_once = row["urgent"] or (meaning is not None and meaning.at_once)
    return not at_once and row["state"] == IntentState.PENDING


async def _choices(tx: Tx, locked: Sequence[Intent]) -> tuple[list[Delivery], list[tuple[UUID, Verdict]]]:
    offered = await templates.of_companies(tx, {intent.company_id for intent in locked})
    people = {intent.person_id for intent in locked}
    addresses: dict[UUID, list[Address]] = {}
    for row in await tx.fetch(ADDRESSES, list(people)):
        address = Address(row["appid"], row["openid"], row["reachable"])
        addresses.setdefault(row["person_id"], []).append(address)
    wanted = {template.template_id for template in offered if template.channel is Channel.SUBSCRIPTION}
    credits = await consents.lock_credits(tx, person_ids=people, template_ids=wanted)
    deliveries: list[Delivery] = []
    verdicts: list[tuple[UUID, Verdict]] = []
    for intent in locked:
        choice = choose(intent, offered, addresses.get(intent.person_id, ()), credits, tx.now)
        if isinstance(choice, Verdict):
            verdicts.append((intent.id, choice))
        else:
            deliveries.append(choice)
    return deliveries, verdicts


async def _schedule(
    tx: Tx, way: Way, group: Sequence[Delivery], community_id: UUID, reserved: Mapping[str, Any]
) -> list[Timed]:
    """The deliveries of one app and channel that go now; the others are postponed."""
    slots = _kept(reserved.get(_name(way)), tx.now) or await quotas.reserve(tx, *way, len(group))
    going, rest = group[: slots.count], group[slots.count :]
    if slots.start_at > tx.now + SOON:
        _postpone(tx, going, community_id, slots.start_at - EARLY, {_name(way): _written(slots)})
        going = ()
    if rest:
        full = slots.count == 0
        next_at = tomorrow_morning(tx) if full else slots.start_at + timedelta(seconds=slots.count * slots.interval_s)
        _postpone(tx, rest, community_id, next_at, {})
    interval = timedelta(seconds=slots.interval_s)
    return [Timed(one, slots.start_at + number * interval) for number, one in enumerate(going)]


def tomorrow_morning(tx: Tx) -> datetime:
    """When messages go again after a day whose limit was reached."""
    return start_of_day(tx.today + timedelta(days=1)) + MORNING


def _postpone(tx: Tx, group: Sequence[Delivery], community_id: UUID, at: datetime, reserved: Mapping[str, Any]) -> None:
    intent_ids = [one.intent_id for one in group]
    intents.request_sending(tx, intent_ids, community_id=community_id, run_at=at, reserved=reserved)


def _name(way: Way) -> str:
    return f"{way[1]}/{way[0]}"


def _written(slots: Slots) -> list[Any]:
    return [slots.count, slots.start_at.isoformat(), slots.interval_s]


def _kept(written: Any, now: datetime) -> Slots | None:
    """Slots reserved earlier, unless their time has passed."""
    if written is None:
        return None
    count, start_at, interval_s = int(written[0]), datetime.fromisoformat(written[1]), float(written[2])
    return Slots(count, start_at, interval_s) if now <= start_at + LATE else None


async def _begin(tx: Tx, deliveries: Sequence[Delivery]) -> None:
    if not deliveries:
        return
    await tx.execute(
        BEGIN,
        [one.intent_id for one in deliveries],
        [one.channel for one in deliveries],
        [one.appid for one in deliveries],
        [one.openid for one in deliveries],
        [one.template_id for one in deliveries],
        [one.attempt for one in deliveries],
        tx.now,
    )
    await consents.use(tx, [one.credit for one in deliveries if one.channel is Channel.SUBSCRIPTION])


async def _end(tx: Tx, verdicts: Sequence[tuple[UUID, Verdict]]) -> None:
    if verdicts:
        ids, states = [intent_id for intent_id, _ in verdicts], [verdict.state for _, verdict in verdicts]
        await tx.execute(END, ids, states, [verdict.why for _, verdict in verdicts], tx.now)


def _intent(row: Record) -> Intent:
    return Intent(
        id=row["id"],
        company_id=row["company_id"],
        person_id=row["person_id"],
        meaning=row["meaning"],
        values=row["values_shown"],
        page=row["page"],
        state=IntentState(row["state"]),
        channel=Channel(row["channel"]) if row["channel"] else None,
        appid=row["appid"],
        openid=row["openid"],
        template_id=row["template_id"],
        first_sent_at=row["first_sent_at"],
        attempt=row["attempt"],
    )
