"""precreate, query, close and cancel on the wire (protocols/alipay.md sections 6.1, 7 and 12)."""

import ipaddress
import json
from typing import Any
from urllib.parse import urlsplit

from sandbox import alipay_books, alipay_fields, alipay_hostile, alipay_notices
from sandbox.alipay_books import Order, Product, Status
from sandbox.alipay_errors import AlipayError, business, parameter
from sandbox.alipay_fields import moment, yuan
from sandbox.alipay_gateway import Call
from sandbox.alipay_postman import ALIPAY_POSTMAN

QR_CODE = "https://qr.alipay.com/"
CANCEL_WINDOW_S = 86_400


async def precreate(call: Call) -> dict[str, Any]:
    """alipay.trade.precreate: a QR code for two hours. There is no trade before a payer scans it."""
    known = alipay_books.find(call.world, call.merchant.app_id, call.content["out_trade_no"])
    if known is not None and alipay_hostile.is_on(call.world, "refuse_repeated_precreate"):
        raise business("APPLY_PC_MERCHANT_CODE_ERROR", "申请二维码失败，该订单号已申请过二维码")
    order = alipay_books.renewed(call.world, ordered(call, Product.PRECREATE, known))
    if alipay_hostile.spend(call.world, "notice_before_answer"):
        alipay_books.pay(call.world, order)
        await call.request.app[ALIPAY_POSTMAN].flush()
    return {"out_trade_no": order.out_trade_no, "qr_code": QR_CODE + order.token}


def ordered(call: Call, product: Product, known: Order | None) -> Order:
    """The order of this request, new or known; AlipayError where the number is used for something else."""
    content, world = call.content, call.world
    request = json.dumps(content, ensure_ascii=False, sort_keys=True)
    if content.get("seller_id", call.merchant.seller_id) != call.merchant.seller_id:
        raise business("INVALID_RECEIVE_ACCOUNT", "seller_id不在允许的收款账号之内")
    if known is not None:
        _check_same(known, product, request)
    now_s = world.now_s()
    pay_before_s = alipay_fields.instant(content["time_expire"]) if "time_expire" in content else None
    if pay_before_s is not None and pay_before_s <= now_s:
        raise business("NOW_TIME_AFTER_EXPIRE_TIME_ERROR", "订单的绝对超时时间早于当前时间")
    if known is not None:
        return known
    _check_url("notify_url", call.common("notify_url"))
    timeout = content.get("timeout_express", alipay_books.DEFAULT_TIMEOUT[product])
    alipay_fields.timeout_end(timeout, now_s)
    order = Order(
        app_id=call.merchant.app_id,
        out_trade_no=content["out_trade_no"],
        product=product,
        request=request,
        total_fen=alipay_fields.fen(content["total_amount"]),
        subject=content["subject"],
        body=content.get("body", ""),
        passback_params=content.get("passback_params", ""),
        charset=call.charset,
        notify_url=call.common("notify_url"),
        return_url=call.common("return_url"),
        token=alipay_books.new_token(),
        token_expires_s=now_s + alipay_books.TOKEN_LIFE_S,
        timeout=timeout,
        pay_before_s=pay_before_s,
        asked_s=now_s,
        trade_no=None,
        created_s=None,
        expires_s=None,
        status=Status.NONE,
        buyer_id=None,
        paid_s=None,
        closed_s=None,
        refused=0,
    )
    alipay_books.insert(world, order)
    world.store.count("alipay orders created")
    return order


def _check_same(known: Order, product: Product, request: str) -> None:
    if known.is_paid:
        raise business("TRADE_HAS_SUCCESS", "交易已被支付")
    if known.status is Status.CLOSED:
        raise business("TRADE_HAS_CLOSE", "交易已经关闭")
    if known.product is not product or known.request != request:
        raise business("CONTEXT_INCONSISTENT", "交易信息被篡改，同一商户订单号的参数前后不一致")


def _check_url(name: str, url: str) -> None:
    if not url:
        return
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname)
        if fits and parts.scheme == "http" and parts.hostname != "localhost":
            # The real gateway also calls plain http addresses; here they must be on the loopback.
            fits = ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        fits = False
    if not fits:
        raise parameter(f"{name}不合法")


def traded(call: Call) -> Order:
    """The order whose trade the request names, `trade_no` first; ACQ.TRADE_NOT_EXIST where there is no trade."""
    content = call.content
    if "trade_no" in content:
        order = alipay_books.find_by_trade(call.world, call.merchant.app_id, content["trade_no"])
    elif "out_trade_no" in content:
        order = alipay_books.find(call.world, call.merchant.app_id, content["out_trade_no"])
    else:
        raise parameter("out_trade_no与trade_no不能同时为空")
    if order is None or order.status is Status.NONE:
        raise business("TRADE_NOT_EXIST", "交易不存在")
    return order


async def query(call: Call) -> dict[str, Any]:
    """alipay.trade.query."""
    order = traded(call)
    total = yuan(order.total_fen)
    node: dict[str, Any] = {
        "buyer_logon_id": alipay_notices.logon_id(order.buyer_id or ""),
        "buyer_pay_amount": total if order.is_paid else "0.00",
        "buyer_user_id": order.buyer_id or "",
        "invoice_amount": total if order.is_paid else "0.00",
        "out_trade_no": order.out_trade_no,
        "point_amount": "0.00",
        "receipt_amount": total if order.is_paid else "0.00",
        "subject": order.subject,
        "total_amount": total,
        "trade_no": order.trade_no,
        "trade_status": str(order.status),
    }
    if order.paid_s is not None:
        node["send_pay_date"] = moment(order.paid_s)
        node["fund_bill_list"] = [{"amount": total, "fund_channel": "ALIPAYACCOUNT"}]
    if order.passback_params:
        node["passback_params"] = order.passback_params
    return node


async def close(call: Call) -> dict[str, Any]:
    """alipay.trade.close: only for trades that wait."""
    order = traded(call)
    if order.status is Status.CLOSED and not order.is_paid:
        raise business("TRADE_HAS_CLOSE", "交易已经关闭")
    if order.status is not Status.WAIT:
        raise business("REASON_TRADE_STATUS_INVALID", "交易状态异常，不能关闭")
    alipay_books.close(call.world, order)
    call.request.app[ALIPAY_POSTMAN].wake()
    return {"out_trade_no": order.out_trade_no, "trade_no": order.trade_no}


async def cancel(call: Call) -> dict[str, Any]:
    """alipay.trade.cancel: a waiting trade is closed, a paid one refunded; a code that nobody scanned stays valid."""
    try:
        order = traded(call)
    except AlipayError as error:
        if error.sub_code != "ACQ.TRADE_NOT_EXIST":
            raise
        return {"out_trade_no": call.content.get("out_trade_no", ""), "retry_flag": "N"}
    node = {"out_trade_no": order.out_trade_no, "trade_no": order.trade_no, "retry_flag": "N"}
    if order.status is Status.WAIT:
        alipay_books.close(call.world, order)
        return {**node, "action": "close"}
    if order.status is Status.FINISHED:
        raise business("TRADE_HAS_FINISHED", "交易已完结，不能撤销")
    if order.paid_s is None:
        return {**node, "action": "close"}
    if order.status is Status.SUCCESS:
        if call.world.now_s() - order.paid_s > CANCEL_WINDOW_S:
            raise business("TRADE_CANCEL_TIME_OUT", "超过撤销时间范围")
        given_fen = sum(refund.amount_fen for refund in alipay_books.accepted_refunds(call.world, order))
        number = f"cancel_{order.out_trade_no}"[:64]
        alipay_books.refund(call.world, order, number, order.total_fen - given_fen, reason="交易撤销")
        call.request.app[ALIPAY_POSTMAN].wake()
    return {**node, "action": "refund"}
