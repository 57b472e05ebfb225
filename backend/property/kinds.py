"""Kinds of houses (D1)."""

from enum import StrEnum


class HouseKind(StrEnum):
    """住宅, 商铺, 储藏室, 产权车位."""

    RESIDENCE = "residence"
    SHOP = "shop"
    STORAGE = "storage"
    PARKING_FOR_SALE = "parking_for_sale"
