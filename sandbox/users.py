"""Users of WeChat, their identities in each app, their codes and their sessions (mini-program sections 1 and 3)."""

import base64
import hashlib
import hmac
import secrets
from typing import Any

from sandbox import tokens
from sandbox.api_edge import ApiCall, app_by_secret, text_of
from sandbox.errors import ApiError, ControlError
from sandbox.store import Row
from sandbox.world import World

CODE_LIFE_S = 300
LOGIN = "login"
PHONE = "phone"

SAVE_CODE = "INSERT INTO codes (code, purpose, appid, user_id, created_s) VALUES (?, ?, ?, ?, ?)"
ACTIVE = "UPDATE openids SET active_s = ? WHERE appid = ? AND openid = ?"
SAVE_OPENID = "INSERT OR IGNORE INTO openids (appid, openid, user_id) VALUES (?, ?, ?)"
ROTATE = "UPDATE openids SET session_key = ? WHERE appid = ? AND openid = ?"


def _identity(*parts: str) -> str:
    digest = hashlib.sha256("|".join(parts).encode()).digest()
    return "o" + base64.urlsafe_b64encode(digest).decode()[:27]


def known_user(world: World, user_id: str) -> str:
    """The user's id where there is such a user, ControlError 404 otherwise."""
    if world.store.row("SELECT 1 FROM users WHERE user_id = ?", user_id) is None:
        raise ControlError(404, "no_such_user", f"no user {user_id}")
    return user_id


def known_app(world: World, appid: str) -> Row:
    """The app as it stands in the store, ControlError 404 where there is none."""
    app = world.store.row("SELECT * FROM apps WHERE appid = ?", appid)
    if app is None:
        raise ControlError(404, "no_such_app", f"no app {appid}; PUT /control/apps/{appid} first")
    return app


def openid_of(world: World, user_id: str, appid: str) -> str:
    """The user's openid under one app, the same for ever."""
    openid = _identity("openid", appid, user_id)
    world.store.run(SAVE_OPENID, appid, openid, user_id)
    return openid


def unionid_of(app: Row, user_id: str) -> str | None:
    """The user's unionid under the app's Open Platform account, if the app is bound to one."""
    return _identity("unionid", app["open_platform"], user_id) if app["open_platform"] else None


def be_active(world: World, user_id: str, appid: str) -> str:
    """The user uses the app now; returns the openid."""
    openid = openid_of(world, user_id, appid)
    world.store.run(ACTIVE, world.now_s(), appid, openid)
    return openid


def new_code(world: World, user_id: str, appid: str, purpose: str) -> str:
    """A login code (`wx.login`) or a phone code (the button's callback): single use, five minutes."""
    be_active(world, user_id, appid)
    code = "0" + secrets.token_urlsafe(24)[:31]
    world.store.run(SAVE_CODE, code, purpose, appid, user_id, world.now_s())
    return code


def _known_code(world: World, code: str, purpose: str) -> Row | None:
    """The code as it stood before this call; None for one that is unknown, too old or of the other kind."""
    row = world.store.row("SELECT * FROM codes WHERE code = ? AND purpose = ?", code, purpose)
    return None if row is None or world.now_s() - row["created_s"] > CODE_LIFE_S else row


def use_up(world: World, code: Row) -> None:
    """A code works once."""
    world.store.run("UPDATE codes SET used_s = ? WHERE code = ?", world.now_s(), code["code"])


async def code_to_session(call: ApiCall) -> dict[str, Any]:
    """GET /sns/jscode2session: openid, a new session key, unionid where the app has an Open Platform account."""
    query, world = call.request.query, call.world
    app = app_by_secret(world, text_of(query, "appid"), text_of(query, "secret"))
    if text_of(query, "grant_type") != "authorization_code":
        raise ApiError(40002, "invalid grant_type")
    code = _known_code(world, text_of(query, "js_code"), LOGIN)
    if code is None or code["appid"] != app["appid"]:
        raise ApiError(40029, "invalid code")
    if code["used_s"] is not None:
        raise ApiError(40163, "code been used")
    use_up(world, code)
    openid = openid_of(world, code["user_id"], app["appid"])
    session_key = base64.b64encode(secrets.token_bytes(16)).decode()
    world.store.run(ROTATE, session_key, app["appid"], openid)
    unionid = unionid_of(app, code["user_id"])
    return {"openid": openid, "session_key": session_key, **({"unionid": unionid} if unionid else {})}


def session_signature(session_key: str) -> str:
    """What `checksession` expects: HMAC-SHA256 of the empty text under the session key's text (section 1.2)."""
    return hmac.new(session_key.encode(), b"", hashlib.sha256).hexdigest()


async def check_session(call: ApiCall) -> dict[str, Any]:
    """GET /wxa/checksession: 87009 where the session key is no longer the user's."""
    query = call.request.query
    app = tokens.app_of(call.world, call.request, kind="miniprogram")
    if text_of(query, "sig_method") != "hmac_sha256":
        raise ApiError(40097, "invalid args")
    openid = text_of(query, "openid")
    row = call.world.store.row("SELECT * FROM openids WHERE appid = ? AND openid = ?", app["appid"], openid)
    if row is None:
        raise ApiError(40003, "invalid openid")
    if not row["session_key"] or session_signature(row["session_key"]) != text_of(query, "signature"):
        raise ApiError(87009, "invalid signature")
    return {"errcode": 0, "errmsg": "ok"}


async def phone_number(call: ApiCall) -> dict[str, Any]:
    """POST /wxa/business/getuserphonenumber: the phone behind a phone code, watermarked with the app."""
    world = call.world
    app = tokens.app_of(world, call.request, kind="miniprogram")
    code = _known_code(world, text_of(call.body, "code"), PHONE)
    if code is None or code["used_s"] is not None:
        raise ApiError(40029, "code is invalid")
    if code["appid"] != app["appid"]:
        raise ApiError(40013, "invalid appid")
    user = world.store.row("SELECT * FROM users WHERE user_id = ?", code["user_id"])
    if user is None:
        raise ApiError(40029, "code is invalid")
    use_up(world, code)
    phone = user["phone"]
    return {
        "errcode": 0,
        "errmsg": "ok",
        "phone_info": {
            "phoneNumber": phone,
            "purePhoneNumber": phone,
            "countryCode": "86",
            "watermark": {"timestamp": int(world.now_s()), "appid": app["appid"]},
        },
    }
