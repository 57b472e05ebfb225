"""Bills as files: CSV in GBK with comment lines and TABs, in a ZIP whose names are GBK without a flag (section 10).

The summary comes before the detail file in the archive. A row's amounts and the totals behind the rows always agree
here; what shall not agree is planted afterwards (sandbox/alipay_plants.py).
"""

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sandbox.alipay_fields import moment, yuan
from sandbox.alipay_lines import FEE, PAID_IN, PAYMENT, PAYOUT, REFUND, REFUNDED, AccountLine, TradeLine

ENCODING = "gb18030"
LINE_END = "\r\n"
EXPORTED_AT = "05:46:49"
ACCOUNT_SUFFIX = "0156"

TRADE_HEADER = (
    "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,订单金额（元）,"
    "商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,"
    "卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注"
)
TRADE_SUMMARY_HEADER = (
    "门店编号,门店名称,交易订单总笔数,退款订单总笔数,订单金额（元）,商家实收（元）,支付宝优惠（元）,商家优惠（元）,"
    "卡消费金额（元）,服务费（元）,分润（元）,实收净额（元）"
)
CLASSIC_ACCOUNT_COLUMNS = (
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
)
NEW_ACCOUNT_COLUMNS = (
    "发生时间",
    "账务流水号",
    "业务流水号",
    "业务基础订单号",
    "商户订单号",
    "业务类型",
    "业务描述",
    "收入金额（+元）",
    "支出金额（-元）",
    "账户余额（元）",
    "对方账号",
    "商品名称",
    "交易渠道",
    "业务账单来源",
    "备注",
)
ACCOUNT_SUMMARY_HEADER = "类型,收入笔数,收入金额（+元）,支出笔数,支出金额（-元）,总金额（元）"


@dataclass(frozen=True, slots=True)
class Period:
    """Whose bill it is, and of which days (`last` included)."""

    seller_id: str
    first: date
    last: date

    @property
    def label(self) -> str:
        """How names of files tell the day or month."""
        return f"{self.first:%Y%m%d}" if self.first == self.last else f"{self.first:%Y%m}"


def frame(period: Period, title: str, lists: str, header: str, rows: Sequence[str], trailers: Sequence[str]) -> str:
    """A file: comments, header, rows, comments."""
    end = period.last + timedelta(days=1)
    left, right = (40, 37) if lists.endswith("汇总") else (41, 36)
    lines = [
        f"#支付宝{title}查询",
        f"#账号：[{period.seller_id}{ACCOUNT_SUFFIX}]",
        f"#起始日期：[{period.first:%Y年%m月%d日} 00:00:00]   终止日期：[{end:%Y年%m月%d日} 00:00:00]",
        f"#{'-' * 41}{lists}列表{'-' * 40}",
        header,
        *rows,
        f"#{'-' * left}{lists}列表结束{'-' * right}",
        *trailers,
        f"#导出时间：[{end:%Y年%m月%d日} {EXPORTED_AT}]",
    ]
    return "".join(f"{line}{LINE_END}" for line in lines)


def trade_detail(period: Period, lines: Sequence[TradeLine]) -> str:
    """业务明细."""
    paid = [line.amount_fen for line in lines if line.kind == PAYMENT]
    refunded = [line.amount_fen for line in lines if line.kind == REFUND]
    trailers = [
        f"#交易合计：{len(paid)}笔，商家实收共{yuan(sum(paid))}元，商家优惠共0.00元",
        f"#退款合计：{len(refunded)}笔，商家实收退款共{yuan(sum(refunded))}元，商家优惠退款共0.00元",
    ]
    return frame(period, "业务明细", "业务明细", TRADE_HEADER, [_trade_row(line) for line in lines], trailers)


def _trade_row(line: TradeLine) -> str:
    amount, subject = yuan(line.amount_fen), one_line(line.subject)
    parts = [
        f"{line.trade_no}\t",
        f"{line.out_trade_no}\t",
        f"{line.kind}\t",
        subject,
        moment(line.created_s),
        moment(line.done_s),
        "\t",
        "\t",
        "\t",
        "\t",
        f"{line.account}\t",
        amount,
        amount,
        *["0.00"] * 5,
        "",
        "0.00\t",
        "0.00",
        f"{line.request_no}\t",
        yuan(line.fee_fen),
        "0.00",
        subject,
    ]
    return ",".join(parts)


def one_line(text: str) -> str:
    """A name that keeps to its row."""
    return text.replace("\r", " ").replace("\n", " ").replace("\t", " ")


def trade_summary(period: Period, lines: Sequence[TradeLine]) -> str:
    """业务明细(汇总): one row for the only store, and the sum."""
    paid, refunded = (sum(line.kind == kind for line in lines) for kind in (PAYMENT, REFUND))
    amount_fen, fee_fen = sum(line.amount_fen for line in lines), sum(line.fee_fen for line in lines)
    figures = [
        str(paid),
        str(refunded),
        yuan(amount_fen),
        yuan(amount_fen),
        "0.00",
        "0.00",
        "0.00",
        yuan(fee_fen),
        "0.00",
        yuan(amount_fen + fee_fen),
    ]
    rows = [",".join(["\t", "\t", *figures]), ",".join(["合计\t", "\t", *figures])]
    return frame(period, "业务汇总", "业务汇总", TRADE_SUMMARY_HEADER, rows, [])


def account_detail(period: Period, lines: Sequence[AccountLine], opening_fen: int, *, new_columns: bool) -> str:
    """账务明细, with the balance after each row; the newer layout has more columns in another order and no signs."""
    columns = NEW_ACCOUNT_COLUMNS if new_columns else CLASSIC_ACCOUNT_COLUMNS
    balance_fen, rows = opening_fen, []
    for line in lines:
        balance_fen += line.change_fen
        cells = _account_cells(line, balance_fen, signed=not new_columns)
        rows.append(",".join(cells[name] for name in columns))
    spent = [line.change_fen for line in lines if line.change_fen < 0]
    earned = [line.change_fen for line in lines if line.change_fen > 0]
    spent_fen = abs(sum(spent)) if new_columns else sum(spent)
    trailers = [
        f"#支出合计：{len(spent)}笔，共{yuan(spent_fen)}元",
        f"#收入合计：{len(earned)}笔，共{yuan(sum(earned))}元",
    ]
    return frame(period, "账务明细", "账务明细", ",".join(columns), rows, trailers)


def _account_cells(line: AccountLine, balance_fen: int, *, signed: bool) -> Mapping[str, str]:
    spent_fen = min(line.change_fen, 0) if signed else max(-line.change_fen, 0)
    return {
        "账务流水号": f"{line.flow_no}\t",
        "业务流水号": f"{line.business_no}\t",
        "商户订单号": f"{line.out_trade_no}\t",
        "商品名称": one_line(line.subject),
        "发生时间": moment(line.at_s),
        "对方账号": f"{line.account}\t",
        "收入金额（+元）": yuan(max(line.change_fen, 0)),
        "支出金额（-元）": yuan(spent_fen),
        "账户余额（元）": yuan(balance_fen),
        "交易渠道": "支付宝\t",
        "业务类型": f"{line.kind}\t",
        "备注": one_line(line.remark),
        "业务描述": f"{line.kind}\t",
        "业务账单来源": "商户平台\t",
        "业务基础订单号": f"{line.out_trade_no}\t",
    }


def account_summary(period: Period, lines: Sequence[AccountLine]) -> str:
    """账务明细(汇总): one row per kind, and the sum."""
    kinds = [*dict.fromkeys((PAID_IN, REFUNDED, FEE, PAYOUT, *(line.kind for line in lines)))]
    rows = [_summed(kind, [line.change_fen for line in lines if line.kind == kind]) for kind in kinds]
    rows.append(_summed("合计", [line.change_fen for line in lines]))
    return frame(period, "账务汇总", "账务汇总", ACCOUNT_SUMMARY_HEADER, rows, [])


def _summed(kind: str, changes: Sequence[int]) -> str:
    earned, spent = [fen for fen in changes if fen > 0], [fen for fen in changes if fen < 0]
    figures = (str(len(earned)), yuan(sum(earned)), str(len(spent)), yuan(sum(spent)), yuan(sum(changes)))
    return ",".join((f"{kind}\t", *figures))


class _GbkEntry(zipfile.ZipInfo):
    """An entry whose name is GBK bytes without the UTF-8 flag, as the real archives have it."""

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:
        return self.filename.encode(ENCODING), self.flag_bits & ~0x800


def archive(period: Period, name: str, *, summary: str, detail: bytes) -> bytes:
    """The ZIP of a bill; the detail file comes as bytes, because it may have been damaged on purpose."""
    stem = f"{period.seller_id}{ACCOUNT_SUFFIX}_{period.label}_{name}"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as made:
        for file_name, content in ((f"{stem}(汇总).csv", summary.encode(ENCODING)), (f"{stem}.csv", detail)):
            entry = _GbkEntry(file_name, (period.last + timedelta(days=1)).timetuple()[:6])
            entry.compress_type = zipfile.ZIP_DEFLATED
            made.writestr(entry, content)
    return packed.getvalue()
