"""Checks of texts and media (mini-program page, section 7); the control API names the verdicts, else all pass."""

import secrets
from typing import Any

from sandbox import pushes, tokens
from sandbox.api_edge import OK, ApiCall, spend_quota, text_of
from sandbox.errors import ApiError
from sandbox.world import World

SCHEMA = """
CREATE TABLE IF NOT EXISTS media_checks (
    trace_id TEXT PRIMARY KEY, appid TEXT NOT NULL, media_url TEXT NOT NULL, told_s REAL NOT NULL);
CREATE INDEX IF NOT EXISTS media_checks_by_url ON media_checks (appid, media_url);
"""
TEXTS_PER_DAY = 2_000_000
MEDIA_PER_DAY = 200_000
MOST_CHARACTERS = 2500
ACTIVE_WITHIN_S = 7200
SCENES = (1, 2, 3, 4)
AUDIO, IMAGE = 1, 2
LABELS = {"pass": 100, "review": 21000, "risky": 10001}
DOWNLOAD_FAILED = "download_failed"
RUNNING = "SELECT 1 FROM media_checks WHERE appid = ? AND media_url = ? AND told_s > ?"


async def check_text(call: ApiCall) -> dict[str, Any]:
    """POST /wxa/msg_sec_check, version 2: pass, review or risky."""
    world, appid = call.world, _asked(call, "/wxa/msg_sec_check", TEXTS_PER_DAY)
    content = text_of(call.body, "content")
    if not content:
        raise ApiError(44004, "empty content")
    if len(content) > MOST_CHARACTERS:
        raise ApiError(45002, "content size out of limit")
    _check_who(world, appid, text_of(call.body, "openid"))
    return {**OK, **_verdict(world.hostile.next_behaviour("text_verdicts") or "pass"), "trace_id": _trace_id(world)}


async def check_media(call: ApiCall) -> dict[str, Any]:
    """POST /wxa/media_check_async: the verdict is pushed later as `wxa_media_check`."""
    world, appid = call.world, _asked(call, "/wxa/media_check_async", MEDIA_PER_DAY)
    url, openid = text_of(call.body, "media_url"), text_of(call.body, "openid")
    if not url.startswith(("http://", "https://")) or call.body.get("media_type") not in (AUDIO, IMAGE):
        raise ApiError(40097, "invalid args")
    _check_who(world, appid, openid)
    now_s, delay_s = world.now_s(), world.hostile.media_check_delay_s
    if world.store.row(RUNNING, appid, url, now_s):
        raise ApiError(87020, "repeated request")
    trace_id, suggest = _trace_id(world), world.hostile.next_behaviour("media_verdicts") or "pass"
    failed = suggest == DOWNLOAD_FAILED
    fields = {
        "MsgType": "event",
        "Event": "wxa_media_check",
        "appid": appid,
        "trace_id": trace_id,
        "version": 2,
        "errcode": -1008 if failed else 0,
        "errmsg": "download failed" if failed else "ok",
        **({} if failed else _verdict(suggest)),
    }
    with world.store.change():
        world.store.run("INSERT INTO media_checks VALUES (?, ?, ?, ?)", trace_id, appid, url, now_s + delay_s)
        pushes.queue(world, appid, openid, fields, after_s=delay_s)
    return {**OK, "trace_id": trace_id}


def _asked(call: ApiCall, path: str, most_per_day: int) -> str:
    """The mini-program that asks; ApiError for a wrong version or scene."""
    app = tokens.app_of(call.world, call.request, kind="miniprogram")
    spend_quota(call.world, app["appid"], path, most_per_day)
    if call.body.get("version") != 2:
        raise ApiError(40097, "invalid args: version")
    if call.body.get("scene") not in SCENES:
        raise ApiError(40129, "invalid scene")
    return str(app["appid"])


def _check_who(world: World, appid: str, openid: str) -> None:
    rows = world.store.rows("SELECT * FROM openids WHERE openid = ?", openid)
    if not rows:
        raise ApiError(40003, "invalid openid")
    mine = [row for row in rows if row["appid"] == appid]
    if not mine:
        raise ApiError(43104, "appid not match openid")
    if world.now_s() - mine[0]["active_s"] > ACTIVE_WITHIN_S:
        raise ApiError(61010, "code is expired")


def _verdict(suggest: str) -> dict[str, Any]:
    label = LABELS[suggest]
    detail = {"strategy": "content_model", "errcode": 0, "suggest": suggest, "label": label, "prob": 90}
    return {"result": {"suggest": suggest, "label": label}, "detail": [detail]}


def _trace_id(world: World) -> str:
    return f"{int(world.now_s()):x}-{secrets.token_hex(4)}-{secrets.token_hex(4)}"
