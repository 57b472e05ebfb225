"""Staff's side of reconciliation: runs and what they found, the bank's file, a day's closing report (S6).

Merchants and bank accounts are the company's: all of this needs a role for all of it, but for writing off a difference.
"""

from datetime import date
from typing import Any
from uuid import UUID

from backend.kernel.db import Tx
from backend.kernel.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from backend.kernel.http import MAX_BIGINT, Call, Nothing, Page, Route, decode_cursor, encode_cursor
from backend.kernel.ratelimit import Rule
from payments import merchants
from payments.reconcile import bank, closing_day, reads, runs, writing_off
from payments.reconcile.bank_reading import Columns
from payments.reconcile.schemas import (
    BankLineList,
    BankLineQuery,
    BankLineView,
    BankQuery,
    ClosingQuery,
    ClosingView,
    FoundList,
    FoundView,
    ImportedView,
    LayoutCreate,
    LayoutList,
    LayoutView,
    PreviewView,
    RunAsked,
    RunList,
    RunPlanned,
    RunQuery,
    RunView,
    Why,
    WriteOffProposed,
)
from payments.states import DifferenceClass, DifferenceState

READ = "reconciliation.read"
RUN = "reconciliation.run"
BANK = "bank.import"
WRITE_OFF = "difference.write_off_propose"
FILE_BYTES = 20 << 20
SHOWN = 10
UPLOAD_RATE = Rule("bank.upload", count=60, period_s=3600)


async def list_runs(call: Call[None, RunQuery]) -> RunList:
    """GET /admin/v1/reconciliation-runs."""
    before = decode_cursor(call.query.cursor, (date, UUID)) if call.query.cursor else None
    found = await reads.runs(
        call.res.db,
        company_id=call.principal.require_company(READ),
        day=call.query.day,
        state=call.query.state,
        before=(before[0], before[1]) if before else None,
        limit=call.query.limit,
    )
    last = found[-1] if len(found) == call.query.limit else None
    return RunList(
        items=[RunView.of(row) for row in found], next_cursor=encode_cursor(last["day"], last["id"]) if last else None
    )


async def show_run(call: Call[None, None]) -> RunView:
    """GET /admin/v1/reconciliation-runs/{run_id}."""
    company_id = call.principal.require_company(READ)
    return RunView.of(await reads.run(call.res.db, company_id=company_id, run_id=call.ids["run_id"]))


async def list_found(call: Call[None, Page]) -> FoundList:
    """GET /admin/v1/reconciliation-runs/{run_id}/differences."""
    company_id = call.principal.require_company(READ)
    run_id = (await reads.run(call.res.db, company_id=company_id, run_id=call.ids["run_id"]))["id"]
    after = decode_cursor(call.query.cursor, (int,))[0] if call.query.cursor else 0
    found = await reads.found(call.res.db, run_id, after=after, limit=call.query.limit)
    items = [
        FoundView(
            difference_id=row["difference_id"],
            kind=DifferenceClass(row["class"]),
            state=DifferenceState(row["state"]),
            transaction_no=row["transaction_no"],
            out_trade_no=row["out_trade_no"],
            refund_no=row["subject"],
            expected_fen=row["expected_fen"],
            actual_fen=row["actual_fen"],
            statement_fen=row["statement_fen"],
            note=row["note"],
        )
        for row in found
    ]
    full = len(found) == call.query.limit
    return FoundList(items=items, next_cursor=encode_cursor(found[-1]["id"]) if full else None)


async def ask_run(call: Call[RunAsked, None]) -> RunPlanned:
    """POST /admin/v1/reconciliation-runs: compare a statement now, whether or not it was before."""
    company_id, body = call.principal.require_company(RUN), call.body
    await reads.require_statement(call.res.db, company_id=company_id, merchant_id=body.merchant_id, kind=body.kind)
    merchant = await merchants.merchant(call.res, body.merchant_id)

    async def work(tx: Tx) -> RunPlanned:
        await runs.again(tx, call.principal.actor, merchant=merchant, day=body.day, kind=body.kind, reason=body.reason)
        return RunPlanned(merchant_id=merchant.id, day=body.day, kind=body.kind)

    return await call.once(work, RunPlanned)


async def propose_write_off(call: Call[Why, None]) -> WriteOffProposed:
    """POST /admin/v1/differences/{difference_id}/write-off."""

    async def work(tx: Tx) -> WriteOffProposed:
        approval = await writing_off.propose(
            tx,
            call.principal.actor,
            difference_id=call.ids["difference_id"],
            communities=call.principal.communities(WRITE_OFF),
            reason=call.body.reason,
        )
        return WriteOffProposed(approval_id=approval.id)

    return await call.once(work, WriteOffProposed)


async def list_layouts(call: Call[None, None]) -> LayoutList:
    """GET /admin/v1/bank-layouts."""
    found = await reads.layouts(call.res.db, call.principal.require_company(BANK))
    return LayoutList(items=[LayoutView(id=row["id"], name=row["name"], **row["columns"]) for row in found])


async def save_layout(call: Call[LayoutCreate, None]) -> LayoutView:
    """POST /admin/v1/bank-layouts: a mapping of that name is replaced."""
    company_id, body = call.principal.require_company(BANK), call.body
    columns = Columns(**body.model_dump(exclude={"name"}))

    async def work(tx: Tx) -> LayoutView:
        saved = await bank.save_layout(tx, call.principal.actor, company_id=company_id, name=body.name, columns=columns)
        return LayoutView(id=saved, **body.model_dump())

    return await call.once(work, LayoutView)


async def preview_file(call: Call[None, BankQuery]) -> PreviewView:
    """POST /admin/v1/bank-files/preview: what importing the file would do; nothing is kept."""
    company_id = call.principal.require_company(BANK)
    columns = await bank.layout(call.res.db, company_id=company_id, layout_id=call.query.layout_id)
    parsed = await bank.read(call.raw, columns)
    return PreviewView.of(await bank.preview(call.res.db, company_id=company_id, parsed=parsed), shown=SHOWN)


async def import_file(call: Call[None, BankQuery]) -> ImportedView:
    """POST /admin/v1/bank-files: all of it or nothing; then what should have arrived is looked for in it."""
    company_id = call.principal.require_company(BANK)
    columns = await bank.layout(call.res.db, company_id=company_id, layout_id=call.query.layout_id)
    parsed = await bank.read(call.raw, columns)
    done = await call.res.db.transact(
        lambda tx: bank.take_in(
            tx, call.principal.actor, company_id=company_id, file_name=call.query.file_name, body=call.raw,
            parsed=parsed,
        )
    )  # fmt: skip
    return ImportedView.of(done)


async def list_lines(call: Call[None, BankLineQuery]) -> BankLineList:
    """GET /admin/v1/bank-lines."""
    company_id = call.principal.require_company(BANK)
    before = decode_cursor(call.query.cursor, (int,))[0] if call.query.cursor else None
    found = await reads.lines(
        call.res.db, company_id=company_id, matched=call.query.matched, before=before, limit=call.query.limit
    )
    full = len(found) == call.query.limit
    return BankLineList(
        items=[BankLineView(**dict(row)) for row in found],
        next_cursor=encode_cursor(found[-1]["id"]) if full else None,
    )


async def set_line_aside(call: Call[Why, None]) -> Nothing:
    """POST /admin/v1/bank-lines/{number}/set-aside: a person says that it is nothing of ours."""
    company_id, text = call.principal.require_company(BANK), call.path["number"]
    if not (text.isascii() and text.isdigit()) or int(text) > MAX_BIGINT:
        raise NotFound
    await call.res.db.transact(
        lambda tx: bank.set_aside(
            tx, call.principal.actor, company_id=company_id, line_id=int(text), note=call.body.reason
        )
    )
    return Nothing()


async def show_closing(call: Call[None, ClosingQuery]) -> ClosingView:
    """GET /admin/v1/closing-day."""
    company_id = call.principal.require_company(READ)
    communities = [each for each in call.principal.communities(READ) if each != company_id]
    return ClosingView.of(
        await closing_day.of_day(call.res.db, company_id=company_id, communities=communities, day=call.query.day)
    )


_READ: tuple[Any, ...] = (Unauthenticated, Forbidden, NotFound)
_CHANGE = (*_READ, Conflict, Invalid)

ROUTES = (
    Route(
        "GET", "/admin/v1/reconciliation-runs", list_runs, READ, "对账记录",
        query=RunQuery, answer=RunList, errors=(*_READ, Invalid),
    ),
    Route(
        "POST", "/admin/v1/reconciliation-runs", ask_run, RUN, "重新对账：已处理的差异保持不变",
        body=RunAsked, answer=RunPlanned, status=201, errors=_CHANGE, creates=True,
    ),
    Route(
        "GET", "/admin/v1/reconciliation-runs/{run_id}", show_run, READ, "一次对账",
        answer=RunView, errors=_READ,
    ),
    Route(
        "GET", "/admin/v1/reconciliation-runs/{run_id}/differences", list_found, READ, "一次对账发现的差异",
        query=Page, answer=FoundList, errors=(*_READ, Invalid),
    ),
    Route(
        "POST", "/admin/v1/differences/{difference_id}/write-off", propose_write_off, WRITE_OFF,
        "申请核销差异，由另一位同事审批",
        body=Why, answer=WriteOffProposed, status=201, errors=_CHANGE, creates=True,
    ),
    Route(
        "GET", "/admin/v1/bank-layouts", list_layouts, BANK, "银行流水的列对应设置",
        answer=LayoutList, errors=_READ,
    ),
    Route(
        "POST", "/admin/v1/bank-layouts", save_layout, BANK, "保存银行流水的列对应设置",
        body=LayoutCreate, answer=LayoutView, status=201, errors=_CHANGE, creates=True,
    ),
    Route(
        "POST", "/admin/v1/bank-files/preview", preview_file, BANK, "预览银行流水文件",
        query=BankQuery, answer=PreviewView, errors=_CHANGE, upload_bytes=FILE_BYTES, rate=UPLOAD_RATE,
    ),
    Route(
        "POST", "/admin/v1/bank-files", import_file, BANK, "导入银行流水文件：全部导入或都不导入",
        query=BankQuery, answer=ImportedView, status=201, errors=_CHANGE, upload_bytes=FILE_BYTES, rate=UPLOAD_RATE,
    ),
    Route(
        "GET", "/admin/v1/bank-lines", list_lines, BANK, "银行流水",
        query=BankLineQuery, answer=BankLineList, errors=(*_READ, Invalid),
    ),
    Route(
        "POST", "/admin/v1/bank-lines/{number}/set-aside", set_line_aside, BANK, "标记与收费无关的银行流水",
        body=Why, answer=Nothing, errors=_CHANGE,
    ),
    Route(
        "GET", "/admin/v1/closing-day", show_closing, READ, "日结：账单、账簿、渠道、银行是否一致",
        query=ClosingQuery, answer=ClosingView, errors=(*_READ, Invalid),
    ),
)  # fmt: skip
