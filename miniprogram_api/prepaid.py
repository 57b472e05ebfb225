"""Resident routes of prepaid accounts (预存): balances, top up by any online way, statement (R4).

Owner and family only; a tenant gets the answer that an unknown house gets (I-23).
"""

from uuid import UUID

from pydantic import Field

from backend.fees import prepaid
from backend.fees.prepaid import MAX_FEN, MIN_FEN, Purpose
from backend.fees.prepaid_schemas import AccountsAnswer, EntriesAnswer, EntriesQuery
from backend.kernel.auth import RESIDENT
from backend.kernel.db import Tx
from backend.kernel.errors import (
    BadRequest,
    ChannelUnknown,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    TooMany,
    Unauthenticated,
    Unavailable,
)
from backend.kernel.http import Call, Route, example
from backend.kernel.ratelimit import Rule
from miniprogram_api.paying import PaymentCreated, WayChoice, pay
from payments.payables import Kind, Wish

_ID = "01991b2a-7c00-7000-8000-000000000001"


class TopUpCreate(WayChoice):
    """For which house and purpose, how much, and how to pay it."""

    model_config = example(
        house_id=_ID, purpose="property", amount_fen=100_000, channel="wechat", method="jsapi", return_path="/"
    )
    house_id: UUID
    purpose: Purpose
    amount_fen: int = Field(ge=MIN_FEN, le=MAX_FEN)


async def list_accounts(call: Call[None, None]) -> AccountsAnswer:
    """GET /api/v1/prepaid."""
    return AccountsAnswer.of(await prepaid.of_resident(call.res.db, call.principal.scope))


async def list_entries(call: Call[None, EntriesQuery]) -> EntriesAnswer:
    """GET /api/v1/prepaid/{account_id}/entries."""
    query = call.query
    account = await prepaid.one_of_resident(call.res.db, call.principal.scope, account_id=call.ids["account_id"])
    found = await prepaid.entries(call.res.db, account, before=query.before, limit=query.limit)
    return EntriesAnswer.of(account, found, limit=query.limit)


async def top_up(call: Call[TopUpCreate, None]) -> PaymentCreated:
    """POST /api/v1/prepaid/top-ups."""
    body, scope = call.body, call.principal.scope

    async def what(tx: Tx) -> list[Wish]:
        account_id = await prepaid.open_for_resident(
            tx, call.principal.actor, scope=scope, house_id=body.house_id, purpose=body.purpose
        )
        return [Wish(Kind.PREPAID, account_id, body.amount_fen)]

    return await pay(call, body, what)


ROUTES = (
    Route(
        "GET", "/api/v1/prepaid", list_accounts, RESIDENT, "我的预存账户和余额", answer=AccountsAnswer,
        errors=(Unauthenticated, Forbidden),
    ),
    Route(
        "GET", "/api/v1/prepaid/{account_id}/entries", list_entries, RESIDENT, "预存账户对账明细", query=EntriesQuery,
        answer=EntriesAnswer, errors=(Unauthenticated, Forbidden, BadRequest, NotFound),
    ),
    Route(
        "POST", "/api/v1/prepaid/top-ups", top_up, RESIDENT, "预存：返回与支付账单相同的支付参数", body=TopUpCreate,
        answer=PaymentCreated, status=201, creates=True,
        errors=(Unauthenticated, Forbidden, NotFound, Conflict, Invalid, TooMany, ChannelUnknown, Unavailable),
        rate=Rule("prepaid.top_up", 30, 60),
    ),
)  # fmt: skip
