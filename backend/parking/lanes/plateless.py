"""A car without a plate (无牌车) that comes in and goes out by scanning the lane's code (D8).

The stay belongs to whoever scanned: an account that WeChat has named, else a browser that keeps our cookie; kept as a
blind index (I-24). Promises: a stay begins only for a car that stands at the entry, once for each car and each
driver; it ends, and the barrier opens, only for a car that stands at the exit, when nothing is due.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from backend.devices import commands
from backend.devices.states import CommandKind
from backend.kernel.audit import Actor
from backend.kernel.crypto import Keyring
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import Conflict
from backend.parking import stays
from backend.parking.lanes import standing
from backend.parking.lanes.lane_codes import Lane
from backend.parking.prices import dues
from backend.parking.states import INSIDE, EventKind, Flag, SessionState
from backend.parking.stays import Car, Place

# Held, so that of two who scan at once one is first. It does not stop cars with plates, whose rows only name the lot.
HOLD = """
    SELECT lot.spaces,
           (SELECT t.id FROM parking_tariff t
             WHERE t.lot_id = lot.id AND t.effective_from <= $2 ORDER BY t.effective_from DESC LIMIT 1) AS tariff_id
      FROM parking_lot lot WHERE lot.id = $1
       FOR NO KEY UPDATE
"""

# Read after the lock. Index parking_session_inside.
INSIDE_NOW = """
    SELECT count(*) FROM parking_session
     WHERE lot_id = $1 AND state IN ('IN', 'QUOTED', 'PAID') AND entered_at IS NOT NULL
"""

# Index parking_scanned_entry_driver.
OWN = """
    SELECT s.id, s.entered_at, s.entry_lane_id
      FROM parking_scanned_entry e JOIN parking_session s ON s.id = e.session_id
     WHERE e.community_id = $1 AND e.driver_blind = $2 AND s.lot_id = $3 AND s.state IN ('IN', 'QUOTED', 'PAID')
     ORDER BY s.id DESC
     LIMIT 1
"""

SCANNED = """
    INSERT INTO parking_scanned_entry (session_id, community_id, driver_blind, device_event_id, seen_at)
    VALUES ($1, $2, $3, $4, $5)
"""


@dataclass(frozen=True, slots=True)
class Entered:
    """A stay that a driver has begun, now or a moment ago."""

    session_id: UUID
    entered_at: datetime


def account(keyring: Keyring, *, appid: str, openid: str) -> bytes:
    """By what a driver is found whom WeChat has named."""
    return keyring.blind(f"wechat\0{appid}\0{openid}", "parking_driver")


def browser(keyring: Keyring, secret: str) -> bytes:
    """By what a driver is found whose browser keeps this secret of ours."""
    return keyring.blind(f"browser\0{secret}", "parking_driver")


async def own(db: Reader, lane: Lane, *, driver: bytes) -> Record | None:
    """The stay of this driver's car in the lane's lot, while it is inside."""
    return await db.fetchrow(OWN, lane.community_id, driver, lane.lot_id)


async def enter(tx: Tx, actor: Actor, lane: Lane, *, keyring: Keyring, driver: bytes) -> Entered:
    """Let in the car without a plate that stands at this entry; pressed again, it is the same stay.

    Raises Conflict `already_inside` while the driver has another car in the lot, `no_car_at_entry`, `lot_full`.
    """
    lot = await tx.fetchrow(HOLD, lane.lot_id, tx.now)
    assert lot is not None, "a lot stays while it has lanes"
    mine = await own(tx, lane, driver=driver)
    if mine is not None:
        if mine["entry_lane_id"] == lane.id and mine["entered_at"] >= tx.now - standing.STANDS:
            return Entered(mine["id"], mine["entered_at"])
        raise Conflict("您还有一辆无牌车在场内，请联系门岗保安处理后再进场。", code="already_inside")
    seen = await standing.at_entry(tx, lane)
    if seen is None:
        raise Conflict(
            "现在没有无牌车停在这个入口。请把车开到道闸前停稳，等屏幕有显示后再扫码；还是不行请联系门岗保安。",
            code="no_car_at_entry",
        )
    if await tx.fetchval(INSIDE_NOW, lane.lot_id) >= lot["spaces"]:
        raise Conflict("车位已满，请稍后再来。", code="lot_full")
    session_id = await stays.begin(
        tx, Place(lane.community_id, lane.lot_id, lane.id), Car(None, None), keyring=keyring, entered_at=tx.now,
        tariff_id=lot["tariff_id"], flags=frozenset({Flag.PLATELESS}),
    )  # fmt: skip
    await tx.execute(SCANNED, session_id, lane.community_id, driver, seen.event_id, seen.at)
    stays.note(
        tx, actor, community_id=lane.community_id, session_id=session_id, kind=EventKind.ENTERED,
        device_event_id=seen.event_id, detail={"lane_id": str(lane.id), "scanned": True},
    )  # fmt: skip
    _open(tx, actor, lane, reason="无牌车扫码入场")
    return Entered(session_id, tx.now)


async def wait_at_exit(tx: Tx, lane: Lane, *, session_id: UUID) -> None:
    """Keep that the driver's car stands at this exit, where it does, so that its payment opens the barrier."""
    stay = await stays.lock(tx, session_id, at=tx.now)
    if stay["state"] == SessionState.QUOTED and await standing.at_exit(tx, lane, session_id=session_id) is not None:
        await stays.wait(tx, session_id, state=SessionState.QUOTED, lane_id=lane.id)


async def leave(tx: Tx, actor: Actor, lane: Lane, *, driver: bytes) -> None:
    """Let the driver's car out that stands at this exit and owes nothing.

    Raises Conflict `not_inside`, `unpaid`, `no_car_at_exit`.
    """
    mine = await own(tx, lane, driver=driver)
    stay = None if mine is None else await stays.lock(tx, mine["id"], at=tx.now)
    if stay is None or stay["state"] not in INSIDE:
        raise Conflict("您没有在场内的停车记录。如果道闸没有抬起，请联系门岗保安。", code="not_inside")
    in_grace = stay["state"] == SessionState.PAID and tx.now <= stay["grace_until"]
    if (await dues.due(tx, stay, at=tx.now)).open_fen > 0 and not in_grace:
        raise Conflict("停车费还没有付清，请返回付费后再出场。", code="unpaid")
    if await standing.at_exit(tx, lane, session_id=stay["id"]) is None:
        raise Conflict(
            "现在没有无牌车停在这个出口。请把车开到道闸前停稳，等屏幕有显示后再点出场；还是不行请联系门岗保安。",
            code="no_car_at_exit",
        )
    await stays.leave(tx, stay["id"], at=tx.now, lane_id=lane.id)
    stays.note(
        tx, actor, community_id=lane.community_id, session_id=stay["id"], kind=EventKind.LEFT,
        detail={"lane_id": str(lane.id), "scanned": True},
    )  # fmt: skip
    _open(tx, actor, lane, reason="无牌车扫码出场")


def _open(tx: Tx, actor: Actor, lane: Lane, *, reason: str) -> None:
    commands.order(
        tx, actor, community_id=lane.community_id, device_id=lane.barrier_device_id, kind=CommandKind.OPEN,
        subject=f"parking_lane:{lane.id}", reason=reason,
    )  # fmt: skip
