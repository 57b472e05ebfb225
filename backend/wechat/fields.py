"""What WeChat takes as the value of a message's field, by the kind in its key (`thing1`, `amount3`).

Template and subscription messages share these rules (wechat-miniprogram.md section 4.2, wechat-official-account.md
section 2.1). Test accounts do not enforce them and live ones answer 47003, so they are applied here (pitfalls E2).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

ELLIPSIS = "…"
NOTHING = "无"
_KIND = re.compile(r"(?P<kind>[a-z_]+?)_?[0-9]*")
_NOT_SHOWN = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028\u2029\ufeff]+")
_HAN = r"\u3400-\u9fff"
_NOT_HAN = re.compile(rf"[^{_HAN}]+")
_NOT_ASCII = re.compile(r"[^\x20-\x7e]+")
_NOT_LETTERS = re.compile(r"[^A-Za-z .·]+")
_NOT_HAN_NAME = re.compile(rf"[^{_HAN}·]+")
_CLOCK = r"(?:[01]?[0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9])?"
_DAY = r"[0-9]{4}(?:年[0-9]{1,2}月[0-9]{1,2}日|-[0-9]{1,2}-[0-9]{1,2}|/[0-9]{1,2}/[0-9]{1,2})"
_MOMENT = rf"(?:{_DAY} ?)?{_CLOCK}"
_DATE = rf"{_DAY}(?: ?{_CLOCK})?"
NAME_HAN = 10
# Thousands of messages about one event share most of their values.
KNOWN = 1024


@dataclass(frozen=True, slots=True)
class Rule:
    """A kind of field: the pattern of a whole value, its length in characters, and what may be left out of a text."""

    pattern: str
    max_chars: int
    shorten: Callable[[str, int], str] | None = None
    fallback: str = ""


def _cut(text: str, max_chars: int) -> str:
    return text[:max_chars].rstrip()


def _cut_with_mark(text: str, max_chars: int) -> str:
    return text if len(text) <= max_chars else text[: max_chars - 1].rstrip() + ELLIPSIS


def _cut_ascii(text: str, max_chars: int) -> str:
    return _NOT_ASCII.sub("", text).strip().replace(" ", "-")[:max_chars]


def _cut_han(text: str, max_chars: int) -> str:
    return _NOT_HAN.sub("", text)[:max_chars]


def _cut_name(text: str, max_chars: int) -> str:
    return _NOT_HAN_NAME.sub("", text)[:NAME_HAN] or _cut(_shown(_NOT_LETTERS.sub("", text)), max_chars)


RULES: Mapping[str, Rule] = {
    "thing": Rule(r".+", 20, _cut_with_mark, NOTHING),
    "short_thing": Rule(r".+", 5, _cut, NOTHING),
    "number": Rule(r"[0-9]+(?:\.[0-9]+)?", 32),
    "letter": Rule(r"[A-Za-z]+", 32),
    "symbol": Rule(r"[^\w\s]+", 5),
    "character_string": Rule(r"[\x21-\x7e]+", 32, _cut_ascii, "-"),
    "time": Rule(rf"{_MOMENT}(?: ?~ ?{_MOMENT})?", 64),
    "date": Rule(rf"{_DATE}(?: ?~ ?{_DATE})?", 64),
    "amount": Rule(r"[¥￥$€£]?(?=(?:\.?[0-9]){1,10}元?$)[0-9]+(?:\.[0-9]{1,2})?元?", 13),
    "phone_number": Rule(r"[0-9+\-() ]+", 17),
    "car_number": Rule(rf"[{_HAN}A-Za-z][A-Za-z0-9]{{4,6}}[{_HAN}A-Za-z0-9]", 8),
    "name": Rule(rf"[{_HAN}·]{{1,{NAME_HAN}}}|[A-Za-z .·]+", 20, _cut_name, NOTHING),
    "phrase": Rule(rf"[{_HAN}]+", 5, _cut_han, NOTHING),
    "enum": Rule(r".+", 20),
    "const": Rule(r".+", 20),
}
_WHOLE = {kind: re.compile(rule.pattern) for kind, rule in RULES.items()}


@lru_cache(KNOWN)
def kind_of(key: str) -> str | None:
    """The kind of the field `key`, None for a key that no template has."""
    match = _KIND.fullmatch(key)
    return match["kind"] if match and match["kind"] in RULES else None


@lru_cache(KNOWN)
def check(key: str, value: str) -> str | None:
    """Why WeChat would refuse `value` for the field `key`, in Chinese; None when it takes it."""
    kind = kind_of(key)
    if kind is None:
        return f"模板里没有“{key}”这种字段。"
    if value != _shown(value) or not value:
        return f"“{key}”不能为空，也不能有换行或多余的空白。"
    if len(value) > RULES[kind].max_chars:
        return f"“{key}”最多 {RULES[kind].max_chars} 个字。"
    if not _WHOLE[kind].fullmatch(value):
        return f"“{key}”的内容不符合微信对 {kind} 的要求。"
    return None


@lru_cache(KNOWN)
def fit(key: str, value: str) -> str:
    """`value` made fit for the field `key`: one line, without what the kind forbids, shortened where words may be.

    Amounts, times, numbers and fixed values are never shortened: half of one is a lie. `check` tells what is left
    unfit.
    """
    kind, shown = kind_of(key), _shown(value)
    if kind is None:
        return shown
    rule = RULES[kind]
    return (rule.shorten(shown, rule.max_chars) if rule.shorten else shown) or rule.fallback


def fit_all(data: Mapping[str, str]) -> dict[str, str]:
    """Every field of a message made fit."""
    return {key: fit(key, value) for key, value in data.items()}


def _shown(value: str) -> str:
    return _NOT_SHOWN.sub(" ", value).strip()
