"""Staff routes of what a lot does with applications (申请规则); deciding them is the approvals' own route (R5)."""

from pydantic import Field

from backend.kernel.db import Tx
from backend.kernel.errors import NotFound
from backend.kernel.http import Call, Route, Strict, example
from backend.parking import lots
from backend.parking.cards import applications
from backend.parking.cards.applications import Rule
from backend.parking.cards.states import OutsideVehicles


class ApplicationRules(Strict):
    """`outside_vehicles`: what an approval gives, the right to buy a card or a card at once until the term ends.
    `max_open`: how many applications of one house may wait."""

    model_config = example(outside_vehicles="buy", max_open=3)
    outside_vehicles: OutsideVehicles
    max_open: int = Field(ge=1, le=20)


async def show(call: Call[None, None]) -> ApplicationRules:
    """GET /admin/v1/parking-lots/{lot_id}/application-rules."""
    lot = await lots.one(call.res.db, call.ids["lot_id"], communities=call.principal.communities("parking.read"))
    found = await applications.rule(call.res.db, lot["id"])
    return ApplicationRules(outside_vehicles=found.outside_vehicles, max_open=found.max_open)


async def change(call: Call[ApplicationRules, None]) -> ApplicationRules:
    """PUT /admin/v1/parking-lots/{lot_id}/application-rules."""
    body = call.body

    async def work(tx: Tx) -> ApplicationRules:
        await applications.set_rule(
            tx, call.principal.actor, lot_id=call.ids["lot_id"], communities=call.principal.communities("parking.edit"),
            new=Rule(body.outside_vehicles, body.max_open),
        )  # fmt: skip
        return body

    return await call.transact(work)


_PATH = "/admin/v1/parking-lots/{lot_id}/application-rules"

ROUTES = (
    Route("GET", _PATH, show, "parking.read", "车位和车辆申请的规则", answer=ApplicationRules, errors=(NotFound,)),
    Route(
        "PUT", _PATH, change, "parking.edit", "修改车位和车辆申请的规则", body=ApplicationRules,
        answer=ApplicationRules, errors=(NotFound,),
    ),
)  # fmt: skip
