"""The administrator's routes by which a company speaks on the status page while the system works (D11)."""

from typing import Annotated

from pydantic import AfterValidator, Field

from backend.kernel import audit
from backend.kernel.db import Tx
from backend.kernel.errors import NotFound
from backend.kernel.http import Call, Nothing, Route, Strict, example
from backend.notices import outage
from backend.notices.outage import MAX_WORDS, Outage
from backend.notices.schemas import visible
from backend.property import communities

TELL = "outage.tell"


class OutageBody(Strict):
    """What everybody reads on the status page."""

    model_config = example(words="今晚23:00至23:30系统升级，期间不能缴费，请提前办理。")
    words: Annotated[str, Field(min_length=2, max_length=MAX_WORDS), AfterValidator(visible)]


async def say(call: Call[OutageBody, None]) -> Nothing:
    """PUT /admin/v1/outage: recorded first, then shown; repeating it is harmless."""
    company_id = call.principal.require_company(TELL)
    who = await communities.company_name(call.res.db, company_id)

    async def work(tx: Tx) -> Nothing:
        audit.record(
            tx, call.principal.actor, action="outage.said", target=f"company:{company_id}", community_id=company_id,
            after={"words": call.body.words},
        )  # fmt: skip
        return Nothing()

    answer = await call.transact(work)
    said = Outage(who, call.body.words, call.res.clock.now())
    outage.say(call.res.settings.data_dir, source=str(company_id), outage=said)
    return answer


async def clear(call: Call[None, None]) -> Nothing:
    """DELETE /admin/v1/outage."""
    company_id = call.principal.require_company(TELL)

    async def work(tx: Tx) -> Nothing:
        audit.record(
            tx, call.principal.actor, action="outage.cleared", target=f"company:{company_id}", community_id=company_id
        )
        return Nothing()

    answer = await call.transact(work)
    outage.clear(call.res.settings.data_dir, source=str(company_id))
    return answer


ROUTES: tuple[Route, ...] = (
    Route("PUT", "/admin/v1/outage", say, TELL, "在状态页上发布系统故障公告", body=OutageBody, answer=Nothing,
          errors=(NotFound,)),
    Route("DELETE", "/admin/v1/outage", clear, TELL, "撤下状态页上的系统故障公告", answer=Nothing, errors=(NotFound,)),
)  # fmt: skip
