"""Classes of vehicles (D8): what a plate says for sure, and what only the camera knows."""

import pytest

from backend.parking import plates
from backend.parking.lanes.sighting import VehicleClass
from backend.parking.plates import Colour
from backend.parking.prices import classes
from backend.parking.prices.classes import PriceClass


@pytest.mark.parametrize(
    ("text", "colour", "seen", "expected"),
    [
        ("粤B12345", Colour.BLUE, VehicleClass.UNKNOWN, PriceClass.SMALL),
        ("粤B12345", Colour.YELLOW, VehicleClass.UNKNOWN, PriceClass.LARGE),
        ("粤BD12345", Colour.GREEN, VehicleClass.UNKNOWN, PriceClass.NEW_ENERGY),
        ("粤B12345D", Colour.YELLOW_GREEN, VehicleClass.UNKNOWN, PriceClass.LARGE),
        ("粤B1234挂", Colour.YELLOW, VehicleClass.UNKNOWN, PriceClass.LARGE),
        ("粤B1234学", Colour.YELLOW, VehicleClass.UNKNOWN, PriceClass.SMALL),
        ("粤B12345", Colour.UNKNOWN, VehicleClass.UNKNOWN, PriceClass.SMALL),
        # A camera's guess does not make a small car dear, nor a lorry cheap.
        ("粤B12345", Colour.BLUE, VehicleClass.LARGE_LORRY, PriceClass.SMALL),
        ("粤B12345", Colour.YELLOW, VehicleClass.CAR, PriceClass.LARGE),
        ("粤BD12345", Colour.GREEN, VehicleClass.BUS, PriceClass.NEW_ENERGY),
        # Where the plate leaves it open, the camera tells.
        ("粤B12345", Colour.UNKNOWN, VehicleClass.LARGE_LORRY, PriceClass.LARGE),
        ("粤B1234警", Colour.WHITE, VehicleClass.BUS, PriceClass.LARGE),
        ("粤B12345", Colour.BLUE, VehicleClass.MOTORCYCLE, PriceClass.MOTORCYCLE),
        ("粤B12345", Colour.YELLOW, VehicleClass.MOTORCYCLE, PriceClass.MOTORCYCLE),
    ],
)
def test_d8_the_class_of_a_vehicle(text: str, colour: Colour, seen: VehicleClass, expected: PriceClass) -> None:
    assert classes.of(plates.read(text, colour=colour), seen) is expected


@pytest.mark.parametrize(
    ("seen", "expected"),
    [(VehicleClass.UNKNOWN, None), (VehicleClass.OTHER, None), (VehicleClass.BUS, PriceClass.LARGE)],
)
def test_d8_without_a_plate_only_the_camera_knows(seen: VehicleClass, expected: PriceClass | None) -> None:
    assert classes.of(None, seen) is expected
    assert classes.of(plates.NO_PLATE, seen) is expected
