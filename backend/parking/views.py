"""What is shown of stays and quotes, to guards and to residents."""

from datetime import datetime
from typing import Any
from uuid import UUID

from backend.kernel.crypto import Keyring
from backend.kernel.db import Record
from backend.kernel.http import Strict, example
from backend.parking import plates, vehicles
from backend.parking.prices.classes import PriceClass
from backend.parking.prices.quotes import Asked
from backend.parking.states import FLAG_TEXT, Flag, SessionState

_ID = "01991b2a-7c00-7000-8000-000000000001"
STAY_EXAMPLE: dict[str, Any] = {
    "id": _ID,
    "lot_id": _ID,
    "lot_name": "地下停车场",
    "state": "IN",
    "plate_masked": "粤B***45",
    "vehicle_class": "small",
    "flags": [],
    "by_card": False,
    "entered_at": "2026-09-01T02:00:00Z",
    "left_at": None,
    "paid_fen": 0,
    "refunded_fen": 0,
}


class FlagView(Strict):
    """What is unusual, and how to say it."""

    model_config = example(code="no_entry", text="没有入场记录")
    code: Flag
    text: str


class StayView(Strict):
    """A stay. The plate is masked; a car without one has none."""

    model_config = example(**STAY_EXAMPLE)
    id: UUID
    lot_id: UUID
    lot_name: str
    state: SessionState
    plate_masked: str
    vehicle_class: PriceClass | None
    flags: list[FlagView]
    by_card: bool
    entered_at: datetime | None
    left_at: datetime | None
    paid_fen: int
    refunded_fen: int


class StaysAnswer(Strict):
    """A page of stays, newest first."""

    model_config = example(items=[STAY_EXAMPLE], next_cursor=None)
    items: list[StayView]
    next_cursor: str | None


def stay_view(keyring: Keyring, row: Record) -> dict[str, Any]:
    """The fields of a StayView."""
    plate = vehicles.opened(keyring, "parking_session", row)
    return {
        "id": row["id"],
        "lot_id": row["lot_id"],
        "lot_name": row["lot_name"],
        "state": SessionState(row["state"]),
        "plate_masked": plates.mask(plate or ""),
        "vehicle_class": row["vehicle_class"] and PriceClass(row["vehicle_class"]),
        "flags": [FlagView(code=Flag(each), text=FLAG_TEXT[Flag(each)]) for each in row["flags"]],
        "by_card": row["card_id"] is not None,
        "entered_at": row["entered_at"],
        "left_at": row["left_at"],
        "paid_fen": row["paid_fen"],
        "refunded_fen": row["refunded_fen"],
    }


class QuoteLine(Strict):
    """One step of a price, in words and in fen."""

    model_config = example(label="全天，每小时 5.00 元 × 2", units=2, amount_fen=1000)
    label: str
    units: int
    amount_fen: int


class QuoteView(Strict):
    """What is to be paid, until when it may be, and why it is so much."""

    model_config = example(
        id=_ID, total_fen=1000, paid_before_fen=0, amount_fen=1000, valid_until="2026-09-01T04:10:00Z",
        lines=[{"label": "全天，每小时 5.00 元 × 2", "units": 2, "amount_fen": 1000}],
    )  # fmt: skip
    id: UUID
    total_fen: int
    paid_before_fen: int
    amount_fen: int
    valid_until: datetime
    lines: list[QuoteLine]

    @classmethod
    def of(cls, row: Record) -> "QuoteView":
        known = {name: row[name] for name in cls.model_fields if name != "lines"}
        lines = [
            QuoteLine(label=line["label"], units=line["units"], amount_fen=line["amount_fen"]) for line in row["lines"]
        ]
        return cls(**known, lines=lines)


class AskedAnswer(Strict):
    """What a car inside would pay now; `quote` null: nothing. `grace_until`: it may leave until then, having paid."""

    model_config = example(
        session_id=_ID, lot_name="地下停车场", entered_at="2026-09-01T02:00:00Z", grace_until=None,
        quote={
            "id": _ID, "total_fen": 1000, "paid_before_fen": 0, "amount_fen": 1000,
            "valid_until": "2026-09-01T04:10:00Z",
            "lines": [{"label": "全天，每小时 5.00 元 × 2", "units": 2, "amount_fen": 1000}],
        },
    )  # fmt: skip
    session_id: UUID
    lot_name: str
    entered_at: datetime
    grace_until: datetime | None
    quote: QuoteView | None

    @classmethod
    def of(cls, asked: Asked) -> "AskedAnswer":
        return cls(
            session_id=asked.session_id,
            lot_name=asked.lot_name,
            entered_at=asked.entered_at,
            grace_until=asked.grace_until,
            quote=None if asked.quote is None else QuoteView.of(asked.quote),
        )
