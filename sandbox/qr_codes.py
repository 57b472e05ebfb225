"""Parametric codes of official accounts (page, section 7): a ticket, a picture, and what a scan tells the account."""

import io
import secrets
from typing import Any

import segno
from aiohttp import web

from sandbox import followers, pushes, tokens
from sandbox.api_edge import ApiCall, spend_quota, text_of
from sandbox.errors import ApiError, ControlError
from sandbox.store import Row
from sandbox.world import WORLD, World

SCHEMA = """
CREATE TABLE IF NOT EXISTS qr_codes (
    ticket TEXT PRIMARY KEY, appid TEXT NOT NULL, scene TEXT NOT NULL, is_text INTEGER NOT NULL,
    url TEXT NOT NULL, created_s REAL NOT NULL, expires_s REAL);
CREATE INDEX IF NOT EXISTS qr_codes_by_scene ON qr_codes (appid, scene) WHERE expires_s IS NULL;
"""
CREATE_PER_DAY = 100_000
MOST_PERMANENT = 100_000
SHORTEST_S, LONGEST_S = 60, 2_592_000
MOST_NUMBER, MOST_PERMANENT_NUMBER = 2**32 - 1, 100_000
MOST_SCENE_CHARACTERS = 64
# Action: whether it is permanent, whether its scene is a text.
ACTIONS = {
    "QR_SCENE": (False, False),
    "QR_STR_SCENE": (False, True),
    "QR_LIMIT_SCENE": (True, False),
    "QR_LIMIT_STR_SCENE": (True, True),
}
PIXELS_PER_MODULE = 8

SAVE = "INSERT INTO qr_codes VALUES (?, ?, ?, ?, ?, ?, ?)"
SAME = "SELECT * FROM qr_codes WHERE appid = ? AND scene = ? AND is_text = ? AND expires_s IS NULL"
HOW_MANY = "SELECT count(*) AS count FROM qr_codes WHERE appid = ? AND expires_s IS NULL"


async def create(call: ApiCall) -> dict[str, Any]:
    """POST /cgi-bin/qrcode/create: a temporary code, or a permanent one, which is the same for the same scene."""
    world, body = call.world, call.body
    app = tokens.app_of(world, call.request, kind="official")
    spend_quota(world, app["appid"], "/cgi-bin/qrcode/create", CREATE_PER_DAY)
    if body.get("action_name") not in ACTIONS:
        raise ApiError(40052, "invalid action name")
    is_permanent, is_text = ACTIONS[body["action_name"]]
    scene = _scene(body.get("action_info"), is_permanent=is_permanent, is_text=is_text)
    if not is_permanent:
        lives_s = _whole(body.get("expire_seconds", SHORTEST_S), 1, LONGEST_S)
        return _view(_save(world, app["appid"], scene, is_text=is_text, lives_s=lives_s), lives_s)
    known = world.store.row(SAME, app["appid"], scene, int(is_text))
    if known is None and world.store.rows(HOW_MANY, app["appid"])[0]["count"] >= MOST_PERMANENT:
        raise ApiError(45029, "qrcode count out of limit")
    return _view(known or _save(world, app["appid"], scene, is_text=is_text, lives_s=None))


def _scene(info: Any, *, is_permanent: bool, is_text: bool) -> str:
    scene = info.get("scene") if isinstance(info, dict) else None
    if not isinstance(scene, dict):
        raise ApiError(40053, "invalid action info")
    if not is_text:
        return str(_whole(scene.get("scene_id"), 1, MOST_PERMANENT_NUMBER if is_permanent else MOST_NUMBER))
    text = text_of(scene, "scene_str")
    if not 1 <= len(text) <= MOST_SCENE_CHARACTERS:
        raise ApiError(40053, "invalid action info")
    return text


def _whole(value: Any, least: int, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ApiError(40053, "invalid action info")
    return value


def _save(world: World, appid: str, scene: str, *, is_text: bool, lives_s: int | None) -> Row:
    ticket = "gQ" + secrets.token_urlsafe(60) + "=="
    url, now_s = f"http://weixin.qq.com/q/{secrets.token_urlsafe(18)}", world.now_s()
    expires_s = None if lives_s is None else now_s + lives_s
    world.store.run(SAVE, ticket, appid, scene, int(is_text), url, now_s, expires_s)
    return _known(world, ticket)


def _known(world: World, ticket: str) -> Row:
    """The code; ControlError 404 where there is none."""
    code = world.store.row("SELECT * FROM qr_codes WHERE ticket = ?", ticket)
    if code is None:
        raise ControlError(404, "no_such_ticket", "no code has this ticket")
    return code


def _view(code: Row, lives_s: int | None = None) -> dict[str, Any]:
    life = {} if lives_s is None else {"expire_seconds": lives_s}
    return {"ticket": code["ticket"], **life, "url": code["url"]}


async def show(request: web.Request) -> web.StreamResponse:
    """GET /cgi-bin/showqrcode?ticket=: the picture; 404 for a ticket that nobody was given."""
    try:
        code = _known(request.app[WORLD], request.query.get("ticket", ""))
    except ControlError:
        return web.Response(status=404)
    return web.Response(body=picture(code["url"], PIXELS_PER_MODULE), content_type="image/png")


def picture(content: str, pixels_per_module: int) -> bytes:
    """A QR code as PNG."""
    target = io.BytesIO()
    segno.make(content, error="m", micro=False).save(target, kind="png", scale=pixels_per_module)
    return target.getvalue()


def scan(world: World, openid: str, appid: str, ticket: str) -> int | None:
    """A user scans the code: SCAN for a follower, else a follow with the scene. Returns the number of the push.

    ControlError 404 for an unknown ticket, 409 for a code that is too old or of another account.
    """
    code = _known(world, ticket)
    if code["appid"] != appid:
        raise ControlError(409, "other_account", f"the code belongs to {code['appid']}")
    if code["expires_s"] is not None and code["expires_s"] <= world.now_s():
        raise ControlError(409, "code_expired", "二维码已过期")
    if followers.find(world, appid, openid) is None:
        return followers.add(world, appid, openid, scene=code["scene"], ticket=ticket)
    fields = {"MsgType": "event", "Event": "SCAN", "EventKey": code["scene"], "Ticket": ticket}
    return pushes.queue(world, appid, openid, fields)
