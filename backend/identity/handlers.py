"""What identity does by the clock."""

from datetime import time

from backend.identity import staff_login
from backend.kernel.periodic import Daily, Periodic
from backend.kernel.resources import Resources


async def purge(res: Resources, _period: str) -> None:
    """Retention: counts of failed logins and binding codes of yesterday."""
    await res.db.transact(staff_login.purge)


PERIODIC: tuple[Periodic, ...] = (Periodic("identity.purge", Daily(time(3, 10), catch_up=False), purge),)
