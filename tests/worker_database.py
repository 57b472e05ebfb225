"""One migrated database per worker, emptied between tests, and the pool that leads to it.

A copy of the template costs a fifth of a second of CPU, an emptied database some milliseconds. What a test changed
beyond rows (DDL, statistics) makes the next test begin with a new copy: an event trigger notes the first,
`pg_statistic` shows the second. Tests that start processes take a copy of their own: a process may outlive its test.
"""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
from asyncpg.prepared_stmt import PreparedStatement

from backend.kernel.checks import Check
from backend.kernel.clock import Clock
from backend.kernel.config import Settings
from backend.kernel.db import Database
from backend.kernel.embedded_postgres import PostgresServer
from backend.kernel.pool import open_database

Run = Callable[[Coroutine[Any, Any, Any]], Any]
# A table that has grown over this is vacuumed once it is empty; smaller ones are left with their dead rows.
SWEPT_BYTES = 256 * 1024
NOTICE_DDL = """
    CREATE SCHEMA suite;
    CREATE TABLE suite.ddl (tag text);
    CREATE FUNCTION suite.note() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
        IF NOT EXISTS (SELECT FROM pg_event_trigger_ddl_commands() WHERE schema_name = 'pg_temp') THEN
            INSERT INTO suite.ddl VALUES (tg_tag);
        END IF;
    END $$;
    CREATE EVENT TRIGGER suite_note ON ddl_command_end EXECUTE FUNCTION suite.note();
"""
TABLES = """
    SELECT c.oid::regclass::text FROM pg_class AS c
    WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND c.relname <> ALL ($1::text[]) ORDER BY 1
"""
UNTOUCHED = """
    SELECT NOT EXISTS (SELECT FROM suite.ddl) AND NOT EXISTS (
        SELECT FROM pg_statistic JOIN pg_class AS c ON c.oid = starelid WHERE c.relnamespace = 'public'::regnamespace
    )
"""
OTHERS_END = """
    SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND pid <> ALL ($1::int[])
"""
SEQUENCES_BEGIN = """
    SELECT setval(seqrelid, seqstart, false) FROM pg_sequence WHERE pg_sequence_last_value(seqrelid) IS NOT NULL
"""
LARGE = """
    SELECT oid::regclass::text FROM pg_class
    WHERE oid::regclass::text = ANY ($1::text[]) AND pg_relation_size(oid) > $2::bigint
"""


@dataclass(frozen=True)
class Urls:
    """Addresses of one database: for the app role, for the migrator, for the superuser."""

    app: str
    migrator: str
    admin: str


def named(url: str, name: str) -> str:
    """`url` with another database's name."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


async def as_admin(postgres: PostgresServer, *statements: str) -> None:
    """Run `statements` as the superuser, each by itself."""
    connection = await asyncpg.connect(postgres.admin_url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def copy_of(postgres: PostgresServer, template: str) -> Urls:
    """A new database like `template`."""
    name = f"t_{uuid4().hex}"
    owner = urlsplit(postgres.migrator_url).username
    await as_admin(postgres, f'CREATE DATABASE {name} TEMPLATE {template} OWNER "{owner}" STRATEGY FILE_COPY')
    return Urls(named(postgres.app_url, name), named(postgres.migrator_url, name), named(postgres.admin_url, name))


async def drop(postgres: PostgresServer, urls: Urls) -> None:
    """Away with it, whoever is still connected."""
    await as_admin(postgres, f"DROP DATABASE {urlsplit(urls.app).path[1:]} WITH (FORCE)")


class KeptDatabase(Database):
    """A `Database` over the worker's pool; closing it gives the pool back."""

    def __init__(self, worker: "WorkerDatabase", database: Database, clock: Clock) -> None:
        super().__init__(database.orm, clock)
        self._worker = worker

    async def close(self) -> None:
        await self._worker.give_back()

    async def holds(self, checks: Sequence[Check]) -> bool:
        """Whether no row breaks any of `checks`: all of them in one statement, which PostgreSQL plans once."""
        return await self._worker.holds(checks)


class WorkerDatabase:
    """The database of one xdist worker."""

    def __init__(self, postgres: PostgresServer, template: str) -> None:
        self._postgres, self._template = postgres, template
        self._urls: Urls | None = None
        self._admin: asyncpg.Connection | None = None
        self._pool: Database | None = None
        self._lent = False
        self._filled = ""
        self._statements: dict[tuple[str, ...], PreparedStatement] = {}

    async def urls(self) -> Urls:
        """The database's addresses; it is empty now."""
        if self._urls is None:
            self._urls = await copy_of(self._postgres, self._template)
            self._admin = await asyncpg.connect(self._urls.admin)
            tables = await self._empty_ones(self._admin)
            await self._admin.execute(";".join(f"ALTER TABLE {t} SET (autovacuum_enabled = false)" for t in tables))
            await self._admin.execute(NOTICE_DDL)
            await self._admin.execute("TRUNCATE suite.ddl")
            self._filled = " UNION ALL ".join(f"SELECT '{t}' WHERE EXISTS (SELECT FROM {t})" for t in tables)
        return self._urls

    @staticmethod
    async def _empty_ones(admin: asyncpg.Connection) -> list[str]:
        """All tables but those that the migrations fill."""
        every = [row[0] for row in await admin.fetch(TABLES, [])]
        return [t for t in every if not await admin.fetchval(f"SELECT EXISTS (SELECT FROM {t})")]

    async def clear(self) -> None:
        """Make it as it was: empty, nobody else connected; or throw it away."""
        assert self._admin is not None
        try:
            await self._admin.fetch(OTHERS_END, await self._pids())
            untouched = await self._admin.fetchval(UNTOUCHED)
            if untouched:
                await self._empty(self._admin)
        except (asyncpg.LockNotAvailableError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError, OSError):
            untouched = False
        if not untouched:
            await self.throw_away()

    async def _empty(self, admin: asyncpg.Connection) -> None:
        filled = [row[0] for row in await admin.fetch(self._filled)]
        deletions = "".join(f"DELETE FROM {table};" for table in filled)
        await admin.execute(
            f"BEGIN; SET LOCAL session_replication_role = replica; SET LOCAL lock_timeout = '2s'; {deletions} COMMIT"
        )
        await admin.fetch(SEQUENCES_BEGIN)
        if large := [row[0] for row in await admin.fetch(LARGE, filled, SWEPT_BYTES)]:
            await admin.execute(f"VACUUM {', '.join(large)}")

    async def holds(self, checks: Sequence[Check]) -> bool:
        """See `KeptDatabase.holds`."""
        assert self._admin is not None
        which = tuple(check.sql for check in checks)
        if which not in self._statements:
            self._statements[which] = await self._admin.prepare(
                "SELECT " + " AND ".join(f"NOT EXISTS (SELECT FROM ({sql}) AS broken)" for sql in which)
            )
        return bool(await self._statements[which].fetchval())

    async def throw_away(self) -> None:
        """Close what leads there and drop it; the next `urls` makes another."""
        if self._pool is not None:
            await self._pool.close()
        if self._admin is not None:
            await self._admin.close()
        if self._urls is not None:
            await drop(self._postgres, self._urls)
        self._pool = self._admin = self._urls = None
        self._statements.clear()

    async def lend(self, settings: Settings, clock: Clock, models: tuple[str, ...]) -> Database | None:
        """The kept pool where `settings` lead here, ask nothing of their own of it, and nobody else has it."""
        standard = Settings(data_dir=settings.data_dir)
        asked = [(s.database_pool, s.statement_timeout_s, s.lock_timeout_s) for s in (settings, standard)]
        if self._urls is None or settings.database_url != self._urls.app or self._lent or asked[0] != asked[1]:
            return None
        if self._pool is None:
            self._pool = await open_database(self._urls.app, clock, models=models, pool_size=settings.database_pool)
        self._lent = True
        return KeptDatabase(self, self._pool, clock)

    async def give_back(self) -> None:
        """The pool stays open for the next test, unless somebody still holds one of its connections."""
        self._lent = False
        pool = self._pool
        if pool is not None and any(holder._in_use for holder in pool.pool._holders):
            self._pool = None
            await pool.close()

    async def _pids(self) -> list[int]:
        if self._pool is None:
            return []
        holders = self._pool.pool._holders
        return [h._con.get_server_pid() for h in holders if h._con is not None and not h._con.is_closed()]
