"""A statement's file into the staging table of a run: streamed, COPY, nothing held whole."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg

from backend.kernel.db import Tx
from payments.reconcile.reading import Reader, Refused, Told


async def load(tx: Tx, path: Path, reader: Reader, *, table: str) -> Told:
    """Read the file at `path` into the temporary `table`; raises Refused, and then the transaction must not commit."""
    try:
        await tx.copy(table, columns=reader.columns, rows=_rows(path, reader))
    except (asyncpg.DataError, asyncpg.BadCopyFileFormatError) as error:
        raise Refused(f"账单里有无法保存的内容：{str(error)[:80]}。") from error
    return reader.told


async def _rows(path: Path, reader: Reader) -> AsyncIterator[bytes]:
    """Block by block; between two of them others have their turn."""
    with path.open("rb") as file:
        for block in reader.rows(file):
            yield block
            await asyncio.sleep(0)
