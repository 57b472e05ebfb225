"""A witness in the database: triggers that write down every row that is inserted, updated or deleted.

So a test can say what a request changed, exactly, and that a refused one changed nothing.
"""

import json
from dataclasses import dataclass
from typing import Any

import asyncpg

# Every signed request of a device uses up its nonce, whatever becomes of it.
TABLES = """
    SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = 'public' AND c.relkind = 'r' AND c.relname NOT LIKE 'tortoise%'
       AND c.relname <> 'device_nonce'
"""
INSTALL = """
    CREATE SCHEMA witness;
    CREATE TABLE witness.seen (n bigint GENERATED ALWAYS AS IDENTITY, tbl text, op text, content jsonb);
    CREATE FUNCTION witness.note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
        INSERT INTO witness.seen (tbl, op, content)
        VALUES (TG_TABLE_NAME, TG_OP, CASE TG_OP WHEN 'DELETE' THEN to_jsonb(OLD) ELSE to_jsonb(NEW) END);
        RETURN NULL;
    END $$;
"""
WATCH = """
    CREATE TRIGGER zz_witness AFTER INSERT OR UPDATE OR DELETE ON public.{table}
        FOR EACH ROW EXECUTE FUNCTION witness.note()
"""
TAKE = "WITH taken AS (DELETE FROM witness.seen RETURNING *) SELECT tbl, op, content FROM taken ORDER BY n"


@dataclass(frozen=True)
class Change:
    """One row as it was left (or, deleted, as it was)."""

    table: str
    op: str
    text: str

    @property
    def row(self) -> dict[str, Any]:
        return json.loads(self.text)


class Witness:
    """What happened in the database since somebody last asked."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    @classmethod
    async def install(cls, admin_url: str) -> "Witness":
        connection = await asyncpg.connect(admin_url)
        await connection.execute(INSTALL)
        for record in await connection.fetch(TABLES):
            await connection.execute(WATCH.format(table=record["relname"]))
        return cls(connection)

    async def take(self) -> list[Change]:
        """All changes since the last call."""
        return [Change(*record) for record in await self._connection.fetch(TAKE)]

    async def close(self) -> None:
        await self._connection.close()
