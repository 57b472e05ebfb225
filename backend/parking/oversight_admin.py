"""Staff routes of what is looked after in a lot: its limits, and the cars that stay very long (D8)."""

from dataclasses import asdict
from datetime import datetime
from uuid import UUID

from pydantic import Field

from backend.kernel.db import Tx
from backend.kernel.errors import Invalid, NotFound
from backend.kernel.http import Call, Page, Route, Strict, decode_cursor, encode_cursor, example
from backend.parking import oversight, views
from backend.parking.oversight import Limits
from backend.parking.states import Overstay
from backend.parking.views import StayView, stay_view

READ, EDIT, STAYS = "parking.read", "parking.edit", "parking.stays"


class LimitsBody(Strict):
    """What the guard is shown, for how long pictures are kept, and what visitors may."""

    model_config = example(
        long_stay_days=30, picture_days=30, visitors_per_day=2, visitor_hours=24, visitor_overstay="window_end"
    )
    long_stay_days: int = Field(30, ge=1, le=3650, description="a car inside for more days stands in the list")
    picture_days: int = Field(30, ge=1, le=365, description="a picture is deleted after so many days")

    visitors_per_day: int = Field(0, ge=0, le=100, description="vehicles a house may announce for a day; 0: none")
    visitor_hours: int = Field(24, ge=1, le=720, description="for how long a resident may announce one")
    visitor_overstay: Overstay = Field(
        Overstay.WINDOW_END, description="who stays beyond the window is charged from its end, or from the entry"
    )

    @property
    def limits(self) -> Limits:
        return Limits(
            self.long_stay_days, self.picture_days, self.visitors_per_day, self.visitor_hours, self.visitor_overstay
        )

    @classmethod
    def of(cls, limits: Limits) -> "LimitsBody":
        return cls(**asdict(limits))


class LongStayView(StayView):
    """A stay and the whole days that it has lasted."""

    model_config = example(**views.STAY_EXAMPLE, days=41)
    days: int


class LongStaysAnswer(Strict):
    model_config = example(items=[{**views.STAY_EXAMPLE, "days": 41}], next_cursor=None)
    items: list[LongStayView]
    next_cursor: str | None


async def show_limits(call: Call[None, None]) -> LimitsBody:
    """GET /admin/v1/parking-lots/{lot_id}/limits."""
    communities = call.principal.communities(READ)
    return LimitsBody.of(await oversight.limits(call.res.db, call.ids["lot_id"], communities=communities))


async def set_limits(call: Call[LimitsBody, None]) -> LimitsBody:
    """PUT /admin/v1/parking-lots/{lot_id}/limits."""

    async def work(tx: Tx) -> LimitsBody:
        await oversight.set_limits(
            tx, call.principal.actor, lot_id=call.ids["lot_id"], communities=call.principal.communities(EDIT),
            new=call.body.limits,
        )  # fmt: skip
        return call.body

    return await call.transact(work)


async def list_long_stays(call: Call[None, Page]) -> LongStaysAnswer:
    """GET /admin/v1/parking-lots/{lot_id}/long-stays."""
    lot_id, query, now = call.ids["lot_id"], call.query, call.res.clock.now()
    limits = await oversight.limits(call.res.db, lot_id, communities=call.principal.communities(STAYS))
    after = None if query.cursor is None else decode_cursor(query.cursor, (datetime, UUID))
    rows = await oversight.long_stays(
        call.res.db, lot_id, since=oversight.too_long_since(limits, now),
        after=None if after is None else (after[0], after[1]), limit=query.limit,
    )  # fmt: skip
    last = rows[-1] if len(rows) == query.limit else None
    return LongStaysAnswer(
        items=[
            LongStayView(**stay_view(call.res.keyring, row), days=(now - row["entered_at"]).days) for row in rows
        ],
        next_cursor=encode_cursor(last["entered_at"], last["id"]) if last else None,
    )  # fmt: skip


_LOT = "/admin/v1/parking-lots/{lot_id}"

ROUTES = (
    Route("GET", f"{_LOT}/limits", show_limits, READ, "停车场的管理期限", answer=LimitsBody, errors=(NotFound,)),
    Route(
        "PUT", f"{_LOT}/limits", set_limits, EDIT, "设置超长停车天数、图片保存天数和访客车辆的限额", body=LimitsBody,
        answer=LimitsBody, errors=(NotFound, Invalid),
    ),
    Route(
        "GET", f"{_LOT}/long-stays", list_long_stays, STAYS, "超长停放的车辆，停得最久的在前", query=Page,
        answer=LongStaysAnswer, errors=(NotFound,),
    ),
)  # fmt: skip
