"""Y-9: "my bills", 20 of a resident's 24, with session, scope and strict models, over HTTP.

The limit is a bare handler that sends the same statements by asyncpg and makes the same JSON.
"""

from itertools import islice

import orjson

from bench import loopback
from bench.figures import Figure
from bench.houses_seed import Estate, seed
from bench.matching import match
from bench.rig import Rig, pairs, progress
from bench.y3_billing import run_child

RESIDENTS = 500
MONTHS = 24
REQUESTS = 10_000
WARM = 400
CLIENTS = 8
PAGE = 20

FIRST_PAGE = """
    SELECT h.no - 1 AS number, b.id, b.principal_fen
      FROM bill b JOIN house h ON h.id = b.house_id
     ORDER BY h.no, b.period_start DESC, b.id DESC
"""


async def y9(rig: Rig) -> Figure:
    """The product against a bare handler."""
    estate = await seed(rig, rig.size(RESIDENTS), sessions=True)
    await run_child(rig, estate.settings, estate, months=MONTHS)
    expected = await _expected(rig, estate)
    await rig.sound(estate.settings)

    async def limit() -> float:
        return await _rate(rig, estate, expected, "bench.peer")

    async def ours() -> float:
        return await _rate(rig, estate, expected, "backend.main")

    limits, mine = await pairs(rig, limit, ours)
    return Figure(
        "Y-9",
        "list my bills, 20 rows",
        "/s",
        "bare Sanic handler, the same two statements by asyncpg, the same JSON",
        limits,
        mine,
        0.6,
        notes=(f"2 queries; {estate.houses} residents with {MONTHS} bills, one process each, {CLIENTS} connections",),
    )


async def _expected(rig: Rig, estate: Estate) -> dict[int, tuple[tuple[str, int], ...]]:
    """The first page of each resident, from the rows."""
    pages: dict[int, list[tuple[str, int]]] = {}
    async with rig.owner(estate.settings) as owner:
        for row in await owner.fetch(FIRST_PAGE):
            pages.setdefault(row["number"], []).append((str(row["id"]), row["principal_fen"]))
    return {number: tuple(bills[:PAGE]) for number, bills in pages.items()}


async def _rate(rig: Rig, estate: Estate, expected: dict[int, tuple[tuple[str, int], ...]], module: str) -> float:
    count = rig.size(REQUESTS)
    numbers = [number % estate.houses for number in range(count + WARM)]
    requests = [
        loopback.request("GET", "/api/v1/bills", {"Authorization": f"Bearer {estate.token(number)}"})
        for number in numbers
    ]
    async with rig.copy(estate.settings) as settings, rig.serving(module, settings) as port:
        await loopback.drive(port, requests[:WARM], connections=CLIENTS)
        run = await loopback.drive(port, requests[WARM:], connections=CLIENTS)
    told = {position: expected[number] for position, number in enumerate(numbers[WARM:])}
    found = match(told, enumerate(_page(answer.body) for answer in run.answers))
    progress(f"    {module}: {found.text()}")
    return found.rate(run.seconds)


def _page(body: bytes) -> tuple[tuple[str, int], ...]:
    """What an answer shows; empty for a refusal."""
    shown = orjson.loads(body).get("items", [])
    return tuple((bill["id"], bill["due_fen"]) for bill in islice(shown, PAGE + 1))
