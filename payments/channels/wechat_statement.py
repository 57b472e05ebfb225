"""A day's statement (对账单) of WeChat Pay: applied for, downloaded, unpacked, held against its hash (section 11).

Promises: what reaches `sink` is the plain file, UTF-8 with BOM, and True is returned only when its SHA-1 is the one
that was promised; the file is never held in memory.
"""

import hashlib
import zlib
from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import BinaryIO
from urllib.parse import urlencode

from payments.channels.base import ChannelError, ChannelOutcomeUnknown, StatementKind
from payments.channels.wechat_documents import sub
from payments.channels.wechat_merchant import Merchant
from payments.channels.wechat_reading import NO_STATEMENT
from payments.channels.wechat_wire import Wire

PLAIN_BYTES = 2 * 1024 * 1024 * 1024
_GZIP = b"\x1f\x8b"
_GZIP_WINDOW = 16 + zlib.MAX_WBITS
_PIECE_BYTES = 1024 * 1024

# Trades: payments and refunds of the day in one file (ALL), whose summary row has the same seven columns everywhere.
_BILLS: Mapping[StatementKind, tuple[str, Mapping[str, str]]] = MappingProxyType(
    {
        StatementKind.TRADES: ("/v3/bill/tradebill", {"bill_type": "ALL"}),
        StatementKind.REFUNDS: ("/v3/bill/tradebill", {"bill_type": "REFUND"}),
        StatementKind.FUND_FLOW: ("/v3/bill/fundflowbill", {"account_type": "BASIC"}),
    }
)


async def fetch(wire: Wire, merchant: Merchant, on: date, sink: BinaryIO, *, kind: StatementKind) -> bool:
    """Write the file of a day to `sink`; False when there was nothing that day (section 11.1)."""
    path, asked = _BILLS[kind]
    of = {} if kind is StatementKind.FUND_FLOW else sub(merchant)
    query = urlencode({"bill_date": on.isoformat(), **asked, "tar_type": "GZIP", **of})
    try:
        applied = await wire.object(merchant, "GET", f"{path}?{query}")
    except ChannelError as refused:
        if refused.code == NO_STATEMENT:
            return False
        raise
    url = applied.get("download_url")
    if not isinstance(url, str) or not url.startswith(f"{wire.base_url}/v3/billdownload/"):
        raise ChannelOutcomeUnknown("the statement lies at a foreign address")
    plain = _Plain(sink)
    async for chunk in wire.file(merchant, url.removeprefix(wire.base_url)):
        plain.take(chunk)
    if plain.finish() != applied.get("hash_value"):
        raise ChannelOutcomeUnknown("the statement does not have the promised hash")
    return True


class _Plain:
    """Unpacks what comes packed and hashes the plain bytes: the hash is always over those."""

    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink
        self._digest = hashlib.sha1(usedforsecurity=False)
        self._unpack: zlib._Decompress | None = None
        self._start = b""
        self._begun = False
        self._size = 0

    def take(self, chunk: bytes) -> None:
        """The next piece as it came."""
        if not self._begun:
            self._start += chunk
            if len(self._start) < len(_GZIP):
                return
            chunk, self._begun = self._start, True
            if chunk.startswith(_GZIP):
                self._unpack = zlib.decompressobj(_GZIP_WINDOW)
        if self._unpack is None:
            self._write(chunk)
        else:
            self._write_unpacked(self._unpack, chunk)

    def finish(self) -> str:
        """The SHA-1 of the plain bytes in hex."""
        if not self._begun:
            self._write(self._start)
        if self._unpack is not None:
            self._write(self._unpack.flush())
            if not self._unpack.eof:
                raise ChannelOutcomeUnknown("the statement ends in the middle")
        return self._digest.hexdigest()

    def _write_unpacked(self, unpack: "zlib._Decompress", chunk: bytes) -> None:
        while chunk:
            if unpack.eof:
                raise ChannelOutcomeUnknown("the statement goes on behind its end")
            try:
                self._write(unpack.decompress(chunk, _PIECE_BYTES))
            except zlib.error as error:
                raise ChannelOutcomeUnknown("the statement cannot be unpacked") from error
            chunk = unpack.unused_data if unpack.eof else unpack.unconsumed_tail

    def _write(self, plain: bytes) -> None:
        self._size += len(plain)
        if self._size > PLAIN_BYTES:
            raise ChannelOutcomeUnknown("the statement is too large")
        self._digest.update(plain)
        self._sink.write(plain)
