"""Transactions: all or nothing, repeated on deadlock, deferred inserts in one round trip."""

import asyncio

import asyncpg
import pytest

from backend.kernel import audit, outbox
from backend.kernel.audit import SYSTEM
from backend.kernel.db import Database, Tx
from backend.kernel.failpoints import arm


async def test_what_was_added_is_committed_with_the_transaction(db: Database) -> None:
    async def work(tx: Tx) -> None:
        outbox.emit(tx, "test.happened", {"n": 1})
        outbox.emit(tx, "test.happened", {"n": 2}, dedup_key="k")
        outbox.emit(tx, "test.happened", {"n": 3}, dedup_key="k")
        audit.record(tx, SYSTEM, action="test.done", target="test:1", after={"a": [1]})

    await db.transact(work)
    rows = await db.fetch("SELECT payload FROM outbox ORDER BY id")
    assert [row["payload"]["n"] for row in rows] == [1, 2]
    assert await db.fetchval("SELECT after FROM audit_entry") == {"a": [1]}


async def test_an_error_keeps_nothing(db: Database) -> None:
    async def work(tx: Tx) -> None:
        outbox.emit(tx, "test.happened", {})
        await tx.flush()
        raise ValueError

    with pytest.raises(ValueError):
        await db.transact(work)
    assert await db.fetchval("SELECT count(*) FROM outbox") == 0


async def test_a_serialization_failure_runs_the_work_again(db: Database) -> None:
    arm("tx.before_commit", "raise40001", times=2)
    runs = []

    async def work(tx: Tx) -> None:
        runs.append(1)
        outbox.emit(tx, "test.happened", {})

    await db.transact(work)
    assert len(runs) == 3
    assert await db.fetchval("SELECT count(*) FROM outbox") == 1


async def test_a_deadlock_is_repeated_and_both_get_through(db: Database) -> None:
    await db.execute(
        "INSERT INTO company SELECT gen_random_uuid(), n::text, $1 FROM generate_series(1, 2) n", db.clock.now()
    )
    both = asyncio.Barrier(2)
    first_time = {"1": True, "2": True}

    async def touch(mine: str, other: str) -> None:
        async def work(tx: Tx) -> None:
            await tx.execute("UPDATE company SET created_at = created_at WHERE name = $1", mine)
            if first_time[mine]:
                first_time[mine] = False
                await both.wait()
            await tx.execute("UPDATE company SET created_at = created_at WHERE name = $1", other)

        await db.transact(work)

    await asyncio.gather(touch("1", "2"), touch("2", "1"))


async def test_the_app_role_cannot_change_what_is_append_only(db: Database) -> None:
    async def work(tx: Tx) -> None:
        audit.record(tx, SYSTEM, action="test.done", target="test:1")

    await db.transact(work)
    for statement in ("UPDATE audit_entry SET action = 'x'", "DELETE FROM audit_entry", "DELETE FROM posting"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await db.execute(statement)
