"""Classes of vehicles (车型) that prices tell apart: by the plate, else by the camera, else by the guard (D8).

Promises: what a plate says for sure decides, as a camera's guess must not make a small car dear; a lot without prices
for a class charges it by its general ones; a class that the guard corrects is priced by the version that counted at
the entry, and the quote is made anew at once.
"""

from collections.abc import Mapping
from enum import StrEnum

from backend.parking.lanes.sighting import VehicleClass
from backend.parking.plates import Colour, Kind, Plate


class PriceClass(StrEnum):
    """小型车, 大型车, 新能源小型车, 摩托车."""

    SMALL = "small"
    LARGE = "large"
    NEW_ENERGY = "new_energy"
    MOTORCYCLE = "motorcycle"


CLASS_TEXT: Mapping[PriceClass, str] = {
    PriceClass.SMALL: "小型车",
    PriceClass.LARGE: "大型车",
    PriceClass.NEW_ENERGY: "新能源小型车",
    PriceClass.MOTORCYCLE: "摩托车",
}

_SEEN: Mapping[VehicleClass, PriceClass] = {
    VehicleClass.CAR: PriceClass.SMALL,
    VehicleClass.SMALL_LORRY: PriceClass.SMALL,
    VehicleClass.BUS: PriceClass.LARGE,
    VehicleClass.LARGE_LORRY: PriceClass.LARGE,
    VehicleClass.MOTORCYCLE: PriceClass.MOTORCYCLE,
}


def of(plate: Plate | None, seen: VehicleClass = VehicleClass.UNKNOWN) -> PriceClass | None:
    """The class of a vehicle; None where neither the plate nor the camera tells one.

    Motorcycles have yellow and blue plates like others, so that only the camera knows them.
    """
    if seen is VehicleClass.MOTORCYCLE:
        return PriceClass.MOTORCYCLE
    if plate is None or plate.kind is Kind.NONE:
        return _SEEN.get(seen)
    return certain(plate) or _SEEN.get(seen, PriceClass.SMALL)


def certain(plate: Plate) -> PriceClass | None:
    """The class that a plate says for sure (GA 36-2018, as transcribed): by its form, or by a colour that was told."""
    if plate.kind is Kind.NEW_ENERGY:
        return PriceClass.LARGE if plate.text[-1].isalpha() else PriceClass.NEW_ENERGY
    if plate.kind in (Kind.YELLOW, Kind.TRAILER):
        return PriceClass.LARGE
    return PriceClass.SMALL if plate.colour is Colour.BLUE else None


def text(vehicle_class: PriceClass | None) -> str:
    """What the prices of a class are called; None: those of all that have none of their own."""
    return "通用" if vehicle_class is None else CLASS_TEXT[vehicle_class]
