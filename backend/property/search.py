"""What people type to name a house, and the normalised key that it is found by (D1).

`1栋101`, `1-1-101` and `1号楼1单元101室` are split into tokens at the words and signs that separate building, unit and
door; full-width digits, small letters, leading zeros and Chinese numerals before such a word do not matter. The key of
a house is made by the same rule, so that a roster row, a typed search and an application meet.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

MAX_TYPED = 60
# A roster of 50,000 rows names few buildings, units and doors.
_REMEMBERED = 8_192
_SEPARATORS = re.compile(r"号楼|單元|单元|栋|幢|座|楼|室|号|户|门|[\s\-_#/.,，。、]+")
_TOKEN = re.compile(r"[0-9A-Z\u3400-\u9fff]+")
_NUMERAL = re.compile(r"[一二三四五六七八九十]+(?=号楼|栋|幢|座|楼|单元|單元|门|期|室|号)")
_DIGITS = {digit: value for value, digit in enumerate("一二三四五六七八九", 1)}
_BUILDING_WORD = re.compile(r"(号楼|栋|幢|座|楼|号)$")
_UNIT_WORD = re.compile(r"(单元|單元|门)$")
_DOOR_WORD = re.compile(r"(室|号|户)$")


@dataclass(frozen=True, slots=True)
class Patterns:
    """LIKE patterns for one typed text: on the key of a house, or on its door number alone."""

    exact: str
    by_key: tuple[str, ...]
    by_door: str | None


@lru_cache(_REMEMBERED)
def _plain(text: str) -> str:
    text = unicodedata.normalize("NFKC", text).strip().upper()
    return _NUMERAL.sub(lambda match: str(_number(match.group())), text)


def _number(numeral: str) -> int:
    """1 to 99 written in Chinese: 十二 is 12, 二十 is 20, 一 is 1."""
    tens, ten, ones = numeral.rpartition("十")
    if not ten:
        return int("".join(str(_DIGITS[digit]) for digit in numeral))
    return 10 * (_DIGITS.get(tens, 1) if tens else 1) + (_DIGITS.get(ones, 0) if ones else 0)


@lru_cache(_REMEMBERED)
def tokens(text: str) -> tuple[str, ...]:
    """The tokens of a typed text, leading zeros of numbers dropped."""
    parts = _SEPARATORS.split(_plain(text))
    found = [token for part in parts if part for token in _TOKEN.findall(part)]
    return tuple(token.lstrip("0") or "0" if token.isdecimal() else token for token in found)


def key_of(building: str, unit: str, door: str) -> str:
    """The key of a house from the codes of its building, unit (may be empty) and door."""
    return "-".join((*tokens(building), *tokens(unit), *tokens(door)))


def building_code(text: str) -> str:
    """`1`, `1栋`, `1号楼` and `一栋` are the building `1`; empty where nothing is left."""
    return _BUILDING_WORD.sub("", _plain(text)).strip()


def unit_code(text: str) -> str:
    """`1单元` is the unit `1`; empty stays empty: a building without units."""
    return _UNIT_WORD.sub("", _plain(text)).strip()


def door_code(text: str) -> str:
    """`101室` is the door `101`."""
    return _DOOR_WORD.sub("", _plain(text)).strip()


def building_name(text: str) -> str:
    """How a building is shown: as typed, with 栋 where only its number was typed."""
    shown = unicodedata.normalize("NFKC", text).strip()
    return f"{shown}栋" if re.fullmatch(r"[0-9A-Za-z]+", shown) else shown


def patterns(typed: str) -> Patterns | None:
    """LIKE patterns for what was typed so far; None where it holds nothing to search for.

    Tokens hold no wildcard, so that the patterns mean what they say. Two tokens may leave the unit out.
    """
    found = tokens(typed[:MAX_TYPED])
    if not found:
        return None
    joined = "-".join(found)
    by_key = [f"{joined}%"] if len(found) > 1 else [f"{joined}-%"]
    if len(found) == 2:
        by_key.append(f"{found[0]}-%-{found[1]}%")
    return Patterns(exact=joined, by_key=tuple(by_key), by_door=f"{found[0]}%" if len(found) == 1 else None)
