"""Refunds in statements, the fund flow, payouts to the bank, and differences that are planted in all of them."""

import gzip
import hashlib
import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests import vectors
from tests.sandbox.rig import Rig, Signed, play
from tests.sandbox.test_pay_kinds import SUB_MCHID, as_provider, partner, partner_body
from tests.sandbox.test_refunds import refund
from tests.sandbox.test_statements import advance_to, apply, fetch, paid, today

Table = list[dict[str, str]]


def read(content: bytes) -> tuple[Table, dict[str, str]]:
    """The lines by header, and the summary."""
    text = content.decode("utf-8-sig")
    assert content.startswith(b"\xef\xbb\xbf") and text.endswith("\r\n")
    header, *rows, summary_header, summary, end = text.split("\r\n")
    assert end == ""
    names = header.split(",")
    lines = [dict(zip(names, row.removeprefix("`").split(",`"), strict=True)) for row in rows]
    sums = zip(summary_header.split(","), summary.removeprefix("`").split(",`"), strict=True)
    return lines, dict(sums)


async def trades(rig: Rig, day: str, bill_type: str = "ALL", **query: str) -> tuple[Table, dict[str, str]]:
    return read((await fetch(rig, await apply(rig, day, bill_type=bill_type, **query))).body)


async def apply_flow(rig: Rig, day: str, **query: str) -> Signed:
    more = "".join(f"&{name}={value}" for name, value in query.items())
    return await rig.pay_call("GET", f"/v3/bill/fundflowbill?bill_date={day}{more}")


async def flow(rig: Rig, day: str, **query: str) -> tuple[Table, dict[str, str]]:
    return read((await fetch(rig, await apply_flow(rig, day, **query))).body)


async def bank(rig: Rig, first: str, last: str) -> Any:
    return await rig.control("GET", f"/bank?mchid={vectors.MCHID}&from={first}&to={last}")


async def give_back(rig: Rig, number: str, refund_no: str, refund_fen: int, total_fen: int) -> None:
    made = await refund(rig, refund_no, refund_fen, total_fen=total_fen, out_trade_no=number)
    assert made.status == 200, made.body


def test_a_refund_stands_on_its_own_day_with_its_state_frozen(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        advance_to(rig, 1, 8)
        await paid(rig, "WY0001", 12345)
        first = today(rig)
        advance_to(rig, 1, 12)
        await paid(rig, "WY0002", 5000)
        await rig.control("PUT", "/hostile", {"refund_delay_s": 60})
        await give_back(rig, "WY0001", "RF1", 2345, 12345)
        advance_to(rig, 0, 23, 59)
        await give_back(rig, "WY0002", "RF2", 5000, 5000)
        second = today(rig)
        advance_to(rig, 1, 12)
        lines, sums = await trades(rig, first)
        assert [line["商户订单号"] for line in lines] == ["WY0001"] and sums["退款总金额"] == "0.00"
        lines, sums = await trades(rig, second)
        rows = {line["商户退款单号"]: line for line in lines}
        assert set(rows) == {"0", "RF1", "RF2"}
        done, waiting = rows["RF1"], rows["RF2"]
        assert (done["交易状态"], done["退款状态"], done["退款金额"]) == ("REFUND", "SUCCESS", "23.45")
        assert (done["应结订单金额"], done["订单金额"], done["申请退款金额"]) == ("0.00", "0.00", "23.45")
        assert (done["手续费"], done["费率"], done["退款类型"]) == ("-0.14000", "0.60%", "ORIGINAL")
        assert waiting["退款状态"] == "PROCESSING" and waiting["手续费"] == "-0.30000"
        assert sums["总交易单数"] == "3" and sums["应结订单总金额"] == "50.00"
        assert (sums["退款总金额"], sums["手续费总金额"]) == ("73.45", "-0.14000")
        refunds, _ = await trades(rig, second, "REFUND")
        assert len(refunds) == 2 and len(refunds[0]) == 29 and refunds[0]["退款成功时间"]
        assert refunds[1]["退款成功时间"] == ""
        payments, _ = await trades(rig, second, "SUCCESS")
        assert [line["商户订单号"] for line in payments] == ["WY0002"] and len(payments[0]) == 20

    play(tmp_path, scene)


def test_all_refunds_of_a_payment_give_back_exactly_its_fee(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        advance_to(rig, 1, 8)
        await paid(rig, "WY0001", 1000)
        day = today(rig)
        for position in range(10):
            await give_back(rig, "WY0001", f"RF{position}", 100, 1000)
            rig.advance(61)
        advance_to(rig, 1, 12)
        lines, sums = await trades(rig, day)
        assert sums["手续费总金额"] == "0.00000" and len(lines) == 11
        assert {line["手续费"] for line in lines[1:]} == {"-0.01000", "0.00000"}

    play(tmp_path, scene)


def test_the_fund_flow_runs_from_payout_to_payout(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        advance_to(rig, 1, 8)
        await paid(rig, "WY0001", 10000)
        first = today(rig)
        advance_to(rig, 1, 12)
        await give_back(rig, "WY0001", "RF1", 2500, 10000)
        second = today(rig)
        advance_to(rig, 1, 12)
        await paid(rig, "WY0002", 10000)
        third = today(rig)
        advance_to(rig, 1, 12)
        lines, sums = await flow(rig, first)
        assert [(line["业务类型"], line["收支类型"], line["收支金额(元)"], line["账户结余(元)"]) for line in lines] == [
            ("交易", "收入", "100.00", "100.00"),
            ("扣除交易手续费", "支出", "0.60", "99.40"),
        ]
        assert sums == dict(zip(sums, ("2.0", "1.0", "100.00", "1.0", "0.60"), strict=True))
        lines, _ = await flow(rig, second)
        assert [(line["业务类型"], line["收支金额(元)"], line["账户结余(元)"]) for line in lines] == [
            ("提现", "99.40", "0.00"),
            ("退款", "25.00", "-25.00"),
            ("扣除交易手续费", "0.15", "-24.85"),
        ]
        assert lines[1]["备注"] == "多交了" and lines[1]["业务凭证号"] == "RF1"
        arrived = await bank(rig, first, today(rig))
        assert [(line["arrived_on"], line["amount_fen"]) for line in arrived["lines"]] == [
            (second, 9940),
            (today(rig), 9940 - 2485),
        ]
        assert arrived["lines"][1]["collected_on"] == third
        assert arrived["csv"].splitlines()[1].split(",")[2] == "99.40"

    play(tmp_path, scene)


def test_a_closed_refund_comes_back_with_its_fee(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        advance_to(rig, 1, 8)
        await paid(rig, "WY0001", 10000)
        await rig.control("PUT", "/hostile", {"refund_outcomes": ["CLOSED"], "refund_delay_s": 86_400})
        await give_back(rig, "WY0001", "RF1", 10000, 10000)
        first = today(rig)
        advance_to(rig, 2, 12)
        second = (await bank(rig, first, today(rig)))["lines"][0]["collected_on"]
        lines, _ = await flow(rig, second)
        assert [(line["业务类型"], line["收支类型"], line["账户结余(元)"]) for line in lines] == [
            ("退款", "收入", "100.00"),
            ("扣除交易手续费", "支出", "99.40"),
        ]
        lines, _ = await trades(rig, first)
        assert lines[1]["退款状态"] == "PROCESSING"

    play(tmp_path, scene)


def test_a_fund_flow_has_its_hour_its_account_and_its_compression(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        advance_to(rig, 1, 8)
        await paid(rig, "WY0001", 10000)
        day = today(rig)
        advance_to(rig, 1, 9)
        assert (await apply_flow(rig, day)).json["code"] == "STATEMENT_CREATING"
        advance_to(rig, 0, 10, 1)
        for account, code in (
            ("FEES", "NO_STATEMENT_EXIST"),
            ("OPERATION", "NO_STATEMENT_EXIST"),
            ("X", "PARAM_ERROR"),
        ):
            assert (await apply_flow(rig, day, account_type=account)).json["code"] == code
        packed = await fetch(rig, await apply_flow(rig, day, tar_type="GZIP"))
        plain = await fetch(rig, applied := await apply_flow(rig, day))
        assert gzip.decompress(packed.body) == plain.body
        assert hashlib.sha1(plain.body).hexdigest() == applied.json["hash_value"]

    play(tmp_path, scene)


def test_a_service_providers_statements_by_sub_merchant(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        await as_provider(rig)
        advance_to(rig, 1, 8)
        _, openid = await rig.user()
        await partner(rig, partner_body(openid, "https://pay.example.com/n"))
        await rig.control("POST", f"/orders/{vectors.MCHID}/WY202609010001/pay")
        await paid(rig, "WY0002", 500)
        day = today(rig)
        advance_to(rig, 1, 12)
        lines, _ = await trades(rig, day)
        assert {line["特约商户号"] for line in lines} == {SUB_MCHID, "0"}
        lines, sums = await trades(rig, day, sub_mchid=SUB_MCHID)
        assert len(lines) == 1 and sums["应结订单总金额"] == "123.45"
        lines, _ = await flow(rig, day, sub_mchid=SUB_MCHID)
        assert lines[0]["收支金额(元)"] == "123.45"
        lines, _ = await flow(rig, day)
        assert lines[0]["收支金额(元)"] == "5.00"
        assert (await apply(rig, day, sub_mchid="1900000999")).json["code"] == "NO_AUTH"

    play(tmp_path, scene)


async def a_day(rig: Rig) -> str:
    """Twelve payments and three refunds; the clock stands at noon two days later."""
    advance_to(rig, 1, 8)
    for position in range(12):
        await paid(rig, f"WY{position:04d}", 10000 + position)
    for position in range(3):
        await give_back(rig, f"WY{position:04d}", f"RF{position}", 1000, 10000 + position)
    day = today(rig)
    advance_to(rig, 2, 12)
    return day


async def planted(rig: Rig, day: str, *kinds: str, **more: Any) -> list[Any]:
    body = {"mchid": vectors.MCHID, "date": day, "kinds": list(kinds), **more}
    answer = await rig.control("POST", "/statements/plants", body)
    return list(answer["plants"])


KINDS = (
    "missing_line",
    "extra_line",
    "duplicate_line",
    "changed_amount",
    "changed_status",
    "changed_fee",
    "refund_missing",
    "refund_extra",
    "refund_changed",
    "unknown_type",
    "cross_day",
)


def test_planted_differences_are_exactly_those_that_are_named(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        day = await a_day(rig)
        before, _ = await trades(rig, day)
        made = {one["kind"]: one for one in await planted(rig, day, *KINDS, seed=7)}
        after, sums = await trades(rig, day)
        assert len({one["subject"] for one in made.values()}) == len(KINDS)

        def key(line: dict[str, str]) -> str:
            return line["微信订单号"] if line["微信退款单号"] == "0" else line["微信退款单号"]

        old, new = {key(line): line for line in before}, {key(line): line for line in after}
        subject = {kind: one["subject"] for kind, one in made.items()}
        assert set(old) - set(new) == {subject["missing_line"], subject["refund_missing"], subject["cross_day"]}
        assert set(new) - set(old) == {subject["extra_line"], subject["refund_extra"]}
        assert [key(line) for line in after].count(subject["duplicate_line"]) == 2
        changed = {number for number in set(old) & set(new) if old[number] != new[number]}
        named = ("changed_amount", "changed_status", "changed_fee", "refund_changed", "unknown_type")
        assert changed == {subject[kind] for kind in named}
        told, true = new[subject["changed_amount"]], old[subject["changed_amount"]]
        by_fen = made["changed_amount"]["detail"]["by_fen"]
        assert round(float(told["订单金额"]) * 100) - round(float(true["订单金额"]) * 100) == by_fen
        assert new[subject["changed_status"]]["交易状态"] == "REVOKED"
        assert new[subject["unknown_type"]]["交易类型"] == "QUANTUM"
        assert sums["总交易单数"] == str(len(after))
        following, _ = await trades(rig, today_after(day))
        assert [key(line) for line in following] == [subject["cross_day"]]
        assert following[0]["交易时间"] == f"{day} 23:59:59"
        books = await rig.control("GET", f"/books?mchid={vectors.MCHID}&date={day}")
        assert (books["count"], len(books["refunds"])) == (12, 3)
        listed = await rig.control("GET", f"/statements/plants?mchid={vectors.MCHID}")
        assert len(listed["plants"]) == len(KINDS)
        await rig.control("DELETE", f"/statements/plants?mchid={vectors.MCHID}")
        assert (await trades(rig, day))[0] == before

    play(tmp_path, scene)


def today_after(day: str) -> str:
    return (date.fromisoformat(day) + timedelta(days=1)).isoformat()


def test_the_same_seed_plants_the_same_differences(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        day = await a_day(rig)
        chosen = []
        for seed in (7, 7, 8):
            made = await planted(rig, day, "missing_line", "changed_amount", "refund_missing", seed=seed)
            chosen.append([(one["kind"], one["subject"], one["detail"].get("by_fen")) for one in made])
            await rig.control("DELETE", f"/statements/plants?mchid={vectors.MCHID}")
        assert chosen[0] == chosen[1] != chosen[2]

    play(tmp_path, scene)


@pytest.mark.parametrize("statement", ["trades", "fund_flow"])
def test_broken_files(tmp_path: Path, statement: str) -> None:
    async def scene(rig: Rig) -> None:
        day = await a_day(rig)

        async def get() -> tuple[bytes, bool]:
            applied = await (apply(rig, day) if statement == "trades" else apply_flow(rig, day))
            body = (await fetch(rig, applied)).body
            return body, hashlib.sha1(body).hexdigest() == applied.json["hash_value"]

        whole, fits = await get()
        assert fits
        for kind, hash_fits in (
            ("cut_in_half", True),
            ("cut_on_the_way", False),
            ("wrong_hash", False),
            ("totals_disagree", True),
            ("unknown_column", True),
        ):
            await planted(rig, day, kind, statement=statement)
            body, fits = await get()
            assert fits is hash_fits, kind
            if kind.startswith("cut"):
                assert body == whole[: len(whole) // 2]
            else:
                lines, sums = read(body)
                assert ("新增列" in lines[0]) is (kind == "unknown_column")
                assert (read(whole)[1] == sums) is (kind != "totals_disagree")
            await rig.control("DELETE", f"/statements/plants?mchid={vectors.MCHID}")

    play(tmp_path, scene)


def test_the_fund_flow_and_the_bank_lie_on_request(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        day = await a_day(rig)
        before, _ = await flow(rig, day)
        kinds = ("missing_line", "extra_line", "changed_amount", "changed_fee", "refund_changed", "unknown_type")
        made = {one["kind"]: one for one in await planted(rig, day, *kinds, statement="fund_flow", seed=3)}
        after, _ = await flow(rig, day)
        subject = made["missing_line"]["subject"]
        pairs = {(line["微信支付业务单号"], line["业务类型"]) for line in after}
        assert (subject, "交易") not in pairs and (subject, "扣除交易手续费") in pairs
        assert (made["extra_line"]["subject"], "交易") in pairs
        assert (made["unknown_type"]["subject"], "神秘业务") in pairs
        assert len(after) == len(before)
        true = (await bank(rig, day, today(rig)))["lines"]
        await planted(rig, true[0]["arrived_on"], "settlement_off", statement="bank")
        told = (await bank(rig, day, today(rig)))["lines"]
        assert 0 < true[0]["amount_fen"] - told[0]["amount_fen"] < 100
        await rig.control(
            "POST",
            "/statements/plants",
            {"mchid": vectors.MCHID, "date": day, "kinds": ["settlement_off"]},
            status=400,
        )
        empty = {"mchid": vectors.MCHID, "date": "2020-01-01", "kinds": ["missing_line"]}
        assert json.dumps(await rig.control("POST", "/statements/plants", empty, status=409))

    play(tmp_path, scene)
