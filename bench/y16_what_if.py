"""Y-16: a what-if over 60,000 stays of two months: the prices of their time against proposed ones.

The sums that come back are matched with those of every stay priced one by one with its explanation.
"""

import time
from datetime import timedelta
from typing import Any

from backend.kernel.resources import Resources
from backend.parking import lots
from backend.parking.prices import pricing, what_if
from backend.parking.prices.tariff import parse
from backend.parking.prices.what_if import Comparison
from backend.property import calendars
from bench.figures import Latency
from bench.gate_seed import Estate, seed
from bench.rig import Rig, progress
from tests.factories_parking import PRICES
from tests.parking_tariffs import kerb

STAYS = 60_000
GOAL_MS = 10_000
PERIOD = timedelta(days=45)

# Lengths from a few minutes to some days, most of them hours.
PAST = """
    INSERT INTO parking_session (id, community_id, lot_id, state, flags, plate_blind, tail_blind, entry_tariff_id,
                                 entered_at, entry_lane_id, left_at, exit_lane_id, created_at, plate_sealed)
    SELECT ('c0000001-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, lot.community_id, lot.id, 'OUT', '{}',
           substr(sha256(convert_to(n::text, 'UTF8')), 1, 16),
           substr(sha256(convert_to('t' || n, 'UTF8')), 1, 16), t.id, s.entered_at, lane_in.id,
           s.entered_at + make_interval(secs => 60 + n * 7919 % 20000 + (n % 50 = 0)::integer * 200000), lane_out.id,
           s.entered_at, '\\x01'::bytea || decode(repeat('00', 48), 'hex')
      FROM generate_series(1, $2::bigint) AS n
      JOIN parking_lot lot ON lot.id = $1
      JOIN parking_tariff t ON t.lot_id = lot.id
      JOIN parking_lane lane_in ON lane_in.lot_id = lot.id AND lane_in.direction = 'in'
      JOIN parking_lane lane_out ON lane_out.lot_id = lot.id AND lane_out.direction = 'out'
     CROSS JOIN LATERAL (
           SELECT $3::timestamptz - interval '40 days' + make_interval(secs => n * 104729 % 3000000) AS entered_at) AS s
"""

ALL = "SELECT entered_at, left_at FROM parking_session WHERE lot_id = $1 AND state = 'OUT'"


async def y16(rig: Rig) -> Latency:
    """From the call to its answer, with everything that it reads."""
    estate, stays = await seed(rig, 0), rig.size(STAYS)
    seconds = []
    async with rig.owner(estate.settings) as owner, rig.resources(estate.settings) as res:
        await owner.execute(PAST, estate.lot_ids[0], stays, res.clock.now())
        await owner.execute("VACUUM ANALYZE")
        expected = _one_by_one(await owner.fetch(ALL, estate.lot_ids[0]))
        for _ in range(rig.pairs):
            started = time.perf_counter()
            found = await _compared(res, estate)
            took_s = time.perf_counter() - started
            progress(f"    {found.stays:,} stays in {took_s:.1f} s, {'match' if found == expected else 'mismatch'}")
            seconds.append(took_s if found == expected and found.stays == stays else float("inf"))
    return Latency(
        "Y-16",
        f"a what-if over {stays:,} stays",
        tuple(seconds),
        GOAL_MS,
        "none",
        notes=("one process, the work in a thread beside its loop",),
    )


async def _compared(res: Resources, estate: Estate) -> Comparison:
    lot = await lots.one(res.db, estate.lot_ids[0], communities=[estate.community_id])
    now = res.clock.now()
    return await what_if.compare(res.db, lot, given=kerb(), starts_at=now - PERIOD, ends_at=now + PERIOD)


def _one_by_one(rows: list[Any]) -> Comparison:
    before, after = parse(PRICES), parse(kerb())
    then_fen = now_fen = dearer = cheaper = 0
    for row in rows:
        old, new = (
            pricing.price(
                each, entered_at=row["entered_at"], left_at=row["left_at"], day_kind=calendars.by_weekday
            ).amount_fen
            for each in (before, after)
        )
        then_fen, now_fen = then_fen + old, now_fen + new
        dearer, cheaper = dearer + (new > old), cheaper + (new < old)
    return Comparison(len(rows), then_fen, now_fen, dearer, cheaper)
