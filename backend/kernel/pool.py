"""Opening the pool under `Database`: what a connection is set to, and the Tortoise models that share it."""

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import asyncpg
import orjson
from tortoise import Tortoise
from tortoise.backends.asyncpg.client import AsyncpgDBClient

from backend.kernel.clock import Clock
from backend.kernel.db import Database, translated
from backend.kernel.errors import Unavailable

# A process has some four hundred statements; asyncpg keeps a hundred unless told, and prepares the others ever anew.
_STATEMENTS = 500


def _dump(value: Any) -> str:
    # Tortoise hands over text that it has made itself; everything else is turned into JSON here.
    return value if isinstance(value, str) else orjson.dumps(value).decode()


async def _leave_as_is(connection: asyncpg.Connection) -> None:
    """Nothing outlives a transaction here (settings and locks are of the transaction), so nothing is reset.

    asyncpg itself rolls back what was left open; its default reset would cost a round trip per use.
    """


async def _prepare_connection(connection: asyncpg.Connection) -> None:
    for kind in ("json", "jsonb"):
        await connection.set_type_codec(kind, encoder=_dump, decoder=orjson.loads, schema="pg_catalog")


async def open_database(
    url: str,
    clock: Clock,
    *,
    models: tuple[str, ...],
    pool_size: int = 10,
    statement_timeout_s: int = 10,
    lock_timeout_s: int = 4,
) -> Database:
    """Connect to `url` (`postgresql://user:password@host:port/name`) with the Tortoise models of `models`.

    `?host=/directory` after it names the directory of PostgreSQL's socket on this machine, as in libpq.
    Raises `Unavailable` where PostgreSQL cannot be reached.
    """
    await _register(models)
    parts = urlsplit(url)
    host = dict(parse_qsl(parts.query)).get("host", parts.hostname)
    orm = AsyncpgDBClient(
        connection_name="linli",
        host=host,
        port=parts.port or 5432,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        database=parts.path.lstrip("/"),
        minsize=min(2, pool_size),
        maxsize=pool_size,
        init=_prepare_connection,
        reset=_leave_as_is,
        max_inactive_connection_lifetime=0,
        timeout=5,
        statement_cache_size=_STATEMENTS,
        server_settings={
            "application_name": "linli",
            "timezone": "UTC",
            "statement_timeout": f"{statement_timeout_s}s",
            "lock_timeout": f"{lock_timeout_s}s",
            "idle_in_transaction_session_timeout": "60s",
            "jit": "off",
        },
    )
    try:
        with translated():
            await orm.create_connection(with_db=True)
    except (Unavailable, OSError) as error:
        raise Unavailable(
            f"连不上 PostgreSQL（{parts.hostname}:{parts.port or 5432}），或者它拒绝了登录。"
            "请确认它在运行，并检查 LINLI_DATABASE_URL 和 LINLI_MIGRATOR_URL 里的地址、账号、密码和库名。",
            code="database_unavailable",
        ) from error
    return Database(orm, clock)


_REGISTERED: set[tuple[str, ...]] = set()


async def _register(models: tuple[str, ...]) -> None:
    """Make the models known to Tortoise, once per process.

    Its own default connection leads nowhere on purpose: every query names `using_db(tx.orm)` or `using_db(db.orm)`,
    and one that forgets fails at once instead of running outside the transaction.
    """
    if not models or models in _REGISTERED:
        return
    nowhere = {"host": "using-db-is-missing.invalid", "port": 1, "user": "", "password": "", "database": ""}
    await Tortoise.init(
        config={
            "connections": {"default": {"engine": "tortoise.backends.asyncpg", "credentials": nowhere}},
            "apps": {"linli": {"models": list(models), "default_connection": "default"}},
            "use_tz": True,
            "timezone": "UTC",
        },
        _enable_global_fallback=True,
    )
    _REGISTERED.add(models)
