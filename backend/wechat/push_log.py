"""Which pushes were taken, one row each: a copy is told from a new one in the transaction of what it causes (I-16).

Of a follower nothing stands here but a blind index, for counting, and not even that once the follower has gone.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from datetime import time as clock_time
from enum import StrEnum
from uuid import UUID

from backend.kernel.crypto import Keyring
from backend.kernel.db import Tx
from backend.kernel.periodic import Daily, Periodic
from backend.kernel.resources import Resources
from backend.wechat.push_reading import Message

KEPT = timedelta(days=7)
BATCH = 10_000

# A copy that comes at the same time waits here for the first one's commit.
TAKE = """
    INSERT INTO wechat_push (key_hash, appid, company_id, kind, sender, outcome, received_at)
    VALUES ($1, $2, $3, $4, $5, 'ignored', $6)
        ON CONFLICT (key_hash) DO NOTHING
 RETURNING key_hash
"""
REPLY = "SELECT reply FROM wechat_push WHERE key_hash = $1"
SETTLE = "UPDATE wechat_push SET outcome = $2, reply = $3 WHERE key_hash = $1"
# Index wechat_push_sender.
TEXTS = "SELECT count(*) FROM wechat_push WHERE sender = $1 AND received_at > $2 AND kind = $3"
FORGET_SENDER = "UPDATE wechat_push SET sender = NULL WHERE sender = $1"
FORGET = """
    WITH old AS (SELECT key_hash FROM wechat_push WHERE received_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED),
         gone AS (DELETE FROM wechat_push p USING old WHERE p.key_hash = old.key_hash RETURNING 1)
    SELECT count(*) FROM gone
"""


class Outcome(StrEnum):
    """What came of a push; of a flood only that it was one."""

    HANDLED = "handled"
    REPLIED = "replied"
    LIMITED = "limited"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class Copy:
    """The push was taken before, and answered with this."""

    reply: str | None


async def take(tx: Tx, keyring: Keyring, message: Message, *, company_id: UUID) -> Copy | None:
    """Note the push in the transaction of what it causes; a Copy where that was done before."""
    sender, kind = _sender(keyring, message), message.event or message.kind
    if await tx.fetchval(TAKE, message.key, message.appid, company_id, kind, sender, tx.now) is not None:
        return None
    return Copy(await tx.fetchval(REPLY, message.key))


async def settle(tx: Tx, message: Message, outcome: Outcome, reply: str | None) -> None:
    """What came of a push that was taken in this transaction."""
    if outcome is not Outcome.IGNORED:
        await tx.execute(SETTLE, message.key, outcome, reply)


async def count_of_kind(tx: Tx, keyring: Keyring, message: Message, *, since: datetime) -> int:
    """How many pushes of the kind of `message` its sender has sent, this one included."""
    count: int = await tx.fetchval(TEXTS, _sender(keyring, message), since, message.event or message.kind)
    return count


async def forget_sender(tx: Tx, keyring: Keyring, message: Message) -> None:
    """The sender has unfollowed: what was sent cannot be counted as theirs any more (pitfalls E20)."""
    await tx.execute(FORGET_SENDER, _sender(keyring, message))


def _sender(keyring: Keyring, message: Message) -> bytes:
    return keyring.blind(f"{message.appid}\0{message.openid}", "wechat_sender")


async def forget(res: Resources, _period: str) -> None:
    """Delete what has been kept long enough."""
    before = res.clock.now() - KEPT
    while await res.db.fetchval(FORGET, before, BATCH) == BATCH:
        pass


PERIODIC: tuple[Periodic, ...] = (Periodic("wechat.forget", Daily(clock_time(4, 5), catch_up=False), forget),)
