"""Y-15: tariff quotes per second in one process: prices with every line of their explanation.

Half by a flat tariff with a daily cap, half by the published kerb-side prices with day and night. A run in which the
lines of one quote do not add up, or an amount differs from that of the short way, has rate 0.
"""

import random
import time
from datetime import UTC, datetime, timedelta

from backend.parking.prices import pricing
from backend.parking.prices.tariff import parse
from backend.property import calendars
from bench.figures import Rate
from bench.rig import Rig, progress
from tests.factories_parking import PRICES
from tests.parking_tariffs import kerb

QUOTES = 30_000
SINCE = datetime(2026, 9, 1, tzinfo=UTC)
STAY_S = 9_000


async def y15(rig: Rig) -> Rate:
    """Stays of two and a half hours in the middle, some of days."""
    stays = _stays(rig.size(QUOTES))
    rates = tuple(_run(stays) for _ in range(rig.pairs))
    return Rate(
        "Y-15",
        "tariff quotes with their explanation, one process",
        "/s",
        rates,
        6_000,
        notes=(f"{len(stays):,} stays of {STAY_S / 3600:g} hours on average, two tariffs in turn",),
    )


def _stays(count: int) -> list[tuple[datetime, datetime]]:
    chance = random.Random(15)
    entries = [SINCE + timedelta(seconds=chance.randrange(30 * 86_400)) for _ in range(count)]
    return [(at, at + timedelta(seconds=60 + int(chance.expovariate(1 / STAY_S)))) for at in entries]


def _run(stays: list[tuple[datetime, datetime]]) -> float:
    known = (parse(PRICES), parse(kerb()))
    started = time.perf_counter()
    prices = [
        pricing.price(known[number % 2], entered_at=entered, left_at=left, day_kind=calendars.by_weekday)
        for number, (entered, left) in enumerate(stays)
    ]
    seconds = time.perf_counter() - started
    for number, ((entered, left), price) in enumerate(zip(stays, prices, strict=True)):
        amount_fen = pricing.amount_fen(
            known[number % 2], entered_at=entered, left_at=left, day_kind=calendars.by_weekday
        )  # fmt: skip
        if not price.amount_fen == amount_fen == sum(line.amount_fen for line in price.lines):
            progress(f"    {entered} to {left}: {price.text}, not {amount_fen}")
            return 0.0
    return len(stays) / seconds
