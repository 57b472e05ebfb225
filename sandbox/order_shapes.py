"""Bodies of order requests, direct and of a service provider (protocols/wechat-pay-v3.md sections 7 and 13)."""

import re

from sandbox.pay_fields import Flag, Group, ListOf, Rule, Text, Whole

OUT_TRADE_NO = re.compile(r"[0-9A-Za-z_\-|*]+")
H5_TYPES = re.compile("Wap|iOS|Android")

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
SCENE: dict[str, Rule] = {
    "payer_client_ip": Text(45, required=True),
    "device_id": Text(32),
    "store_info": STORE,
}
H5_INFO = Group(
    {
        "type": Text(16, required=True, pattern=H5_TYPES),
        "app_name": Text(64),
        "app_url": Text(128),
        "bundle_id": Text(128),
        "package_name": Text(128),
    },
    required=True,
)
ORDER: dict[str, Rule] = {
    "description": Text(127, required=True),
    "out_trade_no": Text(32, required=True, shortest=6, pattern=OUT_TRADE_NO),
    "notify_url": Text(255, required=True),
    "amount": Group({"total": Whole(1, required=True), "currency": Text(16)}, required=True),
    "time_expire": Text(64),
    "attach": Text(128, shortest=0),
    "goods_tag": Text(32, shortest=0),
    "support_fapiao": Flag(),
    "detail": Group({"cost_price": Whole(0), "invoice_id": Text(32), "goods_detail": ListOf(GOODS)}, longest=6144),
}
DIRECT: dict[str, Rule] = {
    "appid": Text(32, required=True),
    "mchid": Text(32, required=True),
    "settle_info": Group({"profit_sharing": Flag()}),
}
PARTNER: dict[str, Rule] = {
    "sp_appid": Text(32, required=True),
    "sp_mchid": Text(32, required=True),
    "sub_appid": Text(32),
    "sub_mchid": Text(32, required=True),
    "settle_info": Group({"profit_sharing": Flag(), "subsidy_amount": Whole(0)}),
}
BY_TYPE: dict[str, dict[str, Rule]] = {
    "JSAPI": {"scene_info": Group(SCENE)},
    "NATIVE": {"scene_info": Group(SCENE)},
    "MWEB": {"scene_info": Group({**SCENE, "h5_info": H5_INFO}, required=True)},
}
DIRECT_PAYER: dict[str, Rule] = {"payer": Group({"openid": Text(128, required=True)}, required=True)}
PARTNER_PAYER: dict[str, Rule] = {
    "payer": Group({"sp_openid": Text(128), "sub_openid": Text(128)}, required=True),
}
CLOSE = Group({"mchid": Text(32, required=True)})
PARTNER_CLOSE = Group({"sp_mchid": Text(32, required=True), "sub_mchid": Text(32, required=True)})


def order_body(trade_type: str, *, partner: bool) -> Group:
    """The body of an order of this type; only JSAPI names its payer."""
    payer: dict[str, Rule] = {}
    if trade_type == "JSAPI":
        payer = PARTNER_PAYER if partner else DIRECT_PAYER
    return Group({**ORDER, **(PARTNER if partner else DIRECT), **BY_TYPE[trade_type], **payer})
