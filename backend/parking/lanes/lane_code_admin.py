"""Staff routes of the codes that stand printed at lanes (车道码): shown, drawn, replaced (D8)."""

import asyncio
from typing import Any
from uuid import UUID

from pydantic import Field

from backend.kernel.db import Tx
from backend.kernel.errors import NotFound
from backend.kernel.http import Call, Reply, Route, Strict, example
from backend.parking.lanes import lane_codes
from backend.parking.lanes.lane_codes import Lane
from backend.parking.states import Way
from backend.property import pay_codes

READ, EDIT = "parking.read", "parking.edit"
_ID = "01991b2a-7c00-7000-8000-000000000001"
_CODE = "5d1f0c3ab7e94c6f8a2be0d4c19f7730"


class LaneCodeAnswer(Strict):
    """The code of a lane and where it leads."""

    model_config = example(
        lane_id=_ID, name="东门出口", direction="out", scan_code=_CODE, url=f"https://wy.example.com/p/lanes/{_CODE}"
    )
    lane_id: UUID
    name: str
    direction: Way
    scan_code: str
    url: str


class ReplaceBody(Strict):
    """Why the old code must no longer work."""

    model_config = example(reason="张贴的车道码被人替换")
    reason: str = Field(min_length=2, max_length=200)


async def show(call: Call[None, None]) -> LaneCodeAnswer:
    """GET /admin/v1/parking-lots/{lot_id}/lanes/{lane_id}/scan-code."""
    return _answer(call, await _lane(call))


async def draw(call: Call[None, None]) -> Reply:
    """GET /admin/v1/parking-lots/{lot_id}/lanes/{lane_id}/scan-code.svg."""
    lane = await _lane(call)
    drawn = await asyncio.to_thread(pay_codes.svg, _url(call, lane), title=f"车道码 {lane.name}")
    return Reply(body=drawn.encode(), content_type="image/svg+xml; charset=utf-8")


async def replace(call: Call[ReplaceBody, None]) -> LaneCodeAnswer:
    """POST /admin/v1/parking-lots/{lot_id}/lanes/{lane_id}/scan-code."""

    async def work(tx: Tx) -> LaneCodeAnswer:
        lane = await lane_codes.replace(
            tx, call.principal.actor, lane_id=call.ids["lane_id"], lot_id=call.ids["lot_id"],
            communities=call.principal.communities(EDIT), reason=call.body.reason,
        )  # fmt: skip
        return _answer(call, lane)

    return await call.once(work, LaneCodeAnswer)


async def _lane(call: Call[None, None]) -> Lane:
    communities = call.principal.communities(READ)
    return await lane_codes.one(
        call.res.db, call.ids["lane_id"], lot_id=call.ids["lot_id"], communities=communities
    )  # fmt: skip


def _url(call: Call[Any, None], lane: Lane) -> str:
    return lane_codes.address(call.res.settings.public_url, lane.scan_code)


def _answer(call: Call[Any, None], lane: Lane) -> LaneCodeAnswer:
    return LaneCodeAnswer(
        lane_id=lane.id, name=lane.name, direction=lane.direction, scan_code=lane.scan_code, url=_url(call, lane)
    )


_PATH = "/admin/v1/parking-lots/{lot_id}/lanes/{lane_id}/scan-code"

ROUTES = (
    Route("GET", _PATH, show, READ, "车道码", answer=LaneCodeAnswer, errors=(NotFound,)),
    Route(
        "POST", _PATH, replace, EDIT, "更换车道码，原码立即失效", body=ReplaceBody, answer=LaneCodeAnswer,
        creates=True, errors=(NotFound,),
    ),
    Route("GET", f"{_PATH}.svg", draw, READ, "车道码图片（SVG）", errors=(NotFound,)),
)  # fmt: skip
