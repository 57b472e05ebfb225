"""Several entries as one (多次进出按一次计): the earlier stays that count as one with a stay (D8).

Promises: nothing is asked of the database for a tariff that does not join entries; otherwise one indexed query walks
back from entry to entry for as long as they follow on each other within the tariff's time, so that the same stay always
finds the same visits. What a visit settled is what its last paid quote came to, and what coupons took off: what went
back later is not asked for again by the next entry. A visit ends when it was priced, so that its grace is not charged
by the next one. Stays that a card or a white list covered cost nothing and join nothing; one that left unpaid owes for
itself.
"""

from datetime import datetime, timedelta

from backend.kernel.db import Reader, Record
from backend.parking.prices.pricing import Visit
from backend.parking.prices.tariff import Tariff

MAX_VISITS = 200

# From an entry back to the last guest's stay that began before it and within the tariff's time of it, is over and owes
# nothing; and so on. Index parking_session_of_plate, once for each visit.
VISITS = """
    WITH RECURSIVE back AS (
        SELECT 0 AS number, NULL::uuid AS id, $3::timestamptz AS entered_at, NULL::timestamptz AS left_at,
               NULL::uuid AS quote_id
         UNION ALL
        SELECT back.number + 1, b.id, b.entered_at, b.left_at, b.quote_id
          FROM back CROSS JOIN LATERAL (
               SELECT s.id, s.entered_at, s.left_at, s.quote_id
                 FROM parking_session s
                 JOIN parking_lot lot ON lot.id = s.lot_id
                WHERE s.lot_id = $1 AND s.plate_blind = $2 AND s.state = 'OUT' AND s.card_id IS NULL
                  AND NOT 'left_unpaid' = ANY (s.flags)
                  AND s.left_at BETWEEN back.entered_at - $4::interval AND back.entered_at
                  AND s.entered_at >= back.entered_at - $4::interval AND s.entered_at < back.entered_at
                  AND NOT EXISTS (SELECT FROM parking_list_entry e
                                   WHERE e.vehicle_id = s.vehicle_id AND e.lot_no = lot.no AND e.kind = 'white'
                                     AND e.period @> (s.left_at AT TIME ZONE 'Asia/Shanghai')::date)
                ORDER BY s.left_at DESC
                LIMIT 1) AS b
         WHERE back.number < $5)
    SELECT back.entered_at, coalesce(q.priced_at, back.left_at) AS left_at,
           coalesce(q.total_fen, 0)
           + (SELECT coalesce(sum(u.off_fen), 0) FROM parking_coupon_use u
               WHERE u.session_id = back.id AND u.returned_at IS NULL)::bigint AS settled_fen
      FROM back LEFT JOIN parking_quote q ON q.id = back.quote_id AND q.paid_line_id IS NOT NULL
     WHERE back.number > 0
"""


async def before(db: Reader, stay: Record, tariff: Tariff, *, entered_at: datetime) -> tuple[Visit, ...]:
    """The visits that may count as one with a stay that is charged from `entered_at` on, at most MAX_VISITS (D8)."""
    if tariff.reentry is None or stay["plate_blind"] is None or entered_at != stay["entered_at"]:
        return ()
    within = timedelta(minutes=tariff.reentry.within_min)
    rows = await db.fetch(VISITS, stay["lot_id"], stay["plate_blind"], entered_at, within, MAX_VISITS)
    return tuple(Visit(row["entered_at"], row["left_at"], row["settled_fen"]) for row in rows)
