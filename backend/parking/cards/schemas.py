"""What the routes of cards that are sold take and answer. Money in fen; an end is the first day without."""

from datetime import date, datetime
from uuid import UUID

from pydantic import Field

from backend.kernel.db import Record
from backend.kernel.http import Strict, example
from backend.kernel.money import MAX_FEN
from backend.parking.cards.products import Terms
from backend.parking.cards.sales import Offer
from backend.parking.cards.states import Audience
from backend.parking.schemas import Plate, Reason
from backend.parking.states import CardKind

_ID = "01991b2a-7c00-7000-8000-000000000001"
_TERMS = {
    "name": "租赁车位月卡", "covers": "一个租赁车位，限登记车辆停放", "audience": "rented", "months": 1,
    "price_fen": 30_000, "vehicles": 2,
}  # fmt: skip
_PRODUCT = {"id": _ID, "lot_id": _ID, **_TERMS}


class ProductBody(Strict):
    """A card to be sold: `price_fen` for each space, `vehicles` the most that one card may name."""

    model_config = example(**_TERMS, reason="备案价格")
    name: str = Field(min_length=1, max_length=50)
    covers: str = Field(max_length=200)
    audience: Audience
    months: int = Field(ge=1, le=36)
    price_fen: int = Field(ge=1, le=MAX_FEN // 100)
    vehicles: int = Field(1, ge=1, le=10)
    reason: Reason

    @property
    def terms(self) -> Terms:
        return Terms(self.name, self.covers, self.audience, self.months, self.price_fen, self.vehicles)


class ProductView(Strict):
    """A card that a lot sells. `price_fen`: for each space; `vehicles`: the most that one card may name."""

    model_config = example(**_PRODUCT)
    id: UUID
    lot_id: UUID
    name: str
    covers: str
    audience: Audience
    months: int
    price_fen: int
    vehicles: int

    @classmethod
    def of(cls, row: Record) -> "ProductView":
        known = {name: row[name] for name in ProductView.model_fields if name != "audience"}
        return cls(**known, audience=Audience(row["audience"]))


class ProductsAnswer(Strict):
    model_config = example(items=[_PRODUCT])
    items: list[ProductView]


class StaffProduct(ProductView):
    """The same as staff see it; `withdrawn_at`: since when it is sold no more."""

    model_config = example(**_PRODUCT, created_at="2026-09-01T02:00:00Z", withdrawn_at=None)
    created_at: datetime
    withdrawn_at: datetime | None

    @classmethod
    def told(cls, row: Record) -> "StaffProduct":
        return cls(
            **ProductView.of(row).model_dump(), created_at=row["created_at"], withdrawn_at=row["withdrawn_at"]
        )  # fmt: skip


class StaffProducts(Strict):
    """What a lot sells and has sold."""

    model_config = example(items=[])
    items: list[StaffProduct]


class RenewalBody(Strict):
    """By which product a card is renewed."""

    model_config = example(product_id=_ID)
    product_id: UUID


class NewCardBody(Strict):
    """A card for vehicles of a house, which share `spaces`; the plates are registered to the house."""

    model_config = example(product_id=_ID, house_id=_ID, plates=["粤B12345"], spaces=1)
    product_id: UUID
    house_id: UUID
    plates: list[Plate] = Field(min_length=1, max_length=10)
    spaces: int = Field(1, ge=1, le=100)


class OfferAnswer(Strict):
    """What waits to be paid: at the counter `{"kind": "parking_card", "id": <card_id>}`, within half an hour."""

    model_config = example(card_id=_ID, amount_fen=30_000, starts_on="2026-09-01", ends_on="2026-10-01")
    card_id: UUID
    amount_fen: int
    starts_on: date
    ends_on: date

    @classmethod
    def of(cls, offer: Offer) -> "OfferAnswer":
        return cls(**{name: getattr(offer, name) for name in cls.model_fields})


class HouseCardsQuery(Strict):
    """The cards of which house."""

    house_id: UUID


class HouseCardView(Strict):
    """A card as the counter sees it; plates are masked."""

    model_config = example(
        id=_ID, lot_id=_ID, lot_name="地下停车场", house_id=_ID, kind="monthly", spaces=1, plates_masked=["粤B***45"],
        starts_on="2026-09-01", ends_on="2026-10-01",
    )  # fmt: skip
    id: UUID
    lot_id: UUID
    lot_name: str
    house_id: UUID
    kind: CardKind
    spaces: int
    plates_masked: list[str]
    starts_on: date
    ends_on: date | None


class HouseCards(Strict):
    model_config = example(items=[])
    items: list[HouseCardView]
