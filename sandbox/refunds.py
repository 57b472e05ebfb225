"""Refunds on the wire: create, query, and another way for an abnormal one (protocols/wechat-pay-v3.md section 9).

A repeated number with identical parameters finds the same refund; with other parameters it is refused.
"""

import json
import re
from typing import Any

from sandbox import keys, pay_books, pay_fields, refund_books
from sandbox.errors import PayError
from sandbox.notifications import POSTMAN
from sandbox.pay_books import Order
from sandbox.pay_edge import Answer, PayCall
from sandbox.pay_fields import Group, ListOf, Text, Whole
from sandbox.pay_orders import check_notify_url
from sandbox.refund_books import Refund, RefundState

OUT_REFUND_NO = re.compile(r"[0-9A-Za-z_\-|*@]+")
FUNDS_ACCOUNTS = re.compile("AVAILABLE|UNSETTLED")
WAYS = re.compile("USER_BANK_CARD|MERCHANT_BANK_CARD")

CREATE_BODY = Group(
    {
        "sub_mchid": Text(32),
        "transaction_id": Text(32),
        "out_trade_no": Text(32),
        "out_refund_no": Text(64, required=True, pattern=OUT_REFUND_NO),
        "reason": Text(80, shortest=0),
        "notify_url": Text(256),
        "funds_account": Text(32, pattern=FUNDS_ACCOUNTS),
        "amount": Group(
            {
                "refund": Whole(1, required=True),
                "total": Whole(1, required=True),
                "currency": Text(16, required=True),
                "from": ListOf(Group({"account": Text(32, required=True), "amount": Whole(1, required=True)})),
            },
            required=True,
        ),
        "goods_detail": ListOf(
            Group(
                {
                    "merchant_goods_id": Text(32, required=True),
                    "wechatpay_goods_id": Text(32),
                    "goods_name": Text(256),
                    "unit_price": Whole(0, required=True),
                    "refund_amount": Whole(0, required=True),
                    "refund_quantity": Whole(1, required=True),
                }
            )
        ),
    }
)
ABNORMAL_BODY = Group(
    {
        "sub_mchid": Text(32),
        "out_refund_no": Text(64, required=True, pattern=OUT_REFUND_NO),
        "type": Text(32, required=True, pattern=WAYS),
        "bank_type": Text(16),
        "bank_account": Text(1024),
        "real_name": Text(1024),
    }
)


async def create(call: PayCall) -> Answer:
    """POST /v3/refund/domestic/refunds: accepted, which is never proof of success."""
    wanted = pay_fields.parse(call.body, CREATE_BODY)
    request = json.dumps(wanted, ensure_ascii=False, sort_keys=True)
    known = refund_books.find(call.world, call.merchant.mchid, wanted["out_refund_no"])
    if known is not None:
        if known.request != request:
            raise PayError(400, "INVALID_REQUEST", "请求重入时，参数与首次请求时不一致", number=268498688)
        return Answer(refund_books.view(known))
    order = _order(call, wanted)
    _check_request(order, wanted)
    refund = refund_books.accept(call.world, order, wanted, request)
    call.request.app[POSTMAN].wake()
    return Answer(refund_books.view(refund))


def _order(call: PayCall, wanted: dict[str, Any]) -> Order:
    mchid, transaction_id, out_trade_no = call.merchant.mchid, wanted.get("transaction_id"), wanted.get("out_trade_no")
    if transaction_id is None and out_trade_no is None:
        raise _parameter("/transaction_id", "transaction_id和out_trade_no二选一")
    order: Order | None = None
    if transaction_id is not None:
        order = pay_books.find_by_transaction(call.world, mchid, transaction_id)
    else:
        order = pay_books.find(call.world, mchid, out_trade_no or "")
    if order is None or (out_trade_no is not None and order.out_trade_no != out_trade_no):
        raise PayError(404, "RESOURCE_NOT_EXISTS", "订单不存在", number=268512771)
    if order.sub_mchid != wanted.get("sub_mchid", ""):
        raise PayError(400, "INVALID_REQUEST", "sub_mchid与订单不一致", number=268447845)
    return order


def _check_request(order: Order, wanted: dict[str, Any]) -> None:
    amount = wanted["amount"]
    if not order.is_paid:
        raise PayError(400, "INVALID_REQUEST", "订单未支付，不能退款")
    if amount["currency"] != "CNY":
        raise _parameter("/amount/currency", "仅支持人民币CNY")
    if amount["total"] != order.total_fen:
        raise PayError(400, "INVALID_REQUEST", "订单金额与原订单不一致")
    if wanted.get("notify_url"):
        check_notify_url(wanted["notify_url"])


def _parameter(field: str, message: str) -> PayError:
    detail = {"field": field, "value": "", "issue": message, "location": "body"}
    return PayError(400, "PARAM_ERROR", message, number=pay_fields.PARAMETER_NUMBER, detail=detail)


async def query(call: PayCall) -> Answer:
    """GET /v3/refund/domestic/refunds/{out_refund_no}."""
    found = refund_books.find(call.world, call.merchant.mchid, call.request.match_info["out_refund_no"])
    refund, hostile = _of_caller(found, call.request.query.get("sub_mchid", "")), call.world.hostile
    told = refund_books.view(refund)
    if hostile.spend("lie_answers", refund.out_refund_no):
        told["amount"]["refund"] = max(1, refund.amount_fen + hostile.scenario.error_fen("lie_answers"))
    return Answer(told)


def _of_caller(refund: Refund | None, sub_mchid: str) -> Refund:
    if refund is None or refund.sub_mchid != sub_mchid:
        raise PayError(404, "RESOURCE_NOT_EXISTS", "退款单不存在")
    return refund


async def apply_abnormal(call: PayCall) -> Answer:
    """POST .../refunds/{refund_id}/apply-abnormal-refund: the money goes to a bank card instead.

    The payer's card and name come encrypted (section 5) with the key that `Wechatpay-Serial` names.
    """
    wanted = pay_fields.parse(call.body, ABNORMAL_BODY)
    refund = refund_books.find_by_id(call.world, call.merchant.mchid, call.request.match_info["refund_id"])
    refund = _of_caller(refund, wanted.get("sub_mchid", ""))
    if refund.out_refund_no != wanted["out_refund_no"]:
        raise PayError(400, "INVALID_REQUEST", "out_refund_no与退款单不一致")
    if refund.state is not RefundState.ABNORMAL:
        raise PayError(400, "INVALID_REQUEST", "退款单不是异常状态，不能发起异常退款")
    if wanted["type"] == "MERCHANT_BANK_CARD":
        retried = refund_books.try_anew(call.world, refund, channel="OTHER_BANKCARD", account="商户结算银行账户")
    else:
        card, name = _opened(call, wanted)
        retried = refund_books.try_anew(
            call.world, refund, channel="OTHER_BANKCARD", account=f"{name[:1]}*的银行卡{card[-4:]}"
        )
    return Answer(refund_books.view(retried))


def _opened(call: PayCall, wanted: dict[str, Any]) -> tuple[str, str]:
    signer = call.world.keys.named(call.request.headers.get("Wechatpay-Serial", ""))
    if signer is None:
        raise PayError(400, "PARAM_ERROR", "敏感信息加密所用的密钥未知，请检查请求头Wechatpay-Serial")
    opened = []
    for field in ("bank_account", "real_name"):
        if field not in wanted:
            raise _parameter(f"/{field}", f"缺少必填参数: {field}")
        plain = keys.unseal(signer.key, wanted[field])
        if not plain:
            raise _parameter(f"/{field}", "敏感信息解密失败")
        opened.append(plain)
    return opened[0], opened[1]
