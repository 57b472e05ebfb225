"""Goods that leave (物品放行条): a resident asks, the property approves by its rule, a guard checks off (D10).

Promises: a permit is checked off once, by one conditional update, only while it is approved and in its window; the
check is audited (I-22).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from backend.kernel import approvals, audit
from backend.kernel.audit import SYSTEM, Actor
from backend.kernel.auth import HouseScope, Tie
from backend.kernel.crypto import Keyring
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from backend.kernel.ids import uuid7
from backend.visitors import gates, guests, rules, telling
from backend.visitors.guests import Guest
from backend.visitors.states import GoodsState

TABLE = "goods_permit"
APPROVAL = "visitor.goods"
LONGEST = timedelta(days=7)

INSERT = """
    INSERT INTO goods_permit (id, community_id, house_id, asked_by, state, goods, name_sealed, plate_sealed, valid_from,
                              valid_until, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""

LOCK_SCOPED = """
    SELECT * FROM goods_permit
     WHERE id = $1 AND (house_id = ANY ($2::uuid[]) OR (house_id = ANY ($3::uuid[]) AND asked_by = $4)) FOR UPDATE
"""
LOCK = "SELECT * FROM goods_permit WHERE id = $1 FOR UPDATE"

MOVE = "UPDATE goods_permit SET state = $2 WHERE id = $1"

# Index approval_visitor.
PENDING = "SELECT id FROM approval WHERE kind = 'visitor.goods' AND target = $1 AND state = 'PENDING'"

# Of two guards at once the second finds it checked off.
CHECK_OFF = """
    UPDATE goods_permit SET state = 'CHECKED_OFF', gate_id = $3, checked_by = $4, checked_at = $5
     WHERE id = $1 AND community_id = $2 AND state = 'APPROVED' AND valid_from <= $5 AND valid_until > $5
 RETURNING id
"""

ONE = "SELECT state, valid_from, valid_until FROM goods_permit WHERE id = $1 AND community_id = ANY ($2::uuid[])"

# Index goods_permit_live.
EXPIRE = """
    WITH due AS (
        SELECT id FROM goods_permit WHERE state IN ('PENDING', 'APPROVED') AND valid_until <= $1
         ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED)
    UPDATE goods_permit p SET state = 'EXPIRED' FROM due WHERE p.id = due.id
"""

# Index goods_permit_house.
OF_HOUSES = """
    SELECT p.*, NULL::bytea AS phone_sealed, h.label AS house
      FROM goods_permit p JOIN visitor_house h ON h.id = p.house_id
     WHERE p.house_id = ANY ($1::uuid[]) OR (p.house_id = ANY ($2::uuid[]) AND p.asked_by = $3)
     ORDER BY p.created_at DESC, p.id DESC
     LIMIT 50
"""

# Index goods_permit_live.
LIVE = """
    SELECT p.*, NULL::bytea AS phone_sealed, h.label AS house
      FROM goods_permit p JOIN visitor_house h ON h.id = p.house_id
     WHERE p.community_id = $1 AND p.state = 'APPROVED' AND p.valid_until > $2
     ORDER BY p.valid_from, p.id
     LIMIT 100
"""

CANCEL_WAITING = """
    UPDATE goods_permit SET state = 'CANCELLED'
     WHERE house_id = $1 AND asked_by = $2 AND state = 'PENDING'
"""


@dataclass(frozen=True, slots=True)
class NewPermit:
    """What leaves, with whom, and when."""

    goods: str
    carrier: Guest
    valid_from: datetime
    valid_until: datetime


@dataclass(frozen=True, slots=True)
class Asked:
    """A permit that was asked for."""

    id: UUID
    state: GoodsState


async def ask(tx: Tx, actor: Actor, *, keyring: Keyring, tie: Tie, person_id: UUID, new: NewPermit) -> Asked:
    """Ask for goods to leave from the house of a tie; Invalid for the window."""
    if new.valid_until <= new.valid_from or new.valid_until <= tx.now:
        raise Invalid("结束时间必须晚于开始时间，也必须晚于现在。", fields=[{"field": "valid_until"}])
    if new.valid_until - new.valid_from > LONGEST:
        raise Invalid(f"放行条最长 {LONGEST.days} 天。", fields=[{"field": "valid_until"}])
    permit_id = uuid7(tx.now)
    waits = (await rules.of(tx, tie.community_id)).goods_approval
    state = GoodsState.PENDING if waits else GoodsState.APPROVED
    sealed = guests.seal(keyring, new.carrier, table=TABLE, row_id=permit_id)
    await tx.execute(
        INSERT, permit_id, tie.community_id, tie.house_id, person_id, state.value, new.goods, sealed.name_sealed,
        sealed.plate_sealed, new.valid_from, new.valid_until, tx.now,
    )  # fmt: skip
    if waits:
        await approvals.propose(
            tx, actor, kind=APPROVAL, target=f"{TABLE}:{permit_id}", community_id=tie.community_id,
            payload={"permit_id": str(permit_id), "house_id": str(tie.house_id)},
            shown={
                "before": {},
                "after": {
                    "房屋": await telling.house_label(tx, tie.house_id), "物品": new.goods,
                    "时间": f"{telling.minute(new.valid_from)} 至 {telling.minute(new.valid_until)}",
                },
            },
            reason="住户申请物品放行",
        )  # fmt: skip
    return Asked(permit_id, state)


async def cancel(tx: Tx, actor: Actor, *, permit_id: UUID, scope: HouseScope) -> None:
    """A resident takes a permit back; NotFound, Conflict `permit_ended`, Forbidden for another's that waits."""
    row = await tx.fetchrow(LOCK_SCOPED, permit_id, list(scope.full), list(scope.tenant), scope.person_id)
    if row is None:
        raise NotFound
    if row["state"] not in (GoodsState.PENDING, GoodsState.APPROVED):
        raise Conflict("这张放行条已经结束，不需要取消。", code="permit_ended")
    if row["state"] == GoodsState.PENDING and row["asked_by"] != actor.id:
        raise Forbidden("只有提交申请的人可以撤回等待审批的放行条。", code="not_yours")
    await tx.execute(MOVE, permit_id, GoodsState.CANCELLED.value)
    if row["state"] == GoodsState.PENDING:
        await approvals.withdraw(tx, actor, await tx.fetchval(PENDING, f"{TABLE}:{permit_id}"), kinds={})


async def decided(tx: Tx, actor: Actor, permit_id: UUID, *, approved: bool) -> bool:
    """What was decided about a permit that waits; False where it waits no longer. The resident is told."""
    row = await tx.fetchrow(LOCK, permit_id)
    if row is None or row["state"] != GoodsState.PENDING or (approved and row["valid_until"] <= tx.now):
        return False
    nobody = actor.kind == SYSTEM.kind
    state = GoodsState.APPROVED if approved else GoodsState.EXPIRED if nobody else GoodsState.REJECTED
    await tx.execute(MOVE, permit_id, state.value)
    result = "已批准，请在搬出时向门岗出示" if approved else "无人审批，已过期" if nobody else "未批准"
    await telling.changed(tx, row, asked_by=row["asked_by"], subject="物品放行条", result=result, key="decided")
    return True


async def check_off(tx: Tx, actor: Actor, *, permit_id: UUID, gate_id: UUID, communities: Sequence[UUID]) -> None:
    """The goods have left by a gate; NotFound, Conflict `checked_off_already`, `permit_not_valid`."""
    gate = await gates.one(tx, gate_id, communities=communities)
    done = await tx.fetchval(CHECK_OFF, permit_id, gate["community_id"], gate_id, actor.id, tx.now)
    if done is None:
        row = await tx.fetchrow(ONE, permit_id, [gate["community_id"]])
        if row is None:
            raise NotFound
        if row["state"] == GoodsState.CHECKED_OFF:
            raise Conflict("这张放行条已经核销过，不能再次放行。", code="checked_off_already")
        raise Conflict("这张放行条未批准、已结束，或不在放行时间内。", code="permit_not_valid")
    audit.record(
        tx, actor, action="visitor.goods_checked_off", target=f"{TABLE}:{permit_id}",
        community_id=gate["community_id"], after={"gate_id": str(gate_id)},
    )  # fmt: skip


async def end_of_person(tx: Tx, *, house_id: UUID, person_id: UUID) -> None:
    """Cancel what somebody who has moved out still waits for; what was approved stays, it is for moving out."""
    await tx.execute(CANCEL_WAITING, house_id, person_id)


async def expire(tx: Tx, *, limit: int) -> None:
    """Mark permits whose window has ended."""
    await tx.execute(EXPIRE, tx.now, limit)


async def of_houses(db: Reader, scope: HouseScope) -> list[Record]:
    """The latest fifty permits in a resident's scope."""
    return await db.fetch(OF_HOUSES, list(scope.full), list(scope.tenant), scope.person_id)


async def live(db: Reader, community_id: UUID, *, at: datetime) -> list[Record]:
    """The approved permits of a community that the caller has found in scope."""
    return await db.fetch(LIVE, community_id, at)
