"""Licence plates (车牌): one written form for each, what kind it is, and how wrong reads are found again (D8).

Promises: what two people, or a person and a camera, write differently (spaces, dots, lower case, full-width, O for 0,
I for 1) becomes the same text; what is no plate is refused, never repaired by a guess. The forms are those of
GA 36-2018, as transcribed from general knowledge. Plates are personal data: nothing here logs them, and no error
repeats one.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from backend.kernel.errors import Invalid

MAX_TEXT = 32
WILDCARD = "?"
# What people and cameras write for a car without a plate (无牌车), and for one that could not be read (cameras.md 5.1).
PLATELESS = frozenset({"_无_", "无", "无牌", "无牌车", "无车牌", "NOPLATE"})
UNREADABLE = frozenset({"UNKNOWN", "UNRECOGNISED", "UNRECOGNIZED", "未识别"})
_SEPARATORS = re.compile(r"[\s·•・‧∙.\-‐–—]+")
_LOOKALIKES = str.maketrans("OI", "01")


class Kind(StrEnum):
    """What the plate says of the vehicle."""

    BLUE = "blue"
    YELLOW = "yellow"
    BLACK = "black"
    NEW_ENERGY = "new_energy"
    POLICE = "police"
    ARMED_POLICE = "armed_police"
    MILITARY = "military"
    EMBASSY = "embassy"
    CONSULATE = "consulate"
    HONG_KONG = "hong_kong"
    MACAO = "macao"
    LEARNER = "learner"
    TRAILER = "trailer"
    EMERGENCY = "emergency"
    CIVIL_AVIATION = "civil_aviation"
    TEMPORARY = "temporary"
    NONE = "none"


class Colour(StrEnum):
    """The plate's colour, in the words of the neutral event (cameras.md 5.1)."""

    BLUE = "blue"
    YELLOW = "yellow"
    WHITE = "white"
    BLACK = "black"
    GREEN = "green"
    YELLOW_GREEN = "yellow_green"
    OTHER = "other"
    UNKNOWN = "unknown"


KIND_NAMES: Mapping[Kind, str] = {
    Kind.BLUE: "蓝牌",
    Kind.YELLOW: "黄牌",
    Kind.BLACK: "黑牌",
    Kind.NEW_ENERGY: "新能源",
    Kind.POLICE: "警车",
    Kind.ARMED_POLICE: "武警",
    Kind.MILITARY: "军车",
    Kind.EMBASSY: "使馆",
    Kind.CONSULATE: "领馆",
    Kind.HONG_KONG: "港",
    Kind.MACAO: "澳",
    Kind.LEARNER: "教练车",
    Kind.TRAILER: "挂车",
    Kind.EMERGENCY: "应急救援",
    Kind.CIVIL_AVIATION: "民航",
    Kind.TEMPORARY: "临时号牌",
    Kind.NONE: "无牌车",
}


@dataclass(frozen=True, slots=True)
class Plate:
    """A plate in its one written form.

    `colour` is the one told, else the one that all plates of the kind have, else UNKNOWN. `doubtful`: text and colour
    contradict each other (cameras.md 5.1 rule 2), so one of the two was probably misread.
    """

    text: str
    kind: Kind
    colour: Colour
    doubtful: bool = False


NO_PLATE = Plate("", Kind.NONE, Colour.UNKNOWN)

PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
_PROVINCE = f"[{PROVINCES}]"
# The letter of the issuing office: any but I; O stands on old official plates.
_OFFICE = "[A-HJ-Z]"
_ANY = "[A-HJ-NP-Z0-9]"
_LETTER = "[A-HJ-NP-Z]"
# A new-energy plate carries a letter of A to K: at the front of the number on small cars, at its end on large ones.
_POWER = "[A-HJK]"
_FORMS: tuple[tuple[re.Pattern[str], Kind, Colour], ...] = tuple(
    (re.compile(form), kind, colour)
    for form, kind, colour in (
        (rf"{_PROVINCE}{_OFFICE}{_POWER}{_ANY}\d{{4}}", Kind.NEW_ENERGY, Colour.GREEN),
        (rf"{_PROVINCE}{_OFFICE}\d{{5}}{_POWER}", Kind.NEW_ENERGY, Colour.YELLOW_GREEN),
        (rf"{_PROVINCE}{_OFFICE}{_ANY}{{5}}", Kind.BLUE, Colour.BLUE),
        (rf"{_PROVINCE}{_OFFICE}{_ANY}{{4}}警", Kind.POLICE, Colour.WHITE),
        (rf"{_PROVINCE}{_OFFICE}{_ANY}{{4}}应急", Kind.EMERGENCY, Colour.WHITE),
        (rf"{_PROVINCE}{_OFFICE}{_ANY}{{4}}学", Kind.LEARNER, Colour.YELLOW),
        (rf"{_PROVINCE}{_OFFICE}{_ANY}{{4}}挂", Kind.TRAILER, Colour.YELLOW),
        (rf"{_PROVINCE}{_OFFICE}{_ANY}{{4}}港", Kind.HONG_KONG, Colour.BLACK),
        (rf"{_PROVINCE}{_OFFICE}{_ANY}{{4}}澳", Kind.MACAO, Colour.BLACK),
        (rf"{_PROVINCE}{_OFFICE}{_ANY}{{4}}领", Kind.CONSULATE, Colour.BLACK),
        (r"使\d{6}", Kind.EMBASSY, Colour.BLACK),
        (rf"WJ{_PROVINCE}?\d{{4}}{_ANY}", Kind.ARMED_POLICE, Colour.WHITE),
        (rf"{_LETTER}{{2}}{_ANY}\d{{4}}", Kind.MILITARY, Colour.WHITE),
        (rf"民航{_ANY}{{5}}", Kind.CIVIL_AVIATION, Colour.UNKNOWN),
        (rf"{_PROVINCE}{_OFFICE}{_ANY}{{4,6}}[临试超]", Kind.TEMPORARY, Colour.UNKNOWN),
    )
)
# An ordinary number stands on blue, yellow or black alike: only the colour tells.
_BY_COLOUR: Mapping[Colour, Kind] = {Colour.YELLOW: Kind.YELLOW, Colour.BLACK: Kind.BLACK}
_ORDINARY_DOUBTS = frozenset({Colour.GREEN, Colour.YELLOW_GREEN, Colour.WHITE})
_GREENS = frozenset({Colour.GREEN, Colour.YELLOW_GREEN})
_SILENT = frozenset({Colour.UNKNOWN, Colour.OTHER})


def loose(text: str) -> str:
    """`text` as plates are compared, valid or not: NFKC, upper case, without spaces, dots and dashes (cameras.md 5.1).

    For what a camera read wrongly and for what a guard types in a search.
    """
    # Twice, because upper case can take a letter apart that the form puts together.
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).upper())
    return _SEPARATORS.sub("", plain)


def read(text: str, *, colour: Colour | None = None) -> Plate:
    """The plate that `text` names, or NO_PLATE for the words that say there is none.

    `colour` decides between blue, yellow and black, which share one form; without it such a plate counts as blue.
    Raises Invalid `bad_plate` for anything else; the error does not repeat the text.
    """
    if len(text) > MAX_TEXT:
        raise _refused()
    plain = loose(text)
    if plain in PLATELESS:
        return NO_PLATE
    written = _written(plain)
    for form, kind, usual in _FORMS:
        if form.fullmatch(written):
            return _plate(written, kind, usual, Colour.UNKNOWN if colour is None else colour)
    raise _refused()


def _written(plain: str) -> str:
    """The one order and spelling: 使 in front, 临 behind, no O and I where the standard has digits in their place."""
    if plain.endswith("使"):
        plain = "使" + plain[:-1]
    if plain.startswith("临"):
        plain = plain[1:].removesuffix("临") + "临"
    head = 1 if plain.startswith("使") else 2
    return plain[:head] + plain[head:].translate(_LOOKALIKES)


def _plate(text: str, kind: Kind, usual: Colour, told: Colour) -> Plate:
    silent = told in _SILENT
    if kind is Kind.BLUE:
        return Plate(text, _BY_COLOUR.get(told, kind), told if not silent else Colour.UNKNOWN, told in _ORDINARY_DOUBTS)
    doubtful = kind is Kind.NEW_ENERGY and not silent and told not in _GREENS
    return Plate(text, kind, usual if silent else told, doubtful)


def _refused() -> Invalid:
    return Invalid("车牌号格式不正确，请检查后重新填写，例如“粤B12345”。", code="bad_plate")


def last_five(plate: Plate | str) -> str:
    """The last five characters, by which guards search; shorter where the text is shorter, empty without a plate."""
    return _text(plate)[-5:]


def wildcards(plate: Plate | str) -> tuple[str, ...]:
    """The text with each one character replaced by WILDCARD, in order of place.

    Two plates that differ in one character share exactly one of them: a blind index of each finds what an exit misread.
    A `str` is a read that need not be a valid plate.
    """
    text = _text(plate)
    return tuple(f"{text[:place]}{WILDCARD}{text[place + 1 :]}" for place in range(len(text)))


def mask(plate: Plate | str) -> str:
    """The form to show where the whole plate is not needed: `粤B***45`; `无牌车` without a plate."""
    text = _text(plate)
    if not text:
        return KIND_NAMES[Kind.NONE]
    return f"{text[:2]}***{text[-2:]}" if len(text) > 5 else "***"


def _text(plate: Plate | str) -> str:
    return plate.text if isinstance(plate, Plate) else loose(plate)
