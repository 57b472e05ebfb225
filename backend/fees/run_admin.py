"""Staff routes of billing runs: make, look, publish, cancel (D3)."""

from uuid import UUID

from backend.fees import billing_run, runs
from backend.fees.schemas import (
    DraftBill,
    DraftBillsAnswer,
    NewRunBody,
    OmittedAnswer,
    PreviewAnswer,
    ReasonBody,
    RunAnswer,
    RunsAnswer,
    RunsQuery,
)
from backend.kernel.db import Tx
from backend.kernel.errors import Conflict, Invalid, NotFound
from backend.kernel.http import Call, Page, Route, decode_cursor, encode_cursor

READ, RUN, PUBLISH = "fees.read", "fees.run", "fees.publish"


async def create_run(call: Call[NewRunBody, None]) -> RunAnswer:
    body, communities = call.body, call.principal.communities(RUN)

    async def work(tx: Tx) -> RunAnswer:
        run = await billing_run.create(
            tx,
            call.principal.actor,
            item_id=body.item_id,
            communities=communities,
            day=body.day,
            house_id=body.house_id,
        )
        return RunAnswer.of(await runs.row_of(tx, run.id, communities=communities))

    return await call.once(work, RunAnswer)


async def list_runs(call: Call[None, RunsQuery]) -> RunsAnswer:
    query = call.query
    rows = await runs.in_communities(
        call.res.db,
        call.principal.communities(READ),
        community_id=query.community_id,
        item_id=query.item_id,
        state=query.state,
        before=None if query.cursor is None else decode_cursor(query.cursor, (UUID,))[0],
        limit=query.limit,
    )
    return RunsAnswer(
        items=[RunAnswer.of(row) for row in rows],
        next_cursor=encode_cursor(rows[-1]["id"]) if len(rows) == query.limit else None,
    )


async def preview_run(call: Call[None, None]) -> PreviewAnswer:
    row = await runs.row_of(call.res.db, call.ids["run_id"], communities=call.principal.communities(READ))
    omitted = await runs.omissions_of(call.res.db, row["id"])
    return PreviewAnswer(run=RunAnswer.of(row), omitted=[OmittedAnswer.of(reason) for reason in omitted])


async def list_run_bills(call: Call[None, Page]) -> DraftBillsAnswer:
    query = call.query
    run = await runs.row_of(call.res.db, call.ids["run_id"], communities=call.principal.communities(READ))
    after = None if query.cursor is None else decode_cursor(query.cursor, (UUID,))[0]
    rows = await runs.bills_of(call.res.db, run["id"], after=after, limit=query.limit)
    return DraftBillsAnswer(
        items=[DraftBill.of(row) for row in rows],
        next_cursor=encode_cursor(rows[-1]["id"]) if len(rows) == query.limit else None,
    )


async def publish_run(call: Call[None, None]) -> RunAnswer:
    run_id, communities = call.ids["run_id"], call.principal.communities(PUBLISH)

    async def work(tx: Tx) -> RunAnswer:
        await billing_run.publish(tx, call.principal.actor, run_id=run_id, communities=communities)
        return RunAnswer.of(await runs.row_of(tx, run_id, communities=communities))

    return await call.transact(work)


async def cancel_run(call: Call[ReasonBody, None]) -> RunAnswer:
    run_id, communities = call.ids["run_id"], call.principal.communities(RUN)

    async def work(tx: Tx) -> RunAnswer:
        await billing_run.cancel(
            tx, call.principal.actor, run_id=run_id, communities=communities, reason=call.body.reason
        )
        return RunAnswer.of(await runs.row_of(tx, run_id, communities=communities))

    return await call.transact(work)


_RUNS = "/admin/v1/billing-runs"
_RUN = f"{_RUNS}/{{run_id}}"

ROUTES = (
    Route(
        "POST", _RUNS, create_run, RUN, "生成一期账单草稿（全部房屋或单户）", body=NewRunBody,
        answer=RunAnswer, status=201, creates=True, errors=(NotFound, Conflict, Invalid),
    ),
    Route("GET", _RUNS, list_runs, READ, "出账批次列表", query=RunsQuery, answer=RunsAnswer),
    Route(
        "GET", _RUN, preview_run, READ, "出账批次预览：汇总与未出账原因", answer=PreviewAnswer,
        errors=(NotFound,),
    ),
    Route(
        "GET", f"{_RUN}/bills", list_run_bills, READ, "批次内的账单（含草稿）", query=Page,
        answer=DraftBillsAnswer, errors=(NotFound,),
    ),
    Route(
        "POST", f"{_RUN}/publish", publish_run, PUBLISH, "发布批次：账单立即可见并入账",
        answer=RunAnswer, errors=(NotFound, Conflict),
    ),
    Route(
        "POST", f"{_RUN}/cancel", cancel_run, RUN, "取消未发布的批次", body=ReasonBody,
        answer=RunAnswer, errors=(NotFound, Conflict),
    ),
)  # fmt: skip
