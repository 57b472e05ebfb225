"""Reading Alipay's statements (账单): 业务明细 (trades and refunds) and 账务明细 (movements of the account).

The format is that of alipay.md section 10: GBK (read as gb18030), comment lines that begin with `#`, cells that end
in a TAB, no quotation marks; the totals stand in the comment lines behind the rows. A name with commas in it is
accepted only where exactly one reading of the row fits all its typed columns. Keeps F-21; see `reading` for what all
readers promise.

服务费: the sign in the file is not to be relied on (alipay.md 10.1); a payment's fee is charged, a refund's returned.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from itertools import repeat
from typing import BinaryIO

from payments.reconcile.reading import (
    FEN,
    FUND_COLUMNS,
    LINE_BYTES,
    MFEN,
    TAIL_BYTES,
    TRADE_COLUMNS,
    Cells,
    Refused,
    Told,
    agree,
    blocks,
    grid,
    header,
    lines,
    number,
    odd_word,
    texts,
    times,
    whole,
)

ENCODING = "gb18030"
COMMENT, COMMA = b"#", b","
HEAD_LINES = 12

TRADE_NAMES: Mapping[str, bool] = {
    "支付宝交易号": True,
    "商户订单号": True,
    "业务类型": True,
    "商品名称": False,
    "创建时间": True,
    "完成时间": True,
    "门店编号": False,
    "门店名称": False,
    "操作员": False,
    "终端号": False,
    "对方账户": False,
    "订单金额（元）": True,
    "商家实收（元）": True,
    "支付宝红包（元）": False,
    "集分宝（元）": False,
    "支付宝优惠（元）": False,
    "商家优惠（元）": True,
    "券核销金额（元）": False,
    "券名称": False,
    "商家红包消费金额（元）": False,
    "卡消费金额（元）": False,
    "退款批次号/请求号": True,
    "服务费（元）": True,
    "分润（元）": False,
    "备注": False,
}
FUND_NAMES: Mapping[str, bool] = {
    "账务流水号": True,
    "业务流水号": True,
    "商户订单号": True,
    "商品名称": False,
    "发生时间": True,
    "对方账号": False,
    "收入金额（+元）": True,
    "支出金额（-元）": True,
    "账户余额（元）": True,
    "交易渠道": False,
    "业务类型": True,
    "备注": False,
    "业务描述": False,
    "业务账单来源": False,
    "业务基础订单号": False,
    "业务订单号": False,
    "付款备注": False,
}
FREE = ("商品名称", "备注")
TYPED = {
    "支付宝交易号": re.compile(rb"[!-~]{1,64}"),
    "商户订单号": re.compile(rb"[!-~]{0,64}"),
    "创建时间": re.compile(rb"[-0-9]{10} [:0-9]{8}"),
    "完成时间": re.compile(rb"[-0-9]{10} [:0-9]{8}"),
    "发生时间": re.compile(rb"[-0-9]{10} [:0-9]{8}"),
    "账户余额（元）": re.compile(rb"-?[0-9]+(\.[0-9]{1,2})?"),
    "订单金额（元）": re.compile(rb"-?[0-9]+(\.[0-9]{1,2})?"),
    "商家实收（元）": re.compile(rb"-?[0-9]+(\.[0-9]{1,2})?"),
    "商家优惠（元）": re.compile(rb"-?[0-9]+(\.[0-9]{1,2})?"),
    "服务费（元）": re.compile(rb"-?[0-9]+(\.[0-9]{1,5})?"),
}
KINDS = {"交易".encode(ENCODING): b"payment", "退款".encode(ENCODING): b"refund"}
FUND_KINDS = {
    "在线支付": b"payment",
    "交易付款": b"payment",
    "交易": b"payment",
    "交易退款": b"refund",
    "退款": b"refund",
    "收费": b"fee",
    "退费": b"fee",
    "提现": b"payout",
}
_ACCOUNT = re.compile(r"#账号：\[([0-9]{16})[0-9]{4}\]")
_PERIOD = re.compile(r"#起始日期：\[([0-9]{4})年([0-9]{2})月([0-9]{2})日 00:00:00\]")
_PAID = re.compile(r"#交易合计：([0-9]+)笔，商家实收共(-?[0-9.]+)元，商家优惠共(-?[0-9.]+)元")
_REFUNDED = re.compile(r"#退款合计：([0-9]+)笔，商家实收退款共(-?[0-9.]+)元，商家优惠退款共(-?[0-9.]+)元")
_SPENT = re.compile(r"#支出合计：([0-9]+)笔，共(-?[0-9.]+)元")
_EARNED = re.compile(r"#收入合计：([0-9]+)笔，共(-?[0-9.]+)元")


class _File:
    """The frame that both files share: comment lines, header, rows, comment lines."""

    def __init__(self, title: str, names: Mapping[str, bool], pid: str, on: date) -> None:
        self._title, self._names, self._pid, self._on = title, names, pid, on
        self._at: dict[str, int] = {}
        self._end = b"\n"

    def grids(self, file: BinaryIO) -> Iterator[list[bytes]]:
        """The cells of each block; the lines behind the rows are read at the end."""
        self._head(file)
        tail = b""
        for block in blocks(file, self._end):
            if tail:
                tail += block
            else:
                data, tail = self._split(block)
                if data:
                    yield self._grid(data.replace(b"\t", b""))
            if len(tail) > TAIL_BYTES:
                raise Refused("账单的合计之后还有内容。")
        self._tail(tail)

    def _head(self, file: BinaryIO) -> None:
        first = file.readline(LINE_BYTES)
        self._end = b"\r\n" if first.endswith(b"\r\n") else b"\n"
        comments = [_plain(first)]
        for _ in range(HEAD_LINES):
            line = file.readline(LINE_BYTES)
            if not line.endswith(self._end):
                raise Refused("账单不完整：没有表头。")
            if not line.startswith(COMMENT):
                break
            comments.append(_plain(line))
        else:
            raise Refused("账单的开头无法识别。")
        self._at = header(_plain(line).split(","), self._names)
        if comments[0] != f"#支付宝{self._title}查询":
            raise Refused(f"这不是支付宝的{self._title}账单。")
        account, period = _one(_ACCOUNT, comments, "账号"), _one(_PERIOD, comments, "起始日期")
        if account[0] != self._pid:
            raise Refused("账单的账号不是这个商户的。")
        if "-".join(period) != self._on.isoformat():
            raise Refused("账单的日期不是要核对的这一天。")

    def _split(self, block: bytes) -> tuple[bytes, bytes]:
        """The rows of a block, and the comment lines if they begin here."""
        if block.startswith(COMMENT):
            return b"", block
        cut = block.find(self._end + COMMENT)
        return (block, b"") if cut < 0 else (block[: cut + len(self._end)], block[cut + len(self._end) :])

    def _grid(self, data: bytes) -> list[bytes]:
        width = len(self._at)
        cells = grid(data[: -len(self._end)], self._end, COMMA, width=width)
        if cells is None:
            cells = [cell for row in data.split(self._end)[:-1] for cell in self._row(row)]
        return cells

    def _row(self, row: bytes) -> list[bytes]:
        """One row whose names may have commas; Refused unless exactly one reading fits every typed column."""
        parts = row.split(COMMA)
        surplus = len(parts) - len(self._at)
        free = [self._at[name] for name in FREE if name in self._at]
        if surplus < 0 or not free or surplus > 200:
            raise Refused(f"账单里有一行的列数与表头不同：{_plain(row)[:40]}。")
        readings = []
        for first in range(surplus + 1) if len(free) == 2 else (surplus,):
            cells = _merged(parts, sorted(zip(free, (first, surplus - first), strict=False)))
            if all(kind.fullmatch(cells[self._at[name]]) for name, kind in TYPED.items() if name in self._at):
                readings.append(cells)
        if len(readings) != 1:
            raise Refused(f"账单里有一行的列无法确定：{_plain(row)[:40]}。")
        return readings[0]

    def _tail(self, tail: bytes) -> None:
        if not tail.endswith(self._end):
            raise Refused("账单不完整：没有合计。")
        comments = [_plain(line) for line in tail.split(self._end)[:-1]]
        if not all(line.startswith("#") for line in comments):
            raise Refused("账单的合计之后还有内容。")
        if not re.fullmatch(rf"#-+{re.escape(self._title)}列表结束-+", comments[0]):
            raise Refused("账单不完整：没有列表结束的标记。")
        if not comments[-1].startswith("#导出时间：["):
            raise Refused("账单不完整：没有导出时间。")
        self.check(comments)

    def check(self, comments: list[str]) -> None:
        """Hold the totals against what was read."""
        raise AssertionError

    def column(self, cells: list[bytes], name: str) -> Cells:
        return cells[self._at[name] :: len(self._at)]


class TradeBill(_File):
    """业务明细: trades and refunds of one merchant on one day."""

    columns = TRADE_COLUMNS

    def __init__(self, pid: str, on: date) -> None:
        super().__init__("业务明细", TRADE_NAMES, pid, on)
        self._told = Told()
        self._received = {b"payment": [0, 0], b"refund": [0, 0]}

    @property
    def told(self) -> Told:
        return self._told

    def rows(self, file: BinaryIO) -> Iterator[bytes]:
        for cells in self.grids(file):
            yield self._block(cells)

    def _block(self, cells: list[bytes]) -> bytes:
        types = self.column(cells, "业务类型")
        kinds = [KINDS.get(cell, b"odd") for cell in types]
        words = {cell: b"" if cell in KINDS else b"type:" + odd_word(cell, ENCODING) for cell in set(types)}
        given, _ = whole(self.column(cells, "订单金额（元）"), FEN, "订单金额（元）")
        fees, _ = whole(self.column(cells, "服务费（元）"), MFEN, "服务费（元）")
        mixed = kinds.count(b"payment") != len(kinds)
        if mixed:
            given = [_turned(value) if kind == b"refund" else value for kind, value in zip(kinds, given, strict=True)]
        if any(cell.startswith(b"-") and cell.strip(b"-0") for cell in given):
            raise Refused("账单里有交易的金额为负，或退款的金额为正。")
        fees = [_charged(value, kind) for kind, value in zip(kinds, fees, strict=True)]
        self._receive(cells, kinds)
        self._add_up(kinds, given, fees)
        numbers = self.column(cells, "退款批次号/请求号")
        return lines(
            kinds,
            texts(self.column(cells, "支付宝交易号"), "支付宝交易号"),
            texts(self.column(cells, "商户订单号"), "商户订单号"),
            repeat(b""),
            texts(numbers, "退款批次号/请求号", empty=True) if mixed else repeat(b""),
            given,
            fees,
            repeat(rb"\N"),
            repeat(b""),
            times(self.column(cells, "完成时间"), "完成时间"),
            [words[cell] for cell in types],
        )

    def _receive(self, cells: list[bytes], kinds: Cells) -> None:
        """What the merchant received, by kind: the totals behind the rows speak of this."""
        for position, name in enumerate(("商家实收（元）", "商家优惠（元）")):
            values, total = whole(self.column(cells, name), FEN, name)
            if kinds.count(b"payment") == len(kinds):
                self._received[b"payment"][position] += total
                continue
            for kind, value in zip(kinds, values, strict=True):
                if kind in self._received:
                    self._received[kind][position] += int(value)

    def _add_up(self, kinds: Cells, given: Cells, fees: Cells) -> None:
        told, by_kind = self._told, {b"payment": 0, b"refund": 0, b"odd": 0}
        if kinds.count(b"payment") == len(kinds):
            by_kind[b"payment"] = sum(map(int, given))
        else:
            for kind, value in zip(kinds, given, strict=True):
                by_kind[kind] += int(value)
        self._told = Told(
            told.lines + len(kinds),
            told.payments + kinds.count(b"payment"),
            told.amount_fen + by_kind[b"payment"],
            told.refunds + kinds.count(b"refund"),
            told.refund_fen + by_kind[b"refund"],
            told.fee_mfen + sum(map(int, fees)),
        )

    def check(self, comments: list[str]) -> None:
        paid, refunded = _one(_PAID, comments, "交易合计"), _one(_REFUNDED, comments, "退款合计")
        payments, refunds = self._received[b"payment"], self._received[b"refund"]
        agree("交易合计笔数", told=int(paid[0]), found=self._told.payments)
        agree("退款合计笔数", told=int(refunded[0]), found=self._told.refunds)
        for what, text, found in (
            ("商家实收", paid[1], payments[0]),
            ("商家优惠", paid[2], payments[1]),
            ("商家实收退款", refunded[1], refunds[0]),
            ("商家优惠退款", refunded[2], refunds[1]),
        ):
            agree(what, told=number(text.encode(), FEN, what), found=found)


class FundFlow(_File):
    """账务明细: every movement of the merchant's account on one day."""

    columns = FUND_COLUMNS

    def __init__(self, pid: str, on: date) -> None:
        super().__init__("账务明细", FUND_NAMES, pid, on)
        self._in = self._out = (0, 0)

    @property
    def told(self) -> Told:
        (came, in_fen), (went, out_fen) = self._in, self._out
        return Told(came + went, came, in_fen, went, out_fen)

    def rows(self, file: BinaryIO) -> Iterator[bytes]:
        for cells in self.grids(file):
            yield self._block(cells)

    def _block(self, cells: list[bytes]) -> bytes:
        incomes = self._figures(cells, "收入金额（+元）")
        expenses = self._figures(cells, "支出金额（-元）")
        whole(self.column(cells, "账户余额（元）"), FEN, "账户余额（元）")
        if any(bool(income) == bool(expense) for income, expense in zip(incomes, expenses, strict=True)):
            raise Refused("账单里有一行没有收支金额，或既有收入又有支出。")
        self._in = (self._in[0] + sum(map(bool, incomes)), self._in[1] + sum(incomes))
        self._out = (self._out[0] + sum(map(bool, expenses)), self._out[1] + sum(expenses))
        types = self.column(cells, "业务类型")
        known = {cell: FUND_KINDS.get(_plain(cell), b"odd") for cell in set(types)}
        words = {cell: b"" if kind != b"odd" else b"type:" + odd_word(cell, ENCODING) for cell, kind in known.items()}
        return lines(
            [known[cell] for cell in types],
            texts(self.column(cells, "账务流水号"), "账务流水号"),
            texts(self.column(cells, "业务流水号"), "业务流水号", empty=True),
            texts(self.column(cells, "商户订单号"), "商户订单号", empty=True),
            [b"%d" % (income - expense) for income, expense in zip(incomes, expenses, strict=True)],
            times(self.column(cells, "发生时间"), "发生时间"),
            [words[cell] for cell in types],
        )

    def _figures(self, cells: list[bytes], name: str) -> list[int]:
        """Absolute values: expenses carry a sign or not (alipay.md 10.3); an empty cell is nothing."""
        values, _ = whole([cell.strip() or b"0.00" for cell in self.column(cells, name)], FEN, name)
        return [abs(int(value)) for value in values]

    def check(self, comments: list[str]) -> None:
        spent, earned = _one(_SPENT, comments, "支出合计"), _one(_EARNED, comments, "收入合计")
        agree("支出合计笔数", told=int(spent[0]), found=self._out[0])
        agree("收入合计笔数", told=int(earned[0]), found=self._in[0])
        agree("支出合计", told=abs(number(spent[1].encode(), FEN, "支出合计")), found=self._out[1])
        agree("收入合计", told=number(earned[1].encode(), FEN, "收入合计"), found=self._in[1])


def _merged(parts: list[bytes], free: list[tuple[int, int]]) -> list[bytes]:
    """`parts` with each free column taking so many surplus ones; columns by their place in the header."""
    cells: list[bytes] = []
    position, takes = 0, dict(free)
    while position < len(parts):
        more = takes.get(len(cells), 0)
        cells.append(COMMA.join(parts[position : position + more + 1]))
        position += more + 1
    return cells


def _turned(value: bytes) -> bytes:
    return value[1:] if value.startswith(b"-") else b"-" + value


def _charged(value: bytes, kind: bytes) -> bytes:
    size = value.removeprefix(b"-")
    return b"-" + size if kind == b"refund" and size.strip(b"0") else size


def _one(pattern: re.Pattern[str], comments: list[str], what: str) -> tuple[str, ...]:
    found = [match for line in comments if (match := pattern.match(line))]
    if len(found) != 1:
        raise Refused(f"账单不完整：没有“{what}”，或有不止一处。")
    return tuple(found[0].groups())


def _plain(line: bytes) -> str:
    """A line or cell as text, without what spreadsheets pad it with."""
    try:
        return line.decode(ENCODING).replace("\t", "").strip().rstrip(",").rstrip()
    except UnicodeDecodeError as error:
        raise Refused("账单不是 GBK 编码，无法识别。") from error
