"""The bank's file (银行流水) by a company's own mapping of columns: CSV in UTF-8 or GBK, or .xlsx (D7).

Promises: columns are found by their header's text, wherever the table begins; an amount is decimal text with at most
two places, in one signed column or in two for money in and out; a row that cannot be read exactly is a problem with its
row and column, and a file with any problem is imported not at all.
"""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any

import orjson

MAX_ROWS = 50_000
MAX_PROBLEMS = 200
HEADER_WITHIN = 50
TEXT_LENGTH = 200
_ZIP = b"PK\x03\x04"
_AMOUNTS = ("amount", "income", "expense")
_AMOUNT = re.compile(r"[+-]?[0-9]{1,12}(?:\.[0-9]{1,2}0*)?")
_DATE = re.compile(r"([0-9]{4})(?:[-/.年])?([0-9]{1,2})(?:[-/.月])?([0-9]{1,2})(?![0-9])")


class Unreadable(Exception):
    """The file as a whole is not what it should be; the text is for people."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Headers of a bank's file. Either `amount` (signed), or `income` and `expense`; `serial` is the bank's own number
    of a line, where it has one."""

    booked_on: str
    amount: str | None
    income: str | None
    expense: str | None
    counterparty: str | None
    summary: str | None
    serial: str | None

    @property
    def named(self) -> Mapping[str, str]:
        """Meaning → header, of those that there are."""
        return {name: text for name in self.__slots__ if (text := getattr(self, name)) is not None}


@dataclass(frozen=True, slots=True)
class BankRow:
    """A line: `amount_fen` positive where money came in; `digest` is the same in whatever file the line comes."""

    row: int
    booked_on: date
    amount_fen: int
    counterparty: str
    reference: str
    summary: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and where; row 0 is the file as a whole."""

    row: int
    column: str
    message: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """A file as it was read: rows, or problems."""

    rows: tuple[BankRow, ...]
    problems: tuple[Problem, ...]


def cells(body: bytes) -> list[list[str]]:
    """A CSV file as texts; raises Unreadable. UTF-8 with or without BOM, else GBK."""
    if b"\x00" in body:
        raise Unreadable("文件内容不是文本，请从网银下载 CSV 或 .xlsx 格式的流水。")
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = body.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise Unreadable("文件的编码无法识别，请另存为 UTF-8 或 GBK 编码。")
    first = next((line for line in text.splitlines() if "," in line or "\t" in line), "")
    delimiter = "\t" if first.count("\t") > first.count(",") else ","
    try:
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise Unreadable("文件里的引号或分隔符不成对，无法识别。") from error


def is_workbook(body: bytes) -> bool:
    """Whether the file is an .xlsx container."""
    return body.startswith(_ZIP)


def plain(value: Any) -> str:
    """A cell of a workbook as text: a number as its shortest decimals, which is how it was typed."""
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, int | str | date):
        return str(value)
    return "" if value is None else repr(value).removesuffix(".0")


def parse(table: Sequence[Sequence[str]], columns: Columns) -> Parsed:
    """The lines of a table, or every problem with them."""
    if len(table) > MAX_ROWS:
        raise Unreadable(f"文件超过 {MAX_ROWS} 行，请按日期分开下载。")
    start, at = _header(table, columns)
    rows: list[BankRow] = []
    problems: list[Problem] = []
    seen: dict[bytes, int] = {}
    for number, cells_of_row in enumerate(table[start + 1 :], start + 2):
        given = {name: _text(cells_of_row, position) for name, position in at.items()}
        if not any(given.get(name) for name in _AMOUNTS) and not given["booked_on"][:1].isdigit():
            continue
        try:
            rows.append(_row(number, given, columns, seen))
        except _Wrong as wrong:
            problems.append(Problem(number, columns.named[wrong.name], wrong.message))
            if len(problems) >= MAX_PROBLEMS:
                break
    if not rows and not problems:
        problems.append(Problem(0, "", "文件里没有任何流水。"))
    return Parsed(() if problems else tuple(rows), tuple(problems))


class _Wrong(Exception):
    def __init__(self, name: str, message: str) -> None:
        self.name, self.message = name, message
        super().__init__(message)


def _header(table: Sequence[Sequence[str]], columns: Columns) -> tuple[int, dict[str, int]]:
    """The row that has every mapped header, and where each is; a header that stands twice is no header."""
    for number, row in enumerate(table[:HEADER_WITHIN]):
        texts = [text.strip() for text in row]
        if all(texts.count(header) == 1 for header in columns.named.values()):
            return number, {name: texts.index(header) for name, header in columns.named.items()}
    wanted = "、".join(columns.named.values())
    raise Unreadable(f"文件里没有找到表头，应有这些列各一次：{wanted}。请检查这家银行的列对应设置。")


def _row(number: int, given: Mapping[str, str], columns: Columns, seen: dict[bytes, int]) -> BankRow:
    booked_on = _date(given["booked_on"])
    amount_fen = _amount(given, columns)
    counterparty, summary = (given.get(name, "")[:TEXT_LENGTH] for name in ("counterparty", "summary"))
    serial = given.get("serial", "")[:TEXT_LENGTH]
    key = [serial] if serial else [counterparty, summary]
    basis = orjson.dumps([booked_on.isoformat(), amount_fen, *key])
    nth = seen[basis] = seen.get(basis, 0) + 1
    if serial and nth > 1:
        raise _Wrong("serial", f"流水号 {serial} 在文件里重复出现。")
    digest = sha256(basis if nth == 1 else basis + b"#%d" % nth).digest()
    return BankRow(number, booked_on, amount_fen, counterparty, serial, summary, digest)


def _date(text: str) -> date:
    """The date at the start of a cell; what follows it is the time of day."""
    found = _DATE.match(text)
    try:
        if found is not None:
            return date(*(int(part) for part in found.groups()))
    except ValueError as error:
        raise _Wrong("booked_on", f"没有这一天：{text[:30]}。") from error
    raise _Wrong("booked_on", f"日期看不懂：{text[:30]}。")


def _amount(given: Mapping[str, str], columns: Columns) -> int:
    if columns.amount is not None:
        amount_fen = _fen(given["amount"], "amount")
        if not amount_fen:
            raise _Wrong("amount", "金额为空或为零。")
        return amount_fen
    income, expense = _fen(given["income"], "income"), _fen(given["expense"], "expense")
    if bool(income) == bool(expense):
        raise _Wrong("income", "收入和支出应恰有一个有金额。")
    return income or -abs(expense)


def _fen(text: str, name: str) -> int:
    """Yuan as fen, exactly; an empty cell or a dash is nothing."""
    text = text.replace(",", "").replace("￥", "").replace("¥", "").replace(" ", "")
    if text in ("", "-", "--"):
        return 0
    if not _AMOUNT.fullmatch(text):
        raise _Wrong(name, f"金额看不懂或超过两位小数：{text[:30]}。")
    return int(Decimal(text).scaleb(2))


def _text(row: Sequence[str], position: int) -> str:
    return row[position].replace("\t", " ").strip() if position < len(row) else ""
