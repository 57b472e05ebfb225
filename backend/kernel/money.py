"""Money is integer fen. Fractions appear only inside a computation and are rounded once (I-12, D2)."""

from collections.abc import Sequence
from enum import StrEnum
from fractions import Fraction

MAX_FEN = 9_999_999_999_99


class Rounding(StrEnum):
    """How the total of a bill is rounded (D2)."""

    HALF_UP = "half_up"
    UP = "up"
    DOWN = "down"


class RoundingUnit(StrEnum):
    """To what the total of a bill is rounded (D2): 分, 角, 元."""

    FEN = "fen"
    JIAO = "jiao"
    YUAN = "yuan"


UNIT_FEN = {RoundingUnit.FEN: 1, RoundingUnit.JIAO: 10, RoundingUnit.YUAN: 100}


def allocate(total_fen: int, weights: Sequence[Fraction]) -> list[int]:
    """Split `total_fen` by `weights` with the largest remainder, so that the parts add up to the whole (I-12).

    Equal remainders go to the earlier part. Weights are non-negative and not all zero, else ValueError.
    """
    whole = sum(weights, Fraction())
    if whole <= 0 or any(weight < 0 for weight in weights):
        raise ValueError("weights must be non-negative and not all zero")
    exact = [total_fen * weight / whole for weight in weights]
    parts = [share.numerator // share.denominator for share in exact]
    by_remainder = sorted(range(len(parts)), key=lambda i: (parts[i] - exact[i], i))
    for i in by_remainder[: total_fen - sum(parts)]:
        parts[i] += 1
    return parts


def yuan_text(amount_fen: int) -> str:
    """`12345` as `123.45`: how people and statement files write it."""
    sign = "-" if amount_fen < 0 else ""
    yuan, fen = divmod(abs(amount_fen), 100)
    return f"{sign}{yuan}.{fen:02d}"


_DIGITS = "零壹贰叁肆伍陆柒捌玖"
_GROUPS = ("", "万", "亿", "万亿")


def capital_text(amount_fen: int) -> str:
    """`12305` as `壹佰贰拾叁元零伍分`: how papers write money (大写金额); ValueError for what is not positive."""
    if amount_fen <= 0:
        raise ValueError(f"only a positive amount is written out: {amount_fen} fen")
    yuan, fen = divmod(amount_fen, 100)
    text = f"{_written(yuan)}元" if yuan else ""
    if fen == 0:
        return f"{text}整"
    if fen < 10:
        return f"{text}{'零' if yuan else ''}{_DIGITS[fen]}分"
    return f"{text}{_DIGITS[fen // 10]}角" + (f"{_DIGITS[fen % 10]}分" if fen % 10 else "整")


def _written(number: int) -> str:
    """A whole number below 10^16, four digits at a time; skipped places are one 零."""
    text, skipped = "", False
    for place in reversed(range(len(_GROUPS))):
        group = number // 10_000**place % 10_000
        if group:
            text += "零" if text and (skipped or group < 1_000) else ""
            text += _four(group) + _GROUPS[place]
        skipped = group == 0
    return text


def _four(group: int) -> str:
    text, skipped = "", False
    for unit, value in (("仟", 1_000), ("佰", 100), ("拾", 10), ("", 1)):
        digit = group // value % 10
        if digit:
            text += ("零" if text and skipped else "") + _DIGITS[digit] + unit
        skipped = digit == 0
    return text
