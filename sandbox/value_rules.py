"""What a message's values may look like, by the prefix of their key (mini-program page, table of section 4.2).

Official-account templates follow the same table; their `const` and a template's `enum` take registered values only.
"""

import re
from collections.abc import Mapping
from typing import Any

from sandbox.errors import ApiError

KEY = re.compile(r"(?P<prefix>[a-z_]+?)\d*")
CONTROL = re.compile(r"[\x00-\x1f\x7f]")

_HAN = r"\u3400-\u4dbf\u4e00-\u9fff"
_DAY = r"\d{4}(?:年\d{1,2}月(?:\d{1,2}日)?|[-/.]\d{1,2}(?:[-/.]\d{1,2})?)"
_HOUR = r"(?:[01]?\d|2[0-3])[:：][0-5]\d(?:[:：][0-5]\d)?"
_MOMENT = rf"(?:{_DAY}(?:\s*{_HOUR})?|{_HOUR})"

RULES = {
    "thing": re.compile(r".{1,20}"),
    "short_thing": re.compile(r".{1,5}"),
    "number": re.compile(r"(?=.{1,32}\Z)\d+(?:\.\d+)?"),
    "letter": re.compile(r"[A-Za-z]{1,32}"),
    "symbol": re.compile(rf"[^\sA-Za-z0-9{_HAN}]{{1,5}}"),
    "character_string": re.compile(r"[\x21-\x7e]{1,32}"),
    "time": re.compile(rf"{_MOMENT}(?:\s*~\s*{_MOMENT})?"),
    "date": re.compile(rf"{_DAY}(?:\s*{_HOUR})?(?:\s*~\s*{_DAY}(?:\s*{_HOUR})?)?"),
    "amount": re.compile(r"[¥￥$€£]?(?=[\d.]{1,13}元?\Z)\d{1,10}(?:\.\d{1,2})?元?"),
    "phone_number": re.compile(r"[0-9+\-() ]{1,17}"),
    "car_number": re.compile(rf"(?=.{{1,8}}\Z)[A-Za-z0-9{_HAN}]?[A-Za-z0-9·-]*[A-Za-z0-9{_HAN}]"),
    "name": re.compile(rf"[{_HAN}·]{{1,10}}|[A-Za-z .·]{{1,20}}"),
    "phrase": re.compile(rf"[{_HAN}]{{1,5}}"),
    "keyword": re.compile(r".{1,20}"),
}


def check(data: Any, fields: Mapping[str, str], consts: Mapping[str, list[str]]) -> None:
    """ApiError 47003 naming the first key that is missing, unknown, empty or of a form its type does not allow."""
    if not isinstance(data, dict):
        raise ApiError(47003, "argument invalid! data is empty")
    for key in fields:
        entry = data.get(key)
        value = entry.get("value") if isinstance(entry, dict) else None
        if value is None or value == "":
            raise ApiError(47003, f"argument invalid! data.{key}.value is empty")
        if not isinstance(value, str) or not _is_allowed(key, value, consts):
            raise ApiError(47003, f"argument invalid! data.{key}.value invalid")
    for key in data:
        if key not in fields:
            raise ApiError(47003, f"argument invalid! data.{key} is not in the template")


def _is_allowed(key: str, value: str, consts: Mapping[str, list[str]]) -> bool:
    if CONTROL.search(value) or not value.strip():
        return False
    if key in consts:
        return value in consts[key] and len(value) <= 20
    match = KEY.fullmatch(key)
    rule = RULES.get(match["prefix"]) if match else None
    return rule is not None and rule.fullmatch(value) is not None
