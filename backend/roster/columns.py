"""The columns of a roster (花名册): what each may hold, and what is said about a cell that does not (S1).

A row becomes plain data (`ParsedRow`), or one problem per wrong cell, each with the row of the sheet, the column and a
sentence in Chinese. Phones are normalised, areas are whole cm², doors and buildings are the codes of `property.search`.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from backend.kernel.personal import normalise_phone
from backend.kernel.workbook import FORMULA_STARTS, TEXT_MARK, Sheet
from backend.property import search
from backend.property.kinds import HouseKind

BUILDING, UNIT, DOOR, KIND = "楼栋", "单元", "房号", "类型"
GROSS, INNER, FLOOR, HANDOVER = "建筑面积", "套内面积", "楼层", "交房日期"
OWNER, OWNER_PHONE, TENANT, TENANT_PHONE = "业主姓名", "业主手机", "租户姓名", "租户手机"
REQUIRED = (BUILDING, UNIT, DOOR, KIND, GROSS, INNER, FLOOR, HANDOVER, OWNER, OWNER_PHONE)
OPTIONAL = (TENANT, TENANT_PHONE)
HEADERS = (*REQUIRED, *OPTIONAL)
KINDS: Mapping[str, HouseKind] = {
    "住宅": HouseKind.RESIDENCE,
    "商铺": HouseKind.SHOP,
    "储藏室": HouseKind.STORAGE,
    "产权车位": HouseKind.PARKING_FOR_SALE,
}
KIND_NAMES: Mapping[HouseKind, str] = {kind: name for name, kind in KINDS.items()}
NOTES = [
    "第一行是列名，请不要修改；从第二行起，一行填一套房屋。",
    f"类型请填：{'、'.join(KINDS)}。没有单元的楼栋，“单元”留空。",
    "面积单位是平方米，只填数字，最多四位小数，例如 89.35。交房日期写成 2020-01-31。",
    "多位业主用顿号隔开，姓名与手机一一对应，例如：张三、李四；13800000001、13800000002。",
    "“租户姓名”“租户手机”可以留空。请不要使用公式或合并单元格。",
    "导入时：已有的房屋按表格更新，表格中空着的单元格不改动原有内容；已登记的住户不会被移除。",
]
MAX_PROBLEMS = 5_000
MAX_AREA = Decimal(1_000_000)
_SPLIT = re.compile(r"[、,，;；/\n]+")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_DATE = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?")


class Problem(NamedTuple):
    """What is wrong with a cell: the row of the sheet counted from 1, the column's name, a sentence."""

    row: int
    column: str
    message: str


class Listed(NamedTuple):
    """A person whom a row lists."""

    role: str
    name: str
    phone: str


class ParsedRow(NamedTuple):
    """One house of the file and who lives there, in JSON types."""

    row: int
    building: str
    building_name: str
    unit: str
    door: str
    kind: str
    gross_area_cm2: int | None
    inner_area_cm2: int | None
    floor: int | None
    handover_on: str | None
    people: list[Listed]


@dataclass(slots=True)
class Parsed:
    """All rows of a file, and all problems up to MAX_PROBLEMS; `problem_count` counts them all."""

    rows: list[ParsedRow] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    problem_count: int = 0

    def add(self, row: int, column: str, message: str) -> None:
        self.problem_count += 1
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(row, column, message))


def parse(sheet: Sheet) -> Parsed:
    """The rows of a sheet; with any problem at all nothing of it may be imported."""
    parsed = Parsed()
    headers = [_text(value) for value in sheet.values[0]] if sheet.values else []
    _check_headers(headers, parsed)
    for row, area in sheet.merged:
        parsed.add(row, "", f"单元格 {area} 是合并单元格，请取消合并并逐格填写。")
    for row, column in sheet.formulas:
        name = headers[column - 1] if column <= len(headers) else ""
        parsed.add(row, name, "单元格里是公式，请改为填写数值或文字。")
    if parsed.problems:
        return parsed
    seen: dict[tuple[str, ...], int] = {}
    names: dict[str, tuple[int, str]] = {}
    for number, values in enumerate(sheet.values[1:], start=2):
        cells = {header: value for header, value in zip(headers, values, strict=False) if header}
        if any(value not in ("", None) for value in cells.values()):
            _parse_row(number, cells, parsed, seen, names)
    if not parsed.rows and not parsed.problems:
        parsed.add(2, "", "表格里没有数据，请从第二行开始填写。")
    return parsed


def _check_headers(headers: Sequence[str], parsed: Parsed) -> None:
    if not set(headers) & set(HEADERS):
        # Then the first row holds data, perhaps names and phones: nothing of it is repeated.
        parsed.add(1, "", "第一行应是列名，请使用下载的模板。")
        return
    for name in REQUIRED:
        if name not in headers:
            parsed.add(1, name, f"缺少“{name}”这一列，请使用下载的模板。")
    for number, name in enumerate(headers):
        if name and name not in HEADERS:
            parsed.add(1, name, f"不认识的列“{name[:20]}”，请使用下载的模板。")
        if name and name in headers[:number]:
            parsed.add(1, name, f"“{name}”这一列出现了两次。")


def _parse_row(
    number: int,
    cells: Mapping[str, Any],
    parsed: Parsed,
    seen: dict[tuple[str, ...], int],
    names: dict[str, tuple[int, str]],
) -> None:
    """Add the row, or its problems."""
    before = parsed.problem_count

    def cell(column: str, read: Callable[[Any], Any]) -> Any:
        try:
            return read(cells.get(column, ""))
        except ValueError as error:
            parsed.add(number, column, str(error))
            return None

    building, unit, door = cell(BUILDING, _building), cell(UNIT, _unit), cell(DOOR, _door)
    kind, floor, handover_on = cell(KIND, _kind), cell(FLOOR, _floor), cell(HANDOVER, _date)
    gross, inner = cell(GROSS, _area), cell(INNER, _area)
    people = list(_people(number, cells, parsed))
    if building and door and unit is not None:
        key = tuple("-".join(search.tokens(part)) for part in (building, unit, door))
        if key in seen:
            parsed.add(number, DOOR, f"与第 {seen[key]} 行的房屋重复。")
        seen.setdefault(key, number)
    for person in people:
        first = names.setdefault(person.phone, (number, person.name))
        if first[1] != person.name:
            column = OWNER if person.role == "owner" else TENANT
            parsed.add(number, column, f"同一手机号在第 {first[0]} 行登记的是另一个姓名，请核对。")
    if parsed.problem_count == before:
        name = search.building_name(_text(cells[BUILDING]))
        parsed.rows.append(
            ParsedRow(number, building, name, unit, door, kind, gross, inner, floor, handover_on, people)
        )


def _people(number: int, cells: Mapping[str, Any], parsed: Parsed) -> Iterator[Listed]:
    """Everybody whom a row lists; a phone twice in a row is a problem."""
    found: set[str] = set()
    for role, name_column, phone_column in (("owner", OWNER, OWNER_PHONE), ("tenant", TENANT, TENANT_PHONE)):
        names, phones = _parts(cells.get(name_column, "")), _parts(cells.get(phone_column, ""))
        if len(names) != len(phones):
            parsed.add(number, phone_column, f"“{name_column}”与“{phone_column}”的个数不一致。")
            continue
        for name, phone in zip(names, phones, strict=True):
            try:
                checked = Listed(role, _name(name), _phone(phone))
            except _WrongPhone as error:
                parsed.add(number, phone_column, str(error))
                continue
            except ValueError as error:
                parsed.add(number, name_column, str(error))
                continue
            if checked.phone in found:
                parsed.add(number, phone_column, "同一手机号在这一行出现了两次。")
            found.add(checked.phone)
            yield checked


class _WrongPhone(ValueError):
    """The phone of a person, not the name, is wrong."""


def _parts(value: Any) -> list[str]:
    return [part.strip() for part in _SPLIT.split(_text(value)) if part.strip()]


def _text(value: Any) -> str:
    """A cell as the text that people see in it: numbers without a decimal point that Excel only stores."""
    if value is None or isinstance(value, bool):
        return "" if value is None else str(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = str(value).strip()
    return text.removeprefix(TEXT_MARK)


def _short(value: Any, longest: int = 30) -> str:
    text = _text(value)
    if isinstance(value, bool | date | datetime):
        raise ValueError("内容不正确，请填写文字或数字。")
    if len(text) > longest:
        raise ValueError(f"内容太长，最多 {longest} 个字。")
    if text.startswith(FORMULA_STARTS) or _CONTROL.search(text):
        raise ValueError("内容不能以 = + - @ 开头，也不能含有特殊符号。")
    return text


def _building(value: Any) -> str:
    code = search.building_code(_short(value))
    if not search.tokens(code):
        raise ValueError("请填写楼栋，例如“1栋”。")
    return code


def _unit(value: Any) -> str:
    text = _short(value)
    code = search.unit_code(text)
    if text and not search.tokens(code):
        raise ValueError("单元不正确，例如“1单元”；没有单元请留空。")
    return code


def _door(value: Any) -> str:
    code = search.door_code(_short(value))
    if not search.tokens(code):
        raise ValueError("请填写房号，例如“101”。")
    return code


def _kind(value: Any) -> str:
    kind = KINDS.get(_text(value))
    if kind is None:
        raise ValueError(f"类型请填：{'、'.join(KINDS)}。")
    return kind


def _number(value: Any) -> Decimal | None:
    """A decimal number, None for an empty cell; a number that Excel stores in binary is rounded to four places."""
    if value in ("", None):
        return None
    if isinstance(value, bool | date | datetime):
        raise ValueError("请只填数字，不要带单位。")
    try:
        number = Decimal(_text(value).replace("，", ",").replace(",", ""))
    except InvalidOperation as error:
        raise ValueError("请只填数字，不要带单位或文字。") from error
    if not number.is_finite():
        raise ValueError("请只填数字，不要带单位或文字。")
    return round(number, 4) if isinstance(value, float) else number


def _area(value: Any) -> int | None:
    """Whole cm² of an area in m²."""
    number = _number(value)
    if number is None:
        return None
    cm2 = number * 10_000
    if not 0 < number <= MAX_AREA or cm2 != cm2.to_integral_value():
        raise ValueError("面积应大于 0，单位平方米，最多四位小数。")
    return int(cm2)


def _floor(value: Any) -> int | None:
    number = _number(value)
    if number is None:
        return None
    if number != number.to_integral_value() or not -20 <= number <= 300:
        raise ValueError("楼层应是 -20 到 300 之间的整数。")
    return int(number)


def _date(value: Any) -> str | None:
    if value in ("", None):
        return None
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    found = _DATE.fullmatch(_text(value))
    try:
        if found is None:
            raise ValueError
        return date(int(found[1]), int(found[2]), int(found[3])).isoformat()
    except ValueError as error:
        raise ValueError("日期不正确，请写成 2020-01-31。") from error


def _name(text: str) -> str:
    name = _short(text, 50)
    if not name:
        raise ValueError("请填写姓名。")
    return name


def _phone(text: str) -> str:
    try:
        return normalise_phone(text)
    except ValueError as error:
        raise _WrongPhone("手机号不正确，请检查位数。") from error
