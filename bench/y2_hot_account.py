"""Y-2: all callbacks to one merchant of one community, against the same dealt out to many, so that no row is shared.

Both are ours, over HTTP, with everything of Y-1. A balance kept in a row, or any other row that the callbacks of a
merchant write or lock together, would show as a ratio below 1: a shared balance row came to 0.49 with 8 connections and
0.22 with 32.
"""

from bench.callbacks_seed import seed
from bench.figures import Figure
from bench.rig import Rig, pairs
from bench.y1_callbacks import ORDERS, rate

MERCHANTS = 64
CONNECTIONS = 32


async def y2(rig: Rig) -> Figure:
    """One hot merchant against many."""
    spread = await seed(rig, rig.size(ORDERS), merchants=MERCHANTS)
    hot = await seed(rig, rig.size(ORDERS))

    async def limit() -> float:
        return await rate(rig, spread, "backend.main", connections=CONNECTIONS)

    async def ours() -> float:
        return await rate(rig, hot, "backend.main", connections=CONNECTIONS)

    limits, mine = await pairs(rig, limit, ours)
    return Figure(
        "Y-2",
        "hot account: callbacks of one merchant settled",
        "/s",
        f"the same, dealt out to {MERCHANTS} merchants of as many communities, no row shared",
        limits,
        mine,
        0.95,
        notes=(f"{hot.orders:,} orders, one process, {CONNECTIONS} connections",),
    )
