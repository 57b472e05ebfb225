"""A day's bill (账单) of Alipay: asked for, downloaded at once, unpacked (protocols/alipay.md section 10).

Promises: what reaches `sink` is the detail file in its own GBK, chosen by its name and its title, never by its place;
True is returned only when every checksum of the archive was right. The file is never held in memory.
"""

import asyncio
import re
import zipfile
import zlib
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from tempfile import TemporaryFile
from types import MappingProxyType
from typing import BinaryIO

from backend.kernel.clock import start_of_day
from payments.channels import alipay_documents as documents
from payments.channels.alipay_keys import Merchant
from payments.channels.alipay_wire import Wire
from payments.channels.base import STATEMENT_CREATING, ChannelError, ChannelOutcomeUnknown, StatementKind

READY = timedelta(days=1, hours=10)
PLAIN_BYTES = 2 * 1024 * 1024 * 1024
MEMBERS = 64
_PIECE_BYTES = 1024 * 1024
_NOTHING = ("BILLNOTEXIST", "NOBILLDATA")
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError)

# Bill type, and how its detail file is named and titled; trades and refunds stand in one file.
_DETAILS = ("trade", "业务明细")
_BILLS: Mapping[StatementKind, tuple[str, str]] = MappingProxyType(
    {
        StatementKind.TRADES: _DETAILS,
        StatementKind.REFUNDS: _DETAILS,
        StatementKind.FUND_FLOW: ("signcustomer", "账务明细"),
    }
)


async def fetch(
    wire: Wire, merchant: Merchant, on: date, sink: BinaryIO, *, kind: StatementKind, now: datetime
) -> bool:
    """Write the detail file of a day to `sink`; False when there was nothing that day.

    That a bill does not exist may also mean that it does not exist yet: before ten o'clock of the next day it is
    ChannelError `STATEMENTCREATING`.
    """
    bill, name = _BILLS[kind]
    try:
        answer = await wire.call(merchant, documents.BILL, documents.bill(bill, on))
    except ChannelError as refused:
        if not any(word in refused.code.upper() for word in _NOTHING):
            raise
        if now < start_of_day(on) + READY:
            raise ChannelError(STATEMENT_CREATING, refused.message, refused.status) from refused
        return False
    url = answer.get("bill_download_url")
    if not isinstance(url, str) or not url:
        raise ChannelOutcomeUnknown("the answer has no bill_download_url")
    with TemporaryFile() as packed:
        await wire.download(url, packed)
        try:
            await asyncio.to_thread(_unpack, packed, sink, name)
        except _BROKEN as error:
            raise ChannelOutcomeUnknown("the bill cannot be unpacked") from error
    return True


def _unpack(packed: BinaryIO, sink: BinaryIO, name: str) -> None:
    """Copy the parts of the detail file in their order; what is not as it should be raises one of `_BROKEN`."""
    with zipfile.ZipFile(packed, metadata_encoding="gbk") as archive:
        listed = archive.infolist()
        parts = sorted(
            (int(found[1] or 0), entry.header_offset, entry)
            for entry in listed
            if (found := re.search(rf"_{name}(?:_([0-9]{{1,4}}))?\.csv$", entry.filename))
        )
        if not parts or len(listed) > MEMBERS or sum(entry.file_size for *_, entry in parts) > PLAIN_BYTES:
            raise ValueError("not the files of a bill")
        for *_, entry in parts:
            with archive.open(entry) as plain:
                piece = plain.read(_PIECE_BYTES)
                if not piece.startswith(f"#支付宝{name}查询".encode("gb18030")):
                    raise ValueError("another file under this name")
                while piece:
                    sink.write(piece)
                    piece = plain.read(_PIECE_BYTES)
