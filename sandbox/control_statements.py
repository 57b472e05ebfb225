"""Control API of statements: differences to plant, and what arrived at the merchant's bank."""

from dataclasses import asdict
from datetime import date, timedelta
from typing import Any

from aiohttp import web

from sandbox import clock, plants, settlements
from sandbox.amounts import yuan
from sandbox.control_edge import asked, take
from sandbox.errors import ControlError
from sandbox.plants import Kind, Statement
from sandbox.settlements import Payout
from sandbox.world import World

BANK_HEADER = "交易日期,交易时间,收入金额,支出金额,对方户名,摘要,流水号"
SENDER = "财付通支付科技有限公司"


def _day(text: str) -> date:
    try:
        return clock.parse_day(text)
    except ValueError as error:
        raise ControlError(400, "wrong_value", "a day is yyyy-mm-dd") from error


async def plant(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """POST /control/statements/plants: one difference of each kind, chosen by the seed; answers what is wrong now."""
    wanted = take(body, "mchid", "date", "kinds", seed=0, statement="trades", sub_mchid="")
    unknown = [kind for kind in wanted["kinds"] if kind not in list(Kind)]
    if unknown or wanted["statement"] not in list(Statement):
        raise ControlError(
            400, "wrong_value", f"kinds: {[str(kind) for kind in Kind]}; statement: trades, fund_flow, bank"
        )
    day, statement = _day(wanted["date"]), Statement(wanted["statement"])
    with world.store.change():
        made = [
            plants.plant(
                world,
                wanted["mchid"],
                wanted["sub_mchid"],
                day,
                statement=statement,
                kind=Kind(kind),
                seed=wanted["seed"],
            )
            for kind in wanted["kinds"]
        ]
    return {"plants": [asdict(one) for one in made]}


async def list_plants(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """GET /control/statements/plants?mchid=."""
    return {"plants": [asdict(one) for one in plants.of_merchant(world, asked(request, "mchid"))]}


async def forget_plants(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """DELETE /control/statements/plants?mchid=: the merchant's statements tell the truth again."""
    return {"forgotten": plants.forget(world, asked(request, "mchid"))}


async def bank(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """GET /control/bank?mchid=&from=&to=[&sub_mchid=]: what arrived at the bank on these days, and as a bank's file."""
    mchid, sub_mchid = asked(request, "mchid"), request.query.get("sub_mchid", "")
    first, last = _day(asked(request, "from")), _day(asked(request, "to"))
    lines = [
        _arrival(world, mchid, sub_mchid, payout)
        for payout in settlements.payouts(world, mchid, sub_mchid, first, last)
    ]
    rows = [
        f"{line['arrived_on']},06:00:00,{yuan(line['amount_fen'])},,{SENDER},{line['memo']},{line['reference']}"
        for line in lines
    ]
    return {"lines": lines, "csv": "".join(f"{row}\r\n" for row in [BANK_HEADER, *rows])}


def _arrival(world: World, mchid: str, sub_mchid: str, payout: Payout) -> dict[str, Any]:
    wrong = plants.of_day(world, mchid, sub_mchid, payout.on, Statement.BANK)
    collected_on = payout.on - timedelta(days=1)
    return {
        "arrived_on": payout.on.isoformat(),
        "collected_on": collected_on.isoformat(),
        "amount_fen": payout.amount_fen + sum(one.detail["by_fen"] for one in wrong),
        "memo": f"{sub_mchid or mchid} {collected_on:%Y%m%d} 交易款",
        "reference": payout.number,
    }
