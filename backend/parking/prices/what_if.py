"""A what-if (试算): proposed prices over the stays of a period that has passed, before anybody publishes them (D8).

Promises: nothing is written; both amounts are computed anew by the same rules, so that they differ by the prices alone;
stays that a card or a white list covers cost nothing by either and are not counted. What was really paid, with coupons
and corrections, is for the statistics to say.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from backend.kernel.db import Reader, Record
from backend.kernel.errors import Invalid
from backend.parking.prices import pricing, tariffs
from backend.parking.prices.classes import PriceClass
from backend.parking.prices.stay import Kinds
from backend.parking.prices.tariff import Tariff
from backend.parking.states import Basis
from backend.property import calendars

CHUNK = 2_000
MAX_STAYS = 100_000
MAX_PERIOD = timedelta(days=366)

# Index parking_session_ended. A stay from before the first version has no prices to be compared with.
PAST = """
    SELECT s.id, s.entered_at, s.left_at,
           CASE WHEN $6 = 'entry' AND s.entry_tariff_id IS NOT NULL THEN s.entry_tariff_id
                ELSE (SELECT v.id FROM parking_tariff v
                       WHERE v.lot_id = s.lot_id AND v.effective_from <= s.left_at
                         AND (v.vehicle_class IS NULL OR v.vehicle_class = s.vehicle_class)
                       ORDER BY v.vehicle_class IS NULL, v.effective_from DESC LIMIT 1) END AS tariff_id
      FROM parking_session s
      JOIN parking_lot lot ON lot.id = s.lot_id
     WHERE s.lot_id = $1 AND s.state = 'OUT' AND s.left_at >= $2 AND s.left_at < $3 AND (s.left_at, s.id) > ($4, $5)
       AND s.entered_at IS NOT NULL AND s.card_id IS NULL AND ($8::text IS NULL OR s.vehicle_class = $8)
       AND NOT EXISTS (SELECT FROM parking_list_entry e
                        WHERE e.vehicle_id = s.vehicle_id AND e.lot_no = lot.no AND e.kind = 'white'
                          AND e.period @> (s.left_at AT TIME ZONE 'Asia/Shanghai')::date)
     ORDER BY s.left_at, s.id
     LIMIT $7
"""

VERSIONS = "SELECT id, document FROM parking_tariff WHERE id = ANY ($1::uuid[])"

_FIRST = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Stays by the prices of their time and by the proposed ones. `complete`: the period holds no more stays."""

    stays: int = 0
    then_fen: int = 0
    now_fen: int = 0
    dearer: int = 0
    cheaper: int = 0
    complete: bool = True


async def compare(
    db: Reader,
    lot: Record,
    *,
    given: Mapping[str, Any],
    starts_at: datetime,
    ends_at: datetime,
    vehicle_class: PriceClass | None = None,
) -> Comparison:
    """Compare for the stays of a lot that ended in [starts_at, ends_at), at most MAX_STAYS of them, the oldest first.

    `vehicle_class`: of this class alone. The caller has found the lot in scope. Raises Invalid for a document that is
    no tariff and for a bad period.
    """
    proposed = tariffs.read(given)
    if not timedelta() < ends_at - starts_at <= MAX_PERIOD:
        raise Invalid("试算期间须为正，最长一年。", fields=[{"field": "ends_at"}])
    total, after = Comparison(), (starts_at, _FIRST)
    basis = Basis(lot["basis"]).value
    years = range(starts_at.year - 1, ends_at.year + 2)
    calendar = await calendars.of_community(db, lot["community_id"], years=years)
    while True:
        rows = await db.fetch(PAST, lot["id"], starts_at, ends_at, *after, basis, CHUNK, vehicle_class)
        if not rows:
            return total
        if total.stays + len(rows) > MAX_STAYS:
            return _sum(total, Comparison(complete=False))
        after = (rows[-1]["left_at"], rows[-1]["id"])
        versions = await _versions(db, rows)
        total = _sum(total, await asyncio.to_thread(_chunk, rows, versions, proposed, calendar.kind))


async def _versions(db: Reader, rows: Sequence[Record]) -> dict[UUID, Tariff]:
    wanted = {row["tariff_id"] for row in rows if row["tariff_id"] is not None}
    found = await db.fetch(VERSIONS, sorted(wanted))
    return {row["id"]: tariffs.parsed(row["id"], row["document"]) for row in found}


def _chunk(rows: Sequence[Record], versions: Mapping[UUID, Tariff], proposed: Tariff, day_kind: Kinds) -> Comparison:
    stays = then_fen = now_fen = dearer = cheaper = 0
    for row in rows:
        if row["tariff_id"] is None:
            continue
        old_fen, new_fen = (
            pricing.amount_fen(tariff, entered_at=row["entered_at"], left_at=row["left_at"], day_kind=day_kind)
            for tariff in (versions[row["tariff_id"]], proposed)
        )
        stays, then_fen, now_fen = stays + 1, then_fen + old_fen, now_fen + new_fen
        dearer, cheaper = dearer + (new_fen > old_fen), cheaper + (new_fen < old_fen)
    return Comparison(stays, then_fen, now_fen, dearer, cheaper)


def _sum(one: Comparison, other: Comparison) -> Comparison:
    return Comparison(
        one.stays + other.stays,
        one.then_fen + other.then_fen,
        one.now_fen + other.now_fen,
        one.dearer + other.dearer,
        one.cheaper + other.cheaper,
        one.complete and other.complete,
    )
