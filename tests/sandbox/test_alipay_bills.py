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
        arrived = await payee.rig.control("GET", f"/alipay/bank?app_id={APP_ID}&from={day}&to={today(payee)}")
        assert [(line["amount_fen"], line["reference"]) for line in arrived["lines"]] == [
            (17892, payout[0]["账务流水号"])
        ]
        assert ",178.92,,支付宝（中国）网络技术有限公司," in arrived["csv"]
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


def shown(lines: list[str]) -> Rows:
    return [(row["商户订单号"], row["业务类型"], row["订单金额（元）"], row["服务费（元）"]) for row in cells(lines)]


async def plant(payee: Payee, day: date, kind: str, number: str | None = None, statement: str = "trades") -> Any:
    body = {"app_id": APP_ID, "date": str(day), "kinds": [kind], "statement": statement, "out_trade_no": number}
    return (await payee.rig.control("POST", "/alipay/plants", body))["plants"][0]["detail"]


async def forget(payee: Payee) -> None:
    assert (await payee.rig.control("DELETE", f"/alipay/plants?app_id={APP_ID}"))["forgotten"] > 0


def yuan(fen: int) -> str:
    return f"{'-' if fen < 0 else ''}{abs(fen) // 100}.{abs(fen) % 100:02d}"


def expected(kind: str, told: Any) -> Rows:
    first, second, refund = HONEST
    match kind:
        case "missing_line" | "cross_day":
            return [first, refund]
        case "duplicate_line":
            return [first, second, second, refund]
        case "changed_amount":
            return [first, ("WY2", "交易", yuan(8000 + told["by_fen"]), "-0.48"), refund]
        case "changed_fee":
            return [first, ("WY2", "交易", "80.00", yuan(-48 - told["by_fen"])), refund]
        case "unknown_type":
            return [first, ("WY2", "先享后付", "80.00", "-0.48"), refund]
        case "refund_missing":
            return [first, second]
        case "refund_changed":
            return [first, second, ("WY1", "退款", yuan(-2345 - told["by_fen"]), "0.14")]
        case "refund_extra":
            return [*HONEST, ("WY2", "退款", yuan(-told["amount_fen"]), "0.00")]
        case "changed_status":
            return [*HONEST, ("WY3", "交易", "50.00", "-0.30")]
    fee_fen = (told["amount_fen"] * 60 + 5000) // 10000
    return [*HONEST, (told["out_trade_no"], "交易", yuan(told["amount_fen"]), yuan(-fee_fen))]


def test_planted_differences_are_in_the_file_and_its_totals_and_nowhere_else(tmp_path: Path) -> None:
    about = {"refund_missing": "WY1", "refund_changed": "WY1", "changed_status": "WY3"}
    kinds = ("missing_line", "extra_line", "duplicate_line", "changed_amount", "changed_fee", "unknown_type",
             "cross_day", "refund_missing", "refund_changed", "refund_extra", "changed_status")  # fmt: skip

    async def scene(payee: Payee) -> None:
        advance_to(payee, 1, 11)
        await payee.precreate("WY3", "50.00")
        advance_to(payee, -1, 11)
        day = await day_of_trades(payee)
        for kind in kinds:
            told = await plant(payee, day, kind, about.get(kind, "WY2"))
            lines = await detail(payee, day)
            assert shown(lines) == expected(kind, told), kind
            count = sum(one == "交易" for _, one, _, _ in expected(kind, told))
            assert any(line.startswith(f"#交易合计：{count}笔，") for line in lines)
            await forget(payee)
        assert shown(await detail(payee, day)) == HONEST
        assert (await payee.rig.control("GET", f"/alipay/books?app_id={APP_ID}"))["total_fen"] == 20345

    play(tmp_path, scene)


def test_plants_are_chosen_by_the_seed_and_never_twice_the_same_line(tmp_path: Path) -> None:
    async def scene(payee: Payee) -> None:
        day = await day_of_trades(payee)
        wanted = {"app_id": APP_ID, "date": str(day), "kinds": ["missing_line", "changed_amount"], "seed": 5}
        first = (await payee.rig.control("POST", "/alipay/plants", wanted))["plants"]
        assert {one["detail"]["out_trade_no"] for one in first} == {"WY1", "WY2"}
        listed = await payee.rig.control("GET", f"/alipay/plants?app_id={APP_ID}")
        assert listed["plants"] == first
        await payee.rig.control("POST", "/alipay/plants", {**wanted, "kinds": ["missing_line"]}, status=409)
        await forget(payee)
        again = (await payee.rig.control("POST", "/alipay/plants", wanted))["plants"]
        assert [one["detail"] for one in again] == [one["detail"] for one in first]
        for wrong in ({"kinds": ["nonsense"]}, {"statement": "nothing"}, {"kinds": ["settlement_off"]}):
            await payee.rig.control("POST", "/alipay/plants", {**wanted, **wrong}, status=400)
        await payee.rig.control("POST", "/alipay/plants", {**wanted, "kinds": ["changed_status"]}, status=409)

    play(tmp_path, scene)


def test_what_crosses_the_day_stands_in_the_next_bill(tmp_path: Path) -> None:
    async def scene(payee: Payee) -> None:
        day = await day_of_trades(payee)
        await plant(payee, day, "cross_day", "WY2")
        advance_to(payee, 1, 10)
        rows = cells(await detail(payee, day + timedelta(days=1)))
        assert [row["商户订单号"] for row in rows] == ["WY2"]
        assert rows[0]["完成时间"].startswith(day.isoformat())

    play(tmp_path, scene)


def test_the_account_bill_and_the_bank_can_be_wrong_too(tmp_path: Path) -> None:
    async def scene(payee: Payee) -> None:
        day = await day_of_trades(payee)
        honest = cells(await detail(payee, day, "signcustomer"))
        counts = {"missing_line": 5, "duplicate_line": 7, "extra_line": 7, "changed_fee": 6, "changed_amount": 6}
        for kind, count in counts.items():
            await plant(payee, day, kind, "WY2", "fund_flow")
            rows = cells(await detail(payee, day, "signcustomer"))
            assert len(rows) == count and rows != honest, kind
            assert shown(await detail(payee, day)) == HONEST
            await forget(payee)
        bank = f"/alipay/bank?app_id={APP_ID}&from={day}&to={today(payee)}"
        told = await plant(payee, today(payee), "settlement_off", None, "bank")
        assert (await payee.rig.control("GET", bank))["lines"][0]["amount_fen"] == 17892 + told["by_fen"]
        await plant(payee, today(payee), "settlement_missing", None, "bank")
        assert (await payee.rig.control("GET", bank))["lines"] == []

    play(tmp_path, scene)


@pytest.mark.parametrize(
    "kind", ["cut_in_half", "totals_disagree", "unknown_column", "padded_comments", "cut_on_the_way"]
)
def test_a_bill_can_be_damaged(tmp_path: Path, kind: str) -> None:
    async def scene(payee: Payee) -> None:
        day = await day_of_trades(payee)
        honest = await detail(payee, day)
        await plant(payee, day, kind)
        if kind == "cut_on_the_way":
            with pytest.raises(zipfile.BadZipFile):
                await detail(payee, day)
            return
        files = await fetch(payee, day)
        content = files[f"{SELLER_ID}0156_{day:%Y%m%d}_业务明细.csv"]
        text = content.decode("gbk", errors="replace").split("\r\n")
        assert text != honest
        if kind == "cut_in_half":
            assert len(content) == len("\r\n".join(honest).encode("gbk")) // 2
        if kind == "totals_disagree":
            assert "#交易合计：3笔，商家实收共203.45元，商家优惠共0.00元" in text
        if kind == "unknown_column":
            assert text[4].endswith("备注,神秘金额（元）") and len(cells(text)) == 3
        if kind == "padded_comments":
            assert text[0] == "#支付宝业务明细查询" + "," * 24

    play(tmp_path, scene)
