"""Bills of Alipay: the right member of the archive by name and title, in its own GBK; everything else is refused."""

import asyncio
import io
import struct
import zipfile
from datetime import UTC, date, datetime
from typing import Any

import pytest

from backend.kernel.clock import FrozenClock
from backend.kernel.egress import Answer
from payments.channels.alipay import Alipay
from payments.channels.base import (
    STATEMENT_CREATING,
    ChannelError,
    ChannelOutcomeUnknown,
    ChannelRateLimited,
    StatementKind,
)
from tests.unit.payments_channels.alipay_wire import FileEgress, content, merchant, processed, refused
from tests.unit.payments_channels.wire import BASE_URL, frozen

BILL = "alipay.data.dataservice.bill.downloadurl.query"
URL = f"{BASE_URL}/downloadBillFile.resource?bizType=trade&token=0123"
ON = date(2026, 8, 31)
PREFIX = "20885318916687390156_20260831_"
TRADES = "#支付宝业务明细查询\r\n#账号：[20885318916687390156]\r\n支付宝交易号\t\r\n"
SUMMARY = "#支付宝业务汇总查询\r\n"
FLOW = "#支付宝账务明细查询\r\n"


def archive(members: dict[str, str | bytes], *, mode: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP whose names are GBK without the flag for UTF-8, as Alipay makes them."""
    packed = io.BytesIO()
    raw_names = {}
    with zipfile.ZipFile(packed, "w", mode) as made:
        for turn, (name, text) in enumerate(members.items()):
            raw = name.encode("gbk")
            placeholder = f"{turn}-".ljust(len(raw), "x")
            raw_names[placeholder.encode()] = raw
            made.writestr(placeholder, text if isinstance(text, bytes) else text.encode("gb18030"))
    content = packed.getvalue()
    for placeholder, raw in raw_names.items():
        assert content.count(placeholder) == 2
        content = content.replace(placeholder, raw)
    return content


DAY = {PREFIX + "业务明细(汇总).csv": SUMMARY, PREFIX + "业务明细.csv": TRADES}


def fetch(
    file: bytes,
    *,
    kind: StatementKind = StatementKind.TRADES,
    given: Answer | None = None,
    clock: FrozenClock | None = None,
    status: int = 200,
) -> tuple[bool, bytes, FileEgress]:
    egress, sink = FileEgress([given or processed(BILL, bill_download_url=URL)]), io.BytesIO()
    egress.file, egress.file_status = file, status
    channel = Alipay(egress, clock or frozen(), BASE_URL)  # type: ignore[arg-type]
    found = asyncio.run(channel.statement(merchant(), ON, sink, kind=kind))
    return found, sink.getvalue(), egress


@pytest.mark.parametrize("kind", [StatementKind.TRADES, StatementKind.REFUNDS])
def test_the_detail_file_is_found_by_name_behind_the_summary(kind: StatementKind) -> None:
    found, plain, egress = fetch(archive(DAY), kind=kind)
    assert found
    assert plain.decode("gb18030") == TRADES
    assert content(egress.sent[0]) == {"bill_type": "trade", "bill_date": "2026-08-31", "secure": True}
    assert egress.sent[1].url == URL


def test_the_fund_flow_is_another_bill() -> None:
    members = {PREFIX + "账务明细.csv": FLOW, PREFIX + "账务明细(汇总).csv": "#支付宝账务汇总查询\r\n"}
    _, plain, egress = fetch(archive(members), kind=StatementKind.FUND_FLOW)
    assert plain.decode("gb18030") == FLOW
    assert content(egress.sent[0])["bill_type"] == "signcustomer"


def test_the_parts_of_a_large_bill_come_in_their_order() -> None:
    members: dict[str, str | bytes] = {PREFIX + f"业务明细_{part}.csv": f"{TRADES}{part}\r\n" for part in (10, 2, 1)}
    _, plain, _ = fetch(archive({PREFIX + "业务明细(汇总).csv": SUMMARY, **members}))
    assert plain.decode("gb18030") == "".join(f"{TRADES}{part}\r\n" for part in (1, 2, 10))


def test_a_member_larger_than_a_piece_comes_whole() -> None:
    long = TRADES.encode("gb18030") + b"x" * 3_000_000
    assert fetch(archive({PREFIX + "业务明细.csv": long}))[1] == long


@pytest.mark.parametrize("word", ["isp.bill_not_exist", "BILL_NOT_EXIST", "ACQ.NO_BILL_DATA"])
def test_no_bill_is_nothing_that_day_only_after_ten_the_next_day(word: str) -> None:
    at_ten = FrozenClock(datetime(2026, 9, 1, 2, 0, tzinfo=UTC))
    assert fetch(b"", given=refused(BILL, word), clock=at_ten)[:2] == (False, b"")
    before_ten = FrozenClock(datetime(2026, 9, 1, 1, 59, 59, tzinfo=UTC))
    with pytest.raises(ChannelError) as later:
        fetch(b"", given=refused(BILL, word), clock=before_ten)
    assert later.value.code == STATEMENT_CREATING


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (refused(BILL, "isv.invalid_arguments"), ChannelError),
        (refused(BILL, "BILL_DATE_BEFORE_REGISTRATION"), ChannelError),
        (refused(BILL, "USER_RATE_LIMIT"), ChannelRateLimited),
        (processed(BILL), ChannelOutcomeUnknown),
        (processed(BILL, bill_download_url=5), ChannelOutcomeUnknown),
    ],
)
def test_refusals_of_a_bill_are_told_apart(given: Answer, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        fetch(archive(DAY), given=given)


def broken_checksum(file: bytes) -> bytes:
    """The same archive, promising another checksum of its members."""
    at = file.rindex(b"PK\x01\x02") + 16
    return file[:at] + struct.pack("<I", 1) + file[at + 4 :]


@pytest.mark.parametrize(
    "file",
    [
        b"",
        b"no archive",
        archive({}),
        archive({PREFIX + "业务明细(汇总).csv": SUMMARY}),
        archive({PREFIX + "业务明细.csv": SUMMARY}),
        archive({PREFIX + "业务明细.csv": FLOW}),
        archive({PREFIX + "业务明细.csv": ""}),
        archive({PREFIX + "业务明细.csv": TRADES.encode()}),
        archive({PREFIX + "业务明细.csv.exe": TRADES}),
        archive(DAY)[:-30],
        archive(DAY)[: len(archive(DAY)) // 2],
        broken_checksum(archive(DAY)),
        archive({**DAY, **{f"{name}.txt": "" for name in range(100, 200)}}),
    ],
    ids=range(13),
)
def test_an_archive_that_is_not_a_bill_is_refused(file: bytes) -> None:
    with pytest.raises(ChannelOutcomeUnknown):
        fetch(file)


def test_a_member_that_is_larger_than_any_bill_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("payments.channels.alipay_statement.PLAIN_BYTES", 1_000_000)
    with pytest.raises(ChannelOutcomeUnknown):
        fetch(archive({PREFIX + "业务明细.csv": TRADES.encode("gb18030") + b"0" * 2_000_000}))


@pytest.mark.parametrize("status", [302, 404, 500])
def test_a_download_that_is_refused_is_unknown(status: int) -> None:
    with pytest.raises(ChannelOutcomeUnknown):
        fetch(archive(DAY), status=status)


def test_every_cut_of_an_archive_is_refused_or_whole() -> None:
    whole = archive(DAY)
    outcomes: set[Any] = set()
    for length in range(len(whole)):
        try:
            outcomes.add(fetch(whole[:length])[1])
        except ChannelOutcomeUnknown:
            outcomes.add(None)
    assert outcomes <= {None, TRADES.encode("gb18030")}


def test_a_member_that_is_packed_in_an_unknown_way_or_locked_is_refused() -> None:
    whole = archive({PREFIX + "业务明细.csv": TRADES})
    at = whole.rindex(b"PK\x01\x02")
    for offset, value in ((8, 1), (10, 99)):
        changed = bytearray(whole)
        changed[at + offset] = changed[offset - 2] = value
        with pytest.raises(ChannelOutcomeUnknown):
            fetch(bytes(changed))
