"""The product's WeChat Pay and the sandbox's, which share no code: Native, H5, a service provider, refunds, bills."""

import gzip
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from backend.kernel.clock import local_date
from backend.kernel.resources import Resources
from payments.channels import wechat_merchant
from payments.channels.base import (
    NOT_ENOUGH,
    Callback,
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
from payments.channels.wechat_documents import BankCard
from payments.channels.wechat_merchant import Merchant
from payments.channels.wechat_v3 import WechatPayV3
from tests import vectors
from tests.conftest import Run, Sandbox
from tests.integration.wechat import rig
from tests.integration.wechat.rig import Catcher, catcher

NUMBER, SUB_MCHID, SUB_APPID = "LL202609010001", "1900008888", "wx0000000000000008"
CARD = BankCard(bank_type="ICBC_DEBIT", account="6222020000000000008", name="张三")


@dataclass
class Shop:
    """A merchant of the sandbox, or a service provider for its sub merchant, and the product's client for it."""

    sandbox: Sandbox
    res: Resources
    merchant: Merchant

    @property
    def channel(self) -> WechatPayV3:
        return rig.channel(self.res)

    def order(self, method: Method = Method.NATIVE, **changed: Any) -> PrepayRequest:
        app_id = self.merchant.sub_appid or self.merchant.appid
        usual = rig.request(self.res, "", NUMBER, method=method, app_id=app_id, payer_ip="203.0.113.9")
        return replace(usual, **changed)

    async def paid(self, order: PrepayRequest | None = None) -> RefundRequest:
        """An order that was paid, and a partial refund of it to ask for."""
        order = order or self.order()
        await self.channel.prepay(self.merchant, order)
        await self.sandbox.ask("POST", f"/orders/{vectors.MCHID}/{NUMBER}/pay", {})
        trade = await self.channel.query(self.merchant, NUMBER)
        assert trade is not None
        assert trade.paid
        return RefundRequest(
            out_refund_no="R202609010001",
            out_trade_no=NUMBER,
            transaction_no=trade.transaction_no or "",
            amount_fen=2345,
            total_fen=12345,
            reason="重复支付",
            notify_url=order.notify_url,
        )

    async def ended(self, state: RefundState) -> None:
        await self.sandbox.ask("POST", f"/refunds/{vectors.MCHID}/R202609010001/finish", {"state": state.value})

    async def heard(self, caught: Catcher) -> list[Callback]:
        await self.sandbox.ask("POST", "/notifications/flush")
        return [self.channel.read_callback(self.merchant, headers, body) for headers, body in caught.received]


async def register(sandbox: Sandbox) -> Merchant:
    await rig.furnish(sandbox)
    await sandbox.ask(
        "PUT", f"/apps/{SUB_APPID}", {"secret": rig.SECRET, "kind": "miniprogram", "open_platform": "op2"}
    )
    told = await sandbox.ask(
        "PUT",
        f"/merchants/{vectors.MCHID}",
        {
            "appids": [vectors.APPID],
            "apiv3_key": vectors.APIV3_KEY,
            "serial_no": vectors.MERCHANT_SERIAL,
            "public_key_pem": vectors.public_pem(vectors.key_m()),
            "mode": "public_key",
            "sub_merchants": {SUB_MCHID: [SUB_APPID]},
        },
    )
    return believing({told["platform_public_key_id"]: told["platform_public_key_pem"]})


def believing(platform_keys: dict[str, str]) -> Merchant:
    return wechat_merchant.load(
        vectors.MCHID,
        vectors.APPID,
        serial_no=vectors.MERCHANT_SERIAL,
        private_key_pem=vectors.private_pem(vectors.key_m()),
        api_v3_key=vectors.APIV3_KEY,
        platform_keys=platform_keys,
    )


@pytest.fixture
def shop(sandbox: Sandbox, sandbox_res: Resources, run: Run) -> Iterator[Shop]:
    yield Shop(sandbox, sandbox_res, run(register(sandbox)))


@pytest.fixture(params=["direct", "partner", "partner with its own app"])
def any_shop(request: pytest.FixtureRequest, shop: Shop) -> Shop:
    if request.param == "direct":
        return shop
    sub_appid = SUB_APPID if "app" in request.param else None
    return replace(shop, merchant=replace(shop.merchant, sub_mchid=SUB_MCHID, sub_appid=sub_appid))


@pytest.mark.parametrize(
    ("method", "handle", "trade_type"), [(Method.NATIVE, "weixin://wxpay/", "NATIVE"), (Method.H5, "http", "MWEB")]
)
async def test_an_order_is_paid_heard_of_and_queried(
    any_shop: Shop, method: Method, handle: str, trade_type: str
) -> None:
    shop, pay = any_shop, any_shop.channel
    async with catcher() as caught:
        order = shop.order(method, notify_url=caught.url)
        assert (await pay.prepay(shop.merchant, order)).handle.startswith(handle)
        assert (await pay.prepay(shop.merchant, order)).handle.startswith(handle), "the same order again"
        unpaid = await pay.query(shop.merchant, NUMBER)
        assert unpaid is not None
        assert unpaid.state is TradeState.NOTPAY
        await shop.paid(order=order)
        (callback,) = await shop.heard(caught)
    paid = await pay.query(shop.merchant, NUMBER)
    assert paid is not None
    assert callback.trade == paid
    assert (paid.amount_fen, paid.trade_type) == (12345, trade_type)
    assert (paid.mchid, paid.appid) == (shop.merchant.payee, order.app_id)
    with pytest.raises(ChannelError) as refused:
        await pay.close(shop.merchant, NUMBER)
    assert refused.value.code == "ORDERPAID"


async def test_a_service_provider_closes_for_its_sub_merchant(any_shop: Shop) -> None:
    pay, merchant = any_shop.channel, any_shop.merchant
    assert await pay.query(merchant, NUMBER) is None
    await pay.prepay(merchant, any_shop.order())
    await pay.close(merchant, NUMBER)
    closed = await pay.query(merchant, NUMBER)
    assert closed is not None
    assert closed.state is TradeState.CLOSED


# Refunds


async def test_a_refund_is_accepted_done_and_heard_of(any_shop: Shop) -> None:
    pay, merchant = any_shop.channel, any_shop.merchant
    async with catcher() as caught:
        asked = await any_shop.paid(any_shop.order(notify_url=caught.url))
        assert await pay.query_refund(merchant, asked) is None
        accepted = await pay.refund(merchant, asked)
        assert (accepted.state, accepted.amount_fen) == (RefundState.PROCESSING, 2345)
        assert (await pay.refund(merchant, asked)).refund_no == accepted.refund_no, "the same refund again"
        await any_shop.ended(RefundState.SUCCESS)
        callbacks = await any_shop.heard(caught)
    done = await pay.query_refund(merchant, asked)
    assert done is not None
    assert done.state is RefundState.SUCCESS
    assert done.success_at is not None
    assert done.mchid == merchant.payee
    assert [callback.refund for callback in callbacks if callback.refund] == [done]
    trade = await pay.query(merchant, NUMBER)
    assert trade is not None
    assert (trade.state, trade.paid) == (TradeState.REFUND, True)


@pytest.mark.parametrize("card", [CARD, None], ids=["the payer's card", "the merchant's account"])
async def test_b15_an_abnormal_refund_goes_another_way_under_its_own_number(shop: Shop, card: BankCard | None) -> None:
    asked = await shop.paid()
    refund = await shop.channel.refund(shop.merchant, asked)
    await shop.ended(RefundState.ABNORMAL)
    stuck = await shop.channel.query_refund(shop.merchant, asked)
    assert stuck is not None
    assert stuck.state is RefundState.ABNORMAL
    again = await shop.channel.redirect_refund(shop.merchant, asked, refund.refund_no or "", card=card)
    assert (again.state, again.refund_no) == (RefundState.PROCESSING, refund.refund_no)
    await shop.ended(RefundState.SUCCESS)
    done = await shop.channel.query_refund(shop.merchant, asked)
    assert done is not None
    assert done.state is RefundState.SUCCESS


async def test_a_closed_refund_gave_nothing_back(shop: Shop) -> None:
    asked = await shop.paid()
    await shop.channel.refund(shop.merchant, asked)
    await shop.ended(RefundState.CLOSED)
    closed = await shop.channel.query_refund(shop.merchant, asked)
    assert closed is not None
    assert closed.state is RefundState.CLOSED


async def test_refusals_of_refunds_are_told_apart(shop: Shop) -> None:
    asked = await shop.paid()
    await shop.sandbox.ask("PUT", "/hostile", {"refund": ["NOT_ENOUGH", "FREQUENCY_LIMITED", "USER_ACCOUNT_ABNORMAL"]})
    for kind in (ChannelError, ChannelRateLimited, ChannelError):
        with pytest.raises(kind) as refused:
            await shop.channel.refund(shop.merchant, asked)
        if refused.type is ChannelError:
            assert refused.value.code in (NOT_ENOUGH, "USERACCOUNTABNORMAL")
    assert await shop.channel.query_refund(shop.merchant, asked) is None
    with pytest.raises(ChannelError):
        await shop.channel.refund(shop.merchant, replace(asked, amount_fen=12346, out_refund_no="R2"))


@pytest.mark.parametrize("behaviour", ["act_then_500", "act_then_cut", "bad_signature", "truncated", "500", "cut"])
async def test_f06_a_refund_of_unknown_outcome_is_repeated_without_giving_back_twice(
    shop: Shop, behaviour: str
) -> None:
    asked = await shop.paid()
    await shop.sandbox.ask("PUT", "/hostile", {"refund": [behaviour]})
    with pytest.raises(ChannelOutcomeUnknown):
        await shop.channel.refund(shop.merchant, asked)
    assert (await shop.channel.refund(shop.merchant, asked)).amount_fen == 2345
    known = await shop.sandbox.ask("GET", f"/refunds?mchid={vectors.MCHID}")
    assert [each["amount_fen"] for each in known["refunds"]] == [2345]


# Keys


async def test_b7_a_renewed_public_key_is_believed_beside_the_old_and_then_alone(shop: Shop) -> None:
    before = shop.merchant
    told = await shop.sandbox.ask("POST", "/keys/public_key/renew")
    both = believing({key["id"]: key["pem"] for key in told["public_keys"]})
    assert await shop.channel.query(both, NUMBER) is None
    assert await shop.channel.query(before, NUMBER) is None, "still asked to sign with the old one"
    await shop.sandbox.ask("POST", "/keys/public_key/retire")
    assert await shop.channel.query(both, NUMBER) is None


# Statements


@pytest.mark.parametrize(
    ("kind", "column"),
    [
        (StatementKind.TRADES, "交易时间"),
        (StatementKind.REFUNDS, "退款申请时间"),
        (StatementKind.FUND_FLOW, "记账时间"),
    ],
)
async def test_the_statements_of_the_day_before(shop: Shop, kind: StatementKind, column: str) -> None:
    asked = await shop.paid()
    await shop.channel.refund(shop.merchant, asked)
    await shop.ended(RefundState.SUCCESS)
    day = local_date(shop.res.clock.now())
    shop.sandbox.clock.advance(timedelta(days=1, hours=1))
    sink = io.BytesIO()
    assert await shop.channel.statement(shop.merchant, day, sink, kind=kind)
    plain = sink.getvalue()
    assert plain.startswith(b"\xef\xbb\xbf")
    assert plain.endswith(b"\r\n")
    assert column in plain.decode("utf-8-sig").partition("\r\n")[0]
    assert asked.transaction_no.encode() in plain
    assert not plain.startswith(gzip.compress(b"")[:2])
    assert not await shop.channel.statement(shop.merchant, day - timedelta(days=3), io.BytesIO(), kind=kind)


async def test_a_service_provider_gets_the_statement_of_its_sub_merchant(any_shop: Shop) -> None:
    await any_shop.paid()
    day = local_date(any_shop.res.clock.now())
    any_shop.sandbox.clock.advance(timedelta(days=1, hours=1))
    sink = io.BytesIO()
    assert await any_shop.channel.statement(any_shop.merchant, day, sink, kind=StatementKind.TRADES)
    assert f"`{any_shop.merchant.sub_mchid or 0},".encode() in sink.getvalue()
