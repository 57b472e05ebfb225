"""The vendors' words for colours and vehicles, in ours (protocols/cameras.md 3.2, 3.3, 4.1). Case does not matter."""

from collections.abc import Mapping
from typing import Any

from backend.parking.cameras.base import word
from backend.parking.lanes.sighting import VehicleClass
from backend.parking.plates import Colour

_COLOURS: Mapping[str, Colour] = {
    "": Colour.UNKNOWN,
    "unknown": Colour.UNKNOWN,
    "blue": Colour.BLUE,
    "蓝": Colour.BLUE,
    "yellow": Colour.YELLOW,
    "黄": Colour.YELLOW,
    "white": Colour.WHITE,
    "白": Colour.WHITE,
    "black": Colour.BLACK,
    "黑": Colour.BLACK,
    "civilaviationblack": Colour.BLACK,
    "green": Colour.GREEN,
    "绿": Colour.GREEN,
    "渐变绿": Colour.GREEN,
    "newenergygreen": Colour.GREEN,
    "civilaviationgreen": Colour.GREEN,
    "yellowgreen": Colour.YELLOW_GREEN,
    "newenergyyellowgreen": Colour.YELLOW_GREEN,
    "黄绿": Colour.YELLOW_GREEN,
}
_VEHICLES: Mapping[VehicleClass, frozenset[str]] = {
    VehicleClass.CAR: frozenset(
        [
            "car",
            "vehicle",
            "motorvehicle",
            "smallcar",
            "minicar",
            "saloon",
            "hatchback",
            "coupe",
            "suv",
            "mpv",
            "suvmpv",
            "van",
            "microvan",
        ]
    ),
    VehicleClass.BUS: frozenset(["minibus", "mediumbus", "bus", "largebus"]),
    VehicleClass.SMALL_LORRY: frozenset(["buggy", "lighttruck", "minitruck", "pickuptruck"]),
    VehicleClass.LARGE_LORRY: frozenset(
        [
            "truck",
            "mediumheavytruck",
            "containertruck",
            "slagtruck",
            "oiltanktruck",
            "concretemixer",
            "platformtrailer",
            "crane",
        ]
    ),
    VehicleClass.MOTORCYCLE: frozenset(["twowheelvehicle", "threewheelvehicle", "motorcycle"]),
    VehicleClass.OTHER: frozenset(["nonmotorvehicle", "pedestrian"]),
}
_BY_WORD = {name: kind for kind, names in _VEHICLES.items() for name in names}
# Longest first: 黄绿 begins with 黄.
COLOUR_MARKS = ("渐变绿", "黄绿", "蓝", "黄", "白", "黑", "绿")


def colour(value: Any) -> Colour:
    """The colour that a word names; OTHER for a word that we do not know, UNKNOWN for none."""
    return _COLOURS.get(word(value).lower().removesuffix("色").replace("_", "").replace(" ", ""), Colour.OTHER)


def vehicle(value: Any) -> VehicleClass:
    """The class that a word names; UNKNOWN for one that we do not know."""
    return _BY_WORD.get(word(value).lower(), VehicleClass.UNKNOWN)
