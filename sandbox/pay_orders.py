"""Orders of WeChat Pay v3 on the wire: create, query, close (protocols/wechat-pay-v3.md sections 7 and 8).

`notify_url`: the real channel demands a public https address without a query string; the sandbox also takes http on
the loopback, because that is where the product listens in sandbox mode.
"""

import ipaddress
import json
import re
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from sandbox import merchants, pay_books, pay_fields
from sandbox.errors import PayError
from sandbox.notifications import POSTMAN
from sandbox.pay_books import Order, TradeState
from sandbox.pay_edge import Answer, PayCall
from sandbox.pay_fields import Flag, Group, ListOf, Text, Whole
from sandbox.world import World

DEFAULT_LIFE_S = 7 * 86_400
SHORTEST_LIFE_S = 60
OUT_TRADE_NO = re.compile(r"[0-9A-Za-z_\-|*]+")

GOODS = Group(
    {
        "merchant_goods_id": Text(32, required=True),
        "wechatpay_goods_id": Text(32),
        "goods_name": Text(256),
        "quantity": Whole(1, required=True),
        "unit_price": Whole(0, required=True),
    }
)
STORE = Group({"id": Text(32, required=True), "name": Text(256), "area_code": Text(32), "address": Text(512)})
NATIVE_BODY = Group(
    {
        "appid": Text(32, required=True),
        "mchid": Text(32, required=True),
        "description": Text(127, required=True),
        "out_trade_no": Text(32, required=True, shortest=6, pattern=OUT_TRADE_NO),
        "notify_url": Text(255, required=True),
        "amount": Group({"total": Whole(1, required=True), "currency": Text(16)}, required=True),
        "time_expire": Text(64),
        "attach": Text(128, shortest=0),
        "goods_tag": Text(32, shortest=0),
        "support_fapiao": Flag(),
        "detail": Group({"cost_price": Whole(0), "invoice_id": Text(32), "goods_detail": ListOf(GOODS)}, longest=6144),
        "scene_info": Group({"payer_client_ip": Text(45, required=True), "device_id": Text(32), "store_info": STORE}),
        "settle_info": Group({"profit_sharing": Flag()}),
    }
)
JSAPI_BODY = Group({**NATIVE_BODY.fields, "payer": Group({"openid": Text(128, required=True)}, required=True)})
CLOSE_BODY = Group({"mchid": Text(32, required=True)})

REFRESH = """
UPDATE orders SET prepay_id = ?, prepay_expires_s = ?, code_url = ? WHERE mchid = ? AND out_trade_no = ?
"""


async def create_jsapi(call: PayCall) -> Answer:
    """POST /v3/pay/transactions/jsapi: `{"prepay_id"}`, valid for two hours."""
    order = _create(call, "JSAPI", pay_fields.parse(call.body, JSAPI_BODY))
    await _callback_first(call, order)
    return Answer({"prepay_id": order.prepay_id})


async def create_native(call: PayCall) -> Answer:
    """POST /v3/pay/transactions/native: `{"code_url"}`; a repeated request replaces it."""
    order = _create(call, "NATIVE", pay_fields.parse(call.body, NATIVE_BODY))
    await _callback_first(call, order)
    return Answer({"code_url": order.code_url})


async def _callback_first(call: PayCall, order: Order) -> None:
    if call.world.hostile.spend("callback_before_answer"):
        pay_books.pay(call.world, order)
        await call.request.app[POSTMAN].flush()


def _create(call: PayCall, trade_type: str, wanted: dict[str, Any]) -> Order:
    world = call.world
    _check_parties(call, wanted)
    check_notify_url(wanted["notify_url"])
    if wanted["amount"].get("currency", "CNY") != "CNY":
        raise _parameter("/amount/currency", wanted["amount"]["currency"], "仅支持人民币CNY")
    expires_s = _expiry_s(world, wanted.get("time_expire"))
    known = pay_books.find(world, call.merchant.mchid, wanted["out_trade_no"])
    if known is not None:
        return _enter_again(world, known, trade_type, wanted)
    order = _new_order(world, trade_type, wanted, expires_s)
    pay_books.insert(world.store, order)
    world.store.count("orders created")
    return order


def _new_order(world: World, trade_type: str, wanted: dict[str, Any], expires_s: float) -> Order:
    now_s = world.now_s()
    return Order(
        mchid=wanted["mchid"],
        out_trade_no=wanted["out_trade_no"],
        trade_type=trade_type,
        appid=wanted["appid"],
        openid=wanted["payer"]["openid"] if trade_type == "JSAPI" else None,
        request=_canonical(wanted),
        total_fen=wanted["amount"]["total"],
        currency="CNY",
        description=wanted["description"],
        attach=wanted.get("attach", ""),
        notify_url=wanted["notify_url"],
        prepay_id=pay_books.new_prepay_id(now_s),
        prepay_expires_s=now_s + pay_books.PREPAY_LIFE_S,
        code_url=pay_books.new_code_url() if trade_type == "NATIVE" else None,
        created_s=now_s,
        expires_s=expires_s,
        state=TradeState.NOTPAY,
        cancels=0,
        transaction_id=None,
        success_s=None,
        payer_openid=None,
    )


def _enter_again(world: World, known: Order, trade_type: str, wanted: dict[str, Any]) -> Order:
    """Section 7.1, re-entry: the same unpaid order again, or a refusal."""
    if known.is_paid:
        raise PayError(400, "ORDERPAID", "该订单已支付", number=268498689)
    if known.state is TradeState.CLOSED:
        raise PayError(400, "ORDER_CLOSED", "该订单已关闭，请重新下单", number=268447914)
    if known.trade_type != trade_type or known.request != _canonical(wanted):
        raise PayError(400, "INVALID_REQUEST", "请求重入时，参数与首次请求时不一致", number=268498688)
    now_s = world.now_s()
    prepay_id, prepay_expires_s = known.prepay_id, known.prepay_expires_s
    if now_s >= prepay_expires_s:
        prepay_id, prepay_expires_s = pay_books.new_prepay_id(now_s), now_s + pay_books.PREPAY_LIFE_S
    code_url = pay_books.new_code_url() if trade_type == "NATIVE" else None
    world.store.run(REFRESH, prepay_id, prepay_expires_s, code_url, known.mchid, known.out_trade_no)
    fresh = pay_books.find(world, known.mchid, known.out_trade_no)
    assert fresh is not None
    return fresh


def _canonical(wanted: dict[str, Any]) -> str:
    return json.dumps(wanted, ensure_ascii=False, sort_keys=True)


def _check_parties(call: PayCall, wanted: dict[str, Any]) -> None:
    _check_mchid(call, wanted["mchid"], location="body", field="/mchid")
    appid = wanted["appid"]
    if not merchants.is_bound(call.world.store, call.merchant, appid):
        raise PayError(400, "APPID_MCHID_NOT_MATCH", "appid和mch_id不匹配", number=268445527)
    if "payer" not in wanted:
        return
    openid = wanted["payer"]["openid"]
    homes = [row["appid"] for row in call.world.store.rows("SELECT appid FROM openids WHERE openid = ?", openid)]
    if not homes:
        raise _parameter("/payer/openid", openid, "无效的openid")
    if appid not in homes:
        raise PayError(500, "OPENID_MISMATCH", "openid和appid不匹配")


def _check_mchid(call: PayCall, mchid: str | None, *, location: str, field: str) -> None:
    if not mchid:
        raise _parameter(field, "", "缺少必填参数: mchid", location=location)
    if mchid != call.merchant.mchid:
        raise PayError(400, "INVALID_REQUEST", "mchid与签名的商户号不一致", number=268447843)


def check_notify_url(url: str) -> None:
    """PayError for an address that the channel would not call."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise _parameter("/notify_url", url, "notify_url格式错误") from error
    public = parts.scheme == "https" and parts.hostname
    if not (public or (parts.scheme == "http" and _is_loopback(parts.hostname))) or parts.query or parts.fragment:
        raise _parameter("/notify_url", url, "notify_url必须是完整的https地址，且不能携带参数")


def _is_loopback(host: str | None) -> bool:
    if host is None or host == "localhost":
        return host == "localhost"
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _expiry_s(world: World, time_expire: str | None) -> float:
    now_s = world.now_s()
    if time_expire is None:
        return now_s + DEFAULT_LIFE_S
    try:
        instant = datetime.fromisoformat(time_expire)
    except ValueError as error:
        raise _parameter("/time_expire", time_expire, "time_expire格式错误") from error
    if instant.tzinfo is None or "T" not in time_expire:
        raise _parameter("/time_expire", time_expire, "time_expire格式错误")
    return max(instant.timestamp(), now_s + SHORTEST_LIFE_S)


def _parameter(field: str, value: str, message: str, *, location: str = "body") -> PayError:
    detail = {"field": field, "value": value, "issue": message, "location": location}
    return PayError(400, "PARAM_ERROR", message, number=pay_fields.PARAMETER_NUMBER, detail=detail)


def _found(order: Order | None) -> Answer:
    if order is None:
        raise PayError(404, "ORDER_NOT_EXIST", "订单不存在", number=268512771)
    return Answer(pay_books.trade(order))


async def query_by_out_trade_no(call: PayCall) -> Answer:
    """GET /v3/pay/transactions/out-trade-no/{out_trade_no}?mchid=."""
    _check_mchid(call, call.request.query.get("mchid"), location="query", field="mchid")
    return _found(pay_books.find(call.world, call.merchant.mchid, call.request.match_info["out_trade_no"]))


async def query_by_transaction(call: PayCall) -> Answer:
    """GET /v3/pay/transactions/id/{transaction_id}?mchid=; unpaid orders have no such number."""
    _check_mchid(call, call.request.query.get("mchid"), location="query", field="mchid")
    number = call.request.match_info["transaction_id"]
    return _found(pay_books.find_by_transaction(call.world, call.merchant.mchid, number))


async def close(call: PayCall) -> Answer:
    """POST .../close: 204 for anything unpaid, an unknown number too; ORDERPAID for what is paid."""
    wanted = pay_fields.parse(call.body, CLOSE_BODY)
    _check_mchid(call, wanted["mchid"], location="body", field="/mchid")
    out_trade_no = call.request.match_info["out_trade_no"]
    order = pay_books.find(call.world, call.merchant.mchid, out_trade_no)
    if order is not None and order.is_paid:
        raise PayError(400, "ORDERPAID", "该订单已支付", number=268449538)
    pay_books.close(call.world, call.merchant.mchid, out_trade_no)
    return Answer(None, 204)
