"""The sealed columns of the database, and what happens to them when the data key changes (I-24).

Each noun exports `SEALED: tuple[SealedColumn, ...]`. After a rotation every process takes over the new keys within
REFRESH_S; rows sealed by an older key are then sealed anew, chunk after committed chunk, while others read and write
them: a row that somebody changed meanwhile is left alone, and every state in between opens. What is done is told from
the rows themselves, so the work can stop anywhere and go on later.
"""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from backend.kernel import audit, crypto, log, outbox
from backend.kernel.checks import Check
from backend.kernel.config import ConfigError
from backend.kernel.crypto import Context, Keyring, MasterKeys, SealError
from backend.kernel.db import Database, Record, Tx
from backend.kernel.errors import Conflict, Unavailable
from backend.kernel.failpoints import failpoint
from backend.kernel.outbox import Lane
from backend.kernel.resources import Resources

REFRESH_S = 15
SETTLE_S = 60
CHUNK = 500
OUTDATED = "keys.outdated"
logger = log.get_logger("seals")


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """A column of sealed texts; `key` is the primary key of its table, to which each text is bound."""

    table: str
    column: str
    key: str = "id"
    key_type: str = "uuid"

    @property
    def name(self) -> str:
        return f"{self.table}.{self.column}"

    @property
    def before_all(self) -> str:
        """Less than every key of the table."""
        return str(UUID(int=0)) if self.key_type == "uuid" else ""

    @property
    def key_id_sql(self) -> str:
        """The id of the data key in the header of a sealed text."""
        return f"get_byte({self.column}, 1) * 256 + get_byte({self.column}, 2)"


@dataclass(frozen=True, slots=True)
class Use:
    """A data key: whether it still seals, and how many texts are sealed by it."""

    id: int
    state: str
    since: str
    texts: int


async def follow(res: Resources, stop: asyncio.Event) -> None:
    """Take over rotated keys for as long as the process lives; while they cannot be read the known ones go on."""
    while True:
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), REFRESH_S)
            return
        try:
            await crypto.refresh(res.keyring, res.db, res.settings)
        except (Unavailable, ConfigError, asyncpg.PostgresError) as error:
            logger.warning("keys_not_read", error=log.redact_text(repr(error)))


async def rotate(tx: Tx, master: MasterKeys) -> int:
    """Let the waiting data key seal from now on, and have old rows sealed anew; returns its id.

    Conflict `rotated_too_soon` until every process must have heard of the rotation before.
    """
    newest = await tx.fetchrow("SELECT id, created_at FROM data_key ORDER BY id DESC LIMIT 1")
    if newest is not None and (tx.now - newest["created_at"]).total_seconds() < SETTLE_S:
        raise Conflict(f"上一次更换密钥还不到 {SETTLE_S} 秒，请稍后再试。", code="rotated_too_soon")
    ring = await crypto.rotate_data_key(tx, master, at=tx.now)
    audit.record(tx, audit.SYSTEM, action="keys.rotated", target=f"data_key:{ring.current_id}")
    await request(tx, since=str(ring.current_id), run_at=tx.now + timedelta(seconds=SETTLE_S))
    return ring.current_id


async def request(tx: Tx, *, since: str, run_at: datetime | None = None) -> None:
    """Ask for outdated rows to be sealed anew, once per `since`."""
    outbox.emit(tx, OUTDATED, {}, dedup_key=since, lane=Lane.BULK, run_at=run_at)


async def reseal(db: Database, keyring: Keyring, column: SealedColumn, after: str) -> str | None:
    """Seal the next CHUNK of outdated rows beyond key `after` anew; the last key, None when nothing is left."""

    async def work(tx: Tx) -> str | None:
        rows = await tx.fetch(_outdated(column), after, keyring.current_id, CHUNK)
        renewed = [renewed for row in rows if (renewed := _renew(keyring, column, row)) is not None]
        if renewed:
            await tx.execute(_replace(column), *map(list, zip(*renewed, strict=True)))
        return str(rows[-1]["key"]) if rows else None

    last = await db.transact(work)
    await failpoint("seals.after_chunk")
    return last


def _renew(keyring: Keyring, column: SealedColumn, row: Record) -> tuple[UUID | str, bytes, bytes] | None:
    context = Context(column.table, column.column, row["key"])
    old = bytes(row["sealed"])
    try:
        return row["key"], old, keyring.seal(keyring.open(old, context), context)
    except SealError as error:
        logger.error("seal_broken", place=column.name, row=str(row["key"]), error=str(error))
        return None


def _outdated(column: SealedColumn) -> str:
    return f"""
        SELECT {column.key} AS key, {column.column} AS sealed
          FROM {column.table}
         WHERE {column.key} > $1 AND {column.column} IS NOT NULL AND {column.key_id_sql} < $2
         ORDER BY {column.key}
         LIMIT $3
    """  # noqa: S608 - identifiers are constants of the code


def _replace(column: SealedColumn) -> str:
    """Compare and set: what somebody else has written since is newer than ours."""
    return f"""
        UPDATE {column.table} t
           SET {column.column} = n.fresh
          FROM unnest($1::{column.key_type}[], $2::bytea[], $3::bytea[]) AS n (key, old, fresh)
         WHERE t.{column.key} = n.key AND t.{column.column} = n.old
    """  # noqa: S608 - identifiers are constants of the code


async def uses(db: Database, columns: Sequence[SealedColumn]) -> list[Use]:
    """Every data key, oldest first, with the number of texts that it sealed."""
    keys = await db.fetch("SELECT id, created_at, retired_at FROM data_key WHERE kind = 'data' ORDER BY id")
    counts = {row["key_id"]: int(row["texts"]) for row in await db.fetch(_per_key(columns))}
    current = min(row["id"] for row in keys if row["retired_at"] is None)
    return [
        Use(
            row["id"],
            "已停用" if row["retired_at"] else "使用中" if row["id"] == current else "待用",
            f"{row['retired_at'] or row['created_at']:%Y-%m-%d %H:%M} UTC",
            counts.get(row["id"], 0),
        )
        for row in keys
    ]


def _per_key(columns: Iterable[SealedColumn]) -> str:
    parts = [
        f"SELECT {each.key_id_sql} AS key_id FROM {each.table} WHERE {each.column} IS NOT NULL"  # noqa: S608 - constants
        for each in columns
    ]
    return f"SELECT key_id, count(*) AS texts FROM ({' UNION ALL '.join(parts)}) AS s GROUP BY key_id"  # noqa: S608 - constants


def check(title: str, columns: Sequence[SealedColumn]) -> Check:
    """The invariant that `columns` hold nothing but ciphertext of a known key (I-24)."""
    rows = " UNION ALL ".join(
        f"SELECT {each.key}::text AS row, '{each.name}' AS place, {each.column} AS sealed FROM {each.table}"  # noqa: S608 - constants
        for each in columns
    )
    return Check(
        code="I-24",
        title=title,
        sql=f"""
            SELECT s.place, s.row FROM ({rows}) AS s
             WHERE s.sealed IS NOT NULL
               AND (length(s.sealed) < 31 OR get_byte(s.sealed, 0) <> 1
                 OR NOT EXISTS (SELECT 1 FROM data_key k WHERE k.kind = 'data'
                                   AND k.id = get_byte(s.sealed, 1) * 256 + get_byte(s.sealed, 2)))
        """,  # noqa: S608 - constants
    )
