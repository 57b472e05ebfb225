"""Quotes (停车报价): what a stay costs now, explained line by line, signed, valid for some minutes (D8).

Promises: one pays only against a quote; asked again while one is valid and nothing has been paid, the same quote comes
back; a quote whose row was changed does not verify and is not payable; a quote counts once.
"""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import orjson

from backend.kernel import crypto
from backend.kernel.audit import Actor
from backend.kernel.config import Settings
from backend.kernel.crypto import Keyring
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import Conflict, NotFound
from backend.kernel.ids import uuid7
from backend.parking import stays, vehicles
from backend.parking.prices import dues
from backend.parking.prices.dues import Due
from backend.parking.prices.pricing import Line
from backend.parking.states import EventKind, SessionState

INSERT = """
    INSERT INTO parking_quote (id, community_id, lot_id, session_id, tariff_id, total_fen, paid_before_fen, amount_fen,
                               lines, priced_at, valid_until, signature)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
 RETURNING *
"""

ONE = "SELECT * FROM parking_quote WHERE id = $1"

# Index parking_session_one_open.
INSIDE = """
    SELECT id FROM parking_session
     WHERE lot_id = $1 AND plate_blind = $2 AND state IN ('IN', 'QUOTED', 'PAID') AND entered_at IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a car inside would pay now. `quote`: None where nothing is due; `grace_until`: it may leave until then."""

    session_id: UUID
    lot_name: str
    entered_at: datetime
    due: Due
    quote: Record | None
    grace_until: datetime | None


def signing_key(settings: Settings) -> bytes:
    """The key that signs quotes."""
    return crypto.master_keys(settings).derive("parking.quote")


def signature(key: bytes, quote: Mapping[str, Any] | Record) -> bytes:
    """HMAC-SHA256 over everything that a quote promises."""
    promised = [
        str(quote["id"]), str(quote["session_id"]), str(quote["tariff_id"]), quote["total_fen"],
        quote["paid_before_fen"], quote["amount_fen"], quote["lines"], quote["priced_at"].isoformat(),
        quote["valid_until"].isoformat(),
    ]  # fmt: skip
    return hmac.digest(key, orjson.dumps(promised, option=orjson.OPT_SORT_KEYS), sha256)


async def for_plate(tx: Tx, actor: Actor, *, key: bytes, keyring: Keyring, lot_id: UUID, text: str) -> Asked:
    """What the car with this plate would pay; NotFound where it is not inside, or no entry of it was seen."""
    blind = keyring.blind(vehicles.required(text), "plate")
    session_id = await tx.fetchval(INSIDE, lot_id, blind)
    if session_id is None:
        raise NotFound("这辆车现在不在停车场内，请核对车牌号。")
    return await ask(tx, actor, key=key, session_id=session_id)


async def ask(tx: Tx, actor: Actor, *, key: bytes, session_id: UUID) -> Asked:
    """What a stay would pay at this moment; where something is due, its quote."""
    stay = await stays.lock(tx, session_id, at=tx.now)
    if stay["entered_at"] is None or stay["state"] in (SessionState.OUT, SessionState.VOIDED):
        raise NotFound
    due = await dues.due(tx, stay, at=tx.now)
    quote = await of_stay(tx, actor, key=key, stay=stay, due=due) if _must_pay(stay, due, tx.now) else None
    return Asked(session_id, stay["lot_name"], stay["entered_at"], due, quote, stay["grace_until"])


def _must_pay(stay: Record, due: Due, now: datetime) -> bool:
    within_grace = stay["state"] == SessionState.PAID and now <= stay["grace_until"]
    return due.open_fen > 0 and not within_grace


async def of_stay(
    tx: Tx,
    actor: Actor,
    *,
    key: bytes,
    stay: Record,
    due: Due,
    lane_id: UUID | None = None,
    anew: bool = False,
) -> Record:
    """The quote of a locked stay for which something is due: the one that is still valid, else a new one.

    `lane_id`: the car stands at this exit and waits. `anew`: what the price depends on has changed.
    """
    quote = None if anew else await _valid(tx, stay, due)
    if quote is None:
        quote = await _issue(tx, key, stay, due)
        stays.note(
            tx, actor, community_id=stay["community_id"], session_id=stay["id"], kind=EventKind.QUOTED,
            detail={"quote_id": str(quote["id"]), "amount_fen": quote["amount_fen"]},
        )  # fmt: skip
    await stays.wait(tx, stay["id"], state=SessionState.QUOTED, quote_id=quote["id"], lane_id=lane_id)
    return quote


async def _valid(tx: Tx, stay: Record, due: Due) -> Record | None:
    if stay["state"] != SessionState.QUOTED:
        return None
    quote = await tx.fetchrow(ONE, stay["quote_id"])
    if quote is None or quote["valid_until"] <= tx.now or quote["paid_line_id"] is not None:
        return None
    return quote if quote["paid_before_fen"] == due.paid_fen else None


async def _issue(tx: Tx, key: bytes, stay: Record, due: Due) -> Record:
    assert due.price is not None and due.tariff_id is not None
    promised: dict[str, Any] = {
        "id": uuid7(tx.now),
        "community_id": stay["community_id"],
        "lot_id": stay["lot_id"],
        "session_id": stay["id"],
        "tariff_id": due.tariff_id,
        "total_fen": due.total_fen,
        "paid_before_fen": due.paid_fen,
        "amount_fen": due.open_fen,
        "lines": shown(due.price.lines),
        "priced_at": tx.now,
        "valid_until": tx.now + timedelta(minutes=stay["quote_minutes"]),
    }
    row = await tx.fetchrow(INSERT, *promised.values(), signature(key, promised))
    assert row is not None
    return row


def shown(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """The lines that explain a price, in JSON types."""
    return [
        {
            "label": line.label,
            "starts_at": line.starts_at.isoformat(),
            "ends_at": line.ends_at.isoformat(),
            "units": line.units,
            "amount_fen": line.amount_fen,
            "inputs": line.inputs,
        }
        for line in lines
    ]


async def one(db: Reader, quote_id: UUID, *, key: bytes) -> Record:
    """A quote by its id, its signature verified; NotFound."""
    quote = await db.fetchrow(ONE, quote_id)
    if quote is None:
        raise NotFound
    if not crypto.equal(bytes(quote["signature"]), signature(key, quote)):
        raise Conflict("这份停车报价无效，请重新查询费用。", code="quote_invalid")
    return quote


async def require_payable(tx: Tx, quote_id: UUID, *, key: bytes) -> UUID:
    """The stay that this quote would pay; NotFound, Conflict `quote_invalid`, `quote_expired`, `already_paid`."""
    quote = await one(tx, quote_id, key=key)
    if quote["paid_line_id"] is not None:
        raise Conflict("停车费已经支付，无需重复支付。", code="already_paid")
    if quote["valid_until"] <= tx.now:
        raise Conflict("报价已过期，请重新查询费用。", code="quote_expired")
    session_id: UUID = quote["session_id"]
    return session_id
