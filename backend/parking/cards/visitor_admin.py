"""The staff route that issues visitors' cards (访客车辆); they are cancelled like any card (D8)."""

from uuid import UUID

from pydantic import Field

from backend.kernel.days import Instant
from backend.kernel.db import Tx
from backend.kernel.errors import Conflict, Invalid, NotFound
from backend.kernel.http import Call, Route, Strict, example
from backend.parking.cards import visitor_cards
from backend.parking.cards.visitor_cards import Announced
from backend.parking.schemas import AddedAnswer

CARD = "parking.card"
_ID = "01991b2a-7c00-7000-8000-000000000001"


class VisitorBody(Strict):
    """May come in from `starts_at` until `ends_at`, `entries` times; `house_id`: whom it visits, null: the company."""

    model_config = example(
        plate="粤B12345", starts_at="2026-09-01T18:00:00+08:00", ends_at="2026-09-01T23:00:00+08:00", entries=1,
        house_id=_ID,
    )  # fmt: skip
    plate: str = Field(min_length=1, max_length=32)
    starts_at: Instant
    ends_at: Instant
    entries: int = Field(1, ge=1, le=100)
    house_id: UUID | None = None


async def issue(call: Call[VisitorBody, None]) -> AddedAnswer:
    """POST /admin/v1/parking-lots/{lot_id}/visitor-cards."""
    body = call.body

    async def work(tx: Tx) -> AddedAnswer:
        issued = await visitor_cards.issue(
            tx, call.principal.actor, keyring=call.res.keyring, lot_id=call.ids["lot_id"],
            communities=call.principal.communities(CARD),
            new=Announced(body.plate, body.starts_at, body.ends_at, body.entries, body.house_id),
        )  # fmt: skip
        return AddedAnswer(id=issued.id)

    return await call.once(work, AddedAnswer)


ROUTES = (
    Route(
        "POST", "/admin/v1/parking-lots/{lot_id}/visitor-cards", issue, CARD, "登记访客车辆：时间段和入场次数",
        body=VisitorBody, answer=AddedAnswer, status=201, creates=True, errors=(NotFound, Conflict, Invalid),
    ),
)  # fmt: skip
