"""Readers of statements: the real formats read exactly, every defect refuses the whole file (D7, F-21)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payments.reconcile import reading_alipay, reading_wechat
from payments.reconcile.reading import Reader, Refused
from tests import factories_statements as made
from tests.factories_statements import DAY, MCHID, PID, Move, Row, payment, refund

REAL = (
    "`2021-01-28 17:07:11,`wx81be3101902f7cb2,`1601959334,`0,`,`4200000925202101284997714292,`S20210128170702357723,"
    "`ofyak5qR_1wYsC99CsWA6R9MJazA,`NATIVE,`SUCCESS,`OTHERS,`CNY,`0.01,`0.00,`0,`0,`0.00,`0.00,`,`,`for testing,"
    "`cipher code,`0.00000,`1.00%,`0.01,`0.00,`\r\n"
    "`2021-01-28 16:47:58,`wx0000000000000000,`1601959334,`0,`,`4200000000000000000000000000,`ORDER1,`oOPENID,`JSAPI,"
    "`REFUND,`OTHERS,`CNY,`0.00,`0.00,`50302709992024070991956632208,`5622435300878286848,`50.00,`0.00,`ORIGINAL,"
    "`SUCCESS,`goods,`,`-0.27000,`0.54%,`0.00,`50.00,`\r\n"
)
SUMMARY = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额\r\n"
REAL_ALIPAY = (
    "2019091622001458860515315453\t,service_1568601259302\t,交易\t,下单测试,2019-09-16 10:55:16,2019-09-16 10:55:23,"
    "alipay_store\t,alipay_store\t,alipay\t,\t,*某(602***@qq.com)\t,0.01,0.01,0.00,0.00,0.00,0.00,0.00,,0.00\t,0.00,\t,"
    "0.00,0.00,下单测试\r\n"
    "2019091622001458860515315453\t,service_1568601259302\t,退款\t,下单测试,2019-09-16 10:55:16,2019-09-16 10:56:48,"
    "alipay_store\t,alipay_store\t,alipay\t,\t,*某(602***@qq.com)\t,-0.01,-0.01,0.00,0.00,0.00,0.00,0.00,,0.00\t,0.00,"
    "re_test_1568602607356\t,0.00,0.00,下单测试\r\n"
)


def read(reader: Reader, file: bytes) -> list[dict[str, str]]:
    """Every row of a file by column."""
    text = b"".join(reader.rows(BytesIO(file))).decode()
    return [dict(zip(reader.columns, line.split("\t"), strict=True)) for line in text.splitlines()]


def wechat(file: bytes) -> list[dict[str, str]]:
    return read(reading_wechat.TradeBill(MCHID), file)


def alipay(file: bytes) -> list[dict[str, str]]:
    return read(reading_alipay.TradeBill(PID, DAY), file)


Read = Callable[[bytes], list[dict[str, str]]]
BOTH = pytest.mark.parametrize(
    ("make", "reads", "encoding"),
    [(made.wechat_trades, wechat, "utf-8"), (made.alipay_trades, alipay, "gb18030")],
    ids=["wechat", "alipay"],
)


def test_published_rows_of_wechat_pay_are_read_as_they_are() -> None:
    head = "\ufeff" + ",".join(made.WECHAT_ALL) + "\r\n"
    tail = SUMMARY + "`2,`0.01,`50.00,`0.00,`-0.27000,`0.01,`50.00\r\n"
    reader = reading_wechat.TradeBill("1601959334")
    paid, refunded = read(reader, (head + REAL + tail).encode())
    assert (paid["transaction_no"], paid["out_trade_no"]) == ("4200000925202101284997714292", "S20210128170702357723")
    assert (paid["kind"], int(paid["amount_fen"]), int(paid["fee_mfen"]), paid["odd"]) == ("payment", 1, 0, "")
    assert (refunded["kind"], int(refunded["amount_fen"]), int(refunded["fee_mfen"])) == ("refund", 5000, -27_000)
    assert refunded["out_refund_no"] == "5622435300878286848"
    assert (reader.told.amount_fen, reader.told.refund_fen, reader.told.fee_mfen) == (1, 5000, -27_000)


def test_published_rows_of_wechat_pays_fund_flow_are_read_as_they_are() -> None:
    file = (
        "\ufeff" + ",".join(made.WECHAT_FUND) + "\r\n"
        "`2018-02-01 04:21:23,`50000305742018020103387128253,`1900009231201802015884652186,`退款,`退款,`支出,`0.02,"
        "`0.17,`system,`缺货,`REF4200000068201801293084726067\r\n"
        "资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额\r\n`1.0,`0.0,`0.00,`1.0,`0.02\r\n"
    )
    (row,) = read(reading_wechat.FundFlow(), file.encode())
    assert (row["kind"], row["amount_fen"], row["reference"]) == ("refund", "-2", "REF4200000068201801293084726067")


def test_published_rows_of_alipay_are_read_as_they_are() -> None:
    empty = made.alipay_trades([], on=date(2019, 9, 16)).decode("gb18030")
    file = empty.replace("备注\r\n", "备注\r\n" + REAL_ALIPAY)
    file = file.replace("交易合计：0笔，商家实收共0.00元", "交易合计：1笔，商家实收共0.01元")
    file = file.replace("退款合计：0笔，商家实收退款共0.00元", "退款合计：1笔，商家实收退款共-0.01元")
    paid, refunded = read(reading_alipay.TradeBill(PID, date(2019, 9, 16)), file.encode("gb18030"))
    assert (paid["kind"], paid["transaction_no"]) == ("payment", "2019091622001458860515315453")
    assert (int(paid["amount_fen"]), int(refunded["amount_fen"])) == (1, 1)
    assert (refunded["kind"], refunded["out_refund_no"]) == ("refund", "re_test_1568602607356")


def test_old_columns_of_wechat_pay_are_found_by_name() -> None:
    (row,) = wechat(made.wechat_trades([payment(1, 12_345)], made.WECHAT_OLD))
    assert (int(row["amount_fen"]), row["out_trade_no"]) == (12_345, payment(1).out_trade_no)


def test_columns_may_stand_in_another_order() -> None:
    names = [*reversed(made.WECHAT_ALL)]
    assert wechat(made.wechat_trades([payment(1), refund(2)], names)) == wechat(
        made.wechat_trades([payment(1), refund(2)])
    )


def test_commas_in_names_shift_nothing() -> None:
    rows = [payment(1, name="物业费,车位费,`水费"), payment(2)]
    with pytest.raises(Refused):
        wechat(made.wechat_trades(rows))
    read_back = wechat(made.wechat_trades([payment(1, name="物业费,车位费"), payment(2)]))
    assert [row["out_trade_no"] for row in read_back] == [payment(1).out_trade_no, payment(2).out_trade_no]
    mended = alipay(made.alipay_trades([payment(1, name="物业费,车位费"), payment(2), refund(3, name="退,一,下")]))
    assert [int(row["amount_fen"]) for row in mended] == [10_000, 10_000, 1_000]


@BOTH
def test_an_empty_day_is_no_error(make: Callable[..., bytes], reads: Read, encoding: str) -> None:
    assert reads(make([])) == []


@BOTH
def test_a_file_cut_anywhere_is_refused(make: Callable[..., bytes], reads: Read, encoding: str) -> None:
    file = make([payment(1), payment(2), refund(3)])
    assert len(reads(file)) == 3
    for length in range(len(file)):
        with pytest.raises(Refused):
            reads(file[:length])


@BOTH
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("100.00", "100.01"),
        ("100.00", "1OO.00"),
        ("100.00", "1e2"),
        ("100.00", "100.000001"),
        ("2026-09-01 10:00:00", "2026-13-01 10:00:00"),
        ("2026-09-01 10:00:00", "2026-02-30 10:00:00"),
        ("2026-09-01 10:00:00", "昨天"),
        ("4200000925202609000000000001", ""),
        ("LL0000000000000000000001", "LL00 01"),
    ],
)
def test_a_changed_cell_refuses_the_file(
    make: Callable[..., bytes], reads: Read, encoding: str, old: str, new: str
) -> None:
    file = make([payment(1), payment(2)]).decode(encoding)
    with pytest.raises(Refused):
        reads(file.replace(old, new, 2).encode(encoding))


@BOTH
def test_lines_lost_doubled_or_added_refuse_the_file(make: Callable[..., bytes], reads: Read, encoding: str) -> None:
    whole = make([payment(1), payment(2), payment(3)])
    lines = whole.split(b"\r\n")
    at = next(n for n, line in enumerate(lines) if payment(2).transaction_no.encode() in line)
    for broken in (lines[:at] + lines[at + 1 :], lines[: at + 1] + lines[at:], [*lines[:-1], b"x", b""]):
        with pytest.raises(Refused):
            reads(b"\r\n".join(broken))


def test_unknown_repeated_and_missing_columns_refuse_the_file() -> None:
    for names in (
        [*made.WECHAT_ALL, "神秘金额"], [*made.WECHAT_ALL, "商户订单号"], [n for n in made.WECHAT_ALL if n != "手续费"],
    ):  # fmt: skip
        with pytest.raises(Refused, match="列"):
            wechat(made.wechat_trades([payment(1)], names))
    with pytest.raises(Refused, match="列"):
        alipay(made.alipay_trades([payment(1)], names=[*made.ALIPAY_TRADE, "神秘金额"]))


def test_another_encoding_merchant_or_day_refuses_the_file() -> None:
    with pytest.raises(Refused):
        wechat(made.wechat_trades([payment(1)])[3:])
    with pytest.raises(Refused):
        wechat(made.wechat_trades([payment(1)]).replace(b"\r\n", b"\n"))
    with pytest.raises(Refused, match="商户号"):
        wechat(made.wechat_trades([payment(1), payment(2, mchid="1900000000")]))
    with pytest.raises(Refused):
        alipay(made.alipay_trades([payment(1)]).decode("gb18030").encode())
    with pytest.raises(Refused, match="账号"):
        alipay(made.alipay_trades([payment(1)], pid="2088000000000000"))
    with pytest.raises(Refused, match="日期"):
        alipay(made.alipay_trades([payment(1)], on=date(2026, 8, 31)))


def test_what_is_not_known_has_a_name_and_is_not_guessed() -> None:
    rows = [payment(1, state="REVOKED"), payment(2, type="WXPAY_NEW"), payment(3, currency="USD"), payment(4)]
    assert [(row["kind"], row["odd"]) for row in wechat(made.wechat_trades(rows))] == [
        ("odd", "state:REVOKED"), ("payment", "type:WXPAY_NEW"), ("payment", "currency:USD"), ("payment", ""),
    ]  # fmt: skip
    odd = made.alipay_trades([payment(1, 0, state="转账"), payment(2)])
    odd = odd.decode("gb18030").replace("交易合计：2笔", "交易合计：1笔").encode("gb18030")
    assert [(row["kind"], row["odd"]) for row in alipay(odd)] == [("odd", "type:转账"), ("payment", "")]


def test_fees_keep_five_decimals_exactly() -> None:
    file = made.wechat_trades([payment(1)]).decode().replace("0.60000", "0.60001").encode()
    assert [int(row["fee_mfen"]) for row in wechat(file)] == [60_001]


@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_fund_flow_of_alipay_takes_expenses_with_and_without_sign(end: str) -> None:
    moves = [
        Move("在线支付", "T1", 10_000, "F1", "LL1"), Move("收费", "T1", -60, "F2"), Move("提现", "W1", -9_940, "F3"),
        Move("神秘", "X1", 5, "F4"),
    ]  # fmt: skip
    file = made.alipay_fund(moves, end=end)
    for variant in (file, file.decode("gb18030").replace(",-", ",").encode("gb18030")):
        rows = read(reading_alipay.FundFlow(PID, DAY), variant)
        assert [(row["kind"], int(row["amount_fen"]), row["odd"]) for row in rows] == [
            ("payment", 10_000, ""), ("fee", -60, ""), ("payout", -9_940, ""), ("odd", 5, "type:神秘"),
        ]  # fmt: skip
    with pytest.raises(Refused, match="收入合计"):
        read(reading_alipay.FundFlow(PID, DAY), file.decode("gb18030").replace("100.00", "100.01", 1).encode("gb18030"))


def test_fund_flow_of_wechat_pay_must_add_up() -> None:
    moves = [Move("交易", "T1", 10_000, "F1", "P1"), Move("提现", "W1", -9_940, "F3")]
    file = made.wechat_fund(moves)
    assert [row["kind"] for row in read(reading_wechat.FundFlow(), file)] == ["payment", "payout"]
    with pytest.raises(Refused, match="收入金额"):
        read(reading_wechat.FundFlow(), file.replace(b"`100.00,`100.00", b"`100.01,`100.00", 1))


numbers = st.text("0123456789ABCDEFxyz_-|*@", min_size=1, max_size=32)
names = st.text(
    st.characters(codec="gb18030", exclude_characters="\r\n\x00`,\t", exclude_categories=("Cs",)), max_size=20
)


@st.composite
def rows(draw: st.DrawFn) -> list[Row]:
    found = []
    for _ in range(draw(st.integers(0, 8))):
        amount_fen = draw(st.integers(1, 10**9))
        at = f"{draw(st.datetimes(min_value=datetime(2000, 1, 1))):%Y-%m-%d %H:%M:%S}"
        row = payment(
            0, amount_fen, transaction_no=draw(numbers), out_trade_no=draw(numbers), name=draw(names),
            fee_fen=draw(st.integers(0, 10**6)), at=at,
        )  # fmt: skip
        if draw(st.booleans()):
            row = replace(row, amount_fen=0, refund_fen=amount_fen, out_refund_no="R" + draw(numbers), fee_fen=-1)
        found.append(row)
    return found


def _expected(row: Row) -> tuple[str, str, str, int, int, str]:
    if row.refund_fen is None:
        return ("payment", row.transaction_no, row.out_trade_no, row.amount_fen, row.fee_fen * 1000, row.at)
    return ("refund", row.transaction_no, row.out_trade_no, row.refund_fen, row.fee_fen * 1000, row.at)


@BOTH
@settings(max_examples=150, deadline=None)
@given(given_rows=rows())
def test_what_is_written_is_read_back(
    make: Callable[..., bytes], reads: Read, encoding: str, given_rows: list[Row]
) -> None:
    found = [
        (r["kind"], r["transaction_no"], r["out_trade_no"], int(r["amount_fen"]), int(r["fee_mfen"]), r["at"])
        for r in reads(make(given_rows))
    ]
    assert found == [_expected(row) for row in given_rows]


@BOTH
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_reader_never_crashes_and_never_takes_a_broken_total(
    make: Callable[..., bytes], reads: Read, encoding: str, data: st.DataObject
) -> None:
    """Whatever is put in place of whatever, a file is refused, or read with the very sums of its own totals."""
    file = make([payment(1), payment(2), refund(3)])
    start = data.draw(st.integers(0, len(file)))
    end = data.draw(st.integers(start, min(len(file), start + 40)))
    broken = file[:start] + data.draw(st.binary(max_size=20)) + file[end:]
    try:
        found = reads(broken)
    except Refused:
        return
    paid = sum(int(row["amount_fen"]) for row in found if row["kind"] == "payment")
    assert len(found) == 3 and paid <= 20_000


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_noise_is_refused(noise: bytes) -> None:
    for reader in (
        reading_wechat.TradeBill(MCHID), reading_wechat.FundFlow(), reading_alipay.TradeBill(PID, DAY),
        reading_alipay.FundFlow(PID, DAY),
    ):  # fmt: skip
        with pytest.raises(Refused):
            list(reader.rows(BytesIO(noise)))
