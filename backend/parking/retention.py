"""How long parking keeps what it need not keep for good (D8): changes of the lists for lanes, pictures of passages."""

import time
from datetime import time as clock_time

from backend.kernel.periodic import Daily, Minutes, Periodic
from backend.kernel.resources import Resources
from backend.parking.lanes import gate_list, pictures

BUDGET_S = 20.0


async def forget(res: Resources, _period: str) -> None:
    """Forget what has been kept long enough."""
    await res.db.transact(gate_list.forget)


async def forget_pictures(res: Resources, _period: str) -> None:
    """Delete old pictures, BUDGET_S seconds at most; the rest goes in the next period."""
    began = time.monotonic()
    while time.monotonic() - began < BUDGET_S:
        if await pictures.forget(res) < pictures.BATCH:
            break


PERIODIC: tuple[Periodic, ...] = (
    Periodic("parking.forget", Daily(clock_time(3, 40), catch_up=False), forget),
    Periodic("parking.forget_pictures", Minutes(10), forget_pictures),
)
