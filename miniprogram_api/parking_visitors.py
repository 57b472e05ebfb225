"""Resident routes of visitors' vehicles: announced by who lives in a house, within the lot's limits (D8)."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from backend.kernel.auth import RESIDENT
from backend.kernel.days import Instant
from backend.kernel.db import Tx
from backend.kernel.errors import Conflict, Forbidden, Invalid, NotFound, TooMany, Unauthenticated
from backend.kernel.http import Call, Route, Strict, example
from backend.kernel.ratelimit import Rule
from backend.parking import vehicles
from backend.parking.cards import visitor_cards
from backend.parking.cards.visitor_cards import Announced
from backend.parking.schemas import AddedAnswer

_ID = "01991b2a-7c00-7000-8000-000000000001"
_VISITOR = {
    "id": _ID, "lot_id": _ID, "lot_name": "地下停车场", "plate": "粤B12345", "starts_at": "2026-09-01T10:00:00Z",
    "ends_at": "2026-09-01T15:00:00Z", "entries": 1, "cancelled": False,
}  # fmt: skip


class AnnounceBody(Strict):
    """A visitor's car that may come in from `starts_at` until `ends_at`, `entries` times."""

    model_config = example(
        lot_id=_ID, plate="粤B12345", starts_at="2026-09-01T18:00:00+08:00", ends_at="2026-09-01T23:00:00+08:00",
        entries=1,
    )  # fmt: skip
    lot_id: UUID
    plate: str = Field(min_length=1, max_length=32)
    starts_at: Instant
    ends_at: Instant
    entries: int = Field(1, ge=1, le=10)


class VisitorView(Strict):
    """A visitor's vehicle that was announced for a house; `plate` is null once it was cancelled before its day."""

    model_config = example(**_VISITOR)
    id: UUID
    lot_id: UUID
    lot_name: str
    plate: str | None
    starts_at: datetime
    ends_at: datetime
    entries: int
    cancelled: bool


class VisitorList(Strict):
    model_config = example(items=[_VISITOR])
    items: list[VisitorView]


async def announce(call: Call[AnnounceBody, None]) -> AddedAnswer:
    """POST /api/v1/houses/{house_id}/visitor-vehicles."""
    tie, body = call.principal.tie(call.ids["house_id"]), call.body

    async def work(tx: Tx) -> AddedAnswer:
        issued = await visitor_cards.announce(
            tx, call.principal.actor, keyring=call.res.keyring, lot_id=body.lot_id, community_id=tie.community_id,
            house_id=tie.house_id,
            new=Announced(body.plate, body.starts_at, body.ends_at, body.entries, tie.house_id),
        )  # fmt: skip
        return AddedAnswer(id=issued.id)

    return await call.once(work, AddedAnswer)


async def list_announced(call: Call[None, None]) -> VisitorList:
    """GET /api/v1/houses/{house_id}/visitor-vehicles."""
    tie, ring = call.principal.tie(call.ids["house_id"]), call.res.keyring
    rows = await visitor_cards.of_house(call.res.db, tie.house_id, at=call.res.clock.now())
    known = ("id", "lot_id", "lot_name", "starts_at", "ends_at", "entries")
    return VisitorList(
        items=[
            VisitorView(
                **{name: row[name] for name in known},
                plate=vehicles.of_vehicle(ring, row["vehicle_id"], row["plate_sealed"]),
                cancelled=row["state"] == "CANCELLED",
            )
            for row in rows
        ]
    )


_HOUSE = "/api/v1/houses/{house_id}/visitor-vehicles"

ROUTES = (
    Route(
        "GET", _HOUSE, list_announced, RESIDENT, "我家登记的访客车辆", answer=VisitorList,
        errors=(Unauthenticated, Forbidden, NotFound),
    ),
    Route(
        "POST", _HOUSE, announce, RESIDENT, "登记访客车辆，按停车场的限额", body=AnnounceBody, answer=AddedAnswer,
        status=201, creates=True, errors=(Unauthenticated, Forbidden, NotFound, Conflict, Invalid, TooMany),
        rate=Rule("parking.visitor", 20, 60),
    ),
)  # fmt: skip
