"""Subscription messages, template messages and the list of templates (mini-program section 4, official account section
2).

Order of refusals: token, quota, template, recipient, page, values, and last whether the user may be reached (a
credit for a subscription message, following for a template message).
"""

import json
from typing import Any

from sandbox import followers, pushes, tokens, value_rules
from sandbox.api_edge import ApiCall, spend_quota, text_of
from sandbox.errors import ApiError
from sandbox.store import Row
from sandbox.world import World

SUBSCRIBE_PER_DAY = 10_000_000
TEMPLATE_PER_DAY = 100_000
CLIENT_ID_MEMORY_S = 600
STATES = ("developer", "trial", "formal")
LANGUAGES = ("zh_CN", "en_US", "zh_HK", "zh_TW")
# A template message's result, as the result of a subscription message.
SENT_STATUSES = {
    "success": ("0", "success"),
    "failed:user block": ("43101", "user refuse to accept the msg"),
    "failed: system failed": ("-1", "system error"),
}

TAKE_CREDIT = """
UPDATE credits SET credits = credits - 1
WHERE appid = ? AND openid = ? AND template_id = ? AND credits > 0
"""
SENT_BEFORE = """
SELECT msgid FROM messages
WHERE appid = ? AND openid = ? AND client_msg_id = ? AND sent_s > ?
ORDER BY msgid LIMIT 1
"""
ACCEPT = """
INSERT INTO messages (appid, openid, kind, template_id, client_msg_id, request, sent_s) VALUES (?, ?, ?, ?, ?, ?, ?)
RETURNING msgid
"""


async def send_subscribe(call: ApiCall) -> dict[str, Any]:
    """POST /cgi-bin/message/subscribe/send: uses up one credit of the user for the template."""
    world, body = call.world, call.body
    app = tokens.app_of(world, call.request, kind="miniprogram")
    spend_quota(world, app["appid"], "/cgi-bin/message/subscribe/send", SUBSCRIBE_PER_DAY)
    template = _template(world, app, body, kind="subscribe")
    openid = _recipient(world, app, body)
    _check_page(app, body)
    if body.get("miniprogram_state", "formal") not in STATES or body.get("lang", "zh_CN") not in LANGUAGES:
        raise ApiError(47003, "argument invalid! miniprogram_state or lang invalid")
    value_rules.check(body.get("data"), json.loads(template["fields"]), json.loads(template["consts"]))
    with world.store.change():
        if not world.store.run(TAKE_CREDIT, app["appid"], openid, template["template_id"]):
            raise ApiError(43101, "user refuse to accept the msg")
        return _accepted(world, app, openid, template, None, body)


async def send_template(call: ApiCall) -> dict[str, Any]:
    """POST /cgi-bin/message/template/send: to followers; an equal `client_msg_id` counts once in 10 minutes."""
    world, body = call.world, call.body
    app = tokens.app_of(world, call.request, kind="official")
    spend_quota(world, app["appid"], "/cgi-bin/message/template/send", TEMPLATE_PER_DAY)
    template = _template(world, app, body, kind="template")
    openid = _recipient(world, app, body)
    _check_link(world, body)
    value_rules.check(body.get("data"), json.loads(template["fields"]), json.loads(template["consts"]))
    if followers.find(world, app["appid"], openid) is None:
        raise ApiError(43004, "require subscribe")
    client_id = text_of(body, "client_msg_id") or None
    since_s = world.now_s() - CLIENT_ID_MEMORY_S
    before = world.store.row(SENT_BEFORE, app["appid"], openid, client_id, since_s) if client_id else None
    if before is not None:
        world.store.count("messages repeated")
        return _ok(before["msgid"])
    return _accepted(world, app, openid, template, client_id, body)


async def list_templates(call: ApiCall) -> dict[str, Any]:
    """GET /wxaapi/newtmpl/gettemplate: the mini-program's templates with their keys."""
    app = tokens.app_of(call.world, call.request, kind="miniprogram")
    rows = call.world.store.rows("SELECT * FROM templates WHERE appid = ? AND kind = 'subscribe'", app["appid"])
    return {"errcode": 0, "errmsg": "ok", "data": [_template_view(row) for row in rows]}


async def list_private_templates(call: ApiCall) -> dict[str, Any]:
    """GET /cgi-bin/template/get_all_private_template: the official account's templates with their keys."""
    app = tokens.app_of(call.world, call.request, kind="official")
    rows = call.world.store.rows("SELECT * FROM templates WHERE appid = ? AND kind = 'template'", app["appid"])
    views = [_template_view(row) for row in rows]
    return {
        "template_list": [
            {
                "template_id": view["priTmplId"],
                "title": view["title"],
                "primary_industry": "房地产",
                "deputy_industry": "物业",
                "content": view["content"],
                "example": view["example"],
            }
            for view in views
        ]
    }


def _template_view(row: Row) -> dict[str, Any]:
    fields, consts = json.loads(row["fields"]), json.loads(row["consts"])
    return {
        "priTmplId": row["template_id"],
        "title": row["title"],
        "content": "".join(f"{key}:{{{{{key}.DATA}}}}\n" for key in fields),
        "example": "".join(f"{key}:{example}\n" for key, example in fields.items()),
        "type": 2,
        "keywordEnumValueList": [
            {"keywordCode": f"{key}.DATA", "enumValueList": values} for key, values in consts.items()
        ],
    }


def _template(world: World, app: Row, body: dict[str, Any], *, kind: str) -> Row:
    template_id = text_of(body, "template_id")
    sql = "SELECT * FROM templates WHERE appid = ? AND template_id = ? AND kind = ?"
    template = world.store.row(sql, app["appid"], template_id, kind)
    if template is None:
        raise ApiError(40037, "invalid template_id")
    return template


def _recipient(world: World, app: Row, body: dict[str, Any]) -> str:
    openid = text_of(body, "touser")
    if not world.store.row("SELECT 1 FROM openids WHERE appid = ? AND openid = ?", app["appid"], openid):
        raise ApiError(40003, "invalid openid")
    return openid


def _check_page(app: Row, body: dict[str, Any]) -> None:
    page = body.get("page", "")
    if not isinstance(page, str):
        raise ApiError(41030, "invalid page")
    path = page.partition("?")[0].removeprefix("/")
    if path and app["pages"] is not None and path not in json.loads(app["pages"]):
        raise ApiError(41030, "invalid page")


def _check_link(world: World, body: dict[str, Any]) -> None:
    """A template message may open a mini-program the channel knows, on one of its pages."""
    link = body.get("miniprogram")
    if link is None:
        return
    if not isinstance(link, dict):
        raise ApiError(40013, "invalid appid")
    sql = "SELECT * FROM apps WHERE appid = ? AND kind = 'miniprogram'"
    target = world.store.row(sql, text_of(link, "appid"))
    if target is None:
        raise ApiError(40013, "invalid appid")
    _check_page(target, {"page": link.get("pagepath", "")})


def _accepted(
    world: World, app: Row, openid: str, template: Row, client_id: str | None, body: dict[str, Any]
) -> dict[str, Any]:
    request = json.dumps(body, ensure_ascii=False)
    kind, template_id, now_s = template["kind"], template["template_id"], world.now_s()
    row = world.store.rows(ACCEPT, app["appid"], openid, kind, template_id, client_id, request, now_s)[0]
    world.store.count(f"messages accepted {kind}")
    answer = _ok(row["msgid"])
    _tell_result(world, app["appid"], openid, template, answer["msgid"])
    return answer


def _tell_result(world: World, appid: str, openid: str, template: Row, msgid: int) -> None:
    """What became of the message: the push may well come before the answer to the sender."""
    status = world.hostile.next_behaviour("send_results") or "success"
    fields: dict[str, Any] = {"MsgType": "event", "Event": "TEMPLATESENDJOBFINISH", "MsgID": msgid, "Status": status}
    if template["kind"] == "subscribe":
        errcode, text = SENT_STATUSES[status]
        item = {"TemplateId": template["template_id"], "MsgID": str(msgid), "ErrorCode": errcode, "ErrorStatus": text}
        event = "subscribe_msg_sent_event"
        fields = {"MsgType": "event", "Event": event, "SubscribeMsgSentEvent": {"List": [item]}}
    pushes.queue(world, appid, openid, fields)


def _ok(msgid: int) -> dict[str, Any]:
    # Real message numbers do not fit into 32 bits.
    return {"errcode": 0, "errmsg": "ok", "msgid": 3_200_000_000_000 + msgid}
