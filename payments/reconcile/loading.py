"""A statement's file into the staging table of a run: streamed, COPY, nothing held whole."""

import asyncio
from collections.abc import AsyncIterator
from typing import BinaryIO

import asyncpg

from backend.kernel.db import Tx
from payments.reconcile.reading import Reader, Refused, Told


async def load(tx: Tx, file: BinaryIO, reader: Reader, *, table: str) -> Told:
    """Read `file` from its start into the temporary `table`; Refused must not be followed by a commit."""
    try:
        await tx.copy(table, columns=reader.columns, rows=_rows(file, reader))
    except (asyncpg.DataError, asyncpg.BadCopyFileFormatError) as error:
        raise Refused(f"账单里有无法保存的内容：{str(error)[:80]}。") from error
    return reader.told


async def _rows(file: BinaryIO, reader: Reader) -> AsyncIterator[bytes]:
    """Block by block; between two of them others have their turn."""
    file.seek(0)
    for block in reader.rows(file):
        yield block
        await asyncio.sleep(0)
