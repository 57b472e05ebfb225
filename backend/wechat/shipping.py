"""Shipping reports (发货信息): a mini-program that takes money must say that it delivered, or its payment permission is
limited (wechat-miniprogram.md section 8, pitfalls B32). Fees are delivered at once: logistics type 3, virtual."""

from datetime import datetime

from backend.kernel.clock import SHANGHAI
from backend.wechat.api import WechatApi
from backend.wechat.apps import App
from backend.wechat.errors import Outcome, Refused, Sent
from backend.wechat.messages import outcome_of

PATH = "/wxa/sec/order/upload_shipping_info"
BY_OUT_TRADE_NO = 1
VIRTUAL = 3
UNIFIED = 1
ITEM_CHARS = 120
ALREADY_REPORTED = 10060023


async def upload_shipping_info(
    api: WechatApi, app: App, *, mchid: str, out_trade_no: str, openid: str, item: str, at: datetime
) -> Outcome:
    """Report that `item`, paid by our number, was delivered at the instant `at`.

    May be repeated as it is: that WeChat already has this very report counts as sent.
    """
    document = {
        "order_key": {"order_number_type": BY_OUT_TRADE_NO, "mchid": mchid, "out_trade_no": out_trade_no},
        "logistics_type": VIRTUAL,
        "delivery_mode": UNIFIED,
        "shipping_list": [{"item_desc": item[:ITEM_CHARS]}],
        "upload_time": at.astimezone(SHANGHAI).isoformat(timespec="milliseconds"),
        "payer": {"openid": openid},
    }
    outcome = await outcome_of(api, app, PATH, document)
    if isinstance(outcome, Refused) and outcome.errcode == ALREADY_REPORTED:
        return Sent()
    return outcome
