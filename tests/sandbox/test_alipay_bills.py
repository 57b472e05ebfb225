"""Alipay's bills: from the channel's own books, in the real files, wrong only where something was planted."""

import io
import zipfile
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.sandbox.alipay_rig import APP_ID, SELLER_ID, SHANGHAI, Payee, Told, play

BILL = "alipay.data.dataservice.bill.downloadurl.query"
TRADE_HEADER = (
    "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,订单金额（元）,商家实收（元）,"
    "支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,卡消费金额（元）,"
    "退款批次号/请求号,服务费（元）,分润（元）,备注"
)
ACCOUNT_HEADER = (
    "账务流水号,业务流水号,商户订单号,商品名称,发生时间,对方账号,收入金额（+元）,支出金额（-元）,"
    "账户余额（元）,交易渠道,业务类型,备注"
)


def today(payee: Payee) -> date:
    return datetime.fromtimestamp(payee.rig.now_s(), SHANGHAI).date()


def advance_to(payee: Payee, days: int, hour: int, minute: int = 0) -> None:
    """Move the shared clock to that hour in Shanghai, so many days later."""
    now = datetime.fromtimestamp(payee.rig.now_s(), SHANGHAI)
    target = now.replace(hour=hour, minute=minute, second=0, microsecond=0) + timedelta(days=days)
    payee.rig.advance(int((target - now).total_seconds()))


async def ask(payee: Payee, day: date | str, bill_type: str = "trade") -> Told:
    return await payee.call(BILL, {"bill_type": bill_type, "bill_date": str(day)})


async def fetch(payee: Payee, day: date | str, bill_type: str = "trade") -> dict[str, bytes]:
    """The entries of a bill's archive by name."""
    told = await ask(payee, day, bill_type)
    assert told.code == "10000" and told.is_genuine, told.body
    async with payee.rig.http.get(told.node["bill_download_url"]) as answer:
        assert answer.status == 200
        packed = io.BytesIO(await answer.read())
    with zipfile.ZipFile(packed, metadata_encoding="gbk") as archive:
        assert all(not entry.flag_bits & 0x800 for entry in archive.infolist())
        return {entry.filename: archive.read(entry) for entry in archive.infolist()}


async def detail(payee: Payee, day: date, bill_type: str = "trade") -> list[str]:
    files = await fetch(payee, day, bill_type)
    name = {"trade": "业务明细", "signcustomer": "账务明细"}[bill_type]
    return files[f"{SELLER_ID}0156_{day:%Y%m%d}_{name}.csv"].decode("gbk").split("\r\n")


def cells(lines: list[str]) -> list[dict[str, str]]:
    """The rows by header, TABs away."""
    header, *rows = [line for line in lines if line and not line.startswith("#")]
    return [dict(zip(header.split(","), (cell.rstrip("\t") for cell in row.split(",")), strict=True)) for row in rows]


async def day_of_trades(payee: Payee) -> date:
    """Two payments and a partial refund on a day, read at ten o'clock of the next."""
    advance_to(payee, 1, 12)
    await payee.paid("WY1", "123.45")
    await payee.paid("WY2", "80.00")
    await payee.refund("23.45", "R1", "WY1")
    day = today(payee)
    advance_to(payee, 1, 10)
    return day


def test_a_trade_bill_is_exact(tmp_path: Path) -> None:
    async def scene(payee: Payee) -> None:
        day = await day_of_trades(payee)
        paid = await payee.rig.control("GET", f"/alipay/orders/{APP_ID}/WY1")
        files = await fetch(payee, day)
        stem = f"{SELLER_ID}0156_{day:%Y%m%d}_业务明细"
        assert list(files) == [f"{stem}(汇总).csv", f"{stem}.csv"]
        lines = files[f"{stem}.csv"].decode("gbk").split("\r\n")
        after = day + timedelta(days=1)
        assert lines[:5] == [
            "#支付宝业务明细查询",
            f"#账号：[{SELLER_ID}0156]",
            f"#起始日期：[{day:%Y年%m月%d日} 00:00:00]   终止日期：[{after:%Y年%m月%d日} 00:00:00]",
            "#" + "-" * 41 + "业务明细列表" + "-" * 40,
            TRADE_HEADER,
        ]
        assert lines[8:] == [
            "#" + "-" * 41 + "业务明细列表结束" + "-" * 36,
            "#交易合计：2笔，商家实收共203.45元，商家优惠共0.00元",
            "#退款合计：1笔，商家实收退款共-23.45元，商家优惠退款共0.00元",
            f"#导出时间：[{after:%Y年%m月%d日} 05:46:49]",
            "",
        ]
        assert lines[5].startswith(f"{paid['trade_no']}\t,WY1\t,交易\t,物业费2026年09月,")
        rows = cells(lines)
        assert [(row["业务类型"], row["订单金额（元）"], row["服务费（元）"]) for row in rows] == [
            ("交易", "123.45", "-0.74"), ("交易", "80.00", "-0.48"), ("退款", "-23.45", "0.14"),
        ]  # fmt: skip
        assert (rows[2]["退款批次号/请求号"], rows[2]["商家实收（元）"]) == ("R1", "-23.45")
        summary = files[f"{stem}(汇总).csv"].decode("gbk").split("\r\n")
        assert summary[0] == "#支付宝业务汇总查询"
        assert summary[6] == "合计\t,\t,2,1,180.00,180.00,0.00,0.00,0.00,-1.08,0.00,178.92"
        assert summary[7] == "#" + "-" * 40 + "业务汇总列表结束" + "-" * 37

    play(tmp_path, scene)


def test_an_account_bill_has_fees_payouts_and_balances(tmp_path: Path) -> None:
    async def scene(payee: Payee) -> None:
        day = await day_of_trades(payee)
        lines = await detail(payee, day, "signcustomer")
        assert (lines[0], lines[4]) == ("#支付宝账务明细查询", ACCOUNT_HEADER)
        assert lines[-4:-2] == ["#支出合计：3笔，共-24.67元", "#收入合计：3笔，共203.59元"]
        rows = cells(lines)
        moved = [
            (row["业务类型"], row["收入金额（+元）"], row["支出金额（-元）"], row["账户余额（元）"]) for row in rows
        ]
        assert moved == [
            ("在线支付", "123.45", "0.00", "123.45"),
            ("收费", "0.00", "-0.74", "122.71"),
            ("在线支付", "80.00", "0.00", "202.71"),
            ("收费", "0.00", "-0.48", "202.23"),
            ("交易退款", "0.00", "-23.45", "178.78"),
            ("收费", "0.14", "0.00", "178.92"),
        ]
        assert len({row["账务流水号"] for row in rows}) == 6
        advance_to(payee, 1, 10)
        payout = cells(await detail(payee, day + timedelta(days=1), "signcustomer"))
        assert [(row["业务类型"], row["支出金额（-元）"], row["账户余额（元）"]) for row in payout] == [
            ("提现", "-178.92", "0.00")
        ]
        arrived = await payee.rig.control("GET", f"/alipay/bank?app_id={APP_ID}&first={day}&last={today(payee)}")
        assert [(line["amount_fen"], line["reference"]) for line in arrived["lines"]] == [
            (17892, payout[0]["账务流水号"])
        ]
        await payee.hostile(new_account_columns=True)
        newer = cells(await detail(payee, day, "signcustomer"))
        assert list(newer[0])[0] == "发生时间" and "业务描述" in newer[0]
        assert newer[1]["支出金额（-元）"] == "0.74"

    play(tmp_path, scene)


def test_a_bill_has_its_hour_and_its_link_thirty_seconds(tmp_path: Path) -> None:
    async def scene(payee: Payee) -> None:
        day = await day_of_trades(payee)
        for wrong in (today(payee), today(payee) + timedelta(days=1), "2026-9-1", "20260901", "2001-01-01"):
            assert (await ask(payee, wrong)).sub_code == "isv.invalid_arguments"
        assert (await ask(payee, day, "merchant_act")).sub_code == "TYPE_NOT_SUPPORTED"
        assert (await ask(payee, day - timedelta(days=1))).sub_code == "isp.bill_not_exist"
        told = await ask(payee, day)
        link = urlsplit(told.node["bill_download_url"])
        query = {name: values[0] for name, values in parse_qs(link.query).items()}
        account = f"{SELLER_ID}0156"
        assert link.path == "/downloadBillFile.resource" and len(query["token"]) == 32
        assert query["fileId"] == f"/trade/{account}/{day:%Y%m%d}.csv.zip"
        payee.rig.advance(31)
        async with payee.rig.http.get(told.node["bill_download_url"]) as answer:
            assert answer.status == 403
        await payee.paid("WY9", "1.00")
        advance_to(payee, 1, 8, 59)
        assert (await ask(payee, today(payee) - timedelta(days=1))).sub_code == "isp.bill_not_exist"
        advance_to(payee, 0, 9, 1)
        assert (await ask(payee, today(payee) - timedelta(days=1))).code == "10000"

    play(tmp_path, scene)


def test_a_month_has_a_bill_from_the_fourth(tmp_path: Path) -> None:
    async def scene(payee: Payee) -> None:
        day = await day_of_trades(payee)
        month = f"{day:%Y-%m}"
        following = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
        advance_to(payee, (following - today(payee)).days + 2, 10)
        assert (await ask(payee, month)).sub_code == "isp.bill_not_exist"
        advance_to(payee, 1, 10)
        files = await fetch(payee, month)
        assert f"{SELLER_ID}0156_{day:%Y%m}_业务明细.csv" in files

    play(tmp_path, scene)


def test_late_refunds_stand_on_their_own_day(tmp_path: Path) -> None:
    async def scene(payee: Payee) -> None:
        day = await day_of_trades(payee)
        await payee.refund("100.00", "R2", "WY1")
        advance_to(payee, 1, 10)
        rows = cells(await detail(payee, day + timedelta(days=1)))
        assert [(row["业务类型"], row["退款批次号/请求号"]) for row in rows] == [("退款", "R2")]
        first = cells(await detail(payee, day))
        assert rows[0]["创建时间"] == first[0]["创建时间"]
        assert len(first) == 3

    play(tmp_path, scene)


def test_the_books_are_the_channels_own(tmp_path: Path) -> None:
    async def scene(payee: Payee) -> None:
        day = await day_of_trades(payee)
        for query in ("", f"&date={day}"):
            told = await payee.rig.control("GET", f"/alipay/books?app_id={APP_ID}{query}")
            assert (told["count"], told["total_fen"], told["refunded_fen"], told["fee_fen"]) == (2, 20345, 2345, 108)
            assert [one["out_request_no"] for one in told["refunds"]] == ["R1"]
        empty = await payee.rig.control("GET", f"/alipay/books?app_id={APP_ID}&date={today(payee)}")
        assert (empty["count"], empty["refunds"]) == (0, [])

    play(tmp_path, scene)


Rows = list[tuple[str, str, str, str]]
HONEST: Rows = [
    ("WY1", "交易", "123.45", "-0.74"),
    ("WY2", "交易", "80.00", "-0.48"),
    ("WY1", "退款", "-23.45", "0.14"),
]
PLANTS: list[tuple[dict[str, Any], Rows]] = [
    ({"kind": "missing", "out_trade_no": "WY1"}, HONEST[1:]),
    ({"kind": "duplicate", "out_trade_no": "WY2"}, [*HONEST, HONEST[1]]),
    ({"kind": "amount", "out_trade_no": "WY2"}, [HONEST[0], ("WY2", "交易", "80.01", "-0.48"), HONEST[2]]),
    (
        {"kind": "amount", "out_trade_no": "WY2", "amount_fen": 7},
        [HONEST[0], ("WY2", "交易", "0.07", "-0.48"), HONEST[2]],
    ),
    ({"kind": "fee", "out_trade_no": "WY2"}, [HONEST[0], ("WY2", "交易", "80.00", "-0.49"), HONEST[2]]),
    ({"kind": "refund", "out_trade_no": "WY1", "out_request_no": "R1"}, HONEST[:2]),
    (
        {"kind": "refund", "out_trade_no": "WY1", "out_request_no": "R1", "mode": "amount"},
        [*HONEST[:2], ("WY1", "退款", "-23.46", "0.14")],
    ),
    (
        {"kind": "refund", "out_trade_no": "WY2", "mode": "extra", "amount_fen": 100},
        [*HONEST, ("WY2", "退款", "-1.00", "0.00")],
    ),
    ({"kind": "extra", "out_trade_no": "NOBODY", "amount_fen": 500}, [*HONEST, ("NOBODY", "交易", "5.00", "-0.03")]),
    ({"kind": "cross_day", "out_trade_no": "WY2"}, [HONEST[0], HONEST[2]]),
    ({"kind": "unknown_type"}, [("WY1", "先享后付", "123.45", "-0.74"), *HONEST[1:]]),
]


def test_planted_differences_are_in_the_file_and_its_totals_and_nowhere_else(tmp_path: Path) -> None:
    async def scene(payee: Payee) -> None:
        day = await day_of_trades(payee)
        await payee.precreate("WY3", "50.00")
        for plant, expected in PLANTS:
            dated = plant if plant["kind"] not in ("extra", "unknown_type") else {**plant, "date": str(day)}
            await payee.rig.control("POST", "/alipay/plants", {"app_id": APP_ID, **dated})
            lines = await detail(payee, day)
            rows = cells(lines)
            found = [(r["商户订单号"], r["业务类型"], r["订单金额（元）"], r["服务费（元）"]) for r in rows]
            assert found == expected, plant
            count = sum(kind == "交易" for _, kind, _, _ in expected)
            assert any(line.startswith(f"#交易合计：{count}笔，") for line in lines)
            assert (await payee.rig.control("DELETE", "/alipay/plants"))["removed"] == 1
        assert (await payee.rig.control("GET", f"/alipay/books?app_id={APP_ID}"))["total_fen"] == 20345
        status = {"kind": "status", "app_id": APP_ID, "out_trade_no": "WY3", "date": str(day)}
        await payee.rig.control("POST", "/alipay/plants", status)
        assert cells(await detail(payee, day))[-1]["商户订单号"] == "WY3"
        await payee.rig.control("POST", "/alipay/plants", {**status, "out_trade_no": "WY1"}, status=409)
        await payee.rig.control("POST", "/alipay/plants", {"kind": "nonsense", "app_id": APP_ID}, status=400)
        await payee.rig.control("POST", "/alipay/plants", {"kind": "extra", "app_id": APP_ID}, status=400)

    play(tmp_path, scene)


def test_what_crosses_the_day_stands_in_the_next_bill(tmp_path: Path) -> None:
    async def scene(payee: Payee) -> None:
        day = await day_of_trades(payee)
        await payee.rig.control(
            "POST", "/alipay/plants", {"kind": "cross_day", "app_id": APP_ID, "out_trade_no": "WY2"}
        )
        advance_to(payee, 1, 10)
        rows = cells(await detail(payee, day + timedelta(days=1)))
        assert [row["商户订单号"] for row in rows] == ["WY2"]
        assert rows[0]["完成时间"].startswith(day.isoformat())

    play(tmp_path, scene)


def test_the_account_bill_and_the_bank_can_be_wrong_too(tmp_path: Path) -> None:
    async def scene(payee: Payee) -> None:
        day = await day_of_trades(payee)
        bank = f"/alipay/bank?app_id={APP_ID}&first={day}&last={today(payee)}"
        for kind, expected in (("missing", 5), ("duplicate", 7), ("fee", 6), ("amount", 6)):
            plant = {"kind": kind, "app_id": APP_ID, "out_trade_no": "WY2", "bill_type": "signcustomer"}
            honest = cells(await detail(payee, day, "signcustomer"))
            await payee.rig.control("POST", "/alipay/plants", plant)
            rows = cells(await detail(payee, day, "signcustomer"))
            assert len(rows) == expected and rows != honest
            assert len(cells(await detail(payee, day))) == 3
            await payee.rig.control("DELETE", "/alipay/plants")
        plant = {"kind": "settlement", "app_id": APP_ID, "date": str(today(payee))}
        await payee.rig.control("POST", "/alipay/plants", plant)
        assert (await payee.rig.control("GET", bank))["lines"][0]["amount_fen"] == 17893
        await payee.rig.control("POST", "/alipay/plants", {**plant, "mode": "missing"})
        assert (await payee.rig.control("GET", bank))["lines"] == []

    play(tmp_path, scene)


@pytest.mark.parametrize("kind", ["cut", "totals", "unknown_column", "padded_comments", "cut_archive"])
def test_a_bill_can_be_damaged(tmp_path: Path, kind: str) -> None:
    async def scene(payee: Payee) -> None:
        day = await day_of_trades(payee)
        honest = await detail(payee, day)
        await payee.rig.control("POST", "/alipay/plants", {"kind": kind, "app_id": APP_ID, "date": str(day)})
        if kind == "cut_archive":
            with pytest.raises(zipfile.BadZipFile):
                await detail(payee, day)
            return
        files = await fetch(payee, day)
        content = files[f"{SELLER_ID}0156_{day:%Y%m%d}_业务明细.csv"]
        text = content.decode("gbk", errors="replace").split("\r\n")
        assert text != honest
        if kind == "cut":
            assert len(content) == len("\r\n".join(honest).encode("gbk")) // 2
        if kind == "totals":
            assert "#交易合计：3笔，商家实收共203.45元，商家优惠共0.00元" in text
        if kind == "unknown_column":
            assert text[4].endswith("备注,神秘金额（元）") and len(cells(text)) == 3
        if kind == "padded_comments":
            assert text[0] == "#支付宝业务明细查询" + "," * 24

    play(tmp_path, scene)
