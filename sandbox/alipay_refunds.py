"""Refunds on the wire (protocols/alipay.md section 8): synchronous, one number each, told by what moved.

`fund_change` Y means that this call gave money back; the same call again answers N with the earlier result.
"""

from typing import Any

from sandbox import alipay_books, alipay_fields, alipay_notices
from sandbox.alipay_books import Order, Refund, Status
from sandbox.alipay_errors import business, parameter
from sandbox.alipay_fields import moment, yuan
from sandbox.alipay_gateway import Call
from sandbox.alipay_postman import ALIPAY_POSTMAN
from sandbox.alipay_trades import traded

SPACING_S = 3
# How long a refund takes that is accepted and carried out later.
LATER_S = 12


async def refund(call: Call) -> dict[str, Any]:
    """alipay.trade.refund."""
    order, world = traded(call), call.world
    amount_fen = alipay_fields.fen(call.content["refund_amount"])
    number = _number(call, order, amount_fen)
    earlier = alipay_books.accepted_refunds(world, order)
    same = next((one for one in earlier if one.out_request_no == number), None)
    if same is not None:
        if same.amount_fen != amount_fen:
            raise business("DISCORDANT_REPEAT_REQUEST", "同一退款请求号的退款金额不一致")
        return _answer(call, order, same, moved=False)
    _check_refundable(call, order, earlier, amount_fen)
    if call.behaviour == "never":
        return _answer(call, order, None, moved=False)
    delay_s = LATER_S if call.behaviour == "later" else 0
    reason = call.content.get("refund_reason", "")
    given = alipay_books.refund(world, order, number, amount_fen, reason=reason, delay_s=delay_s)
    call.request.app[ALIPAY_POSTMAN].wake()
    return _answer(call, order, given, moved=not delay_s)


def _number(call: Call, order: Order, amount_fen: int) -> str:
    number = call.content.get("out_request_no")
    if number is None and amount_fen != order.total_fen:
        raise business("REFUND_AMT_NOT_EQUAL_TOTAL", "部分退款必须传入退款请求号out_request_no")
    return str(number or order.out_trade_no)


def _check_refundable(call: Call, order: Order, earlier: list[Refund], amount_fen: int) -> None:
    now_s = call.world.now_s()
    if order.paid_s is None:
        if order.status is Status.CLOSED:
            raise business("TRADE_HAS_CLOSE", "交易已关闭，不允许退款")
        raise business("TRADE_STATUS_ERROR", "交易状态不合法，未支付的交易不允许退款")
    if order.status is Status.FINISHED or now_s - order.paid_s > alipay_books.REFUND_WINDOW_S:
        raise business("TRADE_HAS_FINISHED", "交易已完结，超过可退款期限")
    if amount_fen > order.total_fen - sum(one.amount_fen for one in earlier):
        raise business("REFUND_FEE_ERROR", "退款金额超过可退金额")
    if earlier and now_s - max(one.asked_s for one in earlier) < SPACING_S:
        raise business("SYSTEM_ERROR", "同一笔交易的退款至少间隔3秒，请使用相同参数再次调用")


def _answer(call: Call, order: Order, given: Refund | None, *, moved: bool) -> dict[str, Any]:
    done = alipay_books.refunds_of(call.world, order)
    node: dict[str, Any] = {
        "buyer_logon_id": alipay_notices.logon_id(order.buyer_id or ""),
        "buyer_user_id": order.buyer_id or "",
        "fund_change": "Y" if moved else "N",
        "out_trade_no": order.out_trade_no,
        "refund_fee": yuan(sum(one.amount_fen for one in done)),
        "send_back_fee": yuan(given.amount_fen if given in done and given is not None else 0),
        "trade_no": order.trade_no,
    }
    if given is not None and given in done:
        node["gmt_refund_pay"] = moment(given.done_s)
        if "refund_detail_item_list" in call.content.get("query_options", []):
            node["refund_detail_item_list"] = _items(given)
    return node


def _items(given: Refund) -> list[dict[str, str]]:
    return [{"amount": yuan(given.amount_fen), "fund_channel": "ALIPAYACCOUNT"}]


async def query(call: Call) -> dict[str, Any]:
    """alipay.trade.fastpay.refund.query: without `refund_status` the refund was not received, or not carried out."""
    if not {"trade_no", "out_trade_no"} & set(call.content):
        raise parameter("out_trade_no与trade_no不能同时为空")
    order = traded(call)
    number, options = call.content["out_request_no"], call.content.get("query_options", [])
    found = next((one for one in alipay_books.refunds_of(call.world, order) if one.out_request_no == number), None)
    if found is None:
        return {}
    node: dict[str, Any] = {
        "out_request_no": number,
        "out_trade_no": order.out_trade_no,
        "refund_amount": yuan(found.amount_fen),
        "refund_status": "REFUND_SUCCESS",
        "total_amount": yuan(order.total_fen),
        "trade_no": order.trade_no,
    }
    if "gmt_refund_pay" in options:
        node["gmt_refund_pay"] = moment(found.done_s)
    if "refund_detail_item_list" in options:
        node["refund_detail_item_list"] = _items(found)
    if "deposit_back_info" in options:
        node["deposit_back_info"] = {"has_deposit_back": "false"}
    return node
