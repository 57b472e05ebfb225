"""Control API, first half: apps, users and what users do in WeChat (log in, follow, consent)."""

import json
import secrets
from typing import Any

from aiohttp import web

from sandbox import tokens, users, web_login
from sandbox.control_edge import asked, take
from sandbox.errors import ControlError
from sandbox.store import Row
from sandbox.world import World

SAVE_APP = """
INSERT INTO apps (appid, secret, kind, original_id, open_platform, pages, bound_mchids, web_domain)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (appid) DO UPDATE SET
    secret = excluded.secret, kind = excluded.kind, original_id = excluded.original_id,
    open_platform = excluded.open_platform, pages = excluded.pages, bound_mchids = excluded.bound_mchids,
    web_domain = excluded.web_domain
"""
SAVE_TEMPLATE = "INSERT INTO templates (appid, template_id, title, kind, fields, consts) VALUES (?, ?, ?, ?, ?, ?)"
ADD_CREDIT = """
INSERT INTO credits (appid, openid, template_id, credits) VALUES (?, ?, ?, ?)
ON CONFLICT (appid, openid, template_id) DO UPDATE SET credits = credits + excluded.credits
RETURNING credits
"""


async def put_app(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """PUT /control/apps/{appid}: create or replace an app with its templates."""
    optional: dict[str, Any] = {
        "original_id": None,
        "open_platform": None,
        "templates": [],
        "pages": None,
        "bound_mchids": [],
        "web_domain": None,
    }
    wanted = take(body, "secret", "kind", **optional)
    if wanted["kind"] not in ("miniprogram", "official"):
        raise ControlError(400, "wrong_value", "kind is miniprogram or official")
    appid = request.match_info["appid"]
    templates = [take(item, "template_id", "title", "fields", "kind", consts={}) for item in wanted["templates"]]
    pages = None if wanted["pages"] is None else json.dumps(wanted["pages"])
    with world.store.change():
        world.store.run(
            SAVE_APP,
            appid,
            wanted["secret"],
            wanted["kind"],
            wanted["original_id"],
            wanted["open_platform"],
            pages,
            json.dumps(wanted["bound_mchids"]),
            wanted["web_domain"],
        )
        world.store.run("DELETE FROM templates WHERE appid = ?", appid)
        for item in templates:
            fields, consts = json.dumps(item["fields"]), json.dumps(item["consts"])
            world.store.run(SAVE_TEMPLATE, appid, item["template_id"], item["title"], item["kind"], fields, consts)
    return {"appid": appid, "templates": len(templates)}


async def create_user(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """POST /control/users: a person with WeChat; without a phone a free-looking one is made up."""
    wanted = take(body, nickname=None, phone=None)
    nickname = wanted["nickname"] or "微信用户"
    phone = wanted["phone"] or f"199{secrets.randbelow(10**8):08d}"
    user_id = f"u_{secrets.token_hex(8)}"
    world.store.run("INSERT INTO users VALUES (?, ?, ?)", user_id, nickname, phone)
    return {"user_id": user_id, "nickname": nickname, "phone": phone}


def _user_id(world: World, request: web.Request) -> str:
    user_id = request.match_info["user_id"]
    if world.store.row("SELECT 1 FROM users WHERE user_id = ?", user_id) is None:
        raise ControlError(404, "no_such_user", f"no user {user_id}")
    return user_id


def _app(world: World, appid: str) -> Row:
    app = world.store.row("SELECT * FROM apps WHERE appid = ?", appid)
    if app is None:
        raise ControlError(404, "no_such_app", f"no app {appid}; PUT /control/apps/{appid} first")
    return app


async def login_code(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """POST /control/users/{user_id}/login-code: what `wx.login` gives."""
    app = _app(world, take(body, "appid")["appid"])
    return {"code": users.new_code(world, _user_id(world, request), app["appid"], users.LOGIN)}


async def phone_code(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """POST /control/users/{user_id}/phone-code: what the phone number button gives."""
    app = _app(world, take(body, "appid")["appid"])
    return {"code": users.new_code(world, _user_id(world, request), app["appid"], users.PHONE)}


async def oauth_code(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """POST /control/users/{user_id}/oauth-code: what the web login brings; with `snapshot` of an anonymous visitor."""
    wanted = take(body, "appid", scope=web_login.BASE, snapshot=False)
    if wanted["scope"] not in web_login.SCOPES:
        raise ControlError(400, "wrong_value", f"scope is one of {web_login.SCOPES}")
    app = _app(world, wanted["appid"])
    purpose = web_login.SNAPSHOT if wanted["snapshot"] else wanted["scope"]
    return {"code": users.new_code(world, _user_id(world, request), app["appid"], purpose)}


async def openid(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """GET /control/users/{user_id}/openid?appid=."""
    app, user_id = _app(world, asked(request, "appid")), _user_id(world, request)
    unionid = users.unionid_of(app, user_id)
    return {"openid": users.openid_of(world, user_id, app["appid"]), **({"unionid": unionid} if unionid else {})}


async def follow(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """POST /control/users/{user_id}/follow: the user follows the official account."""
    app = _app(world, take(body, "appid")["appid"])
    found = users.openid_of(world, _user_id(world, request), app["appid"])
    world.store.run("INSERT OR IGNORE INTO followers VALUES (?, ?)", app["appid"], found)
    return {"openid": found, "follows": True}


async def unfollow(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """POST /control/users/{user_id}/unfollow."""
    app = _app(world, take(body, "appid")["appid"])
    found = users.openid_of(world, _user_id(world, request), app["appid"])
    world.store.run("DELETE FROM followers WHERE appid = ? AND openid = ?", app["appid"], found)
    return {"openid": found, "follows": False}


async def consent(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """POST /control/users/{user_id}/consent: an accepted subscription adds one credit, a rejected one adds none."""
    wanted = take(body, "appid", "template_id", "answer")
    if wanted["answer"] not in ("accept", "reject"):
        raise ControlError(400, "wrong_value", "answer is accept or reject")
    app = _app(world, wanted["appid"])
    found = users.openid_of(world, _user_id(world, request), app["appid"])
    gained = 1 if wanted["answer"] == "accept" else 0
    row = world.store.rows(ADD_CREDIT, app["appid"], found, wanted["template_id"], gained)[0]
    return {wanted["template_id"]: wanted["answer"], "credits": row["credits"]}


async def invalidate_tokens(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """POST /control/tokens/invalidate: every token of the app answers 40001 from now on."""
    app = _app(world, take(body, "appid")["appid"])
    return {"invalidated": tokens.invalidate(world, app["appid"])}
