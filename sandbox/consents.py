"""What users answer when a mini-program asks to send them messages (mini-program page, sections 4.1 and 4.3)."""

from typing import Any

from aiohttp import web

from sandbox import pushes, users
from sandbox.control_edge import take
from sandbox.errors import ControlError
from sandbox.world import World

ANSWERS = ("accept", "reject", "revoke")
MOST_ASKED = 5
DIALOG = "0"
ADD_CREDIT = """
INSERT INTO credits (appid, openid, template_id, credits) VALUES (?, ?, ?, ?)
ON CONFLICT (appid, openid, template_id) DO UPDATE SET credits = credits + excluded.credits
RETURNING credits
"""
DROP_CREDITS = """
UPDATE credits SET credits = 0 WHERE appid = ? AND openid = ? AND template_id = ?
RETURNING credits
"""


async def consent(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """POST /control/users/{user_id}/consent: one template with its answer, or several as `answers`.

    accept adds one credit, reject none; revoke (in the settings, later) takes all credits of the template away.
    """
    wanted = take(body, "appid", template_id=None, answer=None, answers=None)
    answers = wanted["answers"] or {wanted["template_id"]: wanted["answer"]}
    if not isinstance(answers, dict) or not 1 <= len(answers) <= MOST_ASKED:
        raise ControlError(400, "wrong_value", "one to five templates are asked about at once")
    if None in answers or not set(answers.values()) <= set(ANSWERS):
        raise ControlError(400, "wrong_value", f"a template_id with an answer: one of {ANSWERS}")
    app = users.known_app(world, wanted["appid"])
    openid = users.openid_of(world, users.known_user(world, request.match_info["user_id"]), app["appid"])
    with world.store.change():
        credits = {name: _credits(world, app["appid"], openid, name, answer) for name, answer in answers.items()}
        _tell(world, app["appid"], openid, answers)
    return {**answers, "credits": credits if wanted["answers"] else credits[wanted["template_id"]]}


def _credits(world: World, appid: str, openid: str, template_id: str, answer: str) -> int:
    if answer == "revoke":
        rows = world.store.rows(DROP_CREDITS, appid, openid, template_id)
    else:
        rows = world.store.rows(ADD_CREDIT, appid, openid, template_id, int(answer == "accept"))
    return int(rows[0]["credits"]) if rows else 0


def _tell(world: World, appid: str, openid: str, answers: dict[str, str]) -> None:
    asked = [
        {"TemplateId": template_id, "SubscribeStatusString": answer, "PopupScene": DIALOG}
        for template_id, answer in answers.items()
        if answer != "revoke"
    ]
    revoked = [
        {"TemplateId": template_id, "SubscribeStatusString": "reject"}
        for template_id, answer in answers.items()
        if answer == "revoke"
    ]
    told = (
        ("subscribe_msg_popup_event", "SubscribeMsgPopupEvent", asked),
        ("subscribe_msg_change_event", "SubscribeMsgChangeEvent", revoked),
    )
    for event, container, items in told:
        if items:
            pushes.queue(world, appid, openid, {"MsgType": "event", "Event": event, container: {"List": items}})
