"""The staff route that shows the pictures of a stay: with a reason, for minutes (D8)."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from backend.kernel.db import Tx
from backend.kernel.errors import NotFound
from backend.kernel.http import Call, Route, Strict, example
from backend.parking.lanes import pictures
from backend.parking.lanes.sighting import PictureRole
from backend.parking.states import Way

GUARD = "parking.guard"
_PICTURE = {
    "role": "scene", "lane_name": "东门入口", "direction": "in", "taken_at": "2026-09-01T02:00:00Z",
    "url": "https://example.com/files/parking-pictures/2026-09/x.jpg?until=1&sign=2",
}  # fmt: skip


class PicturesBody(Strict):
    model_config = example(reason="核对车辆")
    reason: Annotated[str, Field(min_length=2, max_length=200)]


class PictureView(Strict):
    """A JPEG of the whole scene or of the plate; `url` can be read by whoever has it until `ttl_s` is over."""

    model_config = example(**_PICTURE)
    role: PictureRole
    lane_name: str
    direction: Way
    taken_at: datetime
    url: str


class PicturesAnswer(Strict):
    """The pictures of a stay in order of time; none where the camera sent none or they have been deleted."""

    model_config = example(items=[_PICTURE], ttl_s=300)
    items: list[PictureView]
    ttl_s: int


async def show(call: Call[PicturesBody, None]) -> PicturesAnswer:
    """POST /admin/v1/parking-stays/{session_id}/pictures."""

    async def work(tx: Tx) -> PicturesAnswer:
        found = await pictures.of_stay(
            tx, call.principal.actor, call.res, session_id=call.ids["session_id"],
            communities=call.principal.communities(GUARD), reason=call.body.reason,
        )  # fmt: skip
        items = [
            PictureView(
                role=PictureRole(each.role),
                lane_name=each.lane_name,
                direction=Way(each.direction),
                taken_at=each.taken_at,
                url=each.url,
            )
            for each in found
        ]
        return PicturesAnswer(items=items, ttl_s=pictures.LINK_S)

    return await call.transact(work)


ROUTES = (
    Route(
        "POST", "/admin/v1/parking-stays/{session_id}/pictures", show, GUARD,
        "查看过车图片，须写明原因，链接几分钟内有效",
        body=PicturesBody, answer=PicturesAnswer, errors=(NotFound,),
    ),
)  # fmt: skip
