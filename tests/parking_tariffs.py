"""Parking tariffs for tests: documents, instants, and a slow model that walks minute by minute.

The model shares nothing with the product but the document: it is what the product's arithmetic is held against.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from backend.property.calendars import DayKind

SHANGHAI = ZoneInfo("Asia/Shanghai")
Document = dict[str, Any]
ALL_KINDS = ["working_day", "weekend", "holiday"]
MINUTE = timedelta(minutes=1)
# As transcribed: first, second and third class areas of Beijing, fen per 15 minutes in and after the first hour.
KERB = {1: (250, 375), 2: (150, 225), 3: (50, 75)}
HOLIDAYS = {date(2026, 10, day) for day in range(1, 9)}


def day_kind(day: date) -> DayKind:
    """The first week of October is a holiday; no day is moved."""
    if day in HOLIDAYS:
        return DayKind.HOLIDAY
    return DayKind.WEEKEND if day.isoweekday() > 5 else DayKind.WORKING_DAY


def always_working(day: date) -> DayKind:
    """A world without weekends."""
    return DayKind.WORKING_DAY


def at(text: str) -> datetime:
    """`2026-09-01 09:00` or with seconds, in Shanghai, as an aware UTC instant; a Tuesday when only a time is given."""
    text = text if "-" in text else f"2026-09-01 {text}"
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).astimezone(UTC)


def segment(from_min: int, to_min: int | None, increment_min: int, price_fen: int, **more: Any) -> Document:
    return {"from_min": from_min, "to_min": to_min, "increment_min": increment_min, "price_fen": price_fen, **more}


def window(starts: str, ends: str, *segments: Document, **more: Any) -> Document:
    return {"starts": starts, "ends": ends, "segments": list(segments), **more}


def made(*windows: Document, crossing: str = "counted_apart", rounding: str = "begun_units", **more: Any) -> Document:
    """A tariff that is the same on all days."""
    days = [{"kinds": ALL_KINDS, "windows": list(windows)}]
    return {"crossing": crossing, "rounding": rounding, "days": days, **more}


def all_day(*segments: Document, **more: Any) -> Document:
    return window("00:00", "24:00", *segments, **more)


def kerb(area: int = 1) -> Document:
    """Beijing's kerb-side prices for small cars."""
    first, later = KERB[area]
    return made(
        window("07:00", "21:00", segment(0, 60, 15, first), segment(60, None, 15, later), name="日间"),
        window("21:00", "07:00", segment(0, None, 120, 100), name="夜间"),
        rounding="whole_units",
    )


class Walk:
    """A stay walked minute by minute; instants are whole minutes."""

    def __init__(self, document: Document, kinds: Any) -> None:
        self.document = document
        self.kinds = kinds
        self.total = 0
        self.used: dict[tuple[Any, ...], int] = {}
        self.unit: dict[str, Any] | None = None
        self.scope: Any = None
        self.counted = self.origin = 0
        self.day: Any = None
        self.anew = bool((document.get("day") or {}).get("counts_anew"))
        self.occurrence = 0
        self.window: Document | None = None

    def amounts(self, spans: Sequence[tuple[datetime, datetime]]) -> Iterator[tuple[datetime, int]]:
        """The price of leaving after each minute, earlier spans included."""
        free = self.document.get("free") or {"minutes": 0, "kind": "threshold"}
        present = 0
        moment = spans[0][0]
        while moment < spans[-1][1]:
            inside = any(start <= moment < end for start, end in spans)
            charged = inside and not (free["kind"] == "deducted" and present < free["minutes"])
            if charged or self.window is not None:
                self._look(moment, spans[0][0])
            if charged:
                self._minute()
            present += inside
            moment += MINUTE
            if moment > spans[-1][0]:
                shown = max(self.total, self.document.get("minimum_fen", 0)) if self.total else 0
                yield moment, 0 if present <= free["minutes"] else shown

    def _look(self, moment: datetime, entered: datetime) -> None:
        """The window, its occurrence and the day of this minute."""
        local = moment.astimezone(SHANGHAI)
        kind = self.kinds(local.date()).value
        days = next(each for each in self.document["days"] if kind in each["kinds"])
        clock = local.strftime("%H:%M")
        found = next(each for each in days["windows"] if _within(clock, each["starts"], each["ends"]))
        fresh = found != self.window or (clock == found["starts"] and clock != "00:00")
        first = self.window is None
        self.occurrence += fresh
        self.window = found
        day = self.document.get("day")
        number: Any = None
        if day:
            number = local.date() if day["by"] == "calendar" else (moment - entered) // timedelta(days=1)
        anew = self.anew
        scope = (self.occurrence, number if anew else None) if self.document["crossing"] == "counted_apart" else None
        if first:
            self.day = number
            self.scope = scope
            if found.get("entry_fen"):
                self._add(found["entry_fen"], [("day", number), ("stay",)])
        if scope != self.scope:
            self.unit, self.counted, self.origin = None, 0, 0
            self.scope = scope
        elif anew and number != self.day:
            self.origin = self.counted
        self.day = number

    def _minute(self) -> None:
        assert self.window is not None
        if self.unit is None:
            position = self.counted - self.origin
            for number, each in enumerate(self.window["segments"]):
                if each["to_min"] is None or position < each["to_min"]:
                    keys = [("segment", self.occurrence, self.anew and self.day, number), ("window", self.occurrence)]
                    self.unit = {"left": each["increment_min"], "price": each["price_fen"], "cap": each.get("cap_fen")}
                    self.unit |= {"keys": [*keys, ("day", self.day), ("stay",)], "window": self.window}
                    break
            if self.unit is not None and self.document["rounding"] == "begun_units":
                self._pay()
        self.counted += 1
        if self.unit is not None:
            self.unit["left"] -= 1
            if not self.unit["left"]:
                if self.document["rounding"] == "whole_units":
                    self._pay()
                self.unit = None

    def _pay(self) -> None:
        assert self.unit is not None
        self._add(self.unit["price"], self.unit["keys"])

    def _add(self, fen: int, keys: list[tuple[Any, ...]]) -> None:
        caps = {
            "segment": self.unit and self.unit["cap"],
            "window": self.unit and self.unit["window"].get("cap_fen"),
            "day": (self.document.get("day") or {}).get("cap_fen"),
            "stay": self.document.get("stay_cap_fen"),
        }
        for key in keys:
            cap = caps[key[0]]
            if cap is not None:
                fen = min(fen, cap - self.used.get(key, 0))
                self.used[key] = self.used.get(key, 0) + fen
        self.total += fen


def _within(clock: str, starts: str, ends: str) -> bool:
    return starts <= clock < ends if starts < ends else clock >= starts or clock < ends
