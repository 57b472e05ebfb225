"""What the clock does with tickets (D9): pauses that end, work that is signed off by itself, what is closed in the end.

Each ticket moves in a transaction of its own, by the machine, as the system; one that has moved meanwhile is left
alone. A sweep takes BATCH tickets of each sort at most; the rest goes in the next.
"""

from collections.abc import Sequence
from datetime import timedelta

from backend.kernel.db import Record, Tx
from backend.kernel.errors import Conflict, Invalid
from backend.kernel.periodic import Minutes, Periodic
from backend.kernel.resources import Resources
from backend.tickets import machine
from backend.tickets.dispatch import handlers as dispatch_handlers
from backend.tickets.moves import Move
from backend.tickets.screening import sweeping as screening_sweeping
from backend.tickets.step import the_system

BATCH = 500
# Time to say something about the work before the ticket is closed.
CLOSED_AFTER = timedelta(days=7)

# Index ticket_paused_until.
PAUSE_OVER = """
    SELECT id, community_id FROM ticket WHERE state = 'PAUSED' AND paused_until <= $1 ORDER BY paused_until LIMIT $2
"""

# Index ticket_settling.
UNSIGNED = """
    SELECT t.id, t.community_id FROM ticket t JOIN ticket_category c ON c.id = t.category_id
     WHERE t.state = 'DONE' AND t.moved_at <= $1::timestamptz - make_interval(days => c.auto_sign_off_days)
     ORDER BY t.moved_at
     LIMIT $2
"""

# Index ticket_settling; only what has been followed up as its category promises, and as the guards of closing ask.
SETTLED = """
    SELECT t.id, t.community_id FROM ticket t JOIN ticket_category c ON c.id = t.category_id
     WHERE t.moved_at <= $1
       AND CASE WHEN t.kind = 'complaint'
                THEN t.state = 'FOLLOWED_UP'
                     AND EXISTS (SELECT FROM ticket_complaint q WHERE q.ticket_id = t.id AND q.cause_id IS NOT NULL)
                ELSE t.state = 'FOLLOWED_UP'
                     OR (t.state = 'RATED' AND c.follow_up <> 'always'
                         AND NOT EXISTS (SELECT FROM ticket_rating r
                                          WHERE r.ticket_id = t.id AND r.round = t.round AND r.stars <= 2))
                     OR (t.state IN ('SIGNED_OFF', 'AUTO_SIGNED_OFF', 'PAID') AND c.follow_up = 'none')
           END
       AND t.state IN ('SIGNED_OFF', 'AUTO_SIGNED_OFF', 'PAID', 'RATED', 'FOLLOWED_UP')
       AND NOT EXISTS (SELECT FROM ticket_quote q WHERE q.ticket_id = t.id AND q.state = 'DUE')
     ORDER BY t.moved_at
     LIMIT $2
"""


async def sweep(res: Resources, _period: str) -> None:
    """Everything that is due."""
    now = res.clock.now()
    await _move(res, Move.RESUME, await res.db.fetch(PAUSE_OVER, now, BATCH))
    await _move(res, Move.AUTO_SIGN_OFF, await res.db.fetch(UNSIGNED, now, BATCH))
    await _move(res, Move.CLOSE, await res.db.fetch(SETTLED, now - CLOSED_AFTER, BATCH))


async def _move(res: Resources, name: Move, due: Sequence[Record]) -> None:
    for row in due:

        async def work(tx: Tx, row: Record = row) -> None:
            await machine.move(tx, the_system(row["community_id"]), ticket_id=row["id"], name=name)

        try:
            await res.db.transact(work)
        except (Conflict, Invalid):
            continue


PERIODIC: tuple[Periodic, ...] = (
    Periodic("tickets.sweep", Minutes(5), sweep),
    *dispatch_handlers.PERIODIC,
    *screening_sweeping.PERIODIC,
)
