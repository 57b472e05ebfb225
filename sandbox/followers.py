"""Who follows an official account, since when, by which way; the account is told of each change (page, section 3)."""

from typing import Any

from sandbox import pushes, tokens, users
from sandbox.api_edge import ApiCall, spend_quota, text_of
from sandbox.errors import ApiError
from sandbox.store import Row
from sandbox.world import World

BY_SEARCH, BY_CODE = "ADD_SCENE_SEARCH", "ADD_SCENE_QR_CODE"
INFO_PER_DAY = 5_000_000
LIST_PER_DAY = 500
MOST_IN_BATCH = 100
PAGE = 10_000

ADD = "INSERT OR IGNORE INTO followers (appid, openid, since_s, via, ticket) VALUES (?, ?, ?, ?, ?)"
REMOVE = "DELETE FROM followers WHERE appid = ? AND openid = ?"
AFTER = "SELECT openid FROM followers WHERE appid = ? AND rowid > ? ORDER BY rowid LIMIT ?"
POSITION = "SELECT rowid AS number FROM followers WHERE appid = ? AND openid = ?"
HOW_MANY = "SELECT count(*) AS count FROM followers WHERE appid = ?"


def find(world: World, appid: str, openid: str) -> Row | None:
    """The follower, None for somebody who is none."""
    return world.store.row("SELECT * FROM followers WHERE appid = ? AND openid = ?", appid, openid)


def add(world: World, appid: str, openid: str, *, scene: str = "", ticket: str = "") -> int | None:
    """Follow, by a code with this scene where one is given; returns the number of the push, if there is one."""
    via = BY_CODE if ticket else BY_SEARCH
    if not world.store.run(ADD, appid, openid, world.now_s(), via, ticket):
        return None
    told: dict[str, Any] = {"EventKey": f"qrscene_{scene}", "Ticket": ticket} if ticket else {}
    return pushes.queue(world, appid, openid, {"MsgType": "event", "Event": "subscribe", **told})


def remove(world: World, appid: str, openid: str) -> int | None:
    """Follow no longer; returns the number of the push, if there is one."""
    if not world.store.run(REMOVE, appid, openid):
        return None
    return pushes.queue(world, appid, openid, {"MsgType": "event", "Event": "unsubscribe"})


async def info(call: ApiCall) -> dict[str, Any]:
    """GET /cgi-bin/user/info: who follows and since when; of others only that they do not."""
    app = tokens.app_of(call.world, call.request, kind="official")
    spend_quota(call.world, app["appid"], "/cgi-bin/user/info", INFO_PER_DAY)
    return _view(call.world, app, text_of(call.request.query, "openid"))


async def batch(call: ApiCall) -> dict[str, Any]:
    """POST /cgi-bin/user/info/batchget: up to a hundred at once."""
    app = tokens.app_of(call.world, call.request, kind="official")
    spend_quota(call.world, app["appid"], "/cgi-bin/user/info/batchget", INFO_PER_DAY)
    asked = call.body.get("user_list")
    if not isinstance(asked, list) or not 1 <= len(asked) <= MOST_IN_BATCH:
        raise ApiError(40032, "invalid openid list size")
    openids = [text_of(item, "openid") if isinstance(item, dict) else "" for item in asked]
    return {"user_info_list": [_view(call.world, app, openid) for openid in openids]}


async def page(call: ApiCall) -> dict[str, Any]:
    """GET /cgi-bin/user/get?next_openid=: the openids of all followers, oldest first, ten thousand at a time."""
    app = tokens.app_of(call.world, call.request, kind="official")
    spend_quota(call.world, app["appid"], "/cgi-bin/user/get", LIST_PER_DAY)
    store, last = call.world.store, text_of(call.request.query, "next_openid")
    position = store.row(POSITION, app["appid"], last) if last else None
    if last and position is None:
        raise ApiError(40003, "invalid openid")
    rows = store.rows(AFTER, app["appid"], position["number"] if position else 0, PAGE)
    openids = [row["openid"] for row in rows]
    total = store.rows(HOW_MANY, app["appid"])[0]["count"]
    data = {"data": {"openid": openids}} if openids else {}
    return {"total": total, "count": len(openids), **data, "next_openid": openids[-1] if openids else ""}


def _view(world: World, app: Row, openid: str) -> dict[str, Any]:
    known = world.store.row("SELECT * FROM openids WHERE appid = ? AND openid = ?", app["appid"], openid)
    if known is None:
        raise ApiError(40003, "invalid openid")
    follower = find(world, app["appid"], openid)
    if follower is None:
        return {"subscribe": 0, "openid": openid}
    unionid = users.unionid_of(app, known["user_id"])
    code = world.store.row("SELECT * FROM qr_codes WHERE ticket = ?", follower["ticket"])
    return {
        "subscribe": 1,
        "openid": openid,
        "nickname": "",
        "sex": 0,
        "language": "zh_CN",
        "city": "",
        "province": "",
        "country": "",
        "headimgurl": "",
        "subscribe_time": int(follower["since_s"]),
        **({"unionid": unionid} if unionid else {}),
        "remark": "",
        "groupid": 0,
        "tagid_list": [],
        "subscribe_scene": follower["via"],
        "qr_scene": int(code["scene"]) if code is not None and not code["is_text"] else 0,
        "qr_scene_str": code["scene"] if code is not None and code["is_text"] else "",
    }
