"""Reading WeChat Pay's statements (账单): trades (ALL, SUCCESS, REFUND, new and old columns) and the fund flow.

The format is that of wechat-pay-v3.md section 11.2: UTF-8 with BOM, CRLF, a back-tick before every value, rows split at
comma and back-tick, a summary in the last two lines. Keeps F-21; see `reading` for what all readers promise.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
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
    same,
    texts,
    times,
    whole,
)
from payments.reconcile.wechat_columns import (
    CNY,
    FUND_KINDS,
    FUND_NAMES,
    FUND_TOTALS,
    KINDS,
    PAYMENT,
    REFUND,
    TRADE_NAMES,
    TRADE_TOTALS,
    TRADE_TYPES,
)

BOM, CRLF, TICK = b"\xef\xbb\xbf", b"\r\n", b"`"
SEPARATOR = b",`"

INCOME, EXPENSE = "收入".encode(), "支出".encode()


class _File:
    """The frame that all files of WeChat Pay share: header, rows behind back-ticks, summary."""

    def __init__(self, names: Mapping[str, bool], totals: Sequence[str]) -> None:
        self._names, self._totals = names, totals
        self._at: dict[str, int] = {}
        self._count = 0

    def grids(self, file: BinaryIO) -> Iterator[list[bytes]]:
        """The cells of each block; the summary is read at the end."""
        first = file.readline(LINE_BYTES)
        if not first.startswith(BOM) or not first.endswith(CRLF):
            raise Refused("这不是微信支付的账单：开头的标记或表头不对。")
        self._at = header(_words(first[len(BOM) :]), self._names)
        tail = b""
        for block in blocks(file, CRLF):
            if tail:
                tail += block
            else:
                data, tail = self._split(block)
                if data:
                    yield self._grid(data)
            if len(tail) > TAIL_BYTES:
                raise Refused("账单的汇总之后还有内容。")
        self._summary(tail)

    def _split(self, block: bytes) -> tuple[bytes, bytes]:
        """The rows of a block, and the summary if it begins here."""
        start = self._totals[0].encode()
        if block.startswith(start):
            return b"", block
        cut = block.find(CRLF + start)
        return (block, b"") if cut < 0 else (block[: cut + len(CRLF)], block[cut + len(CRLF) :])

    def _grid(self, data: bytes) -> list[bytes]:
        body, width = data[len(TICK) : -len(CRLF)], len(self._at)
        cells = grid(body, CRLF + TICK, SEPARATOR, width=width)
        # A row that does not begin with a back-tick leaves its line end in a cell.
        if cells is None or not data.startswith(TICK) or body.count(b"\r") != len(cells) // width - 1:
            raise Refused(f"账单第 {self._odd_row(data)} 行的列数与表头不同，或行的开头不对。")
        self._count += len(cells) // width
        return cells

    def _odd_row(self, data: bytes) -> int:
        for position, row in enumerate(data.split(CRLF)):
            if row.count(SEPARATOR) != len(self._at) - 1 or not row.startswith(TICK) or b"\r" in row:
                return self._count + 2 + position
        return self._count + 2

    def _summary(self, tail: bytes) -> None:
        parts = tail.split(CRLF)
        if len(parts) != 3 or parts[2]:
            raise Refused("账单不完整：没有汇总行，或汇总之后还有内容。")
        names = _words(parts[0])
        values = parts[1].removeprefix(TICK).split(SEPARATOR)
        if not set(names) <= set(self._totals) or names[0] != self._totals[0] or len(values) != len(names):
            raise Refused("账单的汇总行无法识别。")
        if len(set(names)) != len(names):
            raise Refused("账单的汇总行里有重复的列。")
        self.check(dict(zip(names, values, strict=True)))

    def check(self, told: Mapping[str, bytes]) -> None:
        """Hold the summary against what was read."""
        raise AssertionError

    def column(self, cells: list[bytes], name: str) -> Cells:
        return cells[self._at[name] :: len(self._at)]

    def first(self, *names: str) -> str | None:
        """The first of `names` that the file has."""
        return next((name for name in names if name in self._at), None)


class TradeBill(_File):
    """Trades and refunds of one merchant; rows of any other merchant refuse the file."""

    columns = TRADE_COLUMNS

    def __init__(self, mchid: str) -> None:
        super().__init__(TRADE_NAMES, tuple(TRADE_TOTALS))
        self._mchid = mchid.encode()
        self._sums: dict[str, int] = {}
        self._told = Told()

    @property
    def told(self) -> Told:
        return self._told

    def rows(self, file: BinaryIO) -> Iterator[bytes]:
        for cells in self.grids(file):
            yield self._block(cells)

    def _block(self, cells: list[bytes]) -> bytes:
        self._own(cells)
        paid, refunded = self.first("订单金额", "总金额", "应结订单金额"), self.first("申请退款金额", "退款金额")
        if paid is None:
            raise Refused("账单缺少列：订单金额。")
        states = self.column(cells, "交易状态")
        count = len(states)
        figures = self._figures(cells)
        given, kinds = figures[paid], [b"payment"] * count
        if states.count(PAYMENT) != count:
            kinds = [KINDS.get(state, b"odd") for state in states]
            if refunded is not None:
                both = zip(states, given, figures[refunded], strict=True)
                given = [refund if state == REFUND else amount for state, amount, refund in both]
        self._add_up(kinds, given)
        return lines(
            kinds,
            texts(self.column(cells, "微信订单号"), "微信订单号"),
            texts(self.column(cells, "商户订单号"), "商户订单号"),
            self._refund_numbers(cells, "微信退款单号"),
            self._refund_numbers(cells, "商户退款单号"),
            given,
            figures["手续费"],
            self._rates(cells),
            self._statuses(cells),
            times(self.column(cells, "交易时间"), "交易时间"),
            self._odd(cells, states),
        )

    def _own(self, cells: list[bytes]) -> None:
        sub = self.first("特约商户号", "子商户号")
        subs = self.column(cells, sub) if sub else (b"0",)
        whose_all = self.column(cells, "商户号")
        if same(whose_all) and same(subs):
            whose_all, subs = whose_all[:1], subs[:1]
        for whose, of in set(zip(whose_all, subs, strict=False)):
            if (whose if of in (b"0", b"") else of) != self._mchid:
                raise Refused("账单里有其他商户号的交易，不是这个商户的账单。")

    def _figures(self, cells: list[bytes]) -> dict[str, Cells]:
        """Every column of amounts as whole numbers; what they come to is added up."""
        found: dict[str, tuple[Cells, Cells, int]] = {}
        for name in self._at:
            if not name.endswith(("金额", "手续费")):
                continue
            raw = self.column(cells, name)
            # Usually the settled amount is the order's: the work is done once.
            known = next((known for known in found.values() if known[0] == raw), None) if "订单" in name else None
            values, total = known[1:] if known else whole(raw, MFEN if name == "手续费" else FEN, name)
            found[name] = raw, values, total
            self._sums[name] = self._sums.get(name, 0) + total
        return {name: values for name, (_, values, _) in found.items()}

    def _add_up(self, kinds: Cells, given: Cells) -> None:
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
            self._sums["手续费"],
        )

    def _refund_numbers(self, cells: list[bytes], name: str) -> Cells | Iterator[bytes]:
        """Numbers of refunds; a payment has `0` there."""
        if name not in self._at:
            return repeat(b"")
        given = self.column(cells, name)
        if given.count(b"0") == len(given):
            return repeat(b"")
        return [b"" if cell == b"0" else cell for cell in texts(given, name, empty=True)]

    def _rates(self, cells: list[bytes]) -> Cells | Iterator[bytes]:
        if "费率" not in self._at:
            return repeat(rb"\N")
        given = self.column(cells, "费率")
        if same(given):
            return repeat(_rate(given[0]))
        known = {cell: _rate(cell) for cell in set(given)}
        return [known[cell] for cell in given]

    def _statuses(self, cells: list[bytes]) -> Cells | Iterator[bytes]:
        """The state of a refund as of its day: a snapshot, never updated (pitfalls B28)."""
        if "退款状态" not in self._at:
            return repeat(b"")
        given = self.column(cells, "退款状态")
        if same(given):
            return repeat(odd_word(given[0]))
        known = {cell: odd_word(cell) for cell in set(given)}
        return [known[cell] for cell in given]

    def _odd(self, cells: list[bytes], states: Cells) -> Cells | Iterator[bytes]:
        """What a row says that we do not know."""
        types, currencies = self.column(cells, "交易类型"), self.column(cells, "货币种类")
        if KINDS.keys() >= set(states) and set(types) <= TRADE_TYPES and same(currencies) and currencies[0] == CNY:
            return repeat(b"")
        known = {
            (state, kind, currency): _strange(state, kind, currency)
            for state, kind, currency in set(zip(states, types, currencies, strict=True))
        }
        return [known[row] for row in zip(states, types, currencies, strict=True)]

    def check(self, told: Mapping[str, bytes]) -> None:
        agree("总交易单数", told=number(told["总交易单数"], 0, "总交易单数"), found=self._told.lines)
        if "手续费总金额" not in told or not {"订单总金额", "应结订单总金额", "总交易额", "总金额"} & set(told):
            raise Refused("账单的汇总行缺少金额。")
        for name, columns in TRADE_TOTALS.items():
            if name not in told or not columns:
                continue
            column = self.first(*columns)
            places = MFEN if name == "手续费总金额" else FEN
            if column is None:
                agree(name, told=number(told[name], places, name), found=0)
            elif self._told.lines:
                found = self._told.amount_fen if column == "总金额" else self._sums[column]
                agree(name, told=number(told[name], places, name), found=found)
            else:
                agree(name, told=number(told[name], places, name), found=0)


class FundFlow(_File):
    """Every movement of the merchant's account with WeChat Pay."""

    columns = FUND_COLUMNS

    def __init__(self) -> None:
        super().__init__(FUND_NAMES, FUND_TOTALS)
        self._in = self._out = (0, 0)

    @property
    def told(self) -> Told:
        (came, in_fen), (went, out_fen) = self._in, self._out
        return Told(came + went, came, in_fen, went, out_fen)

    def rows(self, file: BinaryIO) -> Iterator[bytes]:
        for cells in self.grids(file):
            yield self._block(cells)

    def _block(self, cells: list[bytes]) -> bytes:
        directions = self.column(cells, "收支类型")
        if not set(directions) <= {INCOME, EXPENSE}:
            raise Refused("账单的“收支类型”里有不认识的内容。")
        given, _ = whole(self.column(cells, "收支金额(元)"), FEN, "收支金额(元)")
        whole(self.column(cells, "账户结余(元)"), FEN, "账户结余(元)")
        if any(cell.startswith(b"-") for cell in given):
            raise Refused("账单的“收支金额(元)”里有负数。")
        came = [int(value) for way, value in zip(directions, given, strict=True) if way == INCOME]
        went = [int(value) for way, value in zip(directions, given, strict=True) if way == EXPENSE]
        self._in = (self._in[0] + len(came), self._in[1] + sum(came))
        self._out = (self._out[0] + len(went), self._out[1] + sum(went))
        types = self.column(cells, "业务类型")
        known = {cell: FUND_KINDS.get(cell.decode("utf-8", "replace"), b"odd") for cell in set(types)}
        words = {cell: b"" if kind != b"odd" else b"type:" + odd_word(cell) for cell, kind in known.items()}
        return lines(
            [known[cell] for cell in types],
            texts(self.column(cells, "资金流水单号"), "资金流水单号"),
            texts(self.column(cells, "微信支付业务单号"), "微信支付业务单号", empty=True),
            texts(self.column(cells, "业务凭证号"), "业务凭证号", empty=True),
            [value if way == INCOME else b"-" + value for way, value in zip(directions, given, strict=True)],
            times(self.column(cells, "记账时间"), "记账时间"),
            [words[cell] for cell in types],
        )

    def check(self, told: Mapping[str, bytes]) -> None:
        if set(told) != set(FUND_TOTALS):
            raise Refused("账单的汇总行无法识别。")
        (came, in_fen), (went, out_fen) = self._in, self._out
        found = {"资金流水总笔数": came + went, "收入笔数": came, "支出笔数": went}
        for name, count in found.items():
            agree(name, told=number(told[name], 0, name), found=count)
        agree("收入金额", told=number(told["收入金额"], FEN, "收入金额"), found=in_fen)
        agree("支出金额", told=number(told["支出金额"], FEN, "支出金额"), found=out_fen)


def _words(line: bytes) -> list[str]:
    try:
        return line.decode().removesuffix("\r\n").split(",")
    except UnicodeDecodeError as error:
        raise Refused("账单的表头不是 UTF-8 编码，无法识别。") from error


def _rate(cell: bytes) -> bytes:
    """`0.60%` in ten-millionths, as COPY takes it; NULL where the file tells none."""
    if not cell:
        return rb"\N"
    if not cell.endswith(b"%"):
        raise Refused("账单的“费率”里有不是百分数的内容。")
    value = Decimal(number(cell[:-1], 8, "费率")).scaleb(-3)
    if value != value.to_integral_value():
        raise Refused("账单的“费率”小数位数过多，无法精确表示。")
    return b"%d" % int(value)


def _strange(state: bytes, kind: bytes, currency: bytes) -> bytes:
    """The first of state, currency and type that we do not know."""
    if state not in KINDS:
        return b"state:" + odd_word(state)
    if currency != CNY:
        return b"currency:" + odd_word(currency)
    return b"" if kind in TRADE_TYPES else b"type:" + odd_word(kind)
