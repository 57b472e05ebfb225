"""Control API of Alipay, second half: the books for comparison, plants in bills, what arrives at the bank."""

import secrets
from datetime import date
from typing import Any

from aiohttp import web

from sandbox import alipay_books, alipay_lines, alipay_plants, clock
from sandbox.alipay_lines import PAYMENT, TradeLine
from sandbox.alipay_plants import ACCOUNT_BILL, DAMAGE, KINDS, OF_A_TRADE, REFUND_MODES, SETTLEMENT_MODES, TRADE_BILL
from sandbox.control_edge import asked, take
from sandbox.errors import ControlError
from sandbox.world import World

FIRST_PAYMENT = "SELECT min(paid_s) AS first_s FROM alipay_orders WHERE app_id = ?"


def _day(text: str) -> date:
    try:
        return clock.parse_day(text)
    except ValueError as error:
        raise ControlError(400, "wrong_value", "dates are yyyy-mm-dd") from error


async def books(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """GET /control/alipay/books?app_id=[&date=]: payments and refunds that the channel knows, with sums in fen."""
    app_id, on = asked(request, "app_id"), request.query.get("date")
    alipay_books.close_overdue(world)
    today = clock.day_of(world.now_s())
    if on:
        lines = alipay_lines.trade_lines(world, app_id, _day(on))
    else:
        first = world.store.row(FIRST_PAYMENT, app_id)
        start_s = None if first is None else first["first_s"]
        lines = [] if start_s is None else alipay_lines.lines_between(world, app_id, clock.day_of(start_s), today)
    now_s = world.now_s()
    done = [line for line in lines if line.done_s <= now_s]
    paid = [line for line in done if line.kind == PAYMENT]
    refunded = [line for line in done if line.kind != PAYMENT]
    return {
        "transactions": [_payment(line) for line in paid],
        "count": len(paid),
        "total_fen": sum(line.amount_fen for line in paid),
        "refunds": [_refund(line) for line in refunded],
        "refunded_fen": -sum(line.amount_fen for line in refunded),
        "fee_fen": -sum(line.fee_fen for line in done),
    }


def _payment(line: TradeLine) -> dict[str, Any]:
    return {
        "trade_no": line.trade_no,
        "out_trade_no": line.out_trade_no,
        "total_fen": line.amount_fen,
        "fee_fen": -line.fee_fen,
        "paid_at": clock.rfc3339(line.done_s),
    }


def _refund(line: TradeLine) -> dict[str, Any]:
    return {
        "trade_no": line.trade_no,
        "out_trade_no": line.out_trade_no,
        "out_request_no": line.request_no,
        "amount_fen": -line.amount_fen,
        "fee_fen": line.fee_fen,
        "done_at": clock.rfc3339(line.done_s),
    }


async def plant(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """POST /control/alipay/plants: one difference, or one damage, in the bill of a day."""
    optional: dict[str, Any] = dict.fromkeys(
        ("out_trade_no", "out_request_no", "date", "bill_type", "mode", "amount_fen")
    )
    wanted = take(body, "kind", "app_id", **optional)
    kind, app_id, mode = wanted["kind"], wanted["app_id"], wanted["mode"]
    bill_type = wanted["bill_type"] or (ACCOUNT_BILL if kind == "settlement" else TRADE_BILL)
    _check(kind, bill_type, mode)
    details = {
        name: wanted[name] for name in ("out_trade_no", "out_request_no", "amount_fen") if wanted[name] is not None
    }
    if wanted["amount_fen"] is not None and not isinstance(wanted["amount_fen"], int):
        raise ControlError(400, "wrong_value", "amount_fen is an integer")
    on = _day(wanted["date"]) if wanted["date"] else None
    if kind in OF_A_TRADE:
        order = alipay_books.find(world, app_id, wanted["out_trade_no"] or "")
        if order is None:
            raise ControlError(404, "no_such_order", f"application {app_id} has no order {wanted['out_trade_no']}")
        by_refund = wanted["out_request_no"] if kind == "refund" and mode != "extra" else None
        proper_on = alipay_plants.day_of(world, kind, order, by_refund)
        on = on or proper_on
    if on is None:
        raise ControlError(400, "wrong_keys", f"{kind} needs a date")
    details |= {"mode": mode, "stranger": secrets.randbelow(10**15)}
    alipay_plants.add(world, app_id, bill_type, kind, on, details)
    return {"kind": kind, "app_id": app_id, "bill_type": bill_type, "date": on.isoformat(), **details}


def _check(kind: str, bill_type: str, mode: str | None) -> None:
    if kind not in KINDS:
        raise ControlError(400, "wrong_value", f"kind is one of {list(KINDS)}")
    if bill_type not in (TRADE_BILL, ACCOUNT_BILL):
        raise ControlError(400, "wrong_value", f"bill_type is {TRADE_BILL} or {ACCOUNT_BILL}")
    if kind in ("status", "cross_day") and bill_type != TRADE_BILL:
        raise ControlError(400, "wrong_value", f"{kind} is planted in {TRADE_BILL}")
    modes = {"refund": REFUND_MODES, "settlement": SETTLEMENT_MODES}.get(kind, ())
    if mode is not None and mode not in modes:
        raise ControlError(400, "wrong_value", f"mode of {kind} is one of {list(modes)}")


async def list_plants(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """GET /control/alipay/plants: everything planted."""
    rows = world.store.rows("SELECT app_id, bill_type, bill_date AS date, kind, details FROM alipay_plants ORDER BY id")
    return {"plants": [dict(row) for row in rows], "damage": list(DAMAGE)}


async def clear_plants(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """DELETE /control/alipay/plants: bills are right again."""
    return {"removed": world.store.run("DELETE FROM alipay_plants")}


async def bank(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """GET /control/alipay/bank?app_id=&first=&last=: what arrives at the bank account on these days."""
    first, last = _day(asked(request, "first")), _day(asked(request, "last"))
    return {"lines": alipay_plants.bank_lines(world, asked(request, "app_id"), first, last)}
