"""Control API of Alipay, second half: the books for comparison, plants in bills, what arrives at the bank."""

from dataclasses import asdict
from datetime import date, timedelta
from typing import Any

from aiohttp import web

from sandbox import alipay_books, alipay_lines, alipay_merchants, alipay_plants, clock
from sandbox.alipay_fields import yuan
from sandbox.alipay_lines import PAYMENT, Payout, TradeLine
from sandbox.alipay_merchants import AlipayMerchant
from sandbox.alipay_plants import Kind, Statement
from sandbox.control_edge import asked, take
from sandbox.errors import ControlError
from sandbox.world import World

BANK_HEADER = "交易日期,交易时间,收入金额,支出金额,对方户名,摘要,流水号"
SENDER = "支付宝（中国）网络技术有限公司"
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
    """POST /control/alipay/plants: one difference of each kind, chosen by the seed or by a trade's number."""
    wanted = take(body, "app_id", "date", "kinds", seed=0, statement="trades", out_trade_no=None)
    kinds = wanted["kinds"]
    unknown = not isinstance(kinds, list) or any(kind not in list(Kind) for kind in kinds)
    if unknown or wanted["statement"] not in list(Statement):
        known = [str(kind) for kind in Kind]
        raise ControlError(400, "wrong_value", f"kinds: {known}; statement: trades, fund_flow, bank")
    day, statement = _day(wanted["date"]), Statement(wanted["statement"])
    with world.store.change():
        made = [
            alipay_plants.plant(
                world,
                wanted["app_id"],
                day,
                statement=statement,
                kind=Kind(kind),
                seed=wanted["seed"],
                out_trade_no=wanted["out_trade_no"],
            )
            for kind in kinds
        ]
    return {"plants": [asdict(one) for one in made]}


async def list_plants(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """GET /control/alipay/plants?app_id=."""
    return {"plants": [asdict(one) for one in alipay_plants.of_merchant(world, asked(request, "app_id"))]}


async def forget_plants(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """DELETE /control/alipay/plants?app_id=: the merchant's bills tell the truth again."""
    return {"forgotten": alipay_plants.forget(world, asked(request, "app_id"))}


async def bank(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """GET /control/alipay/bank?app_id=&from=&to=: what arrived at the bank on these days, and as a bank's file."""
    app_id, first, last = asked(request, "app_id"), _day(asked(request, "from")), _day(asked(request, "to"))
    merchant = alipay_merchants.find(world.store, app_id)
    if merchant is None:
        raise ControlError(404, "no_such_merchant", f"no application {app_id}")
    told = (_arrival(world, merchant, payout) for payout in alipay_lines.payouts(world, app_id, first, last))
    lines = [line for line in told if line is not None]
    rows = [
        f"{line['arrived_on']},06:00:00,{yuan(line['amount_fen'])},,{SENDER},{line['memo']},{line['reference']}"
        for line in lines
    ]
    return {"lines": lines, "csv": "".join(f"{row}\r\n" for row in [BANK_HEADER, *rows])}


def _arrival(world: World, merchant: AlipayMerchant, payout: Payout) -> dict[str, Any] | None:
    wrong = alipay_plants.of_day(world, merchant.app_id, payout.on, Statement.BANK)
    if any(one.kind is Kind.SETTLEMENT_MISSING for one in wrong):
        return None
    collected_on = payout.on - timedelta(days=1)
    return {
        "arrived_on": payout.on.isoformat(),
        "collected_on": collected_on.isoformat(),
        "amount_fen": payout.amount_fen + sum(one.detail["by_fen"] for one in wrong),
        "memo": f"{merchant.seller_id} {collected_on:%Y%m%d} 提现",
        "reference": payout.flow_no,
    }
