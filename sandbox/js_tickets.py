"""Tickets of the JS-SDK and what the phone checks with them (official account page, section 5)."""

import hashlib
import secrets
from typing import Any

from aiohttp import web

from sandbox import tokens
from sandbox.api_edge import OK, ApiCall, spend_quota, text_of
from sandbox.control_edge import take
from sandbox.errors import ApiError
from sandbox.world import World

SCHEMA = """
CREATE TABLE IF NOT EXISTS js_tickets (ticket TEXT PRIMARY KEY, appid TEXT NOT NULL, expires_s REAL NOT NULL);
"""
LIFE_S = 7200
PER_DAY = 1_000_000
IN_USE = "SELECT * FROM js_tickets WHERE appid = ? AND expires_s > ? ORDER BY expires_s DESC LIMIT 1"


async def ticket(call: ApiCall) -> dict[str, Any]:
    """GET /cgi-bin/ticket/getticket?type=jsapi: the ticket in use with its remaining life, a new one where it ended."""
    world = call.world
    app = tokens.app_of(world, call.request, kind="official")
    spend_quota(world, app["appid"], "/cgi-bin/ticket/getticket", PER_DAY)
    if text_of(call.request.query, "type") != "jsapi":
        raise ApiError(40097, "invalid args")
    now_s = world.now_s()
    known = world.store.row(IN_USE, app["appid"], now_s)
    if known is not None:
        return {**OK, "ticket": known["ticket"], "expires_in": int(known["expires_s"] - now_s)}
    fresh = secrets.token_urlsafe(64)
    world.store.run("INSERT INTO js_tickets VALUES (?, ?, ?)", fresh, app["appid"], now_s + LIFE_S)
    return {**OK, "ticket": fresh, "expires_in": LIFE_S}


def signature(jsapi_ticket: str, noncestr: str, timestamp: str, url: str) -> str:
    """What `wx.config` needs: lower-case hex SHA-1; `url` without its fragment."""
    text = f"jsapi_ticket={jsapi_ticket}&noncestr={noncestr}&timestamp={timestamp}&url={url.partition('#')[0]}"
    return hashlib.sha1(text.encode()).hexdigest()


async def check(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """POST /control/apps/{appid}/js-config: whether the phone at `url` takes this `wx.config`."""
    wanted = take(body, "nonceStr", "timestamp", "signature", "url")
    known = world.store.row(IN_USE, request.match_info["appid"], world.now_s())
    if known is None:
        return {"ok": False}
    told = signature(known["ticket"], wanted["nonceStr"], str(wanted["timestamp"]), wanted["url"])
    return {"ok": told == wanted["signature"]}
