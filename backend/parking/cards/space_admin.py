"""Staff routes of spaces (车位): added one by one or by a range of numbers, listed, given to houses, freed (R5, S1)."""

from datetime import date
from typing import Any, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from backend.kernel.db import Record, Tx
from backend.kernel.errors import Conflict, Invalid, NotFound
from backend.kernel.http import Call, Page, Route, Strict, decode_cursor, encode_cursor, example
from backend.parking import lots
from backend.parking.cards import spaces
from backend.parking.cards.spaces import FREE, Holding
from backend.parking.cards.states import SpaceKind, SpaceState
from backend.parking.schemas import Reason, ReasonBody

READ, EDIT, ASSIGN = "parking.read", "parking.edit", "parking.space"
MOST = 1000
_ID = "01991b2a-7c00-7000-8000-000000000001"
_SPACE = {
    "id": _ID, "lot_id": _ID, "number": "A-017", "kind": "standard", "state": "rented", "house_id": _ID,
    "starts_on": "2026-09-01", "ends_on": "2027-09-01",
}  # fmt: skip


class SpacesBody(Strict):
    """Spaces to be added: `number` alone, or `number` as the beginning of a range from `first` to `last`.

    `digits`: to how many the numbers of a range are filled with zeros.
    """

    model_config = example(number="A-", kind="standard", first=1, last=120, digits=3)
    number: str = Field(pattern=r"^[0-9A-Za-z\u4e00-\u9fff-]{0,14}$")
    kind: SpaceKind = SpaceKind.STANDARD
    first: int | None = Field(None, ge=0, le=99_999)
    last: int | None = Field(None, ge=0, le=99_999)
    digits: int = Field(1, ge=1, le=5)

    @model_validator(mode="after")
    def _one_or_a_range(self) -> Self:
        if self.first is None and self.last is None:
            if not self.number:
                raise ValueError("请填写车位号。")
        elif self.first is None or self.last is None or not 0 <= self.last - self.first < MOST:
            raise ValueError(f"请填写从几号到几号，一次最多 {MOST} 个。")
        return self

    @property
    def numbers(self) -> list[str]:
        if self.first is None or self.last is None:
            return [self.number]
        return [f"{self.number}{each:0{self.digits}}" for each in range(self.first, self.last + 1)]


class SpacesAdded(Strict):
    model_config = example(added=120)
    added: int


class SpaceView(Strict):
    """A space. `ends_on`: the first day without it."""

    model_config = example(**_SPACE)
    id: UUID
    lot_id: UUID
    number: str
    kind: SpaceKind
    state: SpaceState
    house_id: UUID | None
    starts_on: date | None
    ends_on: date | None

    @classmethod
    def of(cls, row: Record) -> "SpaceView":
        known = {name: row[name] for name in cls.model_fields if name not in ("kind", "state")}
        return cls(**known, kind=SpaceKind(row["kind"]), state=SpaceState(row["state"]))


class SpacesAnswer(Strict):
    """A page of spaces by number."""

    model_config = example(items=[_SPACE], next_cursor=None)
    items: list[SpaceView]
    next_cursor: str | None


class SpacesQuery(Page):
    """Which spaces."""

    state: SpaceState | None = None


class AssignBody(Strict):
    """Who has a space from when on. `starts_on` null: today; `ends_on`, for a rent alone: the first day without it."""

    model_config = example(state="rented", house_id=_ID, starts_on=None, ends_on="2027-09-01", reason="签订租赁合同")
    state: Literal[SpaceState.SOLD, SpaceState.RENTED, SpaceState.RESERVED]
    house_id: UUID | None = None
    starts_on: date | None = None
    ends_on: date | None = None
    reason: Reason

    def holding(self, today: date) -> Holding:
        had = self.state is not SpaceState.RESERVED
        return Holding(self.state, self.house_id, (self.starts_on or today) if had else self.starts_on, self.ends_on)


async def add(call: Call[SpacesBody, None]) -> SpacesAdded:
    """POST /admin/v1/parking-lots/{lot_id}/spaces."""

    async def work(tx: Tx) -> SpacesAdded:
        added = await spaces.add(
            tx, call.principal.actor, lot_id=call.ids["lot_id"], communities=call.principal.communities(EDIT),
            kind=call.body.kind, numbers=call.body.numbers,
        )  # fmt: skip
        return SpacesAdded(added=added)

    return await call.once(work, SpacesAdded)


async def list_spaces(call: Call[None, SpacesQuery]) -> SpacesAnswer:
    """GET /admin/v1/parking-lots/{lot_id}/spaces."""
    query = call.query
    lot = await lots.one(call.res.db, call.ids["lot_id"], communities=call.principal.communities(READ))
    after = None if query.cursor is None else decode_cursor(query.cursor, (str,))[0]
    rows = await spaces.of_lot(call.res.db, lot["id"], state=query.state, after=after, limit=query.limit)
    return SpacesAnswer(
        items=[SpaceView.of(row) for row in rows],
        next_cursor=encode_cursor(rows[-1]["number"]) if len(rows) == query.limit else None,
    )


async def assign(call: Call[AssignBody, None]) -> SpaceView:
    """POST /admin/v1/parking-spaces/{space_id}/assign."""

    async def work(tx: Tx) -> SpaceView:
        return await _change(tx, call, call.body.holding(tx.today), call.body.reason)

    return await call.transact(work)


async def release(call: Call[ReasonBody, None]) -> SpaceView:
    """POST /admin/v1/parking-spaces/{space_id}/release."""

    async def work(tx: Tx) -> SpaceView:
        return await _change(tx, call, FREE, call.body.reason)

    return await call.transact(work)


async def _change(tx: Tx, call: Call[Any, None], holding: Holding, reason: str) -> SpaceView:
    return SpaceView.of(
        await spaces.assign(
            tx, call.principal.actor, space_id=call.ids["space_id"], communities=call.principal.communities(ASSIGN),
            holding=holding, reason=reason,
        )
    )  # fmt: skip


_LOT_SPACES, _SPACE_PATH = "/admin/v1/parking-lots/{lot_id}/spaces", "/admin/v1/parking-spaces/{space_id}"
_WRITE_ERRORS = (NotFound, Conflict, Invalid)

ROUTES = (
    Route(
        "GET", _LOT_SPACES, list_spaces, READ, "停车场的车位", query=SpacesQuery, answer=SpacesAnswer,
        errors=(NotFound,),
    ),
    Route(
        "POST", _LOT_SPACES, add, EDIT, "新增车位，单个或一段连号", body=SpacesBody, answer=SpacesAdded, status=201,
        creates=True, errors=_WRITE_ERRORS,
    ),
    Route(
        "POST", f"{_SPACE_PATH}/assign", assign, ASSIGN, "出售、出租或预留车位，或修改租期", body=AssignBody,
        answer=SpaceView, errors=_WRITE_ERRORS,
    ),
    Route(
        "POST", f"{_SPACE_PATH}/release", release, ASSIGN, "收回车位", body=ReasonBody, answer=SpaceView,
        errors=(NotFound, Conflict),
    ),
)  # fmt: skip
