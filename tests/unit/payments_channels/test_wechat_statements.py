"""Statements of WeChat Pay: three kinds, packed and plain, and every way in which a file is not the promised one."""

import asyncio
import gzip
import hashlib
import io
from datetime import date
from typing import Any

import pytest

from payments.channels.base import ChannelOutcomeUnknown, StatementKind
from payments.channels.wechat_merchant import Merchant
from payments.channels.wechat_v3 import WechatPayV3
from tests import vectors
from tests.unit.payments_channels.test_wechat_v3 import APPLIED, StatementEgress, answer, assert_signed_by_merchant
from tests.unit.payments_channels.wire import BASE_URL, SUB_MCHID, frozen, merchant, partner

PACKED = gzip.compress(vectors.BILL_FILE)


def fetch(
    file: bytes,
    *,
    kind: StatementKind = StatementKind.TRADES,
    by: Merchant | None = None,
    applied: dict[str, Any] | None = None,
) -> tuple[bytes, StatementEgress]:
    egress, sink = StatementEgress([answer(200, applied or APPLIED)]), io.BytesIO()
    egress.file = file
    channel = WechatPayV3(egress, frozen(), BASE_URL)  # type: ignore[arg-type]
    assert asyncio.run(channel.statement(by or merchant(), date(2026, 8, 31), sink, kind=kind))
    return sink.getvalue(), egress


@pytest.mark.parametrize("file", [vectors.BILL_FILE, PACKED], ids=["plain", "gzip"])
def test_the_hash_is_of_the_plain_file(file: bytes) -> None:
    content, egress = fetch(file)
    assert content == vectors.BILL_FILE
    assert len(content) == vectors.BILL_LENGTH
    assert hashlib.sha1(content).hexdigest() == vectors.BILL_SHA1
    assert_signed_by_merchant(egress.sent[1])


@pytest.mark.parametrize(
    ("kind", "by", "target"),
    [
        (StatementKind.TRADES, None, "tradebill?bill_date=2026-08-31&bill_type=ALL&tar_type=GZIP"),
        (StatementKind.REFUNDS, None, "tradebill?bill_date=2026-08-31&bill_type=REFUND&tar_type=GZIP"),
        (StatementKind.FUND_FLOW, None, "fundflowbill?bill_date=2026-08-31&account_type=BASIC&tar_type=GZIP"),
        (
            StatementKind.TRADES,
            partner(),
            f"tradebill?bill_date=2026-08-31&bill_type=ALL&tar_type=GZIP&sub_mchid={SUB_MCHID}",
        ),
    ],
)
def test_each_kind_is_applied_for(kind: StatementKind, by: Merchant | None, target: str) -> None:
    _, egress = fetch(PACKED, kind=kind, by=by)
    assert egress.sent[0].url == f"{BASE_URL}/v3/bill/{target}"


@pytest.mark.parametrize(
    "file",
    [
        b"",
        vectors.BILL_FILE[:-1],
        vectors.BILL_FILE + b"\r\n",
        vectors.BILL_FILE.replace(b"123.45", b"123.46"),
        PACKED[:-9],
        PACKED[: len(PACKED) // 2],
        PACKED + b"more",
        PACKED + PACKED,
        PACKED[:20] + b"\xff" + PACKED[21:],
        gzip.compress(vectors.BILL_FILE + b"x"),
        b"\x1f",
        b"\x1f\x8b",
    ],
)
def test_a_file_that_is_not_the_promised_one_is_refused(file: bytes) -> None:
    with pytest.raises(ChannelOutcomeUnknown):
        fetch(file)


@pytest.mark.parametrize("promised", [{"hash_value": None}, {"hash_value": ""}, {"hash_value": vectors.BILL_SHA1[:-1]}])
def test_a_file_without_its_hash_is_refused(promised: dict[str, Any]) -> None:
    with pytest.raises(ChannelOutcomeUnknown, match="hash"):
        fetch(vectors.BILL_FILE, applied={**APPLIED, **promised})


def test_a_file_that_grows_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("payments.channels.wechat_statement.PLAIN_BYTES", 1_000_000)
    with pytest.raises(ChannelOutcomeUnknown, match="too large"):
        fetch(gzip.compress(b"0" * 50_000_000))
