"""What stands in front of a camera, what the camera makes of it, and what it is told: the same for all makers."""

import random
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

# The smallest file that begins and ends as a JPEG does.
JPEG = b"\xff\xd8\xff\xd9"
# What recognition confuses, both ways; all else is read as a neighbour in the alphabet.
LOOKALIKES = {"0": "DQ8", "D": "0Q", "8": "B3", "B": "8", "1": "7T", "7": "1", "5": "S6", "S": "5", "2": "Z", "Z": "2"}
ALPHABET = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ"
PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"


class Way(StrEnum):
    """Which way the lane of the camera leads."""

    IN = "in"
    OUT = "out"


@dataclass(frozen=True, slots=True)
class Identity:
    """One camera as it names itself."""

    serial: str
    name: str = "IN-1"
    address: str = "192.168.1.100"
    way: Way = Way.IN
    channel: int = 0


@dataclass(frozen=True, slots=True)
class Shot:
    """One vehicle seen; `plate` None is a car without one, `unreadable` one whose plate cannot be read."""

    plate: str | None
    at: datetime
    colour: str = "blue"
    confidence: int = 96
    unreadable: bool = False
    manual: bool = False
    scene: bytes = JPEG
    crop: bytes = JPEG


@dataclass(frozen=True, slots=True)
class Record:
    """A shot as the camera keeps it: its own number, and whether it comes late out of the store."""

    number: int
    uuid: str
    shot: Shot
    late: bool = False
    opened_itself: bool = False

    def from_store(self) -> "Record":
        """The same record, sent after the network came back."""
        return replace(self, late=True)


@dataclass(frozen=True, slots=True)
class Post:
    """One push: headers and body byte by byte."""

    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Obeyed:
    """What the camera does with an answer. `taken`: it will not send the event again."""

    taken: bool = False
    opens: bool = False
    closes: bool = False
    lines: tuple[str, ...] = ()
    voice: str = ""
    code: str = ""
    next_late: bool = False
    shoots_again: bool = False


@dataclass(frozen=True, slots=True)
class Texts:
    """What board, screen and loudspeaker are told."""

    lines: tuple[str, ...] = ()
    voice: str = ""
    code: str = ""


@dataclass(slots=True)
class Bar:
    """The barrier: every opening, with the number of the record that was answered, None for a command."""

    openings: list[int | None] = field(default_factory=list)


def colour_of(plate: str) -> str:
    """The colour that a plate of this form usually has."""
    if len(plate) == 8 and plate[0] in PROVINCES and "应" not in plate:
        return "green" if plate[2].isalpha() else "yellow_green"
    if plate[-1] in "学挂":
        return "yellow"
    if plate[-1] in "港澳领" or plate.startswith("使"):
        return "black"
    return "white" if plate[-1] in "警急" or plate[0] not in PROVINCES else "blue"


def misread(plate: str, chance: random.Random) -> str:
    """`plate` with one character read as another that looks like it, never the same text."""
    place = chance.randrange(len(plate))
    character = plate[place]
    if character in PROVINCES:
        choices = PROVINCES.replace(character, "")
    else:
        choices = LOOKALIKES.get(character, ALPHABET.replace(character, ""))
    return plate[:place] + chance.choice(choices) + plate[place + 1 :]
