"""Control API, the rest: hostility, counters, what was sent and uploaded, reset, health."""

import json
from typing import Any

from aiohttp import web

from sandbox import clock, merchants, pay_books, refund_books
from sandbox.alipay_postman import ALIPAY_POSTMAN
from sandbox.amounts import fee_fen
from sandbox.control_edge import take
from sandbox.control_money import transaction_view
from sandbox.control_refunds import refund_view
from sandbox.hostile import PAY_SCRIPTS
from sandbox.notifications import POSTMAN
from sandbox.platform_keys import KeyKind
from sandbox.push_postman import PUSH_POSTMAN
from sandbox.refund_books import RefundState
from sandbox.scenario import SPANS
from sandbox.world import World

MESSAGES = """
SELECT * FROM messages
WHERE (?1 IS NULL OR appid = ?1) AND (?2 IS NULL OR openid = ?2)
ORDER BY msgid
"""


async def health(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """GET /control/health: alive, and what time it is here."""
    return {"status": "ok", "now": clock.rfc3339(world.now_s())}


async def show_hostile(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """GET /control/hostile: the scripts and budgets that are left."""
    return world.hostile.plan()


async def put_hostile(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """PUT /control/hostile: replace the named parts of the plan."""
    world.hostile.update(body)
    return world.hostile.plan()


async def reset_hostile(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """DELETE /control/hostile: be friendly again."""
    world.hostile.reset()
    return world.hostile.plan()


async def put_scenario(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """PUT /control/scenario: begin a scenario {seed, rates, delay_s, reorder_s, late_s} with its first draw."""
    world.hostile.scenario.set(take(body, "seed", rates={}, **SPANS), PAY_SCRIPTS)
    return world.hostile.scenario.state()


async def show_scenario(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """GET /control/scenario: what is in force, and how many draws of each kind were made."""
    return world.hostile.scenario.state()


async def reset_scenario(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """DELETE /control/scenario: be friendly again."""
    world.hostile.scenario.reset()
    return world.hostile.scenario.state()


async def decisions(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """GET /control/scenario/decisions: everything that went wrong by a draw, in order."""
    rows = world.store.rows("SELECT kind, draw, subject FROM decisions ORDER BY id")
    return {"decisions": [dict(row) for row in rows]}


async def truth(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """GET /control/truth: all that ever came in and went out, by merchant: what the product's books must equal."""
    return {"merchants": {mchid: _truth_of(world, mchid) for mchid in merchants.every_mchid(world.store)}}


def _truth_of(world: World, mchid: str) -> dict[str, Any]:
    refunds, payments = refund_books.of_merchant(world, mchid), pay_books.paid_ever(world.store, mchid)
    given_fen = {state: sum(one.amount_fen for one in refunds if one.state is state) for state in RefundState}
    return {
        "payments": [transaction_view(order) for order in payments],
        "refunds": [refund_view(refund) for refund in refunds],
        "paid_fen": sum(order.total_fen for order in payments),
        "refunded_fen": given_fen[RefundState.SUCCESS],
        "refunding_fen": given_fen[RefundState.PROCESSING] + given_fen[RefundState.ABNORMAL],
        "fees_fen": sum(fee_fen(order.total_fen) for order in payments)
        - sum(one.fee_fen for one in refunds if one.state is not RefundState.CLOSED),
    }


async def stats(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """GET /control/stats: calls per endpoint and what came of them."""
    rows = world.store.rows("SELECT name, count FROM counters ORDER BY name")
    return {row["name"]: row["count"] for row in rows}


async def messages(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """GET /control/messages?appid=&openid=: accepted messages with their data, oldest first; both filters optional."""
    found = world.store.rows(MESSAGES, request.query.get("appid"), request.query.get("openid"))
    return {
        "messages": [
            {
                "msgid": row["msgid"],
                "appid": row["appid"],
                "openid": row["openid"],
                "kind": row["kind"],
                "template_id": row["template_id"],
                "client_msg_id": row["client_msg_id"],
                "data": json.loads(row["request"])["data"],
                "request": json.loads(row["request"]),
                "sent_at": clock.rfc3339(row["sent_s"]),
            }
            for row in found
        ]
    }


async def shipping(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """GET /control/shipping: accepted shipping reports, oldest first."""
    return {
        "uploads": [
            {
                "appid": row["appid"],
                "transaction_id": row["transaction_id"],
                "request": json.loads(row["request"]),
                "received_at": clock.rfc3339(row["received_s"]),
            }
            for row in world.store.rows("SELECT * FROM shipping ORDER BY id")
        ]
    }


async def reset(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """POST /control/reset: forget everything but the newest key of each kind, which signs alone again."""
    take(body)
    await request.app[POSTMAN].drop()
    await request.app[ALIPAY_POSTMAN].drop()
    await request.app[PUSH_POSTMAN].drop()
    world.store.wipe()
    world.hostile.reset()
    for kind in KeyKind:
        world.keys.retire(kind)
    return {"status": "empty"}
