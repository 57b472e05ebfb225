"""Orders of WeChat Pay v3 on the wire: create, query, close, direct and of a service provider (sections 7, 8 and 13).

`notify_url`: the real channel demands a public https address without a query string; the sandbox also takes http on
the loopback, because that is where the product listens in sandbox mode. For the same reason a payer's address on the
loopback is taken for H5.
"""

import ipaddress
import json
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from sandbox import merchants, order_shapes, pay_books, pay_fields
from sandbox.errors import PayError
from sandbox.notifications import POSTMAN
from sandbox.pay_books import Order, TradeState
from sandbox.pay_edge import Act, Answer, PayCall
from sandbox.world import World

DEFAULT_LIFE_S = 7 * 86_400
SHORTEST_LIFE_S = 60
CODE_LIFE_S = 2 * 3600
H5_LIFE_S = 300

REFRESH = """
UPDATE orders SET prepay_id = ?, prepay_expires_s = ?, code_url = ?, link_expires_s = ?
WHERE mchid = ? AND out_trade_no = ?
"""


@dataclass(frozen=True, slots=True)
class Parties:
    """Between whom an order is; the two `sub_` fields are empty for a direct merchant."""

    mchid: str
    appid: str
    sub_mchid: str
    sub_appid: str
    payer_kind: str
    openid: str | None


def create(trade_type: str, *, partner: bool = False) -> Act:
    """POST /v3/pay[/partner]/transactions/{jsapi,native,h5}."""
    shape = order_shapes.order_body(trade_type, partner=partner)

    async def act(call: PayCall) -> Answer:
        order = _create(call, trade_type, pay_fields.parse(call.body, shape), partner=partner)
        if call.world.hostile.spend("callback_before_answer", order.out_trade_no):
            pay_books.pay(call.world, order)
            await call.request.app[POSTMAN].flush()
        return Answer(_handle(call, order))

    return act


def _handle(call: PayCall, order: Order) -> dict[str, Any]:
    match order.trade_type:
        case "NATIVE":
            return {"code_url": order.code_url}
        case "MWEB":
            page = f"{call.request.scheme}://{call.request.host}/cgi-bin/mmpayweb-bin/checkmweb"
            return {"h5_url": f"{page}?prepay_id={order.prepay_id}&package={secrets.randbelow(10**10):010d}"}
        case _:
            return {"prepay_id": order.prepay_id}


def _create(call: PayCall, trade_type: str, wanted: dict[str, Any], *, partner: bool) -> Order:
    world = call.world
    parties = _partner(call, wanted) if partner else _direct(call, wanted)
    check_notify_url(wanted["notify_url"])
    if wanted["amount"].get("currency", "CNY") != "CNY":
        raise _parameter("/amount/currency", wanted["amount"]["currency"], "仅支持人民币CNY")
    if trade_type == "MWEB":
        _check_payer_address(wanted["scene_info"]["payer_client_ip"])
    expires_s = _expiry_s(world, wanted.get("time_expire"))
    known = pay_books.find(world, call.merchant.mchid, wanted["out_trade_no"])
    if known is not None:
        return _enter_again(world, known, trade_type, wanted)
    order = _new_order(world, trade_type, wanted, parties, expires_s)
    pay_books.insert(world.store, order)
    world.store.count("orders created")
    if world.hostile.spend("forge_callbacks", order.out_trade_no):
        pay_books.plan_forged(world, order)
    return order


def _new_order(world: World, trade_type: str, wanted: dict[str, Any], parties: Parties, expires_s: float) -> Order:
    now_s = world.now_s()
    return Order(
        mchid=parties.mchid,
        out_trade_no=wanted["out_trade_no"],
        trade_type=trade_type,
        appid=parties.appid,
        openid=parties.openid,
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
        sub_mchid=parties.sub_mchid,
        sub_appid=parties.sub_appid,
        payer_kind=parties.payer_kind,
        link_expires_s=_link_expiry_s(trade_type, now_s),
    )


def _link_expiry_s(trade_type: str, now_s: float) -> float | None:
    life_s = {"NATIVE": CODE_LIFE_S, "MWEB": H5_LIFE_S}.get(trade_type)
    return None if life_s is None else now_s + life_s


def _enter_again(world: World, known: Order, trade_type: str, wanted: dict[str, Any]) -> Order:
    """Section 7.1, re-entry: the same unpaid order again, or a refusal. A new code_url makes the former worthless."""
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
    if trade_type != "JSAPI":
        prepay_expires_s = now_s + pay_books.PREPAY_LIFE_S
    code_url = pay_books.new_code_url() if trade_type == "NATIVE" else None
    link_expires_s = _link_expiry_s(trade_type, now_s)
    world.store.run(REFRESH, prepay_id, prepay_expires_s, code_url, link_expires_s, known.mchid, known.out_trade_no)
    fresh = pay_books.find(world, known.mchid, known.out_trade_no)
    assert fresh is not None
    return fresh


def _canonical(wanted: dict[str, Any]) -> str:
    return json.dumps(wanted, ensure_ascii=False, sort_keys=True)


def _direct(call: PayCall, wanted: dict[str, Any]) -> Parties:
    _check_mchid(call, wanted["mchid"], location="body", field="/mchid")
    openid = wanted["payer"]["openid"] if "payer" in wanted else None
    parties = Parties(call.merchant.mchid, wanted["appid"], "", "", "openid", openid)
    _check_bound(call, call.merchant.mchid, parties.appid)
    _check_openid(call, "/payer/openid", openid, parties.appid)
    return parties


def _partner(call: PayCall, wanted: dict[str, Any]) -> Parties:
    """Section 13: the service provider signs; the payer is known under its app or under the sub-merchant's."""
    _check_mchid(call, wanted["sp_mchid"], location="body", field="/sp_mchid")
    sub_mchid, sub_appid = wanted["sub_mchid"], wanted.get("sub_appid", "")
    _check_sub_mchid(call, sub_mchid)
    _check_bound(call, call.merchant.mchid, wanted["sp_appid"])
    if sub_appid:
        _check_bound(call, sub_mchid, sub_appid)
    payer = wanted.get("payer", {})
    if "payer" in wanted and len(payer) != 1:
        raise _parameter("/payer", "", "sp_openid和sub_openid二选一")
    kind = "sub_openid" if "sub_openid" in payer or ("payer" not in wanted and sub_appid) else "sp_openid"
    if "sub_openid" in payer and not sub_appid:
        raise _parameter("/sub_appid", "", "传入sub_openid时必须传入sub_appid")
    openid = payer.get(kind)
    _check_openid(call, f"/payer/{kind}", openid, sub_appid if kind == "sub_openid" else wanted["sp_appid"])
    return Parties(call.merchant.mchid, wanted["sp_appid"], sub_mchid, sub_appid, kind, openid)


def _check_bound(call: PayCall, mchid: str, appid: str) -> None:
    if not merchants.is_bound(call.world.store, call.merchant, mchid, appid):
        raise PayError(400, "APPID_MCHID_NOT_MATCH", "appid和mch_id不匹配", number=268445527)


def _check_openid(call: PayCall, field: str, openid: str | None, appid: str) -> None:
    if openid is None:
        return
    homes = [row["appid"] for row in call.world.store.rows("SELECT appid FROM openids WHERE openid = ?", openid)]
    if not homes:
        raise _parameter(field, openid, "无效的openid")
    if appid not in homes:
        raise PayError(500, "OPENID_MISMATCH", "openid和appid不匹配")


def _check_mchid(call: PayCall, mchid: str | None, *, location: str, field: str) -> None:
    if not mchid:
        raise _parameter(field, "", f"缺少必填参数: {field.removeprefix('/')}", location=location)
    if mchid != call.merchant.mchid:
        raise PayError(400, "INVALID_REQUEST", "mchid与签名的商户号不一致", number=268447843)


def _check_sub_mchid(call: PayCall, sub_mchid: str | None) -> None:
    if not sub_mchid:
        raise PayError(400, "PARAM_ERROR", "缺少必填参数: sub_mchid", number=268443704)
    if sub_mchid == call.merchant.mchid:
        raise PayError(400, "INVALID_REQUEST", "sub_mchid与服务商商户号相同", number=268443705)
    if sub_mchid not in call.merchant.sub_merchants:
        raise PayError(403, "NO_AUTH", "子商户号与服务商没有绑定关系", number=268443701)


def _check_payer_address(address: str) -> None:
    try:
        ipaddress.ip_address(address)
    except ValueError as error:
        raise _parameter("/scene_info/payer_client_ip", address, "用户终端IP格式错误") from error


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


def _asked_sub_mchid(call: PayCall, *, partner: bool) -> str:
    """Whose orders a query asks for; checks who asks."""
    query = call.request.query
    field = "sp_mchid" if partner else "mchid"
    _check_mchid(call, query.get(field), location="query", field=field)
    if not partner:
        return ""
    _check_sub_mchid(call, query.get("sub_mchid"))
    return query["sub_mchid"]


def _found(world: World, order: Order | None, sub_mchid: str) -> Answer:
    if order is None or order.sub_mchid != sub_mchid:
        raise PayError(404, "ORDER_NOT_EXIST", "订单不存在", number=268512771)
    told = pay_books.trade(order)
    if order.is_paid and world.hostile.spend("lie_answers", order.out_trade_no):
        told["amount"]["total"] = max(1, order.total_fen + world.hostile.scenario.error_fen("lie_answers"))
    return Answer(told)


def query_by_out_trade_no(*, partner: bool = False) -> Act:
    """GET /v3/pay[/partner]/transactions/out-trade-no/{out_trade_no}."""

    async def act(call: PayCall) -> Answer:
        sub_mchid = _asked_sub_mchid(call, partner=partner)
        return _found(
            call.world,
            pay_books.find(call.world, call.merchant.mchid, call.request.match_info["out_trade_no"]),
            sub_mchid,
        )

    return act


def query_by_transaction(*, partner: bool = False) -> Act:
    """GET /v3/pay[/partner]/transactions/id/{transaction_id}; unpaid orders have no such number."""

    async def act(call: PayCall) -> Answer:
        sub_mchid = _asked_sub_mchid(call, partner=partner)
        number = call.request.match_info["transaction_id"]
        return _found(call.world, pay_books.find_by_transaction(call.world, call.merchant.mchid, number), sub_mchid)

    return act


def close(*, partner: bool = False) -> Act:
    """POST .../close: 204 for anything unpaid, an unknown number too; ORDERPAID for what is paid."""
    shape = order_shapes.PARTNER_CLOSE if partner else order_shapes.CLOSE

    async def act(call: PayCall) -> Answer:
        wanted = pay_fields.parse(call.body, shape)
        field = "sp_mchid" if partner else "mchid"
        _check_mchid(call, wanted[field], location="body", field=f"/{field}")
        if partner:
            _check_sub_mchid(call, wanted["sub_mchid"])
        order = pay_books.find(call.world, call.merchant.mchid, call.request.match_info["out_trade_no"])
        if order is None or order.sub_mchid != wanted.get("sub_mchid", ""):
            return Answer(None, 204)
        if order.is_paid:
            raise PayError(400, "ORDERPAID", "该订单已支付", number=268449538)
        pay_books.close(call.world, order.mchid, order.out_trade_no)
        return Answer(None, 204)

    return act
