"""Daily trade statements: from the channel's own books, byte for byte, at the right hour."""

import gzip
import hashlib
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from tests import vectors
from tests.sandbox.rig import Rig, Signed, play

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOTIFY = "https://pay.example.com/notify"


def today(rig: Rig) -> str:
    return datetime.fromtimestamp(rig.now_s(), SHANGHAI).date().isoformat()


def advance_to(rig: Rig, days: int, hour: int, minute: int = 0) -> None:
    """Move the shared clock to that hour in Shanghai, so many days later."""
    now = datetime.fromtimestamp(rig.now_s(), SHANGHAI)
    target = now.replace(hour=hour, minute=minute, second=0) + timedelta(days=days)
    rig.advance(int((target - now).total_seconds()))


async def apply(rig: Rig, day: str, **query: str) -> Signed:
    more = "".join(f"&{name}={value}" for name, value in query.items())
    return await rig.pay_call("GET", f"/v3/bill/tradebill?bill_date={day}{more}")


async def fetch(rig: Rig, applied: Signed) -> Signed:
    assert applied.status == 200 and applied.is_genuine()
    return await rig.pay_call("GET", applied.json["download_url"].removeprefix(rig.url))


async def paid(rig: Rig, number: str, total_fen: int, **changes: Any) -> Any:
    _, openid = await rig.user()
    await rig.order(openid, NOTIFY, out_trade_no=number, amount={"total": total_fen}, **changes)
    return await rig.control("POST", f"/orders/{vectors.MCHID}/{number}/pay")


def test_a_statement_is_exact_and_matches_its_hash(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        advance_to(rig, 1, 8)
        first = await paid(rig, "WY0001", 12345, description="物业费,1栋101", attach="o=1")
        await paid(rig, "WY0002", 80)
        day = today(rig)
        advance_to(rig, 1, 10)
        applied = await apply(rig, day)
        content = (await fetch(rig, applied)).body
        assert applied.json["hash_type"] == "SHA1"
        assert hashlib.sha1(content).hexdigest() == applied.json["hash_value"]
        assert content.startswith(b"\xef\xbb\xbf") and content.endswith(b"\r\n")
        header, row, other, summary_header, summary, end = content.decode("utf-8-sig").split("\r\n")
        assert (header, summary_header, end) == (vectors.BILL_HEADER, vectors.BILL_SUMMARY_HEADER, "")
        values = dict(zip(header.split(","), row.removeprefix("`").split(",`"), strict=True))
        transaction = first["transaction"]
        assert values["微信订单号"] == transaction["transaction_id"]
        assert values["交易时间"] == transaction["success_time"][:19].replace("T", " ")
        assert (values["订单金额"], values["手续费"], values["费率"]) == ("123.45", "0.74000", "0.60%")
        assert (values["商品名称"], values["商户数据包"]) == ("物业费,1栋101", "o=1")
        assert other.endswith("`0.00000,`0.60%,`0.80,`0.00,`")
        assert summary == "`2,`124.25,`0.00,`0.00,`0.74000,`124.25,`0.00"

    play(tmp_path, scene)


def test_statements_come_compressed_and_by_type(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        await paid(rig, "WY0001", 100)
        day = today(rig)
        advance_to(rig, 1, 12)
        plain = await fetch(rig, await apply(rig, day))
        packed = await apply(rig, day, tar_type="GZIP")
        assert packed.json["download_url"].endswith("&tartype=gzip")
        assert gzip.decompress((await fetch(rig, packed)).body) == plain.body
        assert "Wechatpay-Signature" not in plain.headers
        success = await fetch(rig, await apply(rig, day, bill_type="SUCCESS"))
        assert len(success.body.decode("utf-8-sig").split("\r\n")[0].split(",")) == 20
        refunds = await apply(rig, day, bill_type="REFUND")
        assert (refunds.status, refunds.json["code"]) == (400, "NO_STATEMENT_EXIST")

    play(tmp_path, scene)


def test_a_statement_has_its_hour_its_day_and_its_reader(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        advance_to(rig, 1, 8)
        await paid(rig, "WY0001", 100)
        day = today(rig)
        assert (await apply(rig, day)).json["code"] == "INVALID_REQUEST"
        advance_to(rig, 1, 9, 50)
        assert (await apply(rig, day)).json["code"] == "STATEMENT_CREATING"
        advance_to(rig, 0, 10, 1)
        applied = await apply(rig, day)
        other = {"mchid": "1900007292"}
        await rig.control("PUT", "/merchants/1900007292", rig.merchant())
        link = applied.json["download_url"].removeprefix(rig.url)
        foreign = await rig.pay_call("GET", link, values=other)
        assert (foreign.status, foreign.json["code"]) == (403, "NO_AUTH")
        rig.advance(301)
        stale = await fetch(rig, applied)
        assert (stale.status, stale.json["code"]) == (400, "INVALID_REQUEST")
        advance_to(rig, 1, 12)
        yesterday = (datetime.fromisoformat(day) + timedelta(days=1)).date().isoformat()
        assert (await apply(rig, yesterday)).json["code"] == "NO_STATEMENT_EXIST"
        assert (await apply(rig, "2026-9-1")).json["code"] == "PARAM_ERROR"
        assert (await apply(rig, day, tar_type="ZIP")).json["code"] == "PARAM_ERROR"
        assert (await apply(rig, "2020-01-01")).json["code"] == "INVALID_REQUEST"

    play(tmp_path, scene)
