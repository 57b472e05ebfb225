"""Statement files in the channels' formats, made here from scratch: what the readers must read and refuse."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date


def columns(names: str) -> list[str]:
    """A header line as its columns."""
    return names.split(",")


WECHAT_ALL = [
    "交易时间",
    "公众账号ID",
    "商户号",
    "特约商户号",
    "设备号",
    "微信订单号",
    "商户订单号",
    "用户标识",
    "交易类型",
    "交易状态",
    "付款银行",
    "货币种类",
    "应结订单金额",
    "代金券金额",
    "微信退款单号",
    "商户退款单号",
    "退款金额",
    "充值券退款金额",
    "退款类型",
    "退款状态",
    "商品名称",
    "商户数据包",
    "手续费",
    "费率",
    "订单金额",
    "申请退款金额",
    "费率备注",
]
WECHAT_OLD = [
    "交易时间",
    "公众账号ID",
    "商户号",
    "子商户号",
    "设备号",
    "微信订单号",
    "商户订单号",
    "用户标识",
    "交易类型",
    "交易状态",
    "付款银行",
    "货币种类",
    "总金额",
    "企业红包金额",
    "微信退款单号",
    "商户退款单号",
    "退款金额",
    "企业红包退款金额",
    "退款类型",
    "退款状态",
    "商品名称",
    "商户数据包",
    "手续费",
    "费率",
]
WECHAT_FUND = [
    "记账时间",
    "微信支付业务单号",
    "资金流水单号",
    "业务名称",
    "业务类型",
    "收支类型",
    "收支金额(元)",
    "账户结余(元)",
    "资金变更提交申请人",
    "备注",
    "业务凭证号",
]
ALIPAY_TRADE = [
    "支付宝交易号",
    "商户订单号",
    "业务类型",
    "商品名称",
    "创建时间",
    "完成时间",
    "门店编号",
    "门店名称",
    "操作员",
    "终端号",
    "对方账户",
    "订单金额（元）",
    "商家实收（元）",
    "支付宝红包（元）",
    "集分宝（元）",
    "支付宝优惠（元）",
    "商家优惠（元）",
    "券核销金额（元）",
    "券名称",
    "商家红包消费金额（元）",
    "卡消费金额（元）",
    "退款批次号/请求号",
    "服务费（元）",
    "分润（元）",
    "备注",
]
ALIPAY_FUND = [
    "账务流水号",
    "业务流水号",
    "商户订单号",
    "商品名称",
    "发生时间",
    "对方账号",
    "收入金额（+元）",
    "支出金额（-元）",
    "账户余额（元）",
    "交易渠道",
    "业务类型",
    "备注",
]
MCHID, PID, DAY = "1900007291", "2088102146225135", date(2026, 9, 1)


@dataclass(frozen=True)
class Row:
    """One trade or refund of a day; `refund_fen` None for a payment."""

    transaction_no: str
    out_trade_no: str
    amount_fen: int
    fee_fen: int = 0
    refund_no: str = "0"
    out_refund_no: str = "0"
    refund_fen: int | None = None
    status: str = "SUCCESS"
    at: str = "2026-09-01 10:00:00"
    name: str = "2026年9月物业费"
    state: str = ""
    currency: str = "CNY"
    type: str = "JSAPI"
    mchid: str = MCHID
    rate: str = "0.60%"


def yuan(fen: int, places: int = 2) -> str:
    """Fen as yuan with `places` decimals."""
    sign, size = ("-" if fen < 0 else ""), abs(fen)
    return f"{sign}{size // 100}.{size % 100:02d}{'0' * (places - 2)}"


def payment(number: int, amount_fen: int = 10_000, **more: object) -> Row:
    """The n-th payment, with the usual fee of 0.60 %."""
    fee_fen = (amount_fen * 60 + 5000) // 10000
    row = Row(f"4200000925202609{number:012d}", f"LL{number:022d}", amount_fen, fee_fen)
    return replace(row, **more)  # type: ignore[arg-type]


def refund(number: int, amount_fen: int = 1_000, **more: object) -> Row:
    """A refund of the n-th payment."""
    row = replace(
        payment(number), amount_fen=0, fee_fen=-((amount_fen * 60 + 5000) // 10000), refund_fen=amount_fen,
        refund_no=f"5030270999{number:018d}", out_refund_no=f"LR{number:022d}",
    )  # fmt: skip
    return replace(row, **more)  # type: ignore[arg-type]


def _ticked(values: Sequence[str]) -> str:
    return ",".join(f"`{value}" for value in values)


def _wechat_row(row: Row) -> dict[str, str]:
    refunded = row.refund_fen is not None
    return {
        "交易时间": row.at, "公众账号ID": "wxd678efh567hg6787", "商户号": row.mchid, "特约商户号": "0", "子商户号": "0",
        "微信订单号": row.transaction_no, "商户订单号": row.out_trade_no, "用户标识": "o1", "交易类型": row.type,
        "交易状态": row.state or ("REFUND" if refunded else "SUCCESS"), "付款银行": "OTHERS", "货币种类": row.currency,
        "应结订单金额": yuan(row.amount_fen), "订单金额": yuan(row.amount_fen), "总金额": yuan(row.amount_fen),
        "代金券金额": "0.00", "企业红包金额": "0.00", "微信退款单号": row.refund_no, "商户退款单号": row.out_refund_no,
        "退款金额": yuan(row.refund_fen or 0), "申请退款金额": yuan(row.refund_fen or 0), "充值券退款金额": "0.00",
        "企业红包退款金额": "0.00", "退款类型": "ORIGINAL" if refunded else "",
        "退款状态": row.status if refunded else "", "商品名称": row.name, "手续费": yuan(row.fee_fen, 5),
        "费率": row.rate,
    }  # fmt: skip


def wechat_trades(rows: Sequence[Row], names: Sequence[str] = WECHAT_ALL) -> bytes:
    """The trade bill of these rows with these columns."""
    paid, returned = sum(r.amount_fen for r in rows), sum(r.refund_fen or 0 for r in rows)
    fees = yuan(sum(r.fee_fen for r in rows), 5)
    lines = [",".join(names)]
    lines += [_ticked([_wechat_row(row).get(name, "") for name in names]) for row in rows]
    if "总金额" in names:
        lines += ["总交易单数,总交易额,总退款金额,总企业红包退款金额,手续费总金额"]
        lines += [_ticked([str(len(rows)), yuan(paid), yuan(returned), "0.00", fees])]
    else:
        lines += ["总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"]
        total = [str(len(rows)), yuan(paid), yuan(returned), "0.00", fees, yuan(paid), yuan(returned)]
        lines += [_ticked(total)]
    return b"\xef\xbb\xbf" + "".join(f"{line}\r\n" for line in lines).encode()


@dataclass(frozen=True)
class Move:
    """One movement of the account; positive where money came in."""

    kind: str
    business_no: str
    amount_fen: int
    flow_no: str
    reference: str = ""
    at: str = "2026-09-01 10:00:00"


def wechat_fund(moves: Sequence[Move]) -> bytes:
    """The fund flow of these movements."""
    lines, balance = [",".join(WECHAT_FUND)], 0
    for move in moves:
        balance += move.amount_fen
        way = "收入" if move.amount_fen > 0 else "支出"
        cells = [move.at, move.business_no, move.flow_no, move.kind, move.kind, way, yuan(abs(move.amount_fen))]
        lines.append(_ticked([*cells, yuan(balance), "system", "", move.reference]))
    came, went = [m.amount_fen for m in moves if m.amount_fen > 0], [-m.amount_fen for m in moves if m.amount_fen < 0]
    lines.append("资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额")
    total = [f"{len(moves)}.0", f"{len(came)}.0", yuan(sum(came)), f"{len(went)}.0", yuan(sum(went))]
    lines.append(_ticked(total))
    return b"\xef\xbb\xbf" + "".join(f"{line}\r\n" for line in lines).encode()


def alipay_trades(
    rows: Sequence[Row], *, end: str = "\r\n", on: date = DAY, pid: str = PID, names: Sequence[str] = ALIPAY_TRADE
) -> bytes:
    """The detail bill of these rows."""
    lines = _alipay_head("业务明细", on, pid, names)
    for row in rows:
        refunded = row.refund_fen is not None
        amount = -(row.refund_fen or 0) if refunded else row.amount_fen
        word = row.state or ("退款" if refunded else "交易")
        number = row.out_refund_no if refunded else ""
        cells = {
            "支付宝交易号": row.transaction_no + "\t", "商户订单号": row.out_trade_no + "\t", "业务类型": word + "\t",
            "商品名称": row.name, "创建时间": row.at, "完成时间": row.at, "门店编号": "\t", "门店名称": "\t",
            "操作员": "\t", "终端号": "\t", "对方账户": "*三(138******01)\t", "订单金额（元）": yuan(amount),
            "商家实收（元）": yuan(amount), "商家红包消费金额（元）": "0.00\t", "券名称": "",
            "退款批次号/请求号": number + "\t", "服务费（元）": yuan(-row.fee_fen), "备注": row.name,
        }  # fmt: skip
        lines.append(",".join(cells.get(name, "0.00") for name in names))
    paid, returned = [r for r in rows if r.refund_fen is None], [r for r in rows if r.refund_fen is not None]
    received, given = sum(r.amount_fen for r in paid), -sum(r.refund_fen or 0 for r in returned)
    lines += [
        "#-----------------------------------------业务明细列表结束------------------------------------",
        f"#交易合计：{len(paid)}笔，商家实收共{yuan(received)}元，商家优惠共0.00元",
        f"#退款合计：{len(returned)}笔，商家实收退款共{yuan(given)}元，商家优惠退款共0.00元",
        "#导出时间：[2026年09月02日 05:46:49]",
    ]
    return "".join(line + end for line in lines).encode("gb18030")


def alipay_fund(moves: Sequence[Move], *, end: str = "\r\n", on: date = DAY, pid: str = PID) -> bytes:
    """The account's detail of these movements."""
    lines, balance = _alipay_head("账务明细", on, pid, ALIPAY_FUND), 0
    for move in moves:
        balance += move.amount_fen
        came = yuan(move.amount_fen) if move.amount_fen > 0 else "0.00"
        went = yuan(move.amount_fen) if move.amount_fen < 0 else "0.00"
        cells = [move.flow_no + "\t", move.business_no + "\t", move.reference + "\t", "物业费", move.at, "*三\t"]
        lines.append(",".join([*cells, came, went, yuan(balance), "支付宝", move.kind + "\t", ""]))
    came_fen, went_fen = (sum(abs(m.amount_fen) for m in moves if (m.amount_fen > 0) is way) for way in (True, False))
    came_count = sum(m.amount_fen > 0 for m in moves)
    lines += [
        "#-----------------------------------------账务明细列表结束------------------------------------",
        f"#支出合计：{len(moves) - came_count}笔，共{yuan(went_fen)}元",
        f"#收入合计：{came_count}笔，共{yuan(came_fen)}元",
        "#导出时间：[2026年09月02日 05:46:49]",
    ]
    return "".join(line + end for line in lines).encode("gb18030")


def _alipay_head(title: str, on: date, pid: str, names: Sequence[str]) -> list[str]:
    first, last = (f"{day:%Y年%m月%d日} 00:00:00" for day in (on, date.fromordinal(on.toordinal() + 1)))
    return [
        f"#支付宝{title}查询", f"#账号：[{pid}0156]", f"#起始日期：[{first}]   终止日期：[{last}]",
        f"#-----------------------------------------{title}列表----------------------------------------",
        ",".join(names),
    ]  # fmt: skip
