"""Figures of a lot's days (停车统计): income, cars in and out, turnover, lengths of stays, full hours (D8, D13).

Basis: income is what the ledger booked on these days (cash); cars count on the day of their entry and of their exit,
in Asia/Shanghai. A stay that a guard voided never was. `ends_on` is the first day that does not count.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from uuid import UUID

from backend.kernel.clock import start_of_day
from backend.kernel.db import Reader, Record
from backend.kernel.errors import Invalid
from backend.ledger import balances

# Bounds of the lengths of stays, in minutes; the last is open.
LENGTHS_MIN = (0, 30, 60, 120, 240, 480, 720, 1_440, 4_320, 10_080)


class By(StrEnum):
    """What a line of the figures is."""

    DAY = "day"
    MONTH = "month"


MAX_DAYS: Mapping[By, int] = {By.DAY: 92, By.MONTH: 1_100}


class ExitKind(StrEnum):
    """Why a car went out: by its card, a white list, within the free time, paid, opened by hand, or unpaid and told
    late."""

    CARD = "card"
    LIST = "list"
    FREE = "free"
    PAID = "paid"
    BY_HAND = "by_hand"
    UNPAID = "unpaid"


# Index parking_session_entered. A stay whose exit nobody saw (VOIDED without left_at) did come in.
ENTRIES = """
    SELECT date_trunc($4, entered_at AT TIME ZONE 'Asia/Shanghai')::date AS first_on, count(*) AS cars
      FROM parking_session
     WHERE lot_id = $1 AND entered_at >= $2 AND entered_at < $3 AND (state <> 'VOIDED' OR left_at IS NULL)
     GROUP BY 1
"""

# Index parking_session_ended. Without an entry only a card or a white list goes out by itself.
EXITS = """
    SELECT date_trunc($4, s.left_at AT TIME ZONE 'Asia/Shanghai')::date AS first_on,
           CASE WHEN s.paid_fen > 0 THEN 'paid'
                WHEN EXISTS (SELECT FROM parking_hand_opening o
                              WHERE o.session_id = s.id AND o.direction = 'out') THEN 'by_hand'
                WHEN 'left_unpaid' = ANY (s.flags) THEN 'unpaid'
                WHEN EXISTS (SELECT FROM parking_list_entry e
                              WHERE e.lot_id = s.lot_id AND e.vehicle_id = s.vehicle_id AND e.kind = 'white'
                                AND e.period @> (s.left_at AT TIME ZONE 'Asia/Shanghai')::date) THEN 'list'
                WHEN s.card_id IS NOT NULL OR s.entered_at IS NULL THEN 'card'
                ELSE 'free' END AS kind,
           count(*) AS cars
      FROM parking_session s
     WHERE s.lot_id = $1 AND s.state = 'OUT' AND s.left_at >= $2 AND s.left_at < $3
     GROUP BY 1, 2
"""

LENGTHS = """
    SELECT width_bucket((extract(epoch FROM left_at - entered_at) / 60)::numeric, $4::numeric[]) AS place,
           count(*) AS cars
      FROM parking_session
     WHERE lot_id = $1 AND state = 'OUT' AND left_at >= $2 AND left_at < $3 AND entered_at IS NOT NULL
     GROUP BY 1
"""

# Every entry and exit is a step of the number of cars inside, from those that stood there when the period began; an
# hour's own step of 0 carries the number into hours in which nothing moves. Who goes at an instant makes room first.
HOURS = """
    WITH step AS (
        SELECT $2::timestamptz AS at, count(*) AS cars FROM parking_session
         WHERE lot_id = $1 AND entered_at < $2 AND state <> 'VOIDED' AND (state <> 'OUT' OR left_at >= $2)
         UNION ALL
        SELECT entered_at, 1 FROM parking_session
         WHERE lot_id = $1 AND entered_at >= $2 AND entered_at < $3 AND state <> 'VOIDED'
         UNION ALL
        SELECT left_at, -1 FROM parking_session
         WHERE lot_id = $1 AND left_at >= $2 AND left_at < $3 AND state = 'OUT' AND entered_at IS NOT NULL
         UNION ALL
        SELECT slot, 0 FROM generate_series($2::timestamptz, $3::timestamptz - interval '1 hour', '1 hour') AS slot),
    inside AS (
        SELECT date_trunc('hour', at) AS slot,
               sum(cars) OVER (ORDER BY at, cars ROWS UNBOUNDED PRECEDING) AS cars
          FROM step),
    fullest AS (SELECT slot, max(cars) AS cars FROM inside GROUP BY slot)
    SELECT extract(hour FROM slot AT TIME ZONE 'Asia/Shanghai')::integer AS hour,
           max(cars)::integer AS peak, round(avg(cars))::integer AS average,
           (array_agg(slot ORDER BY cars DESC, slot))[1] AS peak_slot
      FROM fullest
     GROUP BY 1 ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class Line:
    """A day, a month or all of the period. `turnover_percent`: cars per space, a hundred for each space used once."""

    first_on: date
    income_fen: int
    refunded_fen: int
    entries: int
    exits: Mapping[ExitKind, int]
    turnover_percent: int


@dataclass(frozen=True, slots=True)
class Length:
    """How many stays took `from_min` minutes or more, and less than `to_min`."""

    from_min: int
    to_min: int | None
    stays: int


@dataclass(frozen=True, slots=True)
class Hour:
    """The most cars inside in an hour of the day: on the fullest day, when that was, and on average over the days."""

    hour: int
    peak: int
    peak_at: datetime
    average: int


@dataclass(frozen=True, slots=True)
class Figures:
    """All of it."""

    lines: tuple[Line, ...]
    total: Line
    lengths: tuple[Length, ...]
    hours: tuple[Hour, ...]


async def of_lot(db: Reader, lot: Record, *, starts_on: date, ends_on: date, by: By) -> Figures:
    """The figures of a lot that the caller has found in scope; Invalid for a period that is empty or too long.

    Spaces are those of today: how many the lot had before is not kept.
    """
    starts_at, ends_at = instants(starts_on, ends_on, max_days=MAX_DAYS[by])
    entries = await db.fetch(ENTRIES, lot["id"], starts_at, ends_at, by.value)
    exits = await db.fetch(EXITS, lot["id"], starts_at, ends_at, by.value)
    booked = await balances.parking_days(
        db, community_id=lot["community_id"], lot_id=lot["id"], starts_on=starts_on, ends_on=ends_on
    )  # fmt: skip
    came = {row["first_on"]: row["cars"] for row in entries}
    lines = []
    for first_on in _firsts(starts_on, ends_on, by):
        money = [(paid, back) for on, paid, back in booked if _first(on, by) == first_on]
        gone = {ExitKind(row["kind"]): row["cars"] for row in exits if row["first_on"] == first_on}
        lines.append(_line(max(first_on, starts_on), money, came.get(first_on, 0), gone, lot["spaces"]))
    return Figures(
        tuple(lines),
        _sum(lines, starts_on, lot["spaces"]),
        await _lengths(db, lot["id"], starts_at, ends_at),
        await _hours(db, lot["id"], starts_at, ends_at),
    )


def instants(starts_on: date, ends_on: date, *, max_days: int) -> tuple[datetime, datetime]:
    """The period as instants; Invalid where it is empty or longer than `max_days`."""
    if ends_on <= starts_on:
        raise Invalid("结束日期必须晚于开始日期。", fields=[{"field": "ends_on"}])
    if (ends_on - starts_on).days > max_days:
        raise Invalid(f"一次最多统计 {max_days} 天。", fields=[{"field": "ends_on"}])
    return start_of_day(starts_on), start_of_day(ends_on)


async def _lengths(db: Reader, lot_id: UUID, starts_at: datetime, ends_at: datetime) -> tuple[Length, ...]:
    rows = await db.fetch(LENGTHS, lot_id, starts_at, ends_at, list(LENGTHS_MIN))
    stays = {row["place"]: row["cars"] for row in rows}
    bounds = pairwise([*LENGTHS_MIN, None])
    return tuple(
        Length(low, high, stays.get(place, 0)) for place, (low, high) in enumerate(bounds, 1) if low is not None
    )


async def _hours(db: Reader, lot_id: UUID, starts_at: datetime, ends_at: datetime) -> tuple[Hour, ...]:
    rows = await db.fetch(HOURS, lot_id, starts_at, ends_at)
    return tuple(Hour(row["hour"], row["peak"], row["peak_slot"], row["average"]) for row in rows)


def _line(
    first_on: date, money: Sequence[tuple[int, int]], entries: int, exits: Mapping[ExitKind, int], spaces: int
) -> Line:
    return Line(
        first_on=first_on,
        income_fen=sum(paid for paid, _ in money),
        refunded_fen=sum(back for _, back in money),
        entries=entries,
        exits={kind: exits.get(kind, 0) for kind in ExitKind},
        turnover_percent=entries * 100 // spaces if spaces else 0,
    )


def _sum(lines: Sequence[Line], starts_on: date, spaces: int) -> Line:
    exits = Counter[ExitKind]()
    for line in lines:
        exits.update(line.exits)
    money = [(line.income_fen, line.refunded_fen) for line in lines]
    return _line(starts_on, money, sum(line.entries for line in lines), exits, spaces)


def _first(on: date, by: By) -> date:
    return on if by is By.DAY else on.replace(day=1)


def _firsts(starts_on: date, ends_on: date, by: By) -> list[date]:
    """The days, or the first days of the months, of a period."""
    days = (starts_on + timedelta(days=number) for number in range((ends_on - starts_on).days))
    return sorted({_first(day, by) for day in days})
