"""Coupons that shops give (商户停车优惠券): to a plate that stands in the lot, or as a code that a driver enters (D8).

Promises: of a shop's coupons never more are given than it may give (the offer is held while one is); a coupon is for
one stay at a time (unique key), whoever applies it and however often; only the blind index of a code is kept. A quote
is made anew when a coupon comes, and a car that owes nothing any more at the exit is let out.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from backend.devices import commands
from backend.devices.states import CommandKind
from backend.kernel.audit import Actor
from backend.kernel.auth import HouseScope
from backend.kernel.crypto import Keyring
from backend.kernel.db import Record, Tx
from backend.kernel.errors import Conflict, NotFound
from backend.kernel.ids import random_text, uuid7
from backend.parking import stays, vehicles
from backend.parking.prices import coupon_uses, dues, quotes
from backend.parking.prices.quotes import Asked
from backend.parking.shops import shops
from backend.parking.states import EventKind, SessionState

LENGTH = 12
PURPOSE = "parking_coupon"
AT_THE_EXIT = timedelta(minutes=10)

HOLD_OFFER = """
    SELECT o.id FROM parking_coupon_offer o JOIN parking_shop s ON s.id = o.shop_id
     WHERE o.id = $1 AND s.state = 'ACTIVE' AND s.house_id = ANY ($2::uuid[])
       FOR UPDATE OF o
"""

ISSUE = """
    INSERT INTO parking_coupon (id, community_id, offer_id, code_blind, issued_on, issued_at, expires_at, issued_by)
    SELECT $1, o.community_id, o.id, $3, $4, $5, $6, $7 FROM parking_coupon_offer o WHERE o.id = $2
"""

# Index parking_coupon_code_blind_key.
BY_CODE = """
    SELECT c.id, c.offer_id, c.expires_at, s.lot_id, o.per_stay,
           (SELECT u.session_id FROM parking_coupon_use u WHERE u.coupon_id = c.id AND u.returned_at IS NULL) AS used_by
      FROM parking_coupon c
      JOIN parking_coupon_offer o ON o.id = c.offer_id
      JOIN parking_shop s ON s.id = o.shop_id
     WHERE c.code_blind = $1
"""

USE = """
    INSERT INTO parking_coupon_use (community_id, coupon_id, session_id, applied_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (coupon_id) WHERE returned_at IS NULL DO NOTHING
 RETURNING id
"""

OF_OFFER = """
    SELECT count(*) FROM parking_coupon_use u JOIN parking_coupon c ON c.id = u.coupon_id
     WHERE u.session_id = $1 AND u.returned_at IS NULL AND c.offer_id = $2
"""

BARRIER = "SELECT barrier_device_id FROM parking_lane WHERE id = $1"


@dataclass(frozen=True, slots=True)
class Code:
    """A fresh code, shown once, as a QR code."""

    code: str
    expires_at: datetime


async def make_code(tx: Tx, actor: Actor, *, keyring: Keyring, scope: HouseScope, offer_id: UUID) -> Code:
    """A code by which one driver applies one coupon; NotFound, Conflict `coupons_exhausted`.

    A code that nobody enters goes back to the shop when it expires.
    """
    row = await _offer(tx, scope, offer_id)
    code, expires_at = random_text(LENGTH), tx.now + timedelta(minutes=row["code_minutes"])
    await _issue(tx, actor, offer_id, keyring.blind(code, PURPOSE), expires_at)
    return Code(code, expires_at)


async def give(
    tx: Tx, actor: Actor, *, keyring: Keyring, key: bytes, scope: HouseScope, offer_id: UUID, plate: str
) -> None:  # fmt: skip
    """Give a coupon to the car with this plate that stands in the shop's lot.

    Raises NotFound, Invalid `bad_plate`, Conflict `coupons_exhausted`, `coupon_limit`, `already_paid`.
    """
    row = await _offer(tx, scope, offer_id)
    session_id = await _inside(tx, keyring, row["lot_id"], plate)
    coupon_id = await _issue(tx, actor, offer_id, None, tx.now)
    await _apply(tx, actor, key=key, session_id=session_id, coupon_id=coupon_id, offer=row, offer_id=offer_id)


async def enter(
    tx: Tx, actor: Actor, *, keyring: Keyring, key: bytes, lot_id: UUID, plate: str, code: str
) -> Asked | None:  # fmt: skip
    """A driver enters a code for the car with this plate; what it costs now. Entered again, it is the same.

    None: the car stood at the exit, owes nothing any more and is let out.

    Raises NotFound for a car that is not inside and for a code that is not good here, Conflict `coupon_used`,
    `coupon_limit`, `already_paid`.
    """
    session_id = await _inside(tx, keyring, lot_id, plate)
    coupon = await tx.fetchrow(BY_CODE, keyring.blind(code.strip().upper(), PURPOSE))
    if coupon is None or coupon["lot_id"] != lot_id:
        raise NotFound("优惠码不正确，请核对后重新输入。")
    if coupon["used_by"] != session_id:
        if coupon["used_by"] is None and coupon["expires_at"] <= tx.now:
            raise NotFound("优惠码已过期，请向商家重新领取。")
        await _apply(
            tx, actor, key=key, session_id=session_id, coupon_id=coupon["id"], offer=coupon,
            offer_id=coupon["offer_id"],
        )  # fmt: skip
    if await tx.fetchval(quotes.INSIDE, lot_id, keyring.blind(vehicles.required(plate), "plate")) is None:
        return None
    return await quotes.ask(tx, actor, key=key, session_id=session_id)


async def _offer(tx: Tx, scope: HouseScope, offer_id: UUID) -> Record:
    """A kind of coupon of a shop of the resident, held, of which one more may be given."""
    if await tx.fetchval(HOLD_OFFER, offer_id, list(shops.homes(scope))) is None:
        raise NotFound
    row = await shops.one_offer(tx, offer_id)
    assert row is not None
    if row["left_count"] <= 0:
        raise Conflict("这种优惠券已经发完，请联系物业。", code="coupons_exhausted")
    return row


async def _inside(tx: Tx, keyring: Keyring, lot_id: UUID, plate: str) -> UUID:
    blind = keyring.blind(vehicles.required(plate), "plate")
    session_id: UUID | None = await tx.fetchval(quotes.INSIDE, lot_id, blind)
    if session_id is None:
        raise NotFound("这辆车现在不在停车场内，请核对车牌号。")
    return session_id


async def _issue(tx: Tx, actor: Actor, offer_id: UUID, code_blind: bytes | None, expires_at: datetime) -> UUID:
    coupon_id = uuid7(tx.now)
    await tx.execute(
        ISSUE, coupon_id, offer_id, code_blind, tx.today, tx.now, expires_at, actor.id
    )  # fmt: skip
    return coupon_id


async def _apply(
    tx: Tx, actor: Actor, *, key: bytes, session_id: UUID, coupon_id: UUID, offer: Record, offer_id: UUID
) -> None:  # fmt: skip
    stay = await stays.lock(tx, session_id, at=tx.now)
    if stay["state"] == SessionState.PAID:
        raise Conflict("停车费已经支付，不能再使用优惠券。", code="already_paid")
    if stay["state"] not in (SessionState.IN, SessionState.QUOTED):
        raise NotFound("这辆车现在不在停车场内，请核对车牌号。")
    if await tx.fetchval(OF_OFFER, session_id, offer_id) >= offer["per_stay"]:
        raise Conflict("这次停车已经用过这种优惠券。", code="coupon_limit")
    if await tx.fetchval(USE, stay["community_id"], coupon_id, session_id, tx.now) is None:
        raise Conflict("这张优惠券已经用过。", code="coupon_used")
    stays.note(
        tx, actor, community_id=stay["community_id"], session_id=session_id, kind=EventKind.COUPON_APPLIED,
        detail={"coupon_id": str(coupon_id)},
    )  # fmt: skip
    if stay["state"] == SessionState.QUOTED:
        await _price_anew(tx, actor, key=key, session_id=session_id)


async def _price_anew(tx: Tx, actor: Actor, *, key: bytes, session_id: UUID) -> None:
    """The quote of a stay by its new coupon; at the exit, a car that owes nothing any more is let out."""
    stay = await stays.lock(tx, session_id, at=tx.now)
    due = await dues.due(tx, stay, at=tx.now)
    if due.open_fen > 0:
        await quotes.of_stay(tx, actor, key=key, stay=stay, due=due, anew=True)
        return
    lane_id = stay["waiting_lane_id"]
    if lane_id is None or stay["waiting_since"] + AT_THE_EXIT < tx.now:
        return
    await coupon_uses.left_free(tx, stay, due.price)
    await stays.leave(tx, session_id, at=tx.now, lane_id=lane_id)
    stays.note(tx, actor, community_id=stay["community_id"], session_id=session_id, kind=EventKind.LEFT)
    commands.order(
        tx, actor, community_id=stay["community_id"], device_id=await tx.fetchval(BARRIER, lane_id),
        kind=CommandKind.OPEN, subject=f"parking_lane:{lane_id}", reason="优惠券已抵扣全部停车费",
    )  # fmt: skip
