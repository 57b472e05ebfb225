"""The chain of migrations, applied whole or not at all (F-23).

An advisory lock lets one migrator work and the others wait; then everything pending, and the record of it, is one
transaction. A migrator that is killed leaves the database as it was. Waiting for a table's lock ends after
LOCK_TIMEOUT_S, so that a migration never stops traffic for longer.
"""

import importlib.util
import pkgutil
from collections.abc import Callable
from urllib.parse import unquote, urlsplit

from tortoise.backends.asyncpg.client import TransactionWrapper
from tortoise.migrations.executor import MigrationExecutor

from backend.kernel.clock import SystemClock
from backend.kernel.config import ConfigError, Settings
from backend.kernel.db import Database
from backend.kernel.errors import Unavailable
from backend.kernel.failpoints import failpoint
from backend.kernel.pool import open_database

APP = "linli"
LOCK_TIMEOUT_S = 4
CHAIN = "migrations"
LOCK = "SELECT pg_advisory_lock(hashtext('linli.migrate'))"

RECORDED = "SELECT to_regclass('tortoise_migrations') IS NOT NULL"
APPLIED = "SELECT name FROM tortoise_migrations WHERE app = $1"

# What the app role may do: everything but change what is append-only (reliability: two database roles).
GRANTS = """
    GRANT USAGE ON SCHEMA public TO {role};
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role};
    GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role};
    REVOKE UPDATE, DELETE, TRUNCATE ON posting, audit_entry, audit_seal, message_consent_event, ticket_event
      FROM {role};
    REVOKE DELETE ON data_key FROM {role};
    REVOKE INSERT, UPDATE, DELETE ON tortoise_migrations FROM {role};
    REVOKE UPDATE, DELETE, TRUNCATE ON ticket_stock_movement FROM {role};
"""


async def migrate(settings: Settings, *, progress: Callable[[str], None] = print) -> list[str]:
    """Bring the database to the newest schema; returns the names of what was applied.

    Uses `migrator_url`, else `database_url`. Raises ConfigError without either, `Unavailable` where PostgreSQL does
    not answer.
    """
    url = settings.migrator_url or settings.database_url
    if url is None:
        raise ConfigError("没有数据库地址。请用 linli up 启动，或设置 LINLI_DATABASE_URL。")
    db = await open_database(url, SystemClock(), models=(), pool_size=2, statement_timeout_s=0, lock_timeout_s=0)
    try:
        app_role = unquote(urlsplit(settings.database_url or url).username or "")
        return await _apply(db, app_role=app_role, own_role=unquote(urlsplit(url).username or ""), progress=progress)
    finally:
        await db.close()


async def _apply(db: Database, *, app_role: str, own_role: str, progress: Callable[[str], None]) -> list[str]:
    applied: list[str] = []

    def report(event: str, _app: str, name: str) -> None:
        if event == "apply_start":
            applied.append(name)
            progress(f"正在更新数据库结构：{name}")

    async with db.pool.acquire() as connection:
        await connection.execute(LOCK)
        await connection.execute(f"SET lock_timeout = '{LOCK_TIMEOUT_S}s'")
        orm = TransactionWrapper(db.orm)
        orm._connection = connection
        executor = MigrationExecutor(orm, {APP: {"models": [], "migrations": CHAIN}})
        # Before the transaction: the library asks for the record first, and a missing table would abort it.
        await executor.recorder.ensure_schema(executor._schema_editor(atomic=False))
        async with connection.transaction():
            await executor.migrate(progress=report)
            await failpoint("migrate.before_grants")
            if app_role != own_role:
                quoted = '"' + app_role.replace('"', '""') + '"'
                await connection.execute(GRANTS.format(role=quoted))
            await failpoint("migrate.before_commit")
    return applied


async def require_migrated(db: Database) -> None:
    """Raises `Unavailable` (`schema_outdated`) where a migration that this code knows is missing.

    What the database has beyond that is no obstacle: the old code goes on while the new one is brought out (F-23).
    """
    recorded = await db.fetchval(RECORDED)
    applied = {row["name"] for row in await db.fetch(APPLIED, APP)} if recorded else set()
    missing = sorted(set(_known()) - applied)
    if missing:
        raise Unavailable(
            f"数据库结构还不是最新的（缺 {len(missing)} 步，从 {missing[0]} 起），请先运行 linli migrate。",
            code="schema_outdated",
        )


def _known() -> list[str]:
    """The names of the migrations that belong to this code."""
    spec = importlib.util.find_spec(CHAIN)
    places = spec.submodule_search_locations if spec else None
    return [module.name for module in pkgutil.iter_modules(places) if not module.ispkg]
