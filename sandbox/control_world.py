"""Control API, the rest: hostility, counters, what was sent and uploaded, reset, health."""

import json
from typing import Any

from aiohttp import web

from sandbox import clock
from sandbox.control_edge import take
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
    """POST /control/reset: forget everything but the keys."""
    take(body)
    world.store.wipe()
    world.hostile.reset()
    return {"status": "empty"}
