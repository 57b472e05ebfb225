"""Columns and words of WeChat Pay's statements (wechat-pay-v3.md section 11.2), as data: new and old."""

from collections.abc import Mapping

TRADE_NAMES: Mapping[str, bool] = {
    "交易时间": True,
    "公众账号ID": True,
    "商户号": True,
    "特约商户号": False,
    "子商户号": False,
    "设备号": False,
    "微信订单号": True,
    "商户订单号": True,
    "用户标识": False,
    "交易类型": True,
    "交易状态": True,
    "付款银行": False,
    "货币种类": True,
    "应结订单金额": False,
    "总金额": False,
    "代金券金额": False,
    "企业红包金额": False,
    "代金券或立减优惠金额": False,
    "退款申请时间": False,
    "退款成功时间": False,
    "微信退款单号": False,
    "商户退款单号": False,
    "退款金额": False,
    "充值券退款金额": False,
    "企业红包退款金额": False,
    "代金券或立减优惠退款金额": False,
    "退款类型": False,
    "退款状态": False,
    "商品名称": False,
    "商户数据包": False,
    "手续费": True,
    "费率": False,
    "订单金额": False,
    "申请退款金额": False,
    "费率备注": False,
}
# Each figure of the summary, and the columns of which the first that is there adds up to it.
TRADE_TOTALS: Mapping[str, tuple[str, ...]] = {
    "总交易单数": (),
    "应结订单总金额": ("应结订单金额",),
    "退款总金额": ("退款金额",),
    "充值券退款总金额": ("充值券退款金额",),
    "手续费总金额": ("手续费",),
    "订单总金额": ("订单金额",),
    "申请退款总金额": ("申请退款金额",),
    "总交易额": ("总金额",),
    "总金额": ("总金额",),
    "总退款金额": ("退款金额",),
    "总企业红包退款金额": ("企业红包退款金额",),
    "总代金券或立减优惠退款金额": ("代金券或立减优惠退款金额",),
}
FUND_NAMES: Mapping[str, bool] = {
    "记账时间": True,
    "微信支付业务单号": True,
    "资金流水单号": True,
    "业务名称": True,
    "业务类型": True,
    "收支类型": True,
    "收支金额(元)": True,
    "账户结余(元)": True,
    "资金变更提交申请人": False,
    "备注": False,
    "业务凭证号": True,
}
FUND_TOTALS = ("资金流水总笔数", "收入笔数", "收入金额", "支出笔数", "支出金额")
TRADE_TYPES = frozenset({b"JSAPI", b"NATIVE", b"APP", b"MWEB", b"H5", b"MICROPAY", b"FACEPAY"})
CNY, PAYMENT, REFUND = b"CNY", b"SUCCESS", b"REFUND"
KINDS = {PAYMENT: b"payment", REFUND: b"refund"}
FUND_KINDS = {
    "交易": b"payment",
    "退款": b"refund",
    "扣除交易手续费": b"fee",
    "退还交易手续费": b"fee",
    "提现": b"payout",
    "结算": b"payout",
}
