"""What every reader of a statement shares: rows for COPY, exact numbers, and the refusal of a whole file (D7, F-21).

Promises: a file is read in blocks, column by column, and is never held whole; a column is found by its header's text;
amounts are decimal text made whole numbers by moving the point, never float. Whatever cannot be read exactly, is cut
short, or does not add up to what the file says of itself is `Refused`, and then nothing of the file counts.

Fees come with up to five decimals of a yuan; they are kept as thousandths of a fen (`mfen`), exactly.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import BinaryIO, Protocol

BLOCK_BYTES = 512 * 1024
LINE_BYTES = 16 * 1024
TAIL_BYTES = 64 * 1024
NUMBER_LENGTH = 64
FEN, MFEN = 2, 5
_FAST = {places: re.compile(rb"(?:-?[0-9]{1,12}\.[0-9]{%d}\n)*" % places) for places in (FEN, MFEN)}
_NUMBER = re.compile(rb"[+-]?[0-9]{1,12}(?:\.[0-9]{1,8})?")
_UNFIT = re.compile(rb"[^!-\[\]-~\n]")
_TIMES = re.compile(rb"(?:[0-9]{4}-[0-9]{2}-[0-9]{2} (?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\n)*")

Cells = Sequence[bytes]

# The columns of a row for COPY. kind: payment, refund or odd. rate: the fee's share of the amount, in ten-millionths.
# odd: what was said that we do not know, such as `state:REVOKED`; it becomes a named difference.
TRADE_COLUMNS = (
    "kind", "transaction_no", "out_trade_no", "refund_no", "out_refund_no", "amount_fen", "fee_mfen", "rate",
    "status", "at", "odd",
)  # fmt: skip
# kind: payment, refund, fee, payout or odd. amount_fen: positive where money came in.
FUND_COLUMNS = ("kind", "flow_no", "business_no", "reference", "amount_fen", "at", "odd")


class Refused(Exception):
    """The file as a whole cannot be believed; the text says why, for people."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the file came to, which is what it says of itself. Refunds and fees are counted positive; returned fees are
    taken off. Of a fund flow: `amount_fen` came in, `refund_fen` went out."""

    lines: int = 0
    payments: int = 0
    amount_fen: int = 0
    refunds: int = 0
    refund_fen: int = 0
    fee_mfen: int = 0


class Reader(Protocol):
    """A reader of one file. `told` is complete once `rows` has come to its end."""

    @property
    def columns(self) -> tuple[str, ...]: ...

    @property
    def told(self) -> Told: ...

    def rows(self, file: BinaryIO) -> Iterator[bytes]:
        """The file as rows of COPY text of `columns`, block by block; raises Refused."""
        ...


def blocks(file: BinaryIO, end: bytes, rest: bytes = b"") -> Iterator[bytes]:
    """What is left of a file in blocks of whole lines, after `rest`; Refused for a last line without its end."""
    while piece := file.read(BLOCK_BYTES):
        block = rest + piece
        cut = block.rfind(end)
        if cut < 0:
            if len(block) > BLOCK_BYTES:
                raise Refused("账单里有一行太长，无法识别。")
            rest = block
            continue
        yield block[: cut + len(end)]
        rest = block[cut + len(end) :]
    if rest:
        raise Refused("账单不完整：最后一行被截断了。")


def grid(body: bytes, between: bytes, separator: bytes, *, width: int) -> list[bytes] | None:
    """The cells of a body of rows that are parted by `between`, `width` in each; None where a row has more or fewer.

    Every row but the first begins behind a mark of its own, so that no cell moves from one row to another unseen.
    """
    if b"\x00" in body:
        raise Refused("账单里有不该出现的控制字符。")
    cells = body.replace(between, separator + b"\x00").split(separator)
    rows, beyond = divmod(len(cells), width)
    marked = b"".join(cells[::width]).count(b"\x00")
    if beyond or marked != rows - 1:
        return None
    cells[::width] = [cell.removeprefix(b"\x00") for cell in cells[::width]]
    return cells


def whole(cells: Cells, places: int, what: str) -> tuple[Cells, int]:
    """Decimal texts with their point moved `places` to the right, and their sum; Refused for what is no such number."""
    if same(cells):
        value = number(cells[0], places, what)
        return [b"%d" % value] * len(cells), value * len(cells)
    joined = b"\n".join(cells) + b"\n"
    if _FAST[places].fullmatch(joined):
        texts = joined.replace(b".", b"").split(b"\n")
        texts.pop()
        return texts, sum(map(int, texts))
    values = [number(cell, places, what) for cell in cells]
    return [b"%d" % value for value in values], sum(values)


def same(cells: Cells) -> bool:
    """Whether all cells are one and the same: looked at first, because it is the cheapest to know."""
    return cells.count(cells[0]) == len(cells)


def number(cell: bytes, places: int, what: str) -> int:
    """One decimal text with its point moved, exactly; Refused for anything else, and for digits that would be lost."""
    if not _NUMBER.fullmatch(cell):
        raise Refused(f"账单的“{what}”里有不是数字的内容：{shown(cell)}。")
    try:
        scaled = Decimal(cell.decode()).scaleb(places)
    except InvalidOperation as error:
        raise Refused(f"账单的“{what}”里的数字太大：{shown(cell)}。") from error
    if scaled != scaled.to_integral_value():
        raise Refused(f"账单的“{what}”小数位数过多，无法精确表示：{shown(cell)}。")
    return int(scaled)


def texts(cells: Cells, what: str, *, empty: bool = False) -> Cells:
    """Numbers of orders and transactions as they are: printable, without blanks; Refused otherwise."""
    joined = b"\n".join(cells)
    if joined.count(b"\n") != len(cells) - 1 or _UNFIT.search(joined):
        raise Refused(f"账单的“{what}”里有无法识别的字符。")
    if max(map(len, cells)) > NUMBER_LENGTH or (not empty and not all(cells)):
        raise Refused(f"账单的“{what}”里有空的或过长的内容。")
    return cells


def times(cells: Cells, what: str) -> Cells:
    """Local times as they are, `2026-09-01 10:00:00`; Refused for a time that does not exist."""
    if not _TIMES.fullmatch(b"\n".join(cells) + b"\n"):
        raise Refused(f"账单的“{what}”里有不是时间的内容。")
    for text in {cell[:10] for cell in cells}:
        try:
            date.fromisoformat(text.decode())
        except ValueError as error:
            raise Refused(f"账单的“{what}”里有不存在的日期：{shown(text)}。") from error
    return cells


def odd_word(cell: bytes, encoding: str = "utf-8") -> bytes:
    """A word that we do not know, safe in a row of COPY."""
    word = cell.decode(encoding, "replace")[:40]
    return "".join(letter if letter.isprintable() and letter != "\\" else "?" for letter in word).encode()


def lines(*columns: Sequence[bytes] | Iterator[bytes]) -> bytes:
    """Columns as rows of COPY text."""
    return b"\n".join(map(b"\t".join, zip(*columns, strict=False))) + b"\n"


def agree(what: str, *, told: int, found: int) -> None:
    """Refused unless the file's own figure is what its rows come to."""
    if told != found:
        raise Refused(f"账单的汇总与明细不符：“{what}”汇总为 {told}，明细合计为 {found}，整份账单不予采用。")


def header(names: Sequence[str], known: Mapping[str, bool]) -> dict[str, int]:
    """Where each column is, by its name; Refused for unknown, repeated or missing ones (`known`: name → required)."""
    strange = [name for name in names if name not in known]
    if strange:
        raise Refused(f"账单里有不认识的列：{'、'.join(strange[:3])[:80]}，请先确认格式，整份账单不予采用。")
    if len(set(names)) != len(names):
        raise Refused("账单的表头里有重复的列。")
    missing = [name for name, required in known.items() if required and name not in names]
    if missing:
        raise Refused(f"账单缺少列：{'、'.join(missing[:3])}。")
    return {name: position for position, name in enumerate(names)}


def shown(cell: bytes) -> str:
    """A cell in a sentence for people."""
    return cell.decode("utf-8", "replace")[:30]
