"""What identity does by the clock."""

from datetime import time

from backend.identity import account_codes, followers, staff_login, web_logins
from backend.kernel.periodic import Daily, Periodic
from backend.kernel.resources import Resources


async def purge(res: Resources, _period: str) -> None:
    """Retention: what was short-lived yesterday (failed logins, codes, states of logins), who unfollowed long ago."""
    for forget in (staff_login.purge, account_codes.purge, web_logins.purge, followers.purge):
        await res.db.transact(forget)


PERIODIC: tuple[Periodic, ...] = (Periodic("identity.purge", Daily(time(3, 10), catch_up=False), purge),)
