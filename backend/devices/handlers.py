"""What devices do by the clock: commands end, nonces and the words of old events are forgotten."""

from datetime import datetime
from functools import partial

from backend.devices import commands
from backend.devices.inbox import KEPT
from backend.devices.signing import WINDOW
from backend.kernel.db import Tx
from backend.kernel.periodic import Minutes, Periodic
from backend.kernel.resources import Resources

BATCH = 5_000

# A nonce is worth nothing once no time stamp that was signed with it is believed.
FORGET_NONCES = """
    DELETE FROM device_nonce
     WHERE ctid = ANY (ARRAY(SELECT ctid FROM device_nonce WHERE used_at < $1 LIMIT $2))
"""

# Index device_event_body.
FORGET_BODIES = """
    UPDATE device_event SET body_sealed = NULL
     WHERE id = ANY (ARRAY(SELECT id FROM device_event
                            WHERE body_sealed IS NOT NULL AND received_at < $1 ORDER BY received_at LIMIT $2))
"""


async def tidy(res: Resources, _period: str) -> None:
    """End late commands, and forget what has been kept long enough, a batch of each."""
    now = res.clock.now()
    await res.db.transact(commands.expire)
    for statement, before in ((FORGET_NONCES, now - 3 * WINDOW), (FORGET_BODIES, now - KEPT)):
        await res.db.transact(partial(_forget, statement=statement, before=before))


async def _forget(tx: Tx, *, statement: str, before: datetime) -> None:
    await tx.execute(statement, before, BATCH)


PERIODIC = (Periodic("devices.tidy", Minutes(1), tidy),)
