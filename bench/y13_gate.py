"""Y-13: cars decided per second over HTTP, signed by their cameras: in, out free of charge, out against payment.

The limit is a bare handler that sends the same statements by asyncpg. Of five requests two are entries, two are exits
of cars that came a moment ago, one is the exit of a car that owes.
"""

import statistics
from datetime import UTC, datetime, timedelta

import orjson

from bench import loopback
from bench.figures import Figure, percentile
from bench.gate_seed import LOTS, Estate, plate, seed, sighting
from bench.loopback import Run
from bench.matching import Matching, match
from bench.rig import Rig, pairs, progress

CARS = 2_400
WARM = 400
CLIENTS = 8
PACED_CONNECTIONS = 32
# A car leaves when so many others have come after it: its entry is decided by then.
BEHIND = 64
KINDS = {"entered": True, "left": True, "seen_at_exit": False}

# One row for each effect of a sighting, with what the camera was told.
DECIDED = """
    SELECT d.event_key, e.kind, (d.answer ->> 'open')::boolean AS opens
      FROM device_event d
      JOIN parking_event e ON e.device_event_id = d.id AND e.kind IN ('entered', 'left', 'seen_at_exit')
     WHERE d.event_key NOT LIKE 'seed-%'
"""


async def y13(rig: Rig) -> Figure:
    """The product against the same statements bare."""
    estate = await seed(rig, rig.size(CARS) // 2)

    async def limit() -> float:
        return await _rate(rig, estate, "bench.peer")

    async def ours() -> float:
        return await _rate(rig, estate, "backend.main")

    limits, mine = await pairs(rig, limit, ours)
    half = await _at_half_load(rig, estate, statistics.median(mine) / 2)
    p50, p99 = (percentile(half, share) * 1000 for share in (0.5, 0.99))
    return Figure(
        "Y-13",
        "cars decided at entries and exits, signed requests",
        "/s",
        "bare Sanic handler, the same statements by asyncpg, no signature, no price",
        limits,
        mine,
        0.33,
        also=((f"half load: p50 {p50:.1f} ms, p99 {p99:.1f} ms (≤ 50)", p99 <= 50),),
        notes=(f"{5 * estate.waiting:,} sightings, {LOTS} lots, one process each, {CLIENTS} connections",),
    )


def sightings(estate: Estate) -> list[tuple[str, str, bytes]]:
    """Key, expected event and bytes of each request, in order; signed now."""
    at, cars = datetime.now(UTC), 2 * estate.waiting
    made: list[tuple[str, str, bytes]] = []

    def add(kind: str, number: int, *, waiting: bool = False) -> None:
        lanes = estate.entries if kind == "entered" else estate.exits
        key = f"{kind}-{'w' if waiting else 'c'}{number}"
        text = plate(number, waiting=waiting)
        when = at + timedelta(microseconds=100 * len(made))
        made.append((key, kind, sighting(lanes[number % LOTS], key=key, text=text, at=when)))

    for number in range(cars + BEHIND):
        if number < cars:
            add("entered", number)
        if number >= BEHIND:
            add("left", number - BEHIND)
        if number % 2 and number < cars:
            add("seen_at_exit", number // 2, waiting=True)
    return made


async def _rate(rig: Rig, estate: Estate, module: str) -> float:
    async with rig.copy(estate.settings) as settings:
        async with rig.serving(module, settings) as port:
            told = sightings(estate)
            requests, warm = [each for _, _, each in told], min(WARM, len(told) // 10)
            first = await loopback.drive(port, requests[:warm], connections=CLIENTS)
            run = await loopback.drive(port, requests[warm:], connections=CLIENTS)
        async with rig.owner(settings) as owner:
            found = _matched(told, (first, run), await owner.fetch(DECIDED))
        if module == "backend.main":
            await rig.sound(settings)
    progress(f"    {module}: {found.text()}")
    return found.rate(run.seconds) * (len(told) - warm) / len(told)


async def _at_half_load(rig: Rig, estate: Estate, per_second: float) -> list[float]:
    """Seconds from when each sighting was due to its answer, at a steady pace."""
    async with rig.copy(estate.settings) as settings:
        async with rig.serving("backend.main", settings) as port:
            told = sightings(estate)
            requests, warm = [each for _, _, each in told], min(WARM, len(told) // 10)
            first = await loopback.drive(port, requests[:warm], connections=CLIENTS)
            run = await loopback.drive(
                port, requests[warm:], connections=PACED_CONNECTIONS, per_second=per_second
            )  # fmt: skip
        async with rig.owner(settings) as owner:
            found = _matched(told, (first, run), await owner.fetch(DECIDED))
        await rig.sound(settings)
    progress(f"    at {per_second:,.0f}/s: {found.text()}")
    return [answer.seconds for answer in run.answers] if found.clean else [float("inf")]


def _matched(told: list[tuple[str, str, bytes]], runs: tuple[Run, ...], rows: list[dict[str, object]]) -> Matching:
    """What the cameras were told against the events of the stays."""
    answers = [answer for run in runs for answer in run.answers]
    said = {
        key: (kind, orjson.loads(answer.body)["open"]) if answer.status == 200 else None
        for (key, kind, _), answer in zip(told, answers, strict=True)
    }
    wrong = sum(given is not None and given[1] is not KINDS[given[0]] for given in said.values())
    if wrong:
        raise RuntimeError(f"{wrong} cars were told what nobody expected")
    return match(said, ((row["event_key"], (row["kind"], row["opens"])) for row in rows))
