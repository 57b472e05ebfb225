"""Resident routes of paid repairs (有偿维修): the quote, the answer to it, signing, paying (R6, D9). No rules here."""

import asyncio

from backend.kernel.auth import RESIDENT
from backend.kernel.db import Tx
from backend.kernel.errors import (
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
from backend.tickets import machine, reads
from backend.tickets.moves import Move
from backend.tickets.paid import admin, quotes, signatures
from backend.tickets.paid.schemas import AgreeBody, DecideBody, QuoteList, SignOffBody
from backend.tickets.schemas import MovedAnswer
from backend.tickets.step import Asked
from miniprogram_api.paying import PaymentCreated, WayChoice, pay
from miniprogram_api.tickets import reporter, sight
from payments.payables import Kind, Wish


class RepairPayment(WayChoice):
    """How to pay for what is owed of the ticket."""

    model_config = example(channel="wechat", method="jsapi", return_path="/")


async def list_quotes(call: Call[None, None]) -> QuoteList:
    """GET /api/v1/tickets/{ticket_id}/quotes."""
    row = await reads.seen(call.res.db, call.ids["ticket_id"], sight=sight(call.principal))
    return await admin.quotes_of(call.res.db, row["id"])


async def agree(call: Call[AgreeBody, None]) -> MovedAnswer:
    """POST /api/v1/tickets/{ticket_id}/agree."""
    return await _decide(call, Move.AGREE)


async def decline(call: Call[DecideBody, None]) -> MovedAnswer:
    """POST /api/v1/tickets/{ticket_id}/decline."""
    return await _decide(call, Move.DECLINE)


async def _decide(call: Call[AgreeBody, None] | Call[DecideBody, None], name: Move) -> MovedAnswer:
    who, asked = reporter(call.principal), Asked(call.body.reason, version=call.body.version)

    async def work(tx: Tx) -> MovedAnswer:
        moved = await machine.move(tx, who, ticket_id=call.ids["ticket_id"], name=name, asked=asked)
        return MovedAnswer.of(moved.state)

    return await call.transact(work)


async def sign_off(call: Call[SignOffBody, None]) -> MovedAnswer:
    """POST /api/v1/tickets/{ticket_id}/sign-off."""
    who, body, ticket_id = reporter(call.principal), call.body, call.ids["ticket_id"]
    picture = None if body.signature is None else await asyncio.to_thread(signatures.cleaned, body.signature)

    async def work(tx: Tx) -> MovedAnswer:
        if picture is not None:
            await signatures.keep(tx, who, keyring=call.res.keyring, ticket_id=ticket_id, picture=picture)
        moved = await machine.move(tx, who, ticket_id=ticket_id, name=Move.SIGN_OFF, asked=Asked(body.reason))
        return MovedAnswer.of(moved.state)

    return await call.transact(work)


async def pay_for_repair(call: Call[RepairPayment, None]) -> PaymentCreated:
    """POST /api/v1/tickets/{ticket_id}/payments."""

    async def what(tx: Tx) -> list[Wish]:
        ticket = await reads.lock(tx, reporter(call.principal), call.ids["ticket_id"])
        return [Wish(Kind.TICKET, await quotes.owed(tx, ticket["id"]))]

    return await pay(call, call.body, what)


_ONE = "/api/v1/tickets/{ticket_id}"
_KNOWN = (Unauthenticated, Forbidden, NotFound)
_REFUSALS = (*_KNOWN, Conflict, Invalid)

ROUTES = (
    Route("GET", f"{_ONE}/quotes", list_quotes, RESIDENT, "维修报价和费用", answer=QuoteList, errors=_KNOWN),
    Route("POST", f"{_ONE}/agree", agree, RESIDENT, "同意报价", body=AgreeBody, answer=MovedAnswer, errors=_REFUSALS),
    Route(
        "POST", f"{_ONE}/decline", decline, RESIDENT, "不同意报价", body=DecideBody, answer=MovedAnswer,
        errors=_REFUSALS,
    ),
    Route(
        "POST", f"{_ONE}/sign-off", sign_off, RESIDENT, "验收，有偿维修须签名", body=SignOffBody, answer=MovedAnswer,
        errors=_REFUSALS,
    ),
    Route(
        "POST", f"{_ONE}/payments", pay_for_repair, RESIDENT, "支付维修费，返回与支付账单相同", body=RepairPayment,
        answer=PaymentCreated, status=201, creates=True,
        errors=(*_KNOWN, Conflict, Invalid, TooMany, ChannelUnknown, Unavailable), rate=Rule("tickets.pay", 30, 60),
    ),
)  # fmt: skip
