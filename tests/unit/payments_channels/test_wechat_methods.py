"""Native and H5 orders, and a service provider who acts for a sub merchant (sections 7.3, 7.4, 13)."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from payments.channels.base import ChannelOutcomeUnknown, Method, TradeState
from payments.channels.wechat_reading import trade_of
from tests import vectors
from tests.unit.payments_channels.test_wechat_v3 import NOW_S, REQUEST, answer, assert_signed_by_merchant
from tests.unit.payments_channels.wire import BASE_URL, SUB_APPID, SUB_MCHID, client, frozen, merchant, partner, signed

NATIVE = replace(REQUEST, method=Method.NATIVE, payer_openid="")
H5 = replace(REQUEST, method=Method.H5, payer_openid="", payer_ip="203.0.113.9")
H5_URL = "https://wx.tenpay.com/cgi-bin/mmpayweb-bin/checkmweb?prepay_id=wx1&package=2"


def test_native_gives_the_text_of_a_code() -> None:
    channel, egress = client(frozen(), answer(200, {"code_url": "weixin://wxpay/bizpayurl?pr=a1"}))
    assert asyncio.run(channel.prepay(merchant(), NATIVE)).handle == "weixin://wxpay/bizpayurl?pr=a1"
    (sent,) = egress.sent
    assert sent.url == f"{BASE_URL}/v3/pay/transactions/native"
    document = json.loads(sent.body or b"")
    assert "payer" not in document
    assert "scene_info" not in document
    assert_signed_by_merchant(sent)


def test_h5_names_the_payers_address_and_leads_back() -> None:
    channel, egress = client(frozen(), answer(200, {"h5_url": H5_URL}), answer(200, {"h5_url": H5_URL}))
    assert asyncio.run(channel.prepay(merchant(), H5)).handle == H5_URL
    back = replace(H5, return_url="https://pay.example.com/done?order=1&x=物")
    assert asyncio.run(channel.prepay(merchant(), back)).handle == (
        H5_URL + "&redirect_url=https%3A%2F%2Fpay.example.com%2Fdone%3Forder%3D1%26x%3D%E7%89%A9"
    )
    assert egress.sent[0].url == f"{BASE_URL}/v3/pay/transactions/h5"
    assert json.loads(egress.sent[0].body or b"")["scene_info"] == {
        "payer_client_ip": "203.0.113.9",
        "h5_info": {"type": "Wap"},
    }
    assert egress.sent[0].body == egress.sent[1].body, "where the browser goes afterwards is not part of the order"


@pytest.mark.parametrize(
    ("request_", "wrong"),
    [(NATIVE, {"prepay_id": "wx1"}), (H5, {"code_url": "weixin://x"}), (NATIVE, {"code_url": ""}), (H5, {"h5_url": 5})],
)
def test_a_handle_of_another_kind_is_no_answer(request_: Any, wrong: dict[str, Any]) -> None:
    channel, _ = client(frozen(), answer(200, wrong))
    with pytest.raises(ChannelOutcomeUnknown):
        asyncio.run(channel.prepay(merchant(), request_))


@pytest.mark.parametrize(
    ("sub_appid", "ids", "payer"),
    [
        (None, {}, {"sp_openid": REQUEST.payer_openid}),
        (SUB_APPID, {"sub_appid": SUB_APPID}, {"sub_openid": REQUEST.payer_openid}),
    ],
)
def test_a_service_provider_orders_for_its_sub_merchant(
    sub_appid: str | None, ids: dict[str, str], payer: dict[str, str]
) -> None:
    channel, egress = client(frozen(), answer(200, {"prepay_id": "wx1"}))
    provider = partner(sub_appid=sub_appid)
    asyncio.run(channel.prepay(provider, replace(REQUEST, app_id=sub_appid or vectors.APPID)))
    (sent,) = egress.sent
    assert sent.url == f"{BASE_URL}/v3/pay/partner/transactions/jsapi"
    document = json.loads(sent.body or b"")
    assert document["payer"] == payer
    named = {key: value for key, value in document.items() if "appid" in key or "mchid" in key}
    assert named == {"sp_appid": vectors.APPID, "sp_mchid": vectors.MCHID, "sub_mchid": SUB_MCHID, **ids}
    assert_signed_by_merchant(sent)


def partner_document(**changed: Any) -> dict[str, Any]:
    document = json.loads(vectors.NOTIFICATION_PLAINTEXT)
    del document["mchid"], document["appid"]
    return {
        **document,
        "sp_mchid": vectors.MCHID,
        "sub_mchid": SUB_MCHID,
        "sp_appid": vectors.APPID,
        "payer": {"sp_openid": "o-sp"},
        **changed,
    }


@pytest.mark.parametrize(
    ("changed", "appid", "openid"),
    [
        ({}, vectors.APPID, "o-sp"),
        ({"sub_appid": SUB_APPID, "payer": {"sp_openid": "o-sp", "sub_openid": "o-sub"}}, SUB_APPID, "o-sub"),
        ({"sub_appid": ""}, vectors.APPID, "o-sp"),
    ],
)
def test_a_partner_trade_belongs_to_the_sub_merchant(changed: dict[str, Any], appid: str, openid: str) -> None:
    trade = trade_of(partner_document(**changed))
    assert (trade.mchid, trade.appid, trade.payer_openid) == (SUB_MCHID, appid, openid)
    assert (trade.state, trade.amount_fen) == (TradeState.SUCCESS, 12345)


def test_a_partner_trade_without_its_sub_merchant_is_no_trade() -> None:
    document = partner_document()
    del document["sub_mchid"]
    with pytest.raises(KeyError):
        trade_of(document)


def test_a_service_provider_queries_and_closes_for_its_sub_merchant() -> None:
    channel, egress = client(frozen(), answer(200, partner_document()), signed(204, b"", now_s=NOW_S))
    trade = asyncio.run(channel.query(partner(), "WY202609010001"))
    assert trade is not None
    assert trade.mchid == SUB_MCHID
    asyncio.run(channel.close(partner(), "WY202609010001"))
    asked, closed = egress.sent
    of_order = f"{BASE_URL}/v3/pay/partner/transactions/out-trade-no/WY202609010001"
    assert asked.url == f"{of_order}?sp_mchid={vectors.MCHID}&sub_mchid={SUB_MCHID}"
    assert closed.url == f"{of_order}/close"
    assert json.loads(closed.body or b"") == {"sp_mchid": vectors.MCHID, "sub_mchid": SUB_MCHID}
    assert_signed_by_merchant(asked)
