"""The product's Alipay and the sandbox's, which share no code: both modes, refunds, bills, and everything hostile."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import pytest

from backend.kernel.clock import local_date
from backend.kernel.resources import Resources
from payments.channels import alipay_certificates, alipay_keys
from payments.channels.alipay import Alipay, Undone
from payments.channels.alipay_keys import Merchant
from payments.channels.base import (
    STATEMENT_CREATING,
    Callback,
    CallbackRefused,
    ChannelError,
    ChannelOutcomeUnknown,
    ChannelRateLimited,
    Method,
    PrepayRequest,
    RefundRequest,
    RefundState,
    StatementKind,
    TradeState,
)
from tests.conftest import Run, Sandbox
from tests.integration.wechat.rig import Catcher, catcher

APP_ID, SELLER_ID = "2021000000000077", "2088000000000077"
NUMBER = "LL202609010001"


@dataclass
class Shop:
    """A merchant of the sandbox, and the product's client for it."""

    sandbox: Sandbox
    res: Resources
    merchant: Merchant

    @property
    def channel(self) -> Alipay:
        return self.patient(15.0)

    def patient(self, total_s: float) -> Alipay:
        return Alipay(self.res.egress, self.res.clock, self.res.settings.alipay_url, total_s=total_s)

    def order(self, method: Method = Method.PRECREATE, **changed: Any) -> PrepayRequest:
        usual = PrepayRequest(
            method=method,
            out_trade_no=NUMBER,
            description="物业费 2026/09 1栋101",
            amount_fen=12345,
            app_id=APP_ID,
            notify_url="http://127.0.0.1:9/pay/notify/alipay/m",
            expires_at=(self.res.clock.now() + timedelta(hours=1)).replace(microsecond=0),
            attach="o:1:号",
            payer_ip="203.0.113.9",
            return_url="http://127.0.0.1:9/back",
        )
        return replace(usual, **changed)

    async def tell(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Someone does something at Alipay with the order."""
        return await self.sandbox.ask("POST", f"/alipay/orders/{APP_ID}/{NUMBER}/{path}", body or {})

    async def hostile(self, **plan: Any) -> None:
        await self.sandbox.ask("PUT", "/alipay/hostile", plan)

    async def paid(self, **changed: Any) -> RefundRequest:
        """An order that was paid, and a partial refund of it to ask for."""
        await self.channel.prepay(self.merchant, self.order(**changed))
        order = await self.tell("pay")
        return RefundRequest(
            out_refund_no="R202609010001",
            out_trade_no=NUMBER,
            transaction_no=order["trade_no"],
            amount_fen=2345,
            total_fen=12345,
            reason="重复支付",
            notify_url="http://127.0.0.1:9/pay/notify/alipay/m",
        )

    async def heard(self, caught: Catcher) -> list[tuple[Callback, bytes]]:
        """What was told, each event once: the catcher does not answer `success`, and so everything is repeated."""
        await self.sandbox.ask("POST", "/alipay/notifications/flush")
        read = [(self.channel.read_callback(self.merchant, {}, body), body) for _, body in caught.received]
        return list({callback.event_id: (callback, body) for callback, body in read}.values())


async def register(sandbox: Sandbox, mode: str) -> Merchant:
    told = await sandbox.ask("PUT", f"/alipay/merchants/{APP_ID}", {"seller_id": SELLER_ID, "mode": mode})
    if mode == "key":
        keys = {"platform_keys": {alipay_keys.PUBLIC_KEY: told["alipay_public_key_pem"]}}
    else:
        keys = {
            "platform_keys": {told["alipay_cert_sn"]: told["alipay_cert_pem"]},
            "app_cert_sn": told["app_cert_sn"],
            "root_cert_sn": alipay_certificates.root_number(told["alipay_root_cert_pem"]),
        }
        assert keys["root_cert_sn"] == told["alipay_root_cert_sn"]
    return alipay_keys.load(APP_ID, SELLER_ID, private_key_pem=told["app_private_key_pem"], **keys)


@pytest.fixture(params=["key", "certificate"])
def either(request: pytest.FixtureRequest, sandbox: Sandbox, sandbox_res: Resources, run: Run) -> Iterator[Shop]:
    yield Shop(sandbox, sandbox_res, run(register(sandbox, request.param)))


@pytest.fixture
def shop(sandbox: Sandbox, sandbox_res: Resources, run: Run) -> Iterator[Shop]:
    yield Shop(sandbox, sandbox_res, run(register(sandbox, "key")))


async def test_a_code_from_order_to_notification(either: Shop) -> None:
    pay, merchant = either.channel, either.merchant
    async with catcher() as caught:
        prepaid = await pay.prepay(merchant, either.order(notify_url=caught.url))
        assert prepaid.handle.startswith("https://qr.alipay.com/bax")
        assert await pay.query(merchant, NUMBER) is None, "no trade before somebody scans"
        await pay.close(merchant, NUMBER)
        await either.tell("scan")
        unpaid = await pay.query(merchant, NUMBER)
        assert unpaid is not None
        assert (unpaid.state, unpaid.amount_fen, unpaid.transaction_no) == (TradeState.NOTPAY, 12345, None)
        await either.tell("pay")
        ((callback, body),) = await either.heard(caught)
    paid = await pay.query(merchant, NUMBER)
    assert paid is not None
    assert callback.trade is not None
    assert (paid.state, paid.amount_fen, paid.mchid, paid.appid) == (TradeState.SUCCESS, 12345, SELLER_ID, APP_ID)
    told = callback.trade
    assert (told.out_trade_no, told.transaction_no, told.amount_fen) == (NUMBER, paid.transaction_no, 12345)
    assert (told.mchid, told.appid, told.attach) == (SELLER_ID, APP_ID, "o:1:号")
    assert told.success_at == paid.success_at
    with pytest.raises(CallbackRefused):
        pay.read_callback(merchant, {}, body.replace(b"123.45", b"123.46"))


@pytest.mark.parametrize("method", [Method.WAP, Method.PAGE])
async def test_a_page_opens_and_is_paid(either: Shop, method: Method) -> None:
    pay, merchant = either.channel, either.merchant
    prepaid = await pay.prepay(merchant, either.order(method))
    opened = await either.res.egress.request("GET", prepaid.handle)
    assert opened.status in (200, 302)
    assert "错误".encode("gbk") not in opened.body
    await either.tell("pay")
    paid = await pay.query(merchant, NUMBER)
    assert paid is not None
    assert paid.paid


async def test_a_changed_page_is_an_error_page(shop: Shop) -> None:
    address = (await shop.channel.prepay(shop.merchant, shop.order(Method.WAP))).handle
    opened = await shop.res.egress.request("GET", address.replace("123.45", "0.01"))
    assert "错误".encode("gbk") in opened.body


async def test_an_open_trade_is_closed_and_a_paid_one_is_not(shop: Shop) -> None:
    await shop.channel.prepay(shop.merchant, shop.order())
    await shop.tell("scan")
    await shop.channel.close(shop.merchant, NUMBER)
    closed = await shop.channel.query(shop.merchant, NUMBER)
    assert closed is not None
    assert closed.state is TradeState.CLOSED
    await shop.channel.close(shop.merchant, NUMBER)


async def test_cancel_gives_back_what_was_paid(shop: Shop) -> None:
    await shop.paid()
    with pytest.raises(ChannelError):
        await shop.channel.close(shop.merchant, NUMBER)
    assert await shop.channel.cancel(shop.merchant, NUMBER) is Undone.REFUNDED
    assert await shop.channel.cancel(shop.merchant, "LL202609019999") is Undone.NOTHING


# Refunds


async def test_a_refund_is_done_at_once_and_a_repetition_finds_it(either: Shop) -> None:
    pay, merchant = either.channel, either.merchant
    async with catcher() as caught:
        asked = await either.paid(notify_url=caught.url)
        assert await pay.query_refund(merchant, asked) is None
        done = await pay.refund(merchant, asked)
        assert (done.state, done.amount_fen, done.mchid) == (RefundState.SUCCESS, 2345, SELLER_ID)
        assert done.success_at is not None
        assert await pay.refund(merchant, asked) == done, "the same number again moves no money"
        assert await pay.query_refund(merchant, asked) == done
        callbacks = [callback for callback, _ in await either.heard(caught)]
    books = await either.sandbox.ask("GET", f"/alipay/books?app_id={APP_ID}")
    assert books["refunded_fen"] == 2345
    hints = [callback.refund for callback in callbacks if callback.refund is not None]
    assert [(hint.out_refund_no, hint.amount_fen) for hint in hints] == [("R202609010001", 0)]
    trade = await pay.query(merchant, NUMBER)
    assert trade is not None
    assert trade.paid, "a partly refunded trade was paid"


@pytest.mark.parametrize("behaviour", ["later", "act_then_error", "never", "bad_signature", "unsigned", "truncated"])
async def test_f06_a_refund_of_unknown_outcome_is_repeated_without_giving_back_twice(
    shop: Shop, behaviour: str
) -> None:
    asked = await shop.paid()
    await shop.hostile(refund=[behaviour])
    with pytest.raises(ChannelOutcomeUnknown):
        await shop.channel.refund(shop.merchant, asked)
    shop.sandbox.clock.advance(timedelta(seconds=20))
    done = await shop.channel.refund(shop.merchant, asked)
    assert (done.state, done.amount_fen) == (RefundState.SUCCESS, 2345)
    books = await shop.sandbox.ask("GET", f"/alipay/books?app_id={APP_ID}")
    assert books["refunded_fen"] == 2345


async def test_a_refund_beyond_what_was_paid_is_refused_and_another_amount_under_the_number_is_unknown(
    shop: Shop,
) -> None:
    asked = await shop.paid()
    with pytest.raises(ChannelError):
        await shop.channel.refund(shop.merchant, replace(asked, amount_fen=12346))
    await shop.channel.refund(shop.merchant, asked)
    with pytest.raises(ChannelOutcomeUnknown):
        await shop.channel.refund(shop.merchant, replace(asked, amount_fen=2346))
    shop.sandbox.clock.advance(timedelta(seconds=5))
    rest = replace(asked, out_refund_no="R202609010002", amount_fen=10000)
    assert (await shop.channel.refund(shop.merchant, rest)).amount_fen == 10000
    trade = await shop.channel.query(shop.merchant, NUMBER)
    assert trade is not None
    assert trade.state is TradeState.REFUND, "wholly refunded is not unpaid"


# A hostile gateway


@pytest.mark.parametrize("switch", ["nested_sign", "escape_slashes"])
@pytest.mark.parametrize("on", [True, False])
async def test_answers_are_believed_however_they_are_written(either: Shop, switch: str, on: bool) -> None:
    await either.hostile(**{switch: on})
    assert (await either.channel.prepay(either.merchant, either.order())).handle.startswith("https://qr.alipay.com/")


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        ("bad_signature", ChannelOutcomeUnknown),
        ("unsigned", ChannelOutcomeUnknown),
        ("truncated", ChannelOutcomeUnknown),
        ("error", ChannelOutcomeUnknown),
        ("http_500", ChannelOutcomeUnknown),
        ("act_then_error", ChannelOutcomeUnknown),
        ("limit", ChannelRateLimited),
        ({"sub_code": "ACQ.SYSTEM_ERROR"}, ChannelOutcomeUnknown),
        ({"sub_code": "ACQ.TRADE_HAS_SUCCESS"}, ChannelError),
    ],
    ids=str,
)
async def test_what_cannot_be_believed_is_unknown(shop: Shop, behaviour: Any, kind: type[Exception]) -> None:
    await shop.hostile(precreate=[behaviour])
    with pytest.raises(kind):
        await shop.channel.prepay(shop.merchant, shop.order())


async def test_f07_a_gateway_that_keeps_silent_is_given_up(shop: Shop) -> None:
    await shop.hostile(query=["hang"])
    with pytest.raises(ChannelOutcomeUnknown) as unknown:
        await shop.patient(0.5).query(shop.merchant, NUMBER)
    assert unknown.value.sent


async def test_a_wrong_key_or_app_is_unknown_and_never_a_refusal(shop: Shop) -> None:
    """Such errors come unsigned."""
    stranger = replace(shop.merchant, app_id="2021000000009999")
    with pytest.raises(ChannelOutcomeUnknown, match="isv.invalid-app-id"):
        await shop.channel.query(stranger, NUMBER)


async def test_c24_a_certificate_issued_anew_is_believed_for_its_key(sandbox: Sandbox, sandbox_res: Resources) -> None:
    shop = Shop(sandbox, sandbox_res, await register(sandbox, "certificate"))
    told = await sandbox.ask("POST", "/alipay/certificate/reissue")
    assert told["alipay_cert_sn"] not in shop.merchant.platform_keys
    assert (await shop.channel.prepay(shop.merchant, shop.order())).handle


# Bills


async def bill(shop: Shop, on: date, kind: StatementKind) -> str | None:
    sink = io.BytesIO()
    found = await shop.channel.statement(shop.merchant, on, sink, kind=kind)
    return sink.getvalue().decode("gb18030") if found else None


async def test_the_bill_of_the_day_before(either: Shop) -> None:
    asked = await either.paid()
    day = local_date(either.res.clock.now())
    either.sandbox.clock.advance(timedelta(seconds=5))
    await either.channel.refund(either.merchant, asked)
    either.sandbox.clock.advance(timedelta(days=1, hours=1))
    trades = await bill(either, day, StatementKind.TRADES)
    assert trades is not None
    assert trades.startswith("#支付宝业务明细查询")
    assert "R202609010001" in trades
    assert trades == await bill(either, day, StatementKind.REFUNDS)
    flow = await bill(either, day, StatementKind.FUND_FLOW)
    assert flow is not None
    assert flow.startswith("#支付宝账务明细查询")
    assert asked.transaction_no in flow


async def test_a_day_without_anything_and_a_day_that_is_not_ready(shop: Shop) -> None:
    today = local_date(shop.res.clock.now())
    assert await bill(shop, today - timedelta(days=3), StatementKind.TRADES) is None
    with pytest.raises(ChannelError) as refused:
        await bill(shop, today, StatementKind.TRADES)
    assert refused.value.code == STATEMENT_CREATING or "argument" in refused.value.code.lower()
