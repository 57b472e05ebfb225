"""A ticket comes in (提交工单): by a resident, for a house or a public area, within the day's limits (R6, R7, D9)."""

from dataclasses import dataclass
from uuid import UUID

from backend.kernel.audit import Actor
from backend.kernel.clock import start_of_day
from backend.kernel.crypto import Keyring
from backend.kernel.db import Record, Tx
from backend.kernel.errors import Invalid, NotFound, TooMany
from backend.kernel.ids import uuid7
from backend.tickets import categories, clocks, machine, rules
from backend.tickets.complaints import register
from backend.tickets.complaints.register import NO_PARTICULARS, Particulars
from backend.tickets.complaints.words import ANSWERED
from backend.tickets.moves import Move
from backend.tickets.states import Channel, Kind, State
from backend.tickets.step import Asked

# Held to the commit: of two that one resident sends at once, the second counts the first.
HOLD_PERSON = "SELECT pg_advisory_xact_lock(hashtextextended('linli.ticket.person:' || $1::uuid::text, 0))"

# Indexes ticket_by_person and ticket_reporter_person.
OF_TODAY = """
    SELECT count(*) AS of_all, count(*) FILTER (WHERE category_id = $3) AS of_category
      FROM ticket
     WHERE (person_id = $1 OR id = ANY (ARRAY(SELECT ticket_id FROM ticket_reporter WHERE person_id = $1)))
       AND submitted_at >= $2
"""

BUILDING = "SELECT 1 FROM ticket_building WHERE id = $1 AND community_id = $2"

INSERT = """
    INSERT INTO ticket (id, community_id, category_id, kind, state, channel, house_id, person_id, place, description,
                        urgent, submitted_at, moved_at, building_id, anonymous)
    VALUES ($1, $2, $3, $4, 'SUBMITTED', $5, $6, $7, $8, $9, $10, $11, $11,
            coalesce((SELECT building_id FROM ticket_house WHERE id = $6), $12), $13)
 RETURNING *
"""


NOWHERE = "未注明地点"


@dataclass(frozen=True, slots=True)
class New:
    """What is reported. `house_id` None: of a public area, at `place`, in a building or outside."""

    community_id: UUID
    category_id: UUID
    house_id: UUID | None
    place: str | None
    description: str
    urgent: bool = False
    media_ids: tuple[UUID, ...] = ()
    building_id: UUID | None = None
    particulars: Particulars = NO_PARTICULARS


@dataclass(frozen=True, slots=True)
class Submitted:
    """The ticket and the number that people say."""

    ticket_id: UUID
    no: int


async def submit(
    tx: Tx,
    actor: Actor,
    *,
    new: New,
    person_id: UUID | None,
    channel: Channel = Channel.MINIPROGRAM,
    keyring: Keyring | None = None,
) -> Submitted:
    """A new ticket; the caller has found the house, or the community, in scope.

    Who reports anonymously is kept apart from the ticket. Raises NotFound for the category and the building, Invalid
    `place_required`, `not_anonymous`, TooMany `too_many_tickets`.
    """
    category = await categories.open_in(tx, new.category_id, community_id=new.community_id)
    house_id = None if category["kind"] == Kind.REPAIR_PUBLIC else new.house_id
    hidden, place = new.particulars.anonymous, new.place
    if hidden and category["kind"] not in ANSWERED:
        raise Invalid("报修需要上门联系，不能匿名提交。", code="not_anonymous")
    if hidden:
        place = place or NOWHERE
    elif house_id is None and not (place or "").strip():
        problem = "公共区域的报修请写明地点，例如“3栋2单元电梯口”。"
        raise Invalid(problem, code="place_required", fields=[{"field": "place", "message": problem}])
    if new.building_id is not None and await tx.fetchval(BUILDING, new.building_id, new.community_id) is None:
        raise NotFound
    if person_id is not None:
        await _require_room(tx, person_id, category, new.community_id)
    ticket = await tx.fetchrow(
        INSERT, uuid7(tx.now), new.community_id, category["id"], category["kind"], channel,
        None if hidden else house_id, None if hidden else person_id, place, new.description, new.urgent, tx.now,
        None if hidden else new.building_id, hidden,
    )  # fmt: skip
    assert ticket is not None
    if category["kind"] in ANSWERED:
        await register.enter(tx, ticket, particulars=new.particulars, keyring=keyring)
    if hidden and person_id is not None and house_id is not None:
        await register.remember(tx, ticket, person_id=person_id, house_id=house_id)
    await clocks.start(tx, ticket, category, started_at=tx.now)
    asked = Asked(media_ids=new.media_ids)
    await machine.leave_trace(tx, actor, ticket, name=Move.SUBMIT, before=None, after=State.SUBMITTED, asked=asked)
    return Submitted(ticket["id"], ticket["no"])


async def _require_room(tx: Tx, person_id: UUID, category: Record, community_id: UUID) -> None:
    """One more ticket of the person today, in all and in the category; TooMany `too_many_tickets`."""
    await tx.execute(HOLD_PERSON, person_id)
    limit = (await rules.of_community(tx, community_id)).resident_daily
    today = await tx.fetchrow(OF_TODAY, person_id, start_of_day(tx.today), category["id"])
    assert today is not None
    if today["of_all"] >= limit:
        raise TooMany(f"您今天已提交 {limit} 张工单，请明天再提交，紧急情况请致电物业。", code="too_many_tickets")
    if category["daily"] is not None and today["of_category"] >= category["daily"]:
        told = f"您今天已提交 {category['daily']} 张“{category['name']}”工单，请明天再提交，紧急情况请致电物业。"
        raise TooMany(told, code="too_many_tickets")
