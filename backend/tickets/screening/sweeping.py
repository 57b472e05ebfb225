"""What the clock does with checks: verdicts that never came are waited for no longer, old ones are forgotten."""

from datetime import time, timedelta

from backend.kernel.periodic import Daily, Minutes, Periodic
from backend.kernel.resources import Resources

# WeChat pushes its verdict within half an hour.
WAITED = timedelta(hours=1)
KEPT = timedelta(days=180)
BATCH = 10_000

# Index ticket_check_unanswered.
UNANSWERED = "UPDATE ticket_check SET state = 'SKIPPED', ended_at = $1 WHERE state = 'ASKED' AND asked_at < $2"

# Index ticket_check_old. What hides something stays.
FORGET = """
    DELETE FROM ticket_check
     WHERE id IN (SELECT id FROM ticket_check
                   WHERE state IN ('PASSED', 'SKIPPED', 'CLEARED') AND ended_at < $1 LIMIT $2)
"""


async def give_up(res: Resources, _period: str) -> None:
    """Pictures of which WeChat said nothing in time stay as they are, shown."""
    now = res.clock.now()
    await res.db.execute(UNANSWERED, now, now - WAITED)


async def forget(res: Resources, _period: str) -> None:
    """Delete checks that have ended long ago; the rest goes tomorrow."""
    await res.db.execute(FORGET, res.clock.now() - KEPT, BATCH)


PERIODIC: tuple[Periodic, ...] = (
    Periodic("tickets.checks_give_up", Minutes(30), give_up),
    Periodic("tickets.checks_forget", Daily(time(4, 5), catch_up=False), forget),
)
