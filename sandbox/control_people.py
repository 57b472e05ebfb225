"""Control API, first half: apps, users and what users do in WeChat (log in, follow)."""

import json
import re
import secrets
from typing import Any

from aiohttp import web

from sandbox import followers, push_texts, tokens, users, web_login
from sandbox.control_edge import asked, take
from sandbox.errors import ControlError
from sandbox.world import World

SAVE_APP = """
INSERT INTO apps (appid, secret, kind, original_id, open_platform, pages, bound_mchids, web_domain, push)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (appid) DO UPDATE SET
    secret = excluded.secret, kind = excluded.kind, original_id = excluded.original_id,
    open_platform = excluded.open_platform, pages = excluded.pages, bound_mchids = excluded.bound_mchids,
    web_domain = excluded.web_domain, push = excluded.push
"""
SAVE_TEMPLATE = "INSERT INTO templates (appid, template_id, title, kind, fields, consts) VALUES (?, ?, ?, ?, ?, ?)"
TOKEN = re.compile(r"[A-Za-z0-9]{3,32}")
AES_KEY = re.compile(r"[A-Za-z0-9]{43}")


async def put_app(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """PUT /control/apps/{appid}: create or replace an app with its templates."""
    optional: dict[str, Any] = {
        "original_id": None,
        "open_platform": None,
        "templates": [],
        "pages": None,
        "bound_mchids": [],
        "web_domain": None,
        "push": None,
    }
    wanted = take(body, "secret", "kind", **optional)
    if wanted["kind"] not in ("miniprogram", "official"):
        raise ControlError(400, "wrong_value", "kind is miniprogram or official")
    appid = request.match_info["appid"]
    templates = [take(item, "template_id", "title", "fields", "kind", consts={}) for item in wanted["templates"]]
    pages = None if wanted["pages"] is None else json.dumps(wanted["pages"])
    push = None if wanted["push"] is None else json.dumps(_push_address(wanted["kind"], wanted["push"]))
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
            push,
        )
        world.store.run("DELETE FROM templates WHERE appid = ?", appid)
        for item in templates:
            fields, consts = json.dumps(item["fields"]), json.dumps(item["consts"])
            world.store.run(SAVE_TEMPLATE, appid, item["template_id"], item["title"], item["kind"], fields, consts)
    return {"appid": appid, "templates": len(templates)}


def _push_address(kind: str, wanted: dict[str, Any]) -> dict[str, str]:
    """Where pushes go; ControlError for what WeChat's console does not take."""
    push = take(wanted, "url", "token", aes_key="", mode=push_texts.PLAIN, format=push_texts.XML)
    forms = push_texts.FORMATS if kind == "miniprogram" else (push_texts.XML,)
    if push["mode"] not in push_texts.MODES or push["format"] not in forms:
        raise ControlError(400, "wrong_value", f"mode is one of {push_texts.MODES}, format one of {forms}")
    if not TOKEN.fullmatch(push["token"]):
        raise ControlError(400, "wrong_value", "token has 3 to 32 letters and digits")
    if push["mode"] != push_texts.PLAIN and not AES_KEY.fullmatch(push["aes_key"]):
        raise ControlError(400, "wrong_value", "aes_key has 43 letters and digits")
    if not push["url"].startswith(("http://", "https://")):
        raise ControlError(400, "wrong_value", "url is http or https")
    push["form"] = push.pop("format")
    return push


async def put_push(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """PUT /control/apps/{appid}/push: replace the address for pushes alone."""
    app = users.known_app(world, request.match_info["appid"])
    push = _push_address(app["kind"], body)
    world.store.run("UPDATE apps SET push = ? WHERE appid = ?", json.dumps(push), app["appid"])
    return {"appid": app["appid"], "push": push["url"]}


async def create_user(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """POST /control/users: a person with WeChat; without a phone a free-looking one is made up."""
    wanted = take(body, nickname=None, phone=None)
    nickname = wanted["nickname"] or "微信用户"
    phone = wanted["phone"] or f"199{secrets.randbelow(10**8):08d}"
    user_id = f"u_{secrets.token_hex(8)}"
    world.store.run("INSERT INTO users VALUES (?, ?, ?)", user_id, nickname, phone)
    return {"user_id": user_id, "nickname": nickname, "phone": phone}


async def login_code(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """POST /control/users/{user_id}/login-code: what `wx.login` gives."""
    app = users.known_app(world, take(body, "appid")["appid"])
    return {
        "code": users.new_code(world, users.known_user(world, request.match_info["user_id"]), app["appid"], users.LOGIN)
    }


async def phone_code(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """POST /control/users/{user_id}/phone-code: what the phone number button gives."""
    app = users.known_app(world, take(body, "appid")["appid"])
    return {
        "code": users.new_code(world, users.known_user(world, request.match_info["user_id"]), app["appid"], users.PHONE)
    }


async def oauth_code(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """POST /control/users/{user_id}/oauth-code: what the web login brings; with `snapshot` of an anonymous visitor."""
    wanted = take(body, "appid", scope=web_login.BASE, snapshot=False)
    if wanted["scope"] not in web_login.SCOPES:
        raise ControlError(400, "wrong_value", f"scope is one of {web_login.SCOPES}")
    app = users.known_app(world, wanted["appid"])
    purpose = web_login.SNAPSHOT if wanted["snapshot"] else wanted["scope"]
    return {
        "code": users.new_code(world, users.known_user(world, request.match_info["user_id"]), app["appid"], purpose)
    }


async def openid(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """GET /control/users/{user_id}/openid?appid=."""
    app, user_id = (
        users.known_app(world, asked(request, "appid")),
        users.known_user(world, request.match_info["user_id"]),
    )
    unionid = users.unionid_of(app, user_id)
    return {"openid": users.openid_of(world, user_id, app["appid"]), **({"unionid": unionid} if unionid else {})}


async def follow(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """POST /control/users/{user_id}/follow: the user follows the official account, which is told `subscribe`."""
    app = users.known_app(world, take(body, "appid")["appid"])
    found = users.openid_of(world, users.known_user(world, request.match_info["user_id"]), app["appid"])
    return {"openid": found, "follows": True, "push": followers.add(world, app["appid"], found)}


async def unfollow(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """POST /control/users/{user_id}/unfollow: the account is told `unsubscribe`."""
    app = users.known_app(world, take(body, "appid")["appid"])
    found = users.openid_of(world, users.known_user(world, request.match_info["user_id"]), app["appid"])
    return {"openid": found, "follows": False, "push": followers.remove(world, app["appid"], found)}


async def open_app(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """POST /control/users/{user_id}/open: the user uses the mini-program now, as content checks want it."""
    app = users.known_app(world, take(body, "appid")["appid"])
    return {"openid": users.be_active(world, users.known_user(world, request.match_info["user_id"]), app["appid"])}


async def invalidate_tokens(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """POST /control/tokens/invalidate: every token of the app answers 40001 from now on."""
    app = users.known_app(world, take(body, "appid")["appid"])
    return {"invalidated": tokens.invalidate(world, app["appid"])}
