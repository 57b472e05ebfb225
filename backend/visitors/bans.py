"""Visitors who are not let in (访客黑名单), of a community, by phone, number of an identity card, or plate (D10).

Promises: a ban counts from its commit on, for passes that exist already too, until it is lifted or ends by itself; of
one value one ban is live (unique in the database); putting on and lifting is audited with its reason (I-22).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from backend.identity.people import blind_phone, phone_of
from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.crypto import Context, Keyring
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import Conflict, Invalid, NotFound
from backend.kernel.ids import uuid7
from backend.kernel.personal import mask_phone
from backend.parking import plates, vehicles
from backend.visitors import guests
from backend.visitors.states import BanKind

TABLE, COLUMN = "visitor_ban", "value_sealed"

INSERT = """
    INSERT INTO visitor_ban (id, community_id, kind, value_sealed, value_blind, reason, until_at, created_by,
                             created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (community_id, kind, value_blind) WHERE lifted_at IS NULL DO NOTHING
 RETURNING id
"""

# Ends what has ended by itself, so that the same value may be banned anew.
LAPSE = """
    UPDATE visitor_ban SET lifted_at = until_at, lifted_by = created_by
     WHERE community_id = $1 AND kind = $2 AND value_blind = $3 AND lifted_at IS NULL AND until_at <= $4
"""

# Index visitor_ban_ends. The rows' change tells gates without a network (linli_visitor_gates_hear_ban).
LAPSE_ALL = """
    WITH over AS (
        SELECT id FROM visitor_ban WHERE lifted_at IS NULL AND until_at <= $1
         ORDER BY until_at, id LIMIT $2 FOR UPDATE SKIP LOCKED)
    UPDATE visitor_ban b SET lifted_at = b.until_at, lifted_by = b.created_by FROM over WHERE b.id = over.id
"""

LIFT = """
    UPDATE visitor_ban SET lifted_at = $3, lifted_by = $4
     WHERE id = $1 AND community_id = ANY ($2::uuid[]) AND lifted_at IS NULL
 RETURNING community_id, kind
"""

KNOWN = "SELECT 1 FROM visitor_ban WHERE id = $1 AND community_id = ANY ($2::uuid[])"

# Index visitor_ban_list.
OF_COMMUNITY = """
    SELECT id, kind, value_sealed, reason, until_at, created_at FROM visitor_ban
     WHERE community_id = $1 AND lifted_at IS NULL AND (until_at IS NULL OR until_at > $2)
       AND ($3::uuid IS NULL OR id < $3)
     ORDER BY id DESC
     LIMIT $4
"""

# Index visitor_ban_once.
BANNED = """
    SELECT reason FROM visitor_ban
     WHERE community_id = $1 AND lifted_at IS NULL AND (until_at IS NULL OR until_at > $2)
       AND (kind, value_blind) IN (('phone', $3), ('plate', $4), ('id_number', $5))
     LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Banned:
    """A ban that has come into being."""

    id: UUID


@dataclass(frozen=True, slots=True)
class NewBan:
    """Whom to ban, why, and until when (None: until it is lifted)."""

    kind: BanKind
    value: str
    reason: str
    until_at: datetime | None


async def put(tx: Tx, actor: Actor, *, keyring: Keyring, community_id: UUID, new: NewBan) -> Banned:
    """Ban a visitor from a community that the caller has found in scope; Invalid, Conflict `banned_already`."""
    if new.until_at is not None and new.until_at <= tx.now:
        raise Invalid("截止时间必须晚于现在。", fields=[{"field": "until_at"}])
    value, blind = _value(keyring, new)
    ban_id = uuid7(tx.now)
    await tx.execute(LAPSE, community_id, new.kind.value, blind, tx.now)
    made = await tx.fetchval(
        INSERT, ban_id, community_id, new.kind.value, keyring.seal(value, Context(TABLE, COLUMN, ban_id)), blind,
        new.reason, new.until_at, actor.id, tx.now,
    )  # fmt: skip
    if made is None:
        raise Conflict("这个号码已经在黑名单上。", code="banned_already")
    audit.record(
        tx, actor, action="visitor.banned", target=f"visitor_ban:{ban_id}", community_id=community_id,
        reason=new.reason, after={"kind": new.kind.value, "until_at": new.until_at and new.until_at.isoformat()},
    )  # fmt: skip
    return Banned(ban_id)


async def lift(tx: Tx, actor: Actor, *, ban_id: UUID, communities: Sequence[UUID], reason: str) -> None:
    """Take a ban off again; NotFound, Conflict `lifted_already`."""
    row = await tx.fetchrow(LIFT, ban_id, list(communities), tx.now, actor.id)
    if row is None:
        if await tx.fetchval(KNOWN, ban_id, list(communities)) is None:
            raise NotFound
        raise Conflict("这条黑名单记录已经解除。", code="lifted_already")
    audit.record(
        tx, actor, action="visitor.ban_lifted", target=f"visitor_ban:{ban_id}", community_id=row["community_id"],
        reason=reason, before={"kind": row["kind"]},
    )  # fmt: skip


async def lapse(tx: Tx, *, limit: int) -> int:
    """Take off what has ended by itself, so that gates hear of it; how many."""
    return int((await tx.execute(LAPSE_ALL, tx.now, limit)).rsplit(" ", 1)[-1])


async def require_none(
    tx: Tx, community_id: UUID, *, phone: bytes | None, plate: bytes | None, number: bytes | None = None
) -> None:
    """Conflict `banned` where the phone, plate or number of these blind indexes is banned in the community."""
    if await tx.fetchval(BANNED, community_id, tx.now, phone, plate, number) is not None:
        raise Conflict("访客或车辆在本小区的黑名单上，不能登记或放行，请联系管理处。", code="banned")


async def of_community(
    db: Reader, community_id: UUID, *, at: datetime, before: UUID | None, limit: int
) -> list[Record]:
    """The live bans of a community that the caller has found in scope, newest first."""
    return await db.fetch(OF_COMMUNITY, community_id, at, before, limit)


def shown(keyring: Keyring, row: Record) -> str:
    """The masked value of a ban."""
    value = keyring.open(bytes(row["value_sealed"]), Context(TABLE, COLUMN, row["id"]))
    masks = {BanKind.PHONE: mask_phone, BanKind.PLATE: plates.mask, BanKind.ID_NUMBER: _mask_number}
    return masks[BanKind(row["kind"])](value)


def _mask_number(number: str) -> str:
    return f"{number[:2]}{'*' * (len(number) - 4)}{number[-2:]}"


def _value(keyring: Keyring, new: NewBan) -> tuple[str, bytes]:
    """The one written form of what is banned, and its blind index."""
    if new.kind is BanKind.PHONE:
        phone = phone_of(new.value)
        return phone, blind_phone(keyring, phone)
    if new.kind is BanKind.PLATE:
        plate = vehicles.required(new.value)
        return plate, vehicles.blinds(keyring, plate).whole
    number = guests.id_number_of(new.value)
    return number, guests.blind_id_number(keyring, number)
