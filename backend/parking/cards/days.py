"""The days of a card: begun, prolonged, taken back; a held card alone has its days moved (D8).

Promises: a card and its vehicles end on the same day; days on which a card had lapsed stay days without it, for a car
that was inside then; a card that begins again covers the cars inside that it names, as far as it has spaces. A vehicle
has one card a day in a lot (EXCLUDE, raised to the caller).
"""

from datetime import date, timedelta
from uuid import UUID

from backend.kernel import audit
from backend.kernel.audit import SYSTEM
from backend.kernel.db import Record, Tx
from backend.parking import stays
from backend.parking.cards.states import Audience
from backend.parking.states import CardKind, EventKind

BEGIN = """
    UPDATE parking_card
       SET state = 'ACTIVE', kind = $2, audience = $3, spaces = $4, starts_on = $5, ends_on = $6, anchor_day = $7,
           asked_vehicle_id = NULL
     WHERE id = $1
"""

ADD_VEHICLES = """
    INSERT INTO parking_card_vehicle (community_id, card_id, lot_no, vehicle_id, vehicle_no, period)
    SELECT $1, $2, $3, v.id, v.no, daterange($5, $6)
      FROM parking_vehicle v WHERE v.id = ANY ($4::uuid[])
"""

PROLONG = "UPDATE parking_card SET audience = $2, ends_on = $3, anchor_day = $4 WHERE id = $1"

# Those that the card names on its last day; who left the card before stays away.
PROLONG_VEHICLES = """
    UPDATE parking_card_vehicle SET period = daterange(lower(period), $3)
     WHERE card_id = $1 AND upper(period) = $2::date
"""

# Cars inside as guests, the first one first, as many as the card has spaces; by their plates, as a vehicle may have
# become known after it came in. What has been paid stays paid. Index parking_session_one_open.
COVER_INSIDE = """
    UPDATE parking_session t
       SET card_id = $1, vehicle_id = found.vehicle_id
      FROM (SELECT s.id, v.vehicle_id
              FROM parking_card c
              JOIN parking_card_vehicle v ON v.card_id = c.id AND v.period @> $2::date
              JOIN parking_vehicle car ON car.id = v.vehicle_id
              JOIN parking_session s ON s.lot_id = c.lot_id AND s.plate_blind = car.plate_blind
             WHERE c.id = $1 AND s.state IN ('IN', 'QUOTED') AND s.card_id IS NULL AND s.entered_at IS NOT NULL
             ORDER BY s.entered_at, s.id
             LIMIT greatest(0, (SELECT spaces FROM parking_card WHERE id = $1)
                             - (SELECT count(*) FROM parking_session i
                                 WHERE i.card_id = $1 AND i.state IN ('IN', 'QUOTED', 'PAID')))) AS found
     WHERE t.id = found.id
 RETURNING t.id, t.community_id
"""

CUT = """
    WITH gone AS (DELETE FROM parking_card_vehicle WHERE card_id = $1 AND lower(period) >= $2::date)
    UPDATE parking_card_vehicle SET period = daterange(lower(period), $2::date)
     WHERE card_id = $1 AND lower(period) < $2::date AND upper(period) > $2::date
"""

# Read after the cut: where days had lapsed, the card ends before them.
SHORTEN = """
    UPDATE parking_card c
       SET ends_on = coalesce(left_days.ends_on, c.starts_on + 1), anchor_day = NULL,
           state = CASE WHEN left_days.ends_on IS NULL THEN 'CANCELLED' ELSE c.state END
      FROM (SELECT max(upper(period)) AS ends_on FROM parking_card_vehicle WHERE card_id = $1) AS left_days
     WHERE c.id = $1
 RETURNING c.ends_on
"""

CARD = "SELECT community_id, state, ends_on FROM parking_card WHERE id = $1"


async def begin(
    tx: Tx, card: Record, *, kind: CardKind, audience: Audience, starts_on: date, ends_on: date
) -> None:  # fmt: skip
    """A card that was asked for begins, as it was sold."""
    await tx.execute(
        BEGIN, card["id"], kind.value, audience.value, card["spaces"], starts_on, ends_on, starts_on.day
    )  # fmt: skip
    await _add_vehicles(tx, card, starts_on, ends_on)


async def prolong(tx: Tx, card: Record, *, audience: Audience, starts_on: date, ends_on: date) -> None:
    """A card goes on from its end, or begins again on a later day."""
    lapsed = starts_on > card["ends_on"]
    if lapsed:
        await _add_vehicles(tx, card, starts_on, ends_on)
    else:
        await tx.execute(PROLONG_VEHICLES, card["id"], card["ends_on"], ends_on)
    anchor_day = starts_on.day if lapsed else card["anchor_day"] or card["ends_on"].day
    await tx.execute(PROLONG, card["id"], audience.value, ends_on, anchor_day)


async def cover_inside(tx: Tx, card_id: UUID) -> None:
    """Put the cars inside under a card that the caller holds."""
    for row in await tx.fetch(COVER_INSIDE, card_id, tx.today):
        stays.note(
            tx, SYSTEM, community_id=row["community_id"], session_id=row["id"], kind=EventKind.COVERED,
            detail={"card_id": str(card_id)},
        )  # fmt: skip


async def _add_vehicles(tx: Tx, card: Record, starts_on: date, ends_on: date) -> None:
    await tx.execute(
        ADD_VEHICLES, card["community_id"], card["id"], card["lot_no"], card["vehicle_ids"], starts_on, ends_on
    )  # fmt: skip


async def take_back(tx: Tx, card_id: UUID, left: timedelta) -> None:
    """Take days off the end of a card that the caller holds, today's and what was before stay; one that has not had a
    day is cancelled."""
    card = await tx.fetchrow(CARD, card_id)
    assert card is not None
    if card["state"] != "ACTIVE" or not left:
        return
    await tx.execute(CUT, card_id, max(tx.today, card["ends_on"] - left))
    ends_on = await tx.fetchval(SHORTEN, card_id)
    audit.record(
        tx, SYSTEM, action="parking.card_shortened", target=f"parking_card:{card_id}",
        community_id=card["community_id"], before={"ends_on": card["ends_on"].isoformat()},
        after={"ends_on": ends_on.isoformat()},
    )  # fmt: skip
