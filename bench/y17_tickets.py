"""Y-17: an engineer's list of 20 open tickets among 500,000, with session and scope, over HTTP.

The limit is a bare handler that sends the same three statements by asyncpg and makes the same JSON.
"""

import orjson

from bench import loopback
from bench.figures import Figure
from bench.matching import match
from bench.rig import Rig, pairs, progress
from bench.tickets_seed import ENGINEERS, IN_HAND, Desk, seed

TICKETS = 500_000
REQUESTS = 4_000
WARM = 400
CLIENTS = 8
PATH = "/admin/v1/ticket-work"


async def y17(rig: Rig) -> Figure:
    """The product against a bare handler."""
    desk = await seed(rig, rig.size(TICKETS))
    await rig.sound(desk.settings)

    async def limit() -> float:
        return await _rate(rig, desk, "bench.peer")

    async def ours() -> float:
        return await _rate(rig, desk, "backend.main")

    limits, mine = await pairs(rig, limit, ours)
    return Figure(
        "Y-17",
        f"an engineer's list, {IN_HAND} open tickets",
        "/s",
        "bare Sanic handler, the same three statements by asyncpg, the same JSON",
        limits,
        mine,
        0.6,
        notes=(f"3 queries; {desk.tickets:,} tickets, {ENGINEERS} engineers, one process each, {CLIENTS} connections",),
    )


async def _rate(rig: Rig, desk: Desk, module: str) -> float:
    numbers = [number % ENGINEERS for number in range(rig.size(REQUESTS) + WARM)]
    requests = [
        loopback.request("GET", PATH, {"Authorization": f"Bearer {desk.token(number)}"}) for number in numbers
    ]  # fmt: skip
    async with rig.copy(desk.settings) as settings, rig.serving(module, settings) as port:
        await loopback.drive(port, requests[:WARM], connections=CLIENTS)
        run = await loopback.drive(port, requests[WARM:], connections=CLIENTS)
    told = {position: desk.lists[number] for position, number in enumerate(numbers[WARM:])}
    found = match(told, enumerate(_list(answer.body) for answer in run.answers))
    progress(f"    {module}: {found.text()}")
    return found.rate(run.seconds)


def _list(body: bytes) -> tuple[int, ...]:
    """What an answer shows; empty for a refusal."""
    return tuple(ticket["no"] for ticket in orjson.loads(body).get("items", []))
