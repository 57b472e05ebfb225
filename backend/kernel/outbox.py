"""The outbox: the only way a job comes to be (design principle 1, I-16).

`emit` adds a row to the transaction of the change; the relay in `workers` hands it to a worker, which calls the
handler of the event with a `Job`. The handler does its work in `job.transact`, which marks the row done in the same
transaction, fenced by the attempt number: a worker that comes back after its lease went to another changes nothing.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar
from uuid import UUID

from backend.kernel.db import Batch, Tx, Write
from backend.kernel.resources import Resources

T = TypeVar("T")

ROW = Batch(
    table="outbox",
    columns=(
        ("event", "text"),
        ("lane", "text"),
        ("dedup_key", "text"),
        ("community_id", "uuid"),
        ("payload", "jsonb"),
        ("state", "text"),
        ("run_at", "timestamptz"),
        ("emitted_at", "timestamptz"),
    ),
    on_conflict="ON CONFLICT (event, dedup_key) WHERE dedup_key IS NOT NULL DO NOTHING",
)

DONE = """
    UPDATE outbox
       SET state = 'DONE', finished_at = $3, lease_until = NULL, last_error = NULL
     WHERE id = $1 AND attempt = $2 AND state = 'LEASED'
 RETURNING id
"""


class Lane(StrEnum):
    """Rows of one lane never wait for those of another: `BULK` is for many that may each take long."""

    PROMPT = "prompt"
    BULK = "bulk"


class Retry(Exception):
    """Transient trouble: the job runs again later, after `after_s` seconds or by the usual back-off."""

    def __init__(self, reason: str, *, after_s: int | None = None) -> None:
        super().__init__(reason)
        self.after_s = after_s


class Park(Exception):
    """Permanent trouble: the row is put aside, where staff see it with this reason."""


class Fenced(Exception):
    """The row is no longer ours: its lease went to another attempt. Nothing of this one is kept."""


def emit(
    tx: Write,
    event: str,
    payload: Mapping[str, Any],
    *,
    community_id: UUID | None = None,
    dedup_key: str | None = None,
    lane: Lane = Lane.PROMPT,
    run_at: datetime | None = None,
) -> None:
    """Add an event to the transaction. With a `dedup_key`, a second one of the same event and key is dropped."""
    tx.add(ROW, event, lane, dedup_key, community_id, dict(payload), "READY", run_at or tx.now, tx.now)


@dataclass(slots=True)
class Job:
    """What a handler gets: one leased row of the outbox and the resources to work it."""

    res: Resources
    id: int
    attempt: int
    event: str
    payload: Mapping[str, Any]
    failures: int = 0
    done: bool = False

    async def transact(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """Run `work` and mark the row done in one transaction; raises `Fenced` when the row is no longer ours."""

        async def fenced(tx: Tx) -> T:
            answer = await work(tx)
            await self.finish(tx)
            return answer

        answer = await self.res.db.transact(fenced)
        self.done = True
        return answer

    async def finish_alone(self, statement: str = DONE, *more: Any) -> None:
        """Mark the row done by one statement, with no transaction around it; raises `Fenced` as `finish` does.

        `statement` is DONE, or begins with it as a part and writes what else there is, with `more` from $4 on.
        """
        if await self.res.db.fetchval(statement, self.id, self.attempt, self.res.clock.now(), *more) is None:
            raise Fenced(f"outbox row {self.id}, attempt {self.attempt}")
        self.done = True

    async def finish(self, tx: Tx) -> None:
        """Mark the row done in `tx`, along with what was added; raises `Fenced` when the row is no longer ours."""
        if await tx.fetchrow_and_flush(DONE, self.id, self.attempt, tx.now) is None:
            raise Fenced(f"outbox row {self.id}, attempt {self.attempt}")


Handler = Callable[[Job], Awaitable[None]]
