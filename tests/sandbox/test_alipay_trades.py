"""Payments and refunds at Alipay: when a trade exists, what closes it, how money goes back."""

import re
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from tests.sandbox.alipay_rig import APP_ID, NOTIFY, NUMBER, Payee, joined, play, verifies


def test_there_is_no_trade_before_the_scan(tmp_path: Path) -> None:
    async def scene(payee: Payee) -> None:
        told = await payee.precreate()
        assert re.fullmatch(r"https://qr\.alipay\.com/bax[0-9a-z]+", told.node["qr_code"])
        assert (await payee.query()).sub_code == "ACQ.TRADE_NOT_EXIST"
        assert (await payee.close()).sub_code == "ACQ.TRADE_NOT_EXIST"
        scanned = await payee.payer("scan")
        assert re.fullmatch(r"\d{8}22001\d{15}", scanned["trade_no"])
        assert (await payee.query()).node["trade_status"] == "WAIT_BUYER_PAY"
        await payee.payer("pay")
        asked = await payee.query()
        assert asked.node["trade_status"] == "TRADE_SUCCESS" and asked.is_genuine
        assert (asked.node["total_amount"], asked.node["trade_no"]) == ("123.45", scanned["trade_no"])
        by_trade = await payee.call("alipay.trade.query", {"trade_no": scanned["trade_no"], "out_trade_no": "NOBODY"})
        assert by_trade.node["out_trade_no"] == NUMBER

    play(tmp_path, scene)


def test_a_code_that_was_closed_here_can_still_be_paid_for_two_hours(tmp_path: Path) -> None:
    async def scene(payee: Payee) -> None:
        await payee.precreate()
        second = await payee.precreate("WY3")
        assert (await payee.close()).sub_code == "ACQ.TRADE_NOT_EXIST"
        payee.rig.advance(7190)
        assert (await payee.payer("pay"))["trade_status"] == "TRADE_SUCCESS"
        payee.rig.advance(10)
        assert (await payee.payer("pay", "WY3", status=409))["error"]["code"] == "qr_expired"
        fresh = await payee.precreate("WY3")
        assert fresh.node["qr_code"] != second.node["qr_code"]
        assert (await payee.payer("pay", "WY3"))["trade_status"] == "TRADE_SUCCESS"

    play(tmp_path, scene)


def test_time_expire_ends_a_code_and_a_trade(tmp_path: Path) -> None:
    async def scene(payee: Payee) -> None:
        past = await payee.precreate(time_expire="2020-01-01 00:00:00")
        assert past.sub_code == "ACQ.NOW_TIME_AFTER_EXPIRE_TIME_ERROR"
        await payee.precreate("WY1", timeout_express="5m")
        await payee.precreate("WY2")
        await payee.payer("scan", "WY1")
        await payee.payer("scan", "WY2")
        payee.rig.advance(300)
        assert (await payee.query("WY1")).node["trade_status"] == "TRADE_CLOSED"
        assert (await payee.query("WY2")).node["trade_status"] == "WAIT_BUYER_PAY"
        payee.rig.advance(3 * 3600)
        assert (await payee.query("WY2")).node["trade_status"] == "TRADE_CLOSED"

    play(tmp_path, scene)


def test_a_number_is_for_one_purpose(tmp_path: Path) -> None:
    async def scene(payee: Payee) -> None:
        first = await payee.precreate()
        assert (await payee.precreate()).node["qr_code"] == first.node["qr_code"]
        assert (await payee.precreate(amount="1.00")).sub_code == "ACQ.CONTEXT_INCONSISTENT"
        await payee.hostile(refuse_repeated_precreate=True)
        assert (await payee.precreate()).sub_code == "ACQ.APPLY_PC_MERCHANT_CODE_ERROR"
        await payee.hostile(refuse_repeated_precreate=False)
        await payee.payer("pay")
        assert (await payee.precreate()).sub_code == "ACQ.TRADE_HAS_SUCCESS"
        await payee.precreate("WY3")
        await payee.payer("scan", "WY3")
        assert (await payee.close("WY3")).code == "10000"
        assert (await payee.precreate("WY3")).sub_code == "ACQ.TRADE_HAS_CLOSE"
        assert (await payee.precreate("WY4", seller_id="2088000000000000")).sub_code == "ACQ.INVALID_RECEIVE_ACCOUNT"

    play(tmp_path, scene)


def test_close_is_for_waiting_trades_alone_and_may_lose_the_race(tmp_path: Path) -> None:
    async def scene(payee: Payee) -> None:
        await payee.precreate()
        await payee.payer("scan")
        closed = await payee.close()
        assert closed.node["trade_no"] == (await payee.query()).node["trade_no"]
        assert (await payee.close()).sub_code == "ACQ.TRADE_HAS_CLOSE"
        assert (await payee.payer("pay", status=409))["error"]["code"] == "closed"
        await payee.hostile(pay_after_close=1)
        await payee.payer("pay")
        assert (await payee.query()).node["trade_status"] == "TRADE_SUCCESS"
        assert (await payee.close()).sub_code == "ACQ.REASON_TRADE_STATUS_INVALID"

    play(tmp_path, scene)


def test_cancel_closes_or_refunds_and_leaves_unscanned_codes_alone(tmp_path: Path) -> None:
    async def scene(payee: Payee) -> None:
        async def cancel(number: str) -> dict[str, str]:
            told = await payee.call("alipay.trade.cancel", {"out_trade_no": number})
            assert told.code == "10000"
            node: dict[str, str] = told.node
            return node

        await payee.precreate()
        assert "action" not in await cancel(NUMBER)
        await payee.payer("scan")
        assert (await cancel(NUMBER))["action"] == "close"
        await payee.paid("WY3")
        assert (await cancel("WY3"))["action"] == "refund"
        assert (await cancel("WY3"))["action"] == "refund"
        shown = await payee.rig.control("GET", f"/alipay/orders/{APP_ID}/WY3")
        assert [refund["amount_fen"] for refund in shown["refunds"]] == [12345]

    play(tmp_path, scene)


def test_refunds_move_money_once_and_tell_the_sum(tmp_path: Path) -> None:
    async def scene(payee: Payee) -> None:
        await payee.paid()
        first = await payee.refund("23.45", "R1")
        assert (first.node["fund_change"], first.node["refund_fee"]) == ("Y", "23.45")
        again = await payee.refund("23.45", "R1")
        assert (again.node["fund_change"], again.node["refund_fee"]) == ("N", "23.45")
        assert (await payee.refund("23.46", "R1")).sub_code == "ACQ.DISCORDANT_REPEAT_REQUEST"
        assert (await payee.refund("50.00", "R2")).sub_code == "ACQ.SYSTEM_ERROR"
        payee.rig.advance(3)
        second = await payee.refund("50.00", "R2")
        assert (second.node["fund_change"], second.node["refund_fee"]) == ("Y", "73.45")
        payee.rig.advance(3)
        assert (await payee.refund("50.01", "R3")).sub_code == "ACQ.REFUND_FEE_ERROR"
        assert (await payee.query()).node["trade_status"] == "TRADE_SUCCESS"
        assert (await payee.refund("50.00", "R3")).node["refund_fee"] == "123.45"
        assert (await payee.query()).node["trade_status"] == "TRADE_CLOSED"
        found = await payee.refund_query("R2", query_options=["gmt_refund_pay"])
        assert (found.node["refund_status"], found.node["refund_amount"]) == ("REFUND_SUCCESS", "50.00")
        assert "gmt_refund_pay" in found.node
        assert (await payee.refund("50.00", "R3")).node["fund_change"] == "N"

    play(tmp_path, scene)


def test_what_cannot_be_refunded_is_refused_with_its_reason(tmp_path: Path) -> None:
    async def scene(payee: Payee) -> None:
        await payee.precreate()
        assert (await payee.refund("1.00")).sub_code == "ACQ.TRADE_NOT_EXIST"
        assert (await payee.refund_query()).sub_code == "ACQ.TRADE_NOT_EXIST"
        await payee.payer("scan")
        assert (await payee.refund("1.00")).sub_code == "ACQ.TRADE_STATUS_ERROR"
        await payee.payer("pay")
        assert (await payee.refund("1.00", None)).sub_code == "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL"
        unknown = await payee.refund_query("R9")
        assert unknown.code == "10000" and "refund_status" not in unknown.node
        whole = await payee.refund("123.45", None)
        assert whole.node["fund_change"] == "Y"
        assert (await payee.refund_query(NUMBER)).node["refund_status"] == "REFUND_SUCCESS"
        await payee.paid("WY3")
        await payee.payer("finish", "WY3")
        assert (await payee.refund("1.00", number="WY3")).sub_code == "ACQ.TRADE_HAS_FINISHED"
        await payee.paid("WY4")
        payee.rig.advance(366 * 86_400)
        assert (await payee.refund("1.00", number="WY4")).sub_code == "ACQ.TRADE_HAS_FINISHED"

    play(tmp_path, scene)


def test_an_accepted_refund_may_come_later_or_never(tmp_path: Path) -> None:
    async def scene(payee: Payee) -> None:
        await payee.paid()
        await payee.paid("WY3")
        await payee.hostile(refund=["later", "never", "act_then_error"])
        later = await payee.refund("123.45", "R1")
        assert (later.code, later.node["fund_change"]) == ("10000", "N")
        assert "refund_status" not in (await payee.refund_query("R1")).node
        assert (await payee.query()).node["trade_status"] == "TRADE_SUCCESS"
        payee.rig.advance(12)
        assert (await payee.refund_query("R1")).node["refund_status"] == "REFUND_SUCCESS"
        assert (await payee.query()).node["trade_status"] == "TRADE_CLOSED"
        never = await payee.refund("10.00", "R2", "WY3")
        assert never.node["fund_change"] == "N"
        assert "refund_status" not in (await payee.refund_query("R2", "WY3")).node
        assert (await payee.refund("10.00", "R3", "WY3")).code == "20000"
        assert (await payee.refund_query("R3", "WY3")).node["refund_status"] == "REFUND_SUCCESS"

    play(tmp_path, scene)


def test_a_page_becomes_a_trade_at_the_cashier_and_returns_signed_values(tmp_path: Path) -> None:
    async def scene(payee: Payee) -> None:
        for method, code in (("wap", "QUICK_WAP_WAY"), ("page", "FAST_INSTANT_TRADE_PAY")):
            number = f"WY_{method}"
            content = {"out_trade_no": number, "total_amount": "80.00", "subject": "物业费", "product_code": code}
            returning = "http://127.0.0.1:9/back?order=1"
            address = payee.page_address(f"alipay.trade.{method}.pay", content, notify_url=NOTIFY, return_url=returning)
            payee.rig.advance(3600)
            async with payee.rig.http.get(address, allow_redirects=False) as sent_on:
                assert sent_on.status == 302
                cashier = sent_on.headers["Location"]
            assert (await payee.query(number)).sub_code == "ACQ.TRADE_NOT_EXIST"
            assert (await payee.close(number)).sub_code == "ACQ.TRADE_NOT_EXIST"
            async with payee.rig.http.get(payee.rig.url + cashier) as page:
                assert "￥80.00" in await page.text()
            assert (await payee.query(number)).node["trade_status"] == "WAIT_BUYER_PAY"
            async with payee.rig.http.post(f"{payee.rig.url}{cashier}/cancel") as page:
                assert "没有扣款" in await page.text()
            async with payee.rig.http.post(f"{payee.rig.url}{cashier}/pay") as page:
                assert "支付成功" in await page.text() and "返回商家" in await page.text()
            shown = await payee.rig.control("GET", f"/alipay/orders/{APP_ID}/{number}")
            back = urlsplit(shown["return_address"])
            values = dict(parse_qsl(back.query))
            assert values.pop("order") == "1" and values["method"] == f"alipay.trade.{method}.pay.return"
            assert verifies(payee.pem, joined(values, ("sign", "sign_type")).encode(), values["sign"])

    play(tmp_path, scene)


def test_a_failed_page_call_is_html_in_gbk_for_the_payer(tmp_path: Path) -> None:
    async def scene(payee: Payee) -> None:
        content = {"out_trade_no": "WY1", "total_amount": "80.00", "subject": "物业费", "product_code": "QUICK_WAP_PAY"}
        good = {**content, "product_code": "QUICK_WAP_WAY"}
        cases = [
            (payee.page_address("alipay.trade.wap.pay", content), "ACQ.INVALID_PARAMETER"),
            (payee.page_address("alipay.trade.wap.pay", good, sign="AAAA"), "isv.invalid-signature"),
            (payee.page_address("alipay.trade.wap.pay", good, app_id="2021999999999999"), "isv.invalid-app-id"),
        ]
        for address, sub_code in cases:
            async with payee.rig.http.get(address, allow_redirects=False) as page:
                assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=GBK")
                text = (await page.read()).decode("gbk")
                assert sub_code in text and "抱歉" in text

    play(tmp_path, scene)
