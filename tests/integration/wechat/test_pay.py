"""The WeChat Pay client against the sandbox process: a payment from order to close, and a hostile platform."""

import base64
import hashlib
import io
import time
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from backend.kernel.clock import local_date
from backend.kernel.resources import Resources
from payments.channels.base import (
    CallbackRefused,
    ChannelError,
    ChannelOutcomeUnknown,
    ChannelRateLimited,
    StatementKind,
    TradeState,
)
from tests import vectors
from tests.conftest import Sandbox
from tests.integration.wechat import rig

NUMBER = "LL202609010001"


async def test_a_payment_from_order_to_close(sandbox: Sandbox, sandbox_res: Resources) -> None:
    await rig.furnish(sandbox)
    merchant, payer = await rig.merchant(sandbox), await rig.user(sandbox)
    pay = rig.channel(sandbox_res)
    assert await pay.query(merchant, NUMBER) is None

    async with rig.catcher() as caught:
        order = rig.request(sandbox_res, payer.openid, NUMBER, notify_url=caught.url)
        prepaid = await pay.prepay(merchant, order)
        given = pay.request_payment(merchant, order.app_id, prepaid.handle)
        text = f"{order.app_id}\n{given['timeStamp']}\n{given['nonceStr']}\n{given['package']}\n".encode()
        vectors.key_m().public_key().verify(base64.b64decode(given["paySign"]), text, PKCS1v15(), SHA256())

        unpaid = await pay.query(merchant, NUMBER)
        assert unpaid is not None
        assert (unpaid.state, unpaid.amount_fen) == (TradeState.NOTPAY, 12345)

        await sandbox.ask("POST", f"/orders/{merchant.mchid}/{NUMBER}/pay", {})
        await sandbox.ask("POST", "/notifications/flush")
        ((headers, body),) = caught.received
        callback = pay.read_callback(merchant, headers, body)

    paid = await pay.query(merchant, NUMBER)
    assert callback.trade == paid
    assert paid is not None
    assert paid.paid
    assert (paid.amount_fen, paid.currency, paid.attach) == (12345, "CNY", "o:1")
    assert (paid.mchid, paid.appid, paid.payer_openid) == (vectors.MCHID, vectors.APPID, payer.openid)
    books = await sandbox.ask("GET", f"/books?mchid={merchant.mchid}")
    assert [row["transaction_id"] for row in books["transactions"]] == [paid.transaction_no]

    for call in (pay.close(merchant, NUMBER), pay.prepay(merchant, order)):
        with pytest.raises(ChannelError) as refused:
            await call
        assert refused.value.code == "ORDERPAID"


async def test_an_unpaid_order_is_closed_and_prepay_of_it_says_so(sandbox: Sandbox, sandbox_res: Resources) -> None:
    await rig.furnish(sandbox)
    merchant, payer = await rig.merchant(sandbox), await rig.user(sandbox)
    pay, order = rig.channel(sandbox_res), rig.request(sandbox_res, payer.openid, NUMBER)
    await pay.prepay(merchant, order)
    await pay.close(merchant, NUMBER)
    closed = await pay.query(merchant, NUMBER)
    assert closed is not None
    assert closed.state is TradeState.CLOSED
    with pytest.raises(ChannelError) as refused:
        await pay.prepay(merchant, order)
    assert refused.value.code == "ORDERCLOSED"


async def test_the_same_order_again_gives_a_handle_and_a_changed_one_is_refused(
    sandbox: Sandbox, sandbox_res: Resources
) -> None:
    await rig.furnish(sandbox)
    merchant, payer = await rig.merchant(sandbox), await rig.user(sandbox)
    pay, order = rig.channel(sandbox_res), rig.request(sandbox_res, payer.openid, NUMBER)
    await pay.prepay(merchant, order)
    assert (await pay.prepay(merchant, order)).handle
    with pytest.raises(ChannelError):
        await pay.prepay(merchant, rig.request(sandbox_res, payer.openid, NUMBER, amount_fen=1))


async def test_a_prepay_that_hangs_after_acting_is_unknown_and_found_by_query(
    sandbox: Sandbox, sandbox_res: Resources
) -> None:
    """F-06: the platform acted and kept silent; nothing was repeated; the query finds the order."""
    await rig.furnish(sandbox)
    merchant, payer = await rig.merchant(sandbox), await rig.user(sandbox)
    await sandbox.ask("PUT", "/hostile", {"prepay": ["act_then_hang"]})
    impatient, order = rig.channel(sandbox_res, total_s=0.5), rig.request(sandbox_res, payer.openid, NUMBER)
    started_s = time.monotonic()
    with pytest.raises(ChannelOutcomeUnknown) as unknown:
        await impatient.prepay(merchant, order)
    assert unknown.value.sent
    assert time.monotonic() - started_s < 5
    stats = await sandbox.ask("GET", "/stats")
    assert stats["POST /v3/pay/transactions/jsapi"] == 1
    found = await rig.channel(sandbox_res).query(merchant, NUMBER)
    assert found is not None
    assert found.state is TradeState.NOTPAY


@pytest.mark.parametrize("behaviour", ["500", "act_then_500", "bad_signature", "truncated", "old_serial"])
async def test_no_believable_answer_means_unknown(sandbox: Sandbox, sandbox_res: Resources, behaviour: str) -> None:
    """F-07. (The empty answer of a close cannot be cut short.)"""
    await rig.furnish(sandbox)
    merchant, payer = await rig.merchant(sandbox), await rig.user(sandbox)
    await sandbox.ask("PUT", "/hostile", {"prepay": [behaviour], "query": [behaviour], "close": [behaviour]})
    pay = rig.channel(sandbox_res)
    with pytest.raises(ChannelOutcomeUnknown):
        await pay.prepay(merchant, rig.request(sandbox_res, payer.openid, NUMBER))
    with pytest.raises(ChannelOutcomeUnknown):
        await pay.query(merchant, NUMBER)
    if behaviour != "truncated":
        with pytest.raises(ChannelOutcomeUnknown):
            await pay.close(merchant, NUMBER)


async def test_a_rate_limit_is_told_apart(sandbox: Sandbox, sandbox_res: Resources) -> None:
    await rig.furnish(sandbox)
    merchant = await rig.merchant(sandbox)
    await sandbox.ask("PUT", "/hostile", {"query": ["429"]})
    with pytest.raises(ChannelRateLimited):
        await rig.channel(sandbox_res).query(merchant, NUMBER)


async def test_signature_probes_in_answers_are_never_believed(sandbox: Sandbox, sandbox_res: Resources) -> None:
    await rig.furnish(sandbox)
    merchant, payer = await rig.merchant(sandbox), await rig.user(sandbox)
    pay = rig.channel(sandbox_res)
    await pay.prepay(merchant, rig.request(sandbox_res, payer.openid, NUMBER))
    await sandbox.ask("PUT", "/hostile", {"signtest_rate": 1.0})
    with pytest.raises(ChannelOutcomeUnknown, match="bad signature"):
        await pay.query(merchant, NUMBER)


@pytest.mark.parametrize("kind", ["bad_signature", "signtest", "old_timestamp", "unknown_serial"])
async def test_forged_callbacks_are_refused(sandbox: Sandbox, sandbox_res: Resources, kind: str) -> None:
    await rig.furnish(sandbox)
    merchant, payer = await rig.merchant(sandbox), await rig.user(sandbox)
    pay = rig.channel(sandbox_res)
    async with rig.catcher() as caught:
        await pay.prepay(merchant, rig.request(sandbox_res, payer.openid, NUMBER, notify_url=caught.url))
        await sandbox.ask("POST", "/forge", {"kind": kind, "mchid": merchant.mchid, "out_trade_no": NUMBER})
        ((headers, body),) = caught.received
    with pytest.raises(CallbackRefused):
        pay.read_callback(merchant, headers, body)


@pytest.mark.parametrize(
    ("kind", "field"), [("wrong_amount", "amount_fen"), ("wrong_mchid", "mchid"), ("wrong_appid", "appid")]
)
async def test_a_signed_but_wrong_callback_is_read_as_data(
    sandbox: Sandbox, sandbox_res: Resources, kind: str, field: str
) -> None:
    """What it says is for `settle` to compare (F-10)."""
    await rig.furnish(sandbox)
    merchant, payer = await rig.merchant(sandbox), await rig.user(sandbox)
    pay = rig.channel(sandbox_res)
    async with rig.catcher() as caught:
        order = rig.request(sandbox_res, payer.openid, NUMBER, notify_url=caught.url)
        await pay.prepay(merchant, order)
        await sandbox.ask("POST", "/forge", {"kind": kind, "mchid": merchant.mchid, "out_trade_no": NUMBER})
        ((headers, body),) = caught.received
    trade = pay.read_callback(merchant, headers, body).trade
    assert trade is not None
    expected = {"amount_fen": order.amount_fen, "mchid": merchant.mchid, "appid": order.app_id}
    assert getattr(trade, field) != expected[field]


async def test_certificates_are_learnt_from_nothing_but_the_api_v3_key(
    sandbox: Sandbox, sandbox_res: Resources
) -> None:
    await rig.furnish(sandbox)
    newcomer, payer = await rig.merchant(sandbox, "certificate"), await rig.user(sandbox)
    pay, order = rig.channel(sandbox_res), rig.request(sandbox_res, payer.openid, NUMBER)
    with pytest.raises(ChannelOutcomeUnknown, match="unknown"):
        await pay.prepay(newcomer, order)
    found = await pay.fetch_certificates(newcomer)
    assert found
    believing = newcomer.believing({serial: each.pem for serial, each in found.items()})
    assert (await pay.prepay(believing, order)).handle


async def test_a_merchant_in_public_key_mode_has_no_certificates(sandbox: Sandbox, sandbox_res: Resources) -> None:
    await rig.furnish(sandbox)
    assert await rig.channel(sandbox_res).fetch_certificates(await rig.merchant(sandbox)) == {}


async def test_the_statement_of_the_day_before(sandbox: Sandbox, sandbox_res: Resources) -> None:
    await rig.furnish(sandbox)
    merchant, payer = await rig.merchant(sandbox), await rig.user(sandbox)
    pay = rig.channel(sandbox_res)
    await pay.prepay(merchant, rig.request(sandbox_res, payer.openid, NUMBER))
    await sandbox.ask("POST", f"/orders/{merchant.mchid}/{NUMBER}/pay", {})
    day = local_date(sandbox_res.clock.now())
    sandbox.clock.advance(timedelta(days=1))
    sink = io.BytesIO()
    assert await pay.statement(merchant, day, sink, kind=StatementKind.TRADES)
    lines = sink.getvalue().decode("utf-8-sig").split("\r\n")
    assert NUMBER in lines[1]
    assert hashlib.sha1(sink.getvalue()).hexdigest()
    empty = io.BytesIO()
    assert not await pay.statement(merchant, day - timedelta(days=3), empty, kind=StatementKind.TRADES)
    assert empty.getvalue() == b""
