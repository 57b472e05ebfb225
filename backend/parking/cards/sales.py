"""Offering months of a card (办卡, 续费): to whom it is due, from which day on, and at what price (D8).

Promises: the thing that is paid is the card, so that a live order holds it and two people never renew it at once; an
offer is void once the card has another end; of one amount there is one open offer for a card, with the terms that were
asked for last. A card that is bought is asked for first and covers nothing until it is paid; whoever asks for the same
vehicle meanwhile gets the same card. Keeps the rows of its card until the transaction ends.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from backend.kernel.auth import HouseScope
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import Conflict, Invalid, NotFound
from backend.kernel.ids import uuid7
from backend.parking.cards import entitlements, products
from backend.parking.cards.entitlements import Use
from backend.parking.cards.states import KIND_OF, Audience, CardState
from backend.parking.cards.terms import months_later
from backend.parking.states import CardKind

VALID = timedelta(minutes=30)
SOLD = (CardKind.MONTHLY, CardKind.OWNED)

LOT = "SELECT id, no, community_id FROM parking_lot WHERE id = $1 AND community_id = ANY ($2::uuid[])"

LOCK = "SELECT * FROM parking_card WHERE id = $1 FOR UPDATE"

# The vehicles that the card names on its last day; an unpaid card names none yet.
LAST_VEHICLES = """
    SELECT vehicle_id FROM parking_card_vehicle WHERE card_id = $1 AND upper(period) = $2::date ORDER BY vehicle_id
"""

# The row is updated so that it is returned, and held, when it is there already. Index parking_card_unpaid_once.
ASK = """
    INSERT INTO parking_card (id, community_id, lot_id, house_id, kind, spaces, starts_on, state, created_at, audience,
                              asked_vehicle_id)
    VALUES ($1, $2, $3, $4, $5, $6, $7, 'UNPAID', $8, $9, $10)
        ON CONFLICT (lot_id, asked_vehicle_id) WHERE state = 'UNPAID'
        DO UPDATE SET house_id = $4, kind = $5, spaces = $6, starts_on = $7, audience = $9
 RETURNING id
"""

# Index parking_card_sale_open.
OFFER = """
    INSERT INTO parking_card_sale (id, community_id, lot_id, card_id, product_id, vehicle_ids, spaces, months,
                                   amount_fen, offered_at, valid_until, offered_ends_on)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        ON CONFLICT (card_id, amount_fen) WHERE paid_line_id IS NULL
        DO UPDATE SET product_id = $5, vehicle_ids = $6, spaces = $7, months = $8, offered_at = $10, valid_until = $11,
                      offered_ends_on = $12
 RETURNING id
"""

# Another card of one of these vehicles in the lot. The constraint parking_card_vehicle_once has the last word.
OVERLAPPING = """
    SELECT 1 FROM parking_card_vehicle
     WHERE lot_no = $1 AND vehicle_id = ANY ($2::uuid[]) AND card_id <> $3 AND period && daterange($4, $5)
     LIMIT 1
"""

LOT_NO = "SELECT no FROM parking_lot WHERE id = $1"

# Cards of houses that are paid for, with what they cover and when. Index parking_card_house.
OF_HOUSES = """
    SELECT c.id, c.community_id, c.lot_id, l.name AS lot_name, c.house_id, c.kind, c.audience, c.spaces,
           c.starts_on, c.ends_on, c.anchor_day,
           ARRAY(SELECT DISTINCT v.vehicle_id FROM parking_card_vehicle v
                  WHERE v.card_id = c.id AND upper(v.period) IS NOT DISTINCT FROM c.ends_on) AS vehicle_ids
      FROM parking_card c
      JOIN parking_lot l ON l.id = c.lot_id
     WHERE c.house_id = ANY ($1::uuid[]) AND c.state = 'ACTIVE'
     ORDER BY c.house_id, c.id
     LIMIT 100
"""

HERE = "SELECT count(*) FROM parking_card WHERE id = ANY ($1::uuid[]) AND community_id = $2"


@dataclass(frozen=True, slots=True)
class Offer:
    """What is offered for a card: the days that it would give if it were paid today, at this price."""

    sale_id: UUID
    card_id: UUID
    amount_fen: int
    starts_on: date
    ends_on: date


@dataclass(frozen=True, slots=True)
class Asked:
    """A card that a house wants: for these vehicles of its own, which share `spaces`."""

    product_id: UUID
    house_id: UUID
    vehicle_ids: tuple[UUID, ...]
    spaces: int


async def renewal(
    tx: Tx, *, card_id: UUID, product_id: UUID, scope: HouseScope | None, communities: Sequence[UUID] = ()
) -> Offer:
    """Offer more months of a card, from its end on, or from today where it has lapsed.

    `scope` is the resident's; None: staff of `communities`. Raises NotFound, Conflict `card_cancelled`, `not_for_sale`,
    `product_withdrawn`, `has_card`, and what `entitlements.require` raises.
    """
    card = await tx.fetchrow(LOCK, card_id)
    if card is None or card["state"] == CardState.UNPAID or not _reaches(card, scope, communities):
        raise NotFound
    if card["state"] == CardState.CANCELLED:
        raise Conflict("这张停车卡已经作废，请重新办卡。", code="card_cancelled")
    if card["kind"] not in SOLD or card["ends_on"] is None:
        raise Conflict("这张停车卡不需要续费。", code="not_for_sale")
    product = await products.on_sale(tx, product_id, lot_id=card["lot_id"])
    vehicle_ids = [row["vehicle_id"] for row in await tx.fetch(LAST_VEHICLES, card_id, card["ends_on"])]
    return await _offer(tx, card, product, vehicle_ids=vehicle_ids, spaces=card["spaces"])


async def purchase(tx: Tx, *, lot_id: UUID, asked: Asked, communities: Sequence[UUID]) -> Offer:
    """Offer a card for vehicles of a house, which the caller has found in scope, from today on.

    Raises NotFound, Conflict and Invalid as `renewal`.
    """
    lot = await tx.fetchrow(LOT, lot_id, list(communities))
    if lot is None:
        raise NotFound
    product = await products.on_sale(tx, asked.product_id, lot_id=lot_id)
    audience, vehicle_ids = Audience(product["audience"]), sorted(set(asked.vehicle_ids))
    await entitlements.vehicles(tx, vehicle_ids, community_id=lot["community_id"], house_id=asked.house_id)
    card_id = await tx.fetchval(
        ASK, uuid7(tx.now), lot["community_id"], lot_id, asked.house_id, KIND_OF[audience].value, asked.spaces,
        tx.today, tx.now, audience.value, vehicle_ids[0],
    )  # fmt: skip
    card = await tx.fetchrow(LOCK, card_id)
    if card is None:
        raise NotFound
    return await _offer(tx, card, product, vehicle_ids=vehicle_ids, spaces=asked.spaces)


def _reaches(card: Record, scope: HouseScope | None, communities: Sequence[UUID]) -> bool:
    if scope is None:
        return card["community_id"] in communities
    return card["house_id"] in scope.full


async def _offer(tx: Tx, card: Record, product: Record, *, vehicle_ids: Sequence[UUID], spaces: int) -> Offer:
    if len(vehicle_ids) > product["vehicles"]:
        raise Invalid(f"这种停车卡最多登记 {product['vehicles']} 辆车。", fields=[{"field": "vehicle_ids"}])
    starts_on, ends_on = days(card, product["months"], today=tx.today)
    cars = await entitlements.vehicles(
        tx, vehicle_ids, community_id=card["community_id"], house_id=card["house_id"]
    )  # fmt: skip
    audience = Audience(product["audience"])
    await entitlements.require(
        tx, Use(card["lot_id"], card["house_id"], card["id"], audience, spaces, starts_on, ends_on), cars
    )
    lot_no = await tx.fetchval(LOT_NO, card["lot_id"])
    if await tx.fetchval(OVERLAPPING, lot_no, list(vehicle_ids), card["id"], starts_on, ends_on) is not None:
        raise Conflict("其中有车辆在这段时间已有停车卡。", code="has_card")
    amount_fen = product["price_fen"] * spaces
    sale_id = await tx.fetchval(
        OFFER, uuid7(tx.now), card["community_id"], card["lot_id"], card["id"], product["id"], list(vehicle_ids),
        spaces, product["months"], amount_fen, tx.now, tx.now + VALID, card["ends_on"],
    )  # fmt: skip
    return Offer(sale_id, card["id"], amount_fen, starts_on, ends_on)


def days(card: Record, months: int, *, today: date) -> tuple[date, date]:
    """The first day of more months of a card, and the first day after them."""
    if card["ends_on"] is None or card["ends_on"] < today:
        return today, months_later(today, months)
    return card["ends_on"], months_later(card["ends_on"], months, anchor_day=card["anchor_day"])


async def of_houses(db: Reader, house_ids: Sequence[UUID]) -> list[Record]:
    """The cards of these houses, lapsed ones too."""
    return await db.fetch(OF_HOUSES, list(house_ids))


async def require_in(db: Reader, community_id: UUID, *, card_ids: Sequence[UUID]) -> None:
    """NotFound unless all of these are cards of this community."""
    if card_ids and await db.fetchval(HERE, list(card_ids), community_id) != len(set(card_ids)):
        raise NotFound
