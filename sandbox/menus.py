"""The menu of an official account (page, section 6); limits are bytes of UTF-8."""

import json
from dataclasses import dataclass
from typing import Any

from sandbox import tokens
from sandbox.api_edge import OK, ApiCall, spend_quota, text_of
from sandbox.errors import ApiError
from sandbox.world import World

SCHEMA = "CREATE TABLE IF NOT EXISTS menus (appid TEXT PRIMARY KEY, menu TEXT NOT NULL);"
SAVE = "INSERT INTO menus VALUES (?, ?) ON CONFLICT (appid) DO UPDATE SET menu = excluded.menu"
CREATE_PER_DAY, GET_PER_DAY, DELETE_PER_DAY = 1000, 10_000, 1000
MOST_BUTTONS, MOST_SUB_BUTTONS = 3, 5
MOST_KEY_BYTES, MOST_URL_BYTES = 128, 1024
KEYED = {
    "click",
    "scancode_push",
    "scancode_waitmsg",
    "pic_sysphoto",
    "pic_photo_or_album",
    "pic_weixin",
    "location_select",
}
NAMED = {"media_id", "article_id"}


@dataclass(frozen=True, slots=True)
class Level:
    """The limits of one level of buttons, and how its errors are numbered and called."""

    most_buttons: int
    most_name_bytes: int
    count: int
    kind: int
    name: int
    key: int
    url: int
    word: str


TOP = Level(MOST_BUTTONS, 16, 40016, 40017, 40018, 40019, 40020, "button")
SUB = Level(MOST_SUB_BUTTONS, 60, 40023, 40024, 40025, 40026, 40027, "sub button")


async def create(call: ApiCall) -> dict[str, Any]:
    """POST /cgi-bin/menu/create: replaces the menu."""
    app = tokens.app_of(call.world, call.request, kind="official")
    spend_quota(call.world, app["appid"], "/cgi-bin/menu/create", CREATE_PER_DAY)
    _check(call.world, call.body.get("button"), TOP)
    call.world.store.run(SAVE, app["appid"], json.dumps({"button": call.body["button"]}, ensure_ascii=False))
    return dict(OK)


async def get(call: ApiCall) -> dict[str, Any]:
    """GET /cgi-bin/menu/get; 46003 where there is none."""
    app = tokens.app_of(call.world, call.request, kind="official")
    spend_quota(call.world, app["appid"], "/cgi-bin/menu/get", GET_PER_DAY)
    row = call.world.store.row("SELECT menu FROM menus WHERE appid = ?", app["appid"])
    if row is None:
        raise ApiError(46003, "menu no exist")
    buttons = json.loads(row["menu"])["button"]
    return {"menu": {"button": [{"sub_button": [], **button} for button in buttons]}}


async def delete(call: ApiCall) -> dict[str, Any]:
    """GET /cgi-bin/menu/delete."""
    app = tokens.app_of(call.world, call.request, kind="official")
    spend_quota(call.world, app["appid"], "/cgi-bin/menu/delete", DELETE_PER_DAY)
    call.world.store.run("DELETE FROM menus WHERE appid = ?", app["appid"])
    return dict(OK)


def _check(world: World, buttons: Any, level: Level) -> None:
    if not isinstance(buttons, list) or not 1 <= len(buttons) <= level.most_buttons:
        raise ApiError(level.count, f"invalid {level.word} size")
    for button in buttons:
        if not isinstance(button, dict):
            raise ApiError(level.kind, f"invalid {level.word} type")
        if not _fits(text_of(button, "name"), level.most_name_bytes):
            raise ApiError(level.name, f"invalid {level.word} name size")
        if button.get("sub_button"):
            if level is SUB:
                raise ApiError(40022, "invalid sub button level")
            _check(world, button["sub_button"], SUB)
        else:
            _check_action(world, button, level)


def _check_action(world: World, button: dict[str, Any], level: Level) -> None:
    kind = button.get("type")
    if kind in KEYED:
        if not _fits(text_of(button, "key"), MOST_KEY_BYTES):
            raise ApiError(level.key, f"invalid {level.word} key size")
    elif kind in ("view", "miniprogram"):
        if not _fits(text_of(button, "url"), MOST_URL_BYTES):
            raise ApiError(level.url, f"invalid {level.word} url size")
        if kind == "miniprogram":
            _check_target(world, text_of(button, "appid"), text_of(button, "pagepath"))
    elif kind not in NAMED or not text_of(button, str(kind)):
        raise ApiError(level.kind, f"invalid {level.word} type")


def _check_target(world: World, appid: str, path: str) -> None:
    target = world.store.row("SELECT 1 FROM apps WHERE appid = ? AND kind = 'miniprogram'", appid)
    if target is None or not path:
        raise ApiError(40013, "invalid appid")


def _fits(text: str, most_bytes: int) -> bool:
    return 1 <= len(text.encode()) <= most_bytes
