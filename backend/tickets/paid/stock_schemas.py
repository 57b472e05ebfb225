"""What the routes of price list and stock take and answer. Money in fen."""

from datetime import date, datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field, model_validator

from backend.kernel.db import Record
from backend.kernel.http import Page, Strict, example
from backend.tickets.paid.price_list import Terms
from backend.tickets.paid.schemas import MAX_UNIT_FEN
from backend.tickets.paid.states import Movement, Sort
from backend.tickets.schemas import ID, Words

MAX_COUNT = 100_000
Pieces = Annotated[int, Field(ge=1, le=MAX_COUNT)]
_ITEM: dict[str, Any] = {
    "id": ID, "community_id": None, "sort": "part", "name": "水龙头阀芯", "unit": "个", "price_fen": 3_500,
    "starts_on": "2026-08-01", "withdrawn_at": None,
}  # fmt: skip
_COUNT = {"item_id": ID, "name": "水龙头阀芯", "unit": "个", "count": 12}
_PLACE: dict[str, Any] = {
    "id": ID, "community_id": ID, "name": "工程部仓库", "staff_id": None, "staff": None, "counts": [_COUNT],
}  # fmt: skip
_MOVEMENT: dict[str, Any] = {
    "id": 1, "item_id": ID, "name": "水龙头阀芯", "unit": "个", "kind": "received", "change": 20, "ticket_id": None,
    "ticket_no": None, "reason": "采购单 0901", "at": "2026-09-01T02:00:00Z", "actor": "王芳",
}  # fmt: skip


class PriceBody(Strict):
    """A price from a day on; an item of a new name is made with it. `community_id` null: in all communities."""

    model_config = example(
        community_id=None, sort="part", name="水龙头阀芯", unit="个", price_fen=3_500, starts_on="2026-10-01",
        reason="年度价目表",
    )  # fmt: skip
    community_id: UUID | None
    sort: Sort
    name: str = Field(min_length=1, max_length=50)
    unit: str = Field(min_length=1, max_length=10)
    price_fen: int = Field(ge=1, le=MAX_UNIT_FEN)
    starts_on: date
    reason: Words

    @property
    def terms(self) -> Terms:
        return Terms(self.sort, self.name, self.unit, self.price_fen, self.starts_on)


class ItemView(Strict):
    """An item with today's price; null: none counts yet."""

    model_config = example(**_ITEM)
    id: UUID
    community_id: UUID | None
    sort: Sort
    name: str
    unit: str
    price_fen: int | None
    starts_on: date | None
    withdrawn_at: datetime | None

    @classmethod
    def of(cls, row: Record) -> "ItemView":
        return cls(**{**dict(row.items()), "sort": Sort(row["sort"])})


class PriceList(Strict):
    model_config = example(items=[_ITEM])
    items: list[ItemView]


class PlaceBody(Strict):
    """A store, or what a worker carries (`staff_id`)."""

    model_config = example(community_id=ID, name="工程部仓库", staff_id=None)
    community_id: UUID
    name: str = Field(min_length=1, max_length=20)
    staff_id: UUID | None = None


class PlaceMade(Strict):
    model_config = example(id=ID)
    id: UUID


class PartsBody(Strict):
    """Parts that come in from outside."""

    model_config = example(item_id=ID, quantity=20, reason="采购单 0901")
    item_id: UUID
    quantity: Pieces
    reason: Words


class TransferBody(PartsBody):
    """Parts that go to another place of the community."""

    model_config = example(item_id=ID, quantity=5, to_id=ID, reason="赵师傅领料")
    to_id: UUID


class ReturnBody(PartsBody):
    """Parts that a ticket used, and that come back."""

    model_config = example(item_id=ID, quantity=1, ticket_id=ID, reason="未用上，退回")
    ticket_id: UUID


class CountedLine(Strict):
    model_config = example(item_id=ID, counted=11)
    item_id: UUID
    counted: int = Field(ge=0, le=MAX_COUNT)


class CountBody(Strict):
    """What was counted of some or all parts of a place."""

    model_config = example(lines=[{"item_id": ID, "counted": 11}], reason="月末盘点")
    lines: list[CountedLine] = Field(min_length=1, max_length=500)
    reason: Words

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len(self.counted) < len(self.lines):
            raise ValueError("同一配件只能填写一次。")
        return self

    @property
    def counted(self) -> dict[UUID, int]:
        return {line.item_id: line.counted for line in self.lines}


class CountAnswer(Strict):
    """How many of the part lie there now."""

    model_config = example(count=15)
    count: int


class CountView(Strict):
    model_config = example(**_COUNT)
    item_id: UUID
    name: str
    unit: str
    count: int


class PlaceView(Strict):
    model_config = example(**_PLACE)
    id: UUID
    community_id: UUID
    name: str
    staff_id: UUID | None
    staff: str | None
    counts: list[CountView]


class StockAnswer(Strict):
    model_config = example(items=[_PLACE])
    items: list[PlaceView]


class MovementView(Strict):
    model_config = example(**_MOVEMENT)
    id: int
    item_id: UUID
    name: str
    unit: str
    kind: Movement
    change: int
    ticket_id: UUID | None
    ticket_no: int | None
    reason: str
    at: datetime
    actor: str | None

    @classmethod
    def of(cls, row: Record) -> "MovementView":
        return cls(**{**dict(row.items()), "kind": Movement(row["kind"])})


class MovementList(Strict):
    """What came and went, the newest first."""

    model_config = example(items=[_MOVEMENT], next_cursor=None)
    items: list[MovementView]
    next_cursor: str | None


class MovementQuery(Page):
    """A page of movements."""
