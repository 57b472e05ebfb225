"""Phone numbers and names: one written form to look them up by, and a masked form to show."""

import re
import unicodedata

_MAINLAND = re.compile(r"(?:(?:\+|00)?86)?(1[3-9][0-9]{9})")
_FOREIGN = re.compile(r"(?:\+|00)([1-9][0-9]{6,14})")
_SPACING = re.compile(r"[\s\-().\u2010-\u2015]")


def normalise_phone(text: str) -> str:
    """A mainland mobile number as its 11 digits, any other as `+` and its country code; ValueError for neither."""
    digits = _SPACING.sub("", unicodedata.normalize("NFKC", text))
    if (mainland := _MAINLAND.fullmatch(digits)) is not None:
        return mainland[1]
    foreign = _FOREIGN.fullmatch(digits)
    if foreign is None or foreign[1].startswith("86"):
        raise ValueError("not a mobile number")
    return f"+{foreign[1]}"


def mask_phone(phone: str) -> str:
    """`138****6666`: the first three and the last four digits, nothing of what is too short for that."""
    return f"{phone[:3]}****{phone[-4:]}" if len(phone) >= 10 else "*" * len(phone)


def mask_name(name: str) -> str:
    """The surname and one star, whatever the length: `张*`, `欧*` for a compound surname too; empty stays empty."""
    return f"{name[0]}*" if name else ""
