"""Resident routes of spaces and of applications for spaces and vehicles (车位, 车辆登记, 外来车辆) (R5).

Owner and family only (D1): a tenant's vehicles need the owner's leave, so that the owner applies for them.
"""

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from backend.kernel.auth import RESIDENT, Tie
from backend.kernel.db import Record, Tx
from backend.kernel.errors import Conflict, Forbidden, Invalid, NotFound, TooMany, Unauthenticated
from backend.kernel.http import Call, Route, Strict, example
from backend.kernel.ratelimit import Rule
from backend.parking import lots
from backend.parking.cards import applications, spaces
from backend.parking.cards.applications import ForSpace, ForVehicle
from backend.parking.cards.states import SpaceKind, SpaceState
from backend.parking.schemas import Plate, Reason
from backend.property import rights
from backend.property.rights import Right

SHOWN = 200
APPLY_RATE = Rule("parking.apply", 20, 3600)
_ID = "01991b2a-7c00-7000-8000-000000000001"


class FreeSpace(Strict):
    """A space that may be applied for."""

    model_config = example(id=_ID, number="A-017", kind="standard")
    id: UUID
    number: str
    kind: SpaceKind


class FreeSpaces(Strict):
    """The first two hundred by number."""

    model_config = example(items=[])
    items: list[FreeSpace]


class MySpace(Strict):
    """A space of one of my houses, or one that is kept for it. `ends_on`: the first day without it."""

    model_config = example(
        id=_ID, lot_id=_ID, house_id=_ID, number="A-017", kind="standard", state="rented", starts_on="2026-09-01",
        ends_on="2027-09-01",
    )  # fmt: skip
    id: UUID
    lot_id: UUID
    house_id: UUID
    number: str
    kind: SpaceKind
    state: SpaceState
    starts_on: date | None
    ends_on: date | None


class MySpaces(Strict):
    model_config = example(items=[])
    items: list[MySpace]


class SpaceApplication(Strict):
    """Which space for which house: to rent for `months`, or (null) to buy."""

    model_config = example(house_id=_ID, space_id=_ID, months=12, reason="新购车辆")
    house_id: UUID
    space_id: UUID
    months: int | None = Field(ge=1, le=120)
    reason: Reason


class VehicleApplication(Strict):
    """Which vehicle for which house: its own, or (`until`, the first day without) one of somebody else."""

    model_config = example(house_id=_ID, lot_id=_ID, plate="粤B12345", until=None, reason="新购车辆")
    house_id: UUID
    lot_id: UUID
    plate: Plate
    until: date | None
    reason: Reason


class ApplicationView(Strict):
    """An application as it stands. `note`: what the property company says, the reason of a refusal."""

    model_config = example(
        id=_ID, house_id=_ID, kind="vehicle", asked={"车牌": "粤B***45", "申请": "自家车辆"}, reason="新购车辆",
        state="PENDING", note=None, applied_at="2026-09-01T02:00:00Z", decided_at=None,
    )  # fmt: skip
    id: UUID
    house_id: UUID
    kind: Literal["space", "vehicle"]
    asked: dict[str, str]
    reason: str
    state: str
    note: str | None
    applied_at: datetime
    decided_at: datetime | None

    @classmethod
    def of(cls, row: Record) -> "ApplicationView":
        return cls(
            id=row["id"],
            house_id=UUID(row["payload"]["house_id"]),
            kind="space" if row["kind"] == applications.SPACE else "vehicle",
            asked=row["shown"]["after"],
            reason=row["reason"],
            state=row["state"],
            note=row["decision"],
            applied_at=row["proposed_at"],
            decided_at=row["decided_at"],
        )


class ApplicationList(Strict):
    """The latest fifty of my houses."""

    model_config = example(items=[])
    items: list[ApplicationView]


class Applied(Strict):
    model_config = example(id=_ID)
    id: UUID


async def list_free(call: Call[None, None]) -> FreeSpaces:
    """GET /api/v1/parking-lots/{lot_id}/spaces."""
    communities = sorted({tie.community_id for tie in call.principal.ties})
    lot = await lots.one(call.res.db, call.ids["lot_id"], communities=communities)
    rows = await spaces.of_lot(call.res.db, lot["id"], state=SpaceState.FREE, after=None, limit=SHOWN)
    return FreeSpaces(
        items=[FreeSpace(id=row["id"], number=row["number"], kind=SpaceKind(row["kind"])) for row in rows]
    )


async def list_mine(call: Call[None, None]) -> MySpaces:
    """GET /api/v1/parking-spaces."""
    rows = await spaces.of_houses(call.res.db, call.principal.scope.full)
    names = [name for name in MySpace.model_fields if name not in ("kind", "state")]
    return MySpaces(
        items=[
            MySpace(
                **{name: row[name] for name in names}, kind=SpaceKind(row["kind"]), state=SpaceState(row["state"])
            )
            for row in rows
        ]
    )  # fmt: skip


async def list_applications(call: Call[None, None]) -> ApplicationList:
    """GET /api/v1/parking-applications."""
    rows = await applications.of_houses(call.res.db, call.principal.scope.full)
    return ApplicationList(items=[ApplicationView.of(row) for row in rows])


async def apply_for_space(call: Call[SpaceApplication, None]) -> Applied:
    """POST /api/v1/parking-applications/spaces."""
    body, tie = call.body, _tie(call)
    asked = ForSpace(body.house_id, body.space_id, body.months, body.reason)

    async def work(tx: Tx) -> Applied:
        made = await applications.for_space(
            tx, call.principal.actor, communities=(tie.community_id,), asked=asked
        )  # fmt: skip
        return Applied(id=made.id)

    return await call.once(work, Applied)


async def apply_for_vehicle(call: Call[VehicleApplication, None]) -> Applied:
    """POST /api/v1/parking-applications/vehicles."""
    body, tie = call.body, _tie(call)
    asked = ForVehicle(body.house_id, body.lot_id, body.plate, body.until, body.reason)

    async def work(tx: Tx) -> Applied:
        made = await applications.for_vehicle(
            tx, call.principal.actor, keyring=call.res.keyring, communities=(tie.community_id,), asked=asked
        )
        return Applied(id=made.id)

    return await call.once(work, Applied)


def _tie(call: Call[Any, Any]) -> Tie:
    tie = call.principal.tie(call.body.house_id)
    rights.require(tie, Right.VEHICLES)
    return tie


_APPLY_ERRORS = (Unauthenticated, Forbidden, NotFound, Conflict, Invalid, TooMany)
_PATH = "/api/v1/parking-applications"

ROUTES = (
    Route(
        "GET", "/api/v1/parking-lots/{lot_id}/spaces", list_free, RESIDENT, "可以申请的空车位", answer=FreeSpaces,
        errors=(Unauthenticated, Forbidden, NotFound),
    ),
    Route(
        "GET", "/api/v1/parking-spaces", list_mine, RESIDENT, "我家的车位", answer=MySpaces,
        errors=(Unauthenticated, Forbidden),
    ),
    Route(
        "GET", _PATH, list_applications, RESIDENT, "我家的车位和车辆申请", answer=ApplicationList,
        errors=(Unauthenticated, Forbidden),
    ),
    Route(
        "POST", f"{_PATH}/spaces", apply_for_space, RESIDENT, "申请租用或购买车位，由物业审批", body=SpaceApplication,
        answer=Applied, status=201, creates=True, errors=_APPLY_ERRORS, rate=APPLY_RATE,
    ),
    Route(
        "POST", f"{_PATH}/vehicles", apply_for_vehicle, RESIDENT, "申请登记自家车辆或外来车辆，由物业审批",
        body=VehicleApplication, answer=Applied, status=201, creates=True, errors=_APPLY_ERRORS, rate=APPLY_RATE,
    ),
)  # fmt: skip
