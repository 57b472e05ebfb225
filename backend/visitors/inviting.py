"""Inviting (访客邀请): what a resident does with passes: draft, submit, take back (R8, D10).

Promises: a house has no more passes for a day than the rule allows, counted while the house's passes are held. A pass
that lasts longer than the rule lets by itself waits for the property. Nobody who is banned is invited. A vehicle of the
pass is a visitor's card of parking, with parking's own limits and time.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from backend.kernel import approvals
from backend.kernel.audit import Actor
from backend.kernel.auth import HouseScope, Tie
from backend.kernel.clock import local_date, start_of_day
from backend.kernel.crypto import Context, Keyring
from backend.kernel.db import Record, Tx
from backend.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from backend.kernel.ids import uuid7
from backend.kernel.personal import mask_name
from backend.parking.cards import visitor_cards
from backend.parking.cards.visitor_cards import Announced
from backend.visitors import bans, guests, passes, rules, telling, windows
from backend.visitors.guests import Guest
from backend.visitors.passes import KIND_TEXT, TABLE
from backend.visitors.rules import Rule
from backend.visitors.states import PassKind, PassState
from backend.visitors.tokens import MAX_GATES
from backend.visitors.windows import Weekly

APPROVAL = "visitor.pass"
NONCE_BYTES = 8
DAY = timedelta(days=1)

GATES = "SELECT count(*) FROM visitor_gate WHERE community_id = $1 AND id = ANY ($2::uuid[])"

INSERT = """
    INSERT INTO visitor_pass (
           id, community_id, house_id, invited_by, kind, state, name_sealed, phone_sealed, phone_blind,
           phone_tail_blind, plate_sealed, plate_blind, lot_id, companions, purpose, valid_from, valid_until, weekly,
           gate_ids, entries_allowed, token_nonce, created_at)
    VALUES ($1, $2, $3, $4, $5, 'DRAFT', $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
 RETURNING *
"""

# Two that are submitted at once for one house are counted one after the other.
LOCK_HOUSE = "SELECT pg_advisory_xact_lock(hashtextextended('visitor_pass:' || $1::text, 0))"

# Read after the lock. Index visitor_pass_house.
OF_DAY = """
    SELECT count(*) FROM visitor_pass
     WHERE house_id = $1 AND valid_from >= $2 AND valid_from < $3 AND state NOT IN ('DRAFT', 'CANCELLED', 'REJECTED')
"""

LOCK_SCOPED = """
    SELECT * FROM visitor_pass
     WHERE id = $1 AND (house_id = ANY ($2::uuid[]) OR (house_id = ANY ($3::uuid[]) AND invited_by = $4)) FOR UPDATE
"""

# Index approval_visitor.
PENDING = "SELECT id FROM approval WHERE kind = 'visitor.pass' AND target = $1 AND state = 'PENDING'"


@dataclass(frozen=True, slots=True)
class NewPass:
    """A pass to be made. `lot_id`: the lot in which the guest's plate may park. `gate_ids` None: every gate."""

    kind: PassKind
    guest: Guest
    valid_from: datetime
    valid_until: datetime
    weekly: Weekly | None = None
    gate_ids: tuple[UUID, ...] | None = None
    entries_allowed: int | None = 1
    companions: int = 0
    purpose: str = ""
    lot_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """A pass that has come into being or has been submitted, and its state."""

    id: UUID
    state: PassState


async def create(
    tx: Tx, actor: Actor, *, keyring: Keyring, tie: Tie, person_id: UUID, new: NewPass, draft: bool = False
) -> Made:
    """Invite a visitor to the house of a tie, as a draft or at once.

    Raises Invalid for the window, the hours and the gates, and like `submit`.
    """
    rule = await rules.of(tx, tie.community_id)
    await _require_possible(tx, tie, new, rule)
    pass_id = uuid7(tx.now)
    sealed = guests.seal(keyring, new.guest, table=TABLE, row_id=pass_id)
    row = await tx.fetchrow(
        INSERT, pass_id, tie.community_id, tie.house_id, person_id, new.kind.value, sealed.name_sealed,
        sealed.phone_sealed, sealed.phone_blind, sealed.phone_tail_blind, sealed.plate_sealed, sealed.plate_blind,
        new.lot_id, new.companions, new.purpose, new.valid_from, new.valid_until, windows.to_row(new.weekly),
        new.gate_ids and sorted(new.gate_ids), new.entries_allowed, secrets.token_bytes(NONCE_BYTES), tx.now,
    )  # fmt: skip
    assert row is not None
    if draft:
        return Made(pass_id, PassState.DRAFT)
    return await _submit(tx, actor, row, keyring=keyring, rule=rule)


async def submit(tx: Tx, actor: Actor, *, keyring: Keyring, pass_id: UUID, scope: HouseScope) -> Made:
    """Make a draft count: valid at once, or waiting for the property.

    Raises NotFound, Conflict `not_a_draft`, `banned`, `passes_used_up`, Invalid for what is over or may not have a
    vehicle, and what parking says of a vehicle.
    """
    row = await scoped(tx, pass_id, scope)
    if row["state"] != PassState.DRAFT:
        raise Conflict("这张通行证已经提交过了。", code="not_a_draft")
    return await _submit(tx, actor, row, keyring=keyring, rule=await rules.of(tx, row["community_id"]))


async def cancel(tx: Tx, actor: Actor, *, pass_id: UUID, scope: HouseScope) -> None:
    """A resident takes a pass back: it opens nothing more. NotFound, Conflict `pass_ended`, Forbidden for another's
    application that waits."""
    row = await scoped(tx, pass_id, scope)
    if row["state"] == PassState.PENDING:
        if row["invited_by"] != actor.id:
            raise Forbidden("只有提交申请的人可以撤回等待审批的通行证。", code="not_yours")
        approval_id = await tx.fetchval(PENDING, f"{TABLE}:{pass_id}")
        await passes.end(tx, actor, row, PassState.CANCELLED, "住户撤回")
        await approvals.withdraw(tx, actor, approval_id, kinds={})
        return
    _require_live(row)
    await passes.end(tx, actor, row, PassState.CANCELLED, "住户取消")


async def scoped(tx: Tx, pass_id: UUID, scope: HouseScope) -> Record:
    """A pass in a resident's scope, held: all of a house, but of a tenant's only what the tenant invites. NotFound."""
    row = await tx.fetchrow(LOCK_SCOPED, pass_id, list(scope.full), list(scope.tenant), scope.person_id)
    if row is None:
        raise NotFound
    return row


async def _submit(tx: Tx, actor: Actor, row: Record, *, keyring: Keyring, rule: Rule) -> Made:
    if row["valid_until"] <= tx.now:
        raise Invalid("结束时间必须晚于现在。", fields=[{"field": "valid_until"}])
    await bans.require_none(tx, row["community_id"], phone=row["phone_blind"], plate=row["plate_blind"])
    await _take_one_of_the_day(tx, row, rule)
    if rule.needs_approval(row["valid_until"] - row["valid_from"]):
        if row["lot_id"] is not None:
            raise Invalid(
                "需要物业审批的通行证不能同时登记车辆，请为车辆另行申请。", fields=[{"field": "vehicle"}]
            )  # fmt: skip
        await _propose(tx, actor, row, keyring=keyring)
        state, card_id = PassState.PENDING, None
    else:
        state, card_id = PassState.ACTIVE, await _announce_vehicle(tx, actor, row, keyring=keyring)
    await tx.execute(passes.MOVE, row["id"], state.value, card_id, None, tx.now)
    return Made(row["id"], state)


async def _take_one_of_the_day(tx: Tx, row: Record, rule: Rule) -> None:
    begins = start_of_day(local_date(row["valid_from"]))
    await tx.execute(LOCK_HOUSE, str(row["house_id"]))
    if await tx.fetchval(OF_DAY, row["house_id"], begins, begins + DAY) >= rule.passes_per_day:
        raise Conflict(
            f"您家当天的访客通行证已达 {rule.passes_per_day} 张，不能再办理，请联系物业服务中心。",
            code="passes_used_up",
        )


async def _announce_vehicle(tx: Tx, actor: Actor, row: Record, *, keyring: Keyring) -> UUID | None:
    if row["lot_id"] is None:
        return None
    plate = keyring.open(bytes(row["plate_sealed"]), Context(TABLE, "plate_sealed", row["id"]))
    issued = await visitor_cards.announce(
        tx, actor, keyring=keyring, lot_id=row["lot_id"], community_id=row["community_id"], house_id=row["house_id"],
        new=Announced(
            plate, row["valid_from"], row["valid_until"], min(row["entries_allowed"] or 100, 100), row["house_id"]
        ),
    )  # fmt: skip
    return issued.id


async def _propose(tx: Tx, actor: Actor, row: Record, *, keyring: Keyring) -> None:
    name = guests.shown(keyring, row, table=TABLE, whole=True).name or ""
    await approvals.propose(
        tx,
        actor,
        kind=APPROVAL,
        target=f"{TABLE}:{row['id']}",
        community_id=row["community_id"],
        payload={"pass_id": str(row["id"]), "house_id": str(row["house_id"])},
        shown={
            "before": {},
            "after": {
                "房屋": await telling.house_label(tx, row["house_id"]),
                "类型": KIND_TEXT[PassKind(row["kind"])],
                "访客": mask_name(name),
                "有效期": f"{telling.minute(row['valid_from'])} 至 {telling.minute(row['valid_until'])}",
                "每周时段": windows.words(windows.of_row(row["weekly"])),
            },
        },
        reason=row["purpose"] or "住户申请长期访客通行证",
    )


async def _require_possible(tx: Tx, tie: Tie, new: NewPass, rule: Rule) -> None:
    if new.valid_until <= new.valid_from or new.valid_until <= tx.now:
        raise Invalid("结束时间必须晚于开始时间，也必须晚于现在。", fields=[{"field": "valid_until"}])
    if new.valid_until - new.valid_from > rule.longest_days * DAY:
        raise Invalid(f"通行证最长 {rule.longest_days} 天。", fields=[{"field": "valid_until"}])
    if new.weekly is not None and (fault := windows.fault(new.weekly)) is not None:
        raise Invalid(fault, fields=[{"field": "weekly"}])
    if (new.lot_id is None) != (new.guest.plate is None):
        raise Invalid("登记车辆需同时填写车牌号和停车场。", fields=[{"field": "vehicle"}])
    if new.gate_ids is not None:
        if len(new.gate_ids) > MAX_GATES:
            raise Invalid(
                f"一张通行证最多指定 {MAX_GATES} 个门，请改为全部门或分开办理。", fields=[{"field": "gate_ids"}]
            )
        known = await tx.fetchval(GATES, tie.community_id, list(new.gate_ids))
        if known != len(new.gate_ids):
            raise NotFound


def _require_live(row: Record) -> None:
    if row["state"] not in (PassState.DRAFT, PassState.ACTIVE):
        raise Conflict("这张通行证已经结束，不需要取消。", code="pass_ended")
