"""Request bodies of WeChat Pay v3, checked as strictly as the channel does: types, lengths, unknown keys, no null.

Lengths are characters. Characters beyond the basic plane (four bytes in UTF-8) are refused everywhere (section 1).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.errors import PayError

PARAMETER_NUMBER = 268435461
RANGE_NUMBER = 268435464
UNKNOWN_KEY_NUMBER = 270924358
BASIC_PLANE_END = 0xFFFF


@dataclass(frozen=True, slots=True)
class Text:
    """A string of at most `longest` characters."""

    longest: int
    required: bool = False
    shortest: int = 1
    pattern: re.Pattern[str] | None = None


@dataclass(frozen=True, slots=True)
class Whole:
    """An integer of at least `minimum`."""

    minimum: int
    required: bool = False


@dataclass(frozen=True, slots=True)
class Flag:
    """A boolean."""

    required: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """An object with exactly these keys; `longest` limits its JSON text in bytes."""

    fields: Mapping[str, "Rule"] = field(default_factory=dict)
    required: bool = False
    longest: int | None = None


@dataclass(frozen=True, slots=True)
class ListOf:
    """An array of objects of one shape."""

    item: Group
    required: bool = False


Rule = Text | Whole | Flag | Group | ListOf


def parse(body: bytes, shape: Group) -> dict[str, Any]:
    """The JSON object in `body`, of that shape; PayError 400 PARAM_ERROR with a detail otherwise."""
    try:
        value = json.loads(body)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise _refused("", "", "请求体不是合法的JSON", "invalid json") from error
    _check("", value, shape)
    parsed: dict[str, Any] = value
    return parsed


def _refused(pointer: str, value: object, message: str, issue: str, number: int = PARAMETER_NUMBER) -> PayError:
    detail = {"field": pointer, "value": value, "issue": issue, "location": "body"}
    return PayError(400, "PARAM_ERROR", message, number=number, detail=detail)


def _check(pointer: str, value: object, rule: Rule) -> None:
    match rule:
        case Text():
            _check_text(pointer, value, rule)
        case Whole():
            if not isinstance(value, int) or isinstance(value, bool):
                raise _refused(pointer, value, "输入源类型错误", "not an integer")
            if value < rule.minimum:
                raise _refused(pointer, value, "参数值超出范围", f"less than {rule.minimum}", RANGE_NUMBER)
        case Flag():
            if not isinstance(value, bool):
                raise _refused(pointer, value, "输入源类型错误", "not a boolean")
        case Group():
            _check_group(pointer, value, rule)
        case ListOf():
            if not isinstance(value, list):
                raise _refused(pointer, value, "输入源类型错误", "not an array")
            for position, item in enumerate(value):
                _check(f"{pointer}/{position}", item, rule.item)


def _check_text(pointer: str, value: object, rule: Text) -> None:
    if not isinstance(value, str):
        raise _refused(pointer, value, "输入源类型错误", "not a string")
    if not rule.shortest <= len(value) <= rule.longest:
        issue = f"length is {len(value)}, must be {rule.shortest} to {rule.longest}"
        raise _refused(pointer, value, "参数长度超出范围", issue, RANGE_NUMBER)
    if any(ord(char) > BASIC_PLANE_END or 0xD800 <= ord(char) <= 0xDFFF for char in value):
        raise _refused(pointer, ascii(value), "参数含有不支持的字符", "four byte characters are not allowed")
    if rule.pattern is not None and not rule.pattern.fullmatch(value):
        raise _refused(pointer, value, "参数格式错误", "wrong characters")


def _check_group(pointer: str, value: object, rule: Group) -> None:
    if not isinstance(value, dict):
        raise _refused(pointer, value, "输入源类型错误", "not an object")
    for name in value:
        if name not in rule.fields:
            message = f"传入了接口文档中未定义的参数: {name}"
            raise _refused(f"{pointer}/{name}", "", message, "unknown parameter", UNKNOWN_KEY_NUMBER)
    for name, inner in rule.fields.items():
        if name in value:
            _check(f"{pointer}/{name}", value[name], inner)
        elif inner.required:
            raise _refused(f"{pointer}/{name}", "", f"缺少必填参数: {name}", "missing")
    if rule.longest is not None and len(json.dumps(value, ensure_ascii=False).encode()) > rule.longest:
        raise _refused(pointer, "", "参数长度超出范围", f"longer than {rule.longest} bytes", RANGE_NUMBER)
