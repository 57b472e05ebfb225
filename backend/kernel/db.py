"""PostgreSQL: one pool, one way to run a transaction.

`Database.transact(work)` is the door to a write: it begins, runs `work(tx)`, sends what was added with `tx.add` in
one round trip, and commits. Deadlocks and serialization failures (40P01, 40001) run `work` again, three times at most,
so `work` must be repeatable and must not call the network (design principle 3). Statement and lock time-outs are
settings of the connection. Tortoise models share the pool: `using_db(tx.orm)` reads and writes inside the transaction.

`Database.at_once(work)` is the narrow door beside it: `work` looks without a lock, decides, and writes by one statement
that fails where what was seen is no longer so: two round trips instead of begin, lock, write, commit (decision 0018).
"""

import asyncio
import random
import re
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache, cached_property, partial
from typing import Any, Protocol, TypeVar, cast

import asyncpg
from asyncpg.transaction import Transaction
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.exceptions import DBConnectionError

from backend.kernel.clock import Clock, local_date
from backend.kernel.errors import Unavailable
from backend.kernel.failpoints import failpoint
from backend.kernel.gathering import Together

A = TypeVar("A")
T = TypeVar("T")
ATTEMPTS = 4
_ARGUMENT = re.compile(r"\$(\d+)")
ACQUIRE_S = 3.0
UNDO_S = RELEASE_S = 2.0
_AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InterfaceError,
    ConnectionError,
    TimeoutError,
)
_REFUSED = (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError, DBConnectionError)
_BUSY = (asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError)


class Again(Exception):
    """What a transaction had read before its lock is no longer so: `transact` runs it again."""


_REPEAT = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, Again)


class Record(Protocol):
    """A row: values by column name."""

    def __getitem__(self, column: str) -> Any: ...

    def keys(self) -> Iterator[str]: ...

    def values(self) -> Iterator[Any]: ...

    def items(self) -> Iterator[tuple[str, Any]]: ...


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """An insert that `Tx.add` collects: table, columns with their types, and what a conflict means. A constant."""

    table: str
    columns: tuple[tuple[str, str], ...]
    on_conflict: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """Common table expressions, with arguments of their own from $1 on, that another statement takes along."""

    sql: str
    args: tuple[Any, ...]


@contextmanager
def translated() -> Iterator[None]:
    """PostgreSQL away, full, or too slow, is `Unavailable`: the request failed, nothing was changed, try again."""
    try:
        yield
    except _BUSY as error:
        raise Unavailable("系统正忙，请稍后再试。", code="database_busy") from error
    except asyncpg.DiskFullError as error:
        raise Unavailable("数据库的磁盘已满，暂时无法保存，请稍后再试。", code="database_full") from error
    except _AWAY as error:
        raise Unavailable("数据库暂时连接不上，请稍后再试。", code="database_unavailable") from error
    except _REFUSED as error:
        raise Unavailable("数据库拒绝了系统的账号或库名，请联系管理员检查设置。", code="database_refused") from error


class Write:
    """What is written together. `now` and `today` stand still for all of it."""

    def __init__(self, connection: asyncpg.Connection, now: datetime) -> None:
        self.now = now
        self.today: date = local_date(now)
        self._connection = connection
        self._added: dict[Batch, list[tuple[Any, ...]]] = {}

    def add(self, batch: Batch, *values: Any) -> None:
        """Remember a row of `batch`; it is inserted with the next statement that takes along what was added."""
        if len(values) != len(batch.columns):
            raise ValueError(f"{batch.table} takes {len(batch.columns)} values, not {len(values)}")
        self._added.setdefault(batch, []).append(values)

    async def fetch(self, sql: str, *args: Any) -> list[Record]:
        return cast(list[Record], await self._connection.fetch(sql, *args))

    async def fetchrow(self, sql: str, *args: Any) -> Record | None:
        return cast(Record | None, await self._connection.fetchrow(sql, *args))

    async def fetchrow_and_flush(self, sql: str, *args: Any, along: Part | None = None) -> Record | None:
        """`fetchrow` of a statement, and all that was added, in one statement and one round trip.

        `along`: a part that comes first, so that `sql` may look at its expressions.
        """
        added, self._added = self._added, {}
        values: list[Any] = list(along.args) if along else []
        for rows in added.values():
            values.extend(rows[0] if len(rows) == 1 else (list(column) for column in zip(*rows, strict=True)))
        shape = tuple((batch, len(rows) == 1) for batch, rows in added.items())
        return await self.fetchrow(_composed(sql, len(args), along and along.sql, shape), *args, *values)


class Tx(Write):
    """One open transaction. What was added is flushed before the commit."""

    def __init__(self, connection: asyncpg.Connection, client: AsyncpgDBClient, now: datetime) -> None:
        super().__init__(connection, now)
        self._client = client

    @cached_property
    def orm(self) -> TransactionWrapper:
        """What Tortoise takes as `using_db` to work inside this transaction."""
        wrapper = TransactionWrapper(self._client)
        wrapper._connection = self._connection
        return wrapper

    async def fetchval(self, sql: str, *args: Any) -> Any:
        return await self._connection.fetchval(sql, *args)

    async def execute(self, sql: str, *args: Any) -> str:
        return cast(str, await self._connection.execute(sql, *args))

    async def flush(self) -> None:
        """Insert everything added so far, all tables in one statement and one round trip."""
        if self._added:
            await self.fetchrow_and_flush("SELECT 1")

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """A nested transaction: an error inside undoes only what happened inside, what was added there included."""
        await self.flush()
        try:
            async with self._connection.transaction():
                yield
                await self.flush()
        except BaseException:
            self._added.clear()
            raise

    async def copy(self, table: str, *, columns: Sequence[str], rows: AsyncIterable[bytes]) -> None:
        """COPY `rows`, in PostgreSQL's text format, into `columns` of `table`."""
        await self._connection.copy_to_table(table, source=rows, columns=list(columns), format="text")

    async def allow(self, *, statement_s: int, lock_s: int | None = None) -> None:
        """Lift the time-outs of this transaction, for set-based work of a job."""
        await self._connection.execute("SELECT set_config('statement_timeout', $1, true)", f"{statement_s}s")
        if lock_s is not None:
            await self._connection.execute("SELECT set_config('lock_timeout', $1, true)", f"{lock_s}s")


@cache
def _composed(sql: str, arguments: int, along: str | None, shape: tuple[tuple[Batch, bool], ...]) -> str:
    """`sql` with its arguments, then the part that it takes along, then an insert for each of `shape`: values for a
    single row, else arrays."""
    parts, position = [], arguments + 1
    if along is not None:
        numbers = {int(number) for number in _ARGUMENT.findall(along)}
        parts.append(_ARGUMENT.sub(lambda found: f"${arguments + int(found[1])}", along))
        position += max(numbers)
    for number, (batch, single) in enumerate(shape):
        names = ", ".join(name for name, _ in batch.columns)
        many = "" if single else "[]"
        values = ", ".join(f"${position + i}::{kind}{many}" for i, (_, kind) in enumerate(batch.columns))
        position += len(batch.columns)
        rows = f"VALUES ({values})" if single else f"SELECT * FROM unnest({values})"  # noqa: S608 - identifiers are constants of the code
        insert = f"INSERT INTO {batch.table} ({names}) {rows} {batch.on_conflict}"
        parts.append(f"added_{number} AS ({insert} RETURNING 1)")
    own = sql.strip()
    if not parts:
        return own
    joint = "," if own.startswith("WITH") else ""
    return f"WITH {', '.join(parts)}{joint} {own.removeprefix('WITH')}"


class Database:
    """The pool, and reads outside a transaction."""

    def __init__(self, orm: AsyncpgDBClient, clock: Clock) -> None:
        self.orm = orm
        self.clock = clock
        self._together: dict[Any, Together[Any, Any]] = {}

    @property
    def pool(self) -> asyncpg.Pool:
        """The asyncpg pool under Tortoise; raises `Unavailable` once closed."""
        pool = self.orm._pool
        if pool is None:
            raise Unavailable("数据库连接已经关闭。", code="database_unavailable")
        return pool

    async def fetch(self, sql: str, *args: Any) -> list[Record]:
        async with self._connection() as connection:
            return cast(list[Record], await connection.fetch(sql, *args))

    async def fetchrow(self, sql: str, *args: Any) -> Record | None:
        async with self._connection() as connection:
            return cast(Record | None, await connection.fetchrow(sql, *args))

    async def fetchval(self, sql: str, *args: Any) -> Any:
        async with self._connection() as connection:
            return await connection.fetchval(sql, *args)

    async def execute(self, sql: str, *args: Any) -> str:
        async with self._connection() as connection:
            return cast(str, await connection.execute(sql, *args))

    async def transact(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """Run `work` in one transaction and return its answer after the commit.

        Raises what `work` raises (nothing is kept then) and `Unavailable` where PostgreSQL does not answer in time.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self._once(work)
            except _REPEAT as error:
                if attempt == ATTEMPTS:
                    raise Unavailable("系统正忙，请稍后再试。", code="database_busy") from error
                await asyncio.sleep(random.uniform(0.005, 0.03) * attempt)
        raise AssertionError("unreachable")

    async def at_once(self, work: Callable[[Write], Awaitable[T | None]]) -> T | None:
        """Run `work`, whose last statement, and the only one that writes, commits by itself and alone.

        None where `work` said so before it wrote, and where its statement failed because what it had seen is no longer
        so: nothing is written then, and `transact` is the way. Raises `Unavailable` as `transact` does.
        """
        async with self._connection() as connection:
            write = Write(connection, self.clock.now())
            try:
                answer = await work(write)
            except (*_REPEAT, asyncpg.UniqueViolationError):
                return None
            except asyncio.CancelledError:
                # Whoever waits has a deadline: asyncpg would wait for the end of the statement.
                connection.terminate()
                raise
            await failpoint("tx.after_commit")
            return answer

    async def at_once_together(
        self, work: Callable[[Write, Sequence[A]], Awaitable[Sequence[T | None]]], asked: A
    ) -> T | None:
        """`at_once` for `asked` and whatever else `work` is asked for meanwhile, by the same look and statement.

        Where the statement fails, it fails for all of them: None, and `transact` is the way, also where it was one of
        several that waited too long for a lock, so that it keeps none of the others out. `work` is a function of a
        module. Its statements take their arrays as `(SELECT $1::uuid[])`: a length that PostgreSQL sees before it plans
        makes it plan each round anew, which costs more than the round.
        """
        if work not in self._together:
            self._together[work] = Together(partial(self._all_at_once, work))
        return cast(T | None, await self._together[work].ask(asked))

    async def _all_at_once(
        self, work: Callable[[Write, Sequence[A]], Awaitable[Sequence[T | None]]], asked: Sequence[A]
    ) -> Sequence[T | None]:
        try:
            answers = await self.at_once(lambda write: work(write, asked))
        except Unavailable as error:
            if error.code != "database_busy" or len(asked) == 1:
                raise
            answers = None
        return [None] * len(asked) if answers is None else answers

    async def _once(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        async with self._connection() as connection:
            transaction = connection.transaction()
            await transaction.start()
            try:
                tx = Tx(connection, self.orm, self.clock.now())
                answer = await work(tx)
                await failpoint("tx.before_flush")
                await tx.flush()
                await failpoint("tx.before_commit")
            except BaseException:
                await _undo(connection, transaction)
                raise
            await transaction.commit()
            await failpoint("tx.after_commit")
            return answer

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[asyncpg.Connection]:
        with translated():
            pool = self.pool
            async with asyncio.timeout(ACQUIRE_S):
                connection = await pool.acquire()
            try:
                yield connection
            finally:
                await _give_back(pool, connection)

    async def close(self) -> None:
        await self.orm.close()


async def _give_back(pool: asyncpg.Pool, connection: asyncpg.Connection) -> None:
    """As `pool.release`, but without its task for every use where there is nothing to be waited for."""
    held = connection._con
    if held is None or held.is_closed() or held.is_in_transaction() or held._protocol._is_cancelling():
        await pool.release(connection, timeout=RELEASE_S)
    else:
        held._on_release()
        await connection._holder.release(None)


async def _undo(connection: asyncpg.Connection, transaction: Transaction) -> None:
    """Roll back. A connection that does not do so in time is cut, and PostgreSQL rolls back by itself."""
    if connection.is_closed():
        return
    try:
        async with asyncio.timeout(UNDO_S):
            await transaction.rollback()
    except (asyncpg.PostgresError, *_AWAY):
        connection.terminate()


Reader = Database | Tx
