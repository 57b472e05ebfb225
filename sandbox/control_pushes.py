"""Control API: what users say and press, what accounts were told of it, and whether their address answers rightly."""

import json
from typing import Any

from aiohttp import web

from sandbox import clock, followers, push_forge, pushes, qr_codes, users
from sandbox.control_edge import take
from sandbox.errors import ControlError
from sandbox.push_postman import PUSH_POSTMAN, Told
from sandbox.pushes import Address
from sandbox.store import Row
from sandbox.world import World

PUSHES = """
SELECT * FROM pushes
WHERE (?1 IS NULL OR appid = ?1) AND (?2 IS NULL OR openid = ?2)
ORDER BY id
"""
ATTEMPTS = "SELECT * FROM push_attempts WHERE push_id = ? ORDER BY id"


async def list_pushes(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """GET /control/pushes?appid=&openid=: what was told, how it was answered, what the follower saw; oldest first."""
    rows = world.store.rows(PUSHES, request.query.get("appid"), request.query.get("openid"))
    return {"pushes": [_push_view(world, row) for row in rows]}


def _push_view(world: World, row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "appid": row["appid"],
        "openid": row["openid"],
        "message": json.loads(row["message"]),
        "body": row["body"],
        "state": row["state"],
        "created_at": clock.rfc3339(row["created_s"]),
        "next_at": clock.rfc3339(row["next_s"]) if row["next_s"] is not None else None,
        "reply": json.loads(row["reply"]) if row["reply"] else None,
        "seen": json.loads(row["seen"]) if row["seen"] else None,
        "attempts": [
            {
                "at": clock.rfc3339(attempt["started_s"]),
                "outcome": attempt["outcome"],
                "status": attempt["status"],
                "answer": attempt["answer"],
                "query": json.loads(attempt["query"]),
            }
            for attempt in world.store.rows(ATTEMPTS, row["id"])
        ],
    }


async def flush(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """POST /control/pushes/flush: deliver what is due now and wait for it; answers the number of calls."""
    return {"count": await request.app[PUSH_POSTMAN].flush()}


async def repeat(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """POST /control/pushes/{id}/repeat: send it once more now, whatever its state; answers how it went."""
    number = request.match_info["id"]
    row = pushes.find(world, int(number)) if number.isdigit() else None
    if row is None:
        raise ControlError(404, "no_such_push", f"no push {number}")
    postman = request.app[PUSH_POSTMAN]
    told = await postman.send(_address(world, row["appid"]), row)
    postman.write_attempt(row["id"], told)
    return _told_view(told)


async def forge(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """POST /control/pushes/forge: one false push now, that nobody repeats; answers how it went."""
    text = {"MsgType": "text", "Content": "伪造的消息"}
    wanted = take(body, "appid", "openid", "kind", fields=text)
    address, postman = _address(world, wanted["appid"]), request.app[PUSH_POSTMAN]
    made = await push_forge.send(
        world, postman, address, wanted["openid"], kind=wanted["kind"], fields=wanted["fields"]
    )
    return _told_view(made)


def _told_view(told: Told) -> dict[str, Any]:
    return {"outcome": told.outcome, "status": told.status, "answer": told.answer, "reply": told.reply}


async def verify_url(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """POST /control/apps/{appid}/verify-url: the handshake of the console, wrongly signed with `signature`: wrong."""
    wanted = take(body, signature="right")
    if wanted["signature"] not in ("right", "wrong"):
        raise ControlError(400, "wrong_value", "signature is right or wrong")
    address = _address(world, request.match_info["appid"])
    return await request.app[PUSH_POSTMAN].ask_echo(address, wrong=wanted["signature"] == "wrong")


async def say(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """POST /control/users/{user_id}/say: the user writes `text` to the account."""
    wanted = take(body, "appid", "text")
    return _told(world, request, wanted["appid"], {"MsgType": "text", "Content": wanted["text"]})


async def click(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """POST /control/users/{user_id}/click: the user presses the menu's button with `key`."""
    wanted = take(body, "appid", "key")
    return _told(world, request, wanted["appid"], {"MsgType": "event", "Event": "CLICK", "EventKey": wanted["key"]})


async def scan(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """POST /control/users/{user_id}/scan: the user scans a parametric code, and follows by it who did not yet."""
    wanted = take(body, "appid", "ticket")
    openid = _openid(world, request, wanted["appid"])
    number = qr_codes.scan(world, openid, wanted["appid"], wanted["ticket"])
    request.app[PUSH_POSTMAN].wake()
    return {"openid": openid, "push": number}


def _told(world: World, request: web.Request, appid: str, fields: dict[str, Any]) -> dict[str, Any]:
    openid = _openid(world, request, appid)
    if users.known_app(world, appid)["kind"] == "official" and followers.find(world, appid, openid) is None:
        raise ControlError(409, "no_follower", "only followers see the account's conversation and its menu")
    number = pushes.queue(world, appid, openid, fields)
    request.app[PUSH_POSTMAN].wake()
    return {"openid": openid, "push": number}


def _openid(world: World, request: web.Request, appid: str) -> str:
    app, user_id = users.known_app(world, appid), users.known_user(world, request.match_info["user_id"])
    return users.openid_of(world, user_id, app["appid"])


def _address(world: World, appid: str) -> Address:
    address = pushes.address_of(world, appid)
    if address is None:
        raise ControlError(409, "no_push_address", f"{appid} is not known, or has no address for pushes")
    return address
