"""The route by which a guard corrects the class of a vehicle (更正车型, D8)."""

from typing import Annotated

from pydantic import Field

from backend.kernel.db import Tx
from backend.kernel.errors import Conflict, NotFound
from backend.kernel.http import Call, Route, Strict, example
from backend.parking.prices import quotes, reclassing
from backend.parking.prices.classes import PriceClass
from backend.parking.views import QuoteView

GUARD = "parking.guard"


class ClassBody(Strict):
    model_config = example(vehicle_class="large", reason="黄牌货车被识别成小型车")
    vehicle_class: PriceClass
    reason: Annotated[str, Field(min_length=2, max_length=200)]


class ClassAnswer(Strict):
    """The class by which the stay is priced; `quote`: the new one, where one had been asked for."""

    model_config = example(vehicle_class="large", quote=None)
    vehicle_class: PriceClass
    quote: QuoteView | None


async def correct_class(call: Call[ClassBody, None]) -> ClassAnswer:
    """POST /admin/v1/parking-stays/{session_id}/vehicle-class."""

    async def work(tx: Tx) -> ClassAnswer:
        found = await reclassing.correct(
            tx, call.principal.actor, key=quotes.signing_key(call.res.settings), session_id=call.ids["session_id"],
            communities=call.principal.communities(GUARD), vehicle_class=call.body.vehicle_class,
            reason=call.body.reason,
        )  # fmt: skip
        quote = None if found.quote is None else QuoteView.of(found.quote)
        return ClassAnswer(vehicle_class=found.vehicle_class, quote=quote)

    return await call.transact(work)


ROUTES = (
    Route(
        "POST", "/admin/v1/parking-stays/{session_id}/vehicle-class", correct_class, GUARD, "更正车型，须写明原因",
        body=ClassBody, answer=ClassAnswer, errors=(NotFound, Conflict),
    ),
)  # fmt: skip
