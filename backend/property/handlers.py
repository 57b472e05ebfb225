"""What property does by the clock."""

from datetime import time

from backend.kernel.periodic import Daily, Periodic
from backend.kernel.resources import Resources
from backend.property import family_codes


async def purge(res: Resources, _period: str) -> None:
    """Retention: family codes that ended a month ago."""
    await res.db.transact(family_codes.purge)


PERIODIC: tuple[Periodic, ...] = (Periodic("property.purge", Daily(time(3, 15), catch_up=False), purge),)
