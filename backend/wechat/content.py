"""Content security of a mini-program (wechat-miniprogram.md section 7): is a text, is a picture fit to be shown?

Both are asked in the name of who wrote or sent it, who must have used the mini-program within two hours. A text is
answered at once, a picture later by the push `wxa_media_check`, which names it by a trace id.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from backend.wechat import answers
from backend.wechat.api import WechatApi
from backend.wechat.apps import App
from backend.wechat.errors import WechatUnreadable

VERSION, COMMENT, IMAGE = 2, 2, 2
MOST_CHARACTERS = 2500
# The account has not been in the mini-program lately: nothing is judged.
NOT_ACTIVE = 61010
# The same picture is being checked.
REPEATED = 87020


class Verdict(StrEnum):
    """What WeChat suggests."""

    PASS = "pass"
    REVIEW = "review"
    RISKY = "risky"


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict, and WeChat's number for why (100: nothing, 10001 advertising, 20001 politics, …)."""

    verdict: Verdict
    label: int


async def check_text(api: WechatApi, app: App, *, openid: str, text: str) -> Judged:
    """What WeChat says of a text of a comment; WechatError, WechatUnreadable, EgressError."""
    document = {
        "content": text[:MOST_CHARACTERS], "version": VERSION, "scene": COMMENT, "openid": openid,
    }  # fmt: skip
    judged = _read((await api.post(app, "/wxa/msg_sec_check", document)).get("result"))
    if judged is None:
        raise WechatUnreadable("the answer has no result")
    return judged


async def ask_about_picture(api: WechatApi, app: App, *, openid: str, url: str) -> str:
    """Have the picture at `url`, which WeChat fetches, judged: the trace id of the later push. Raises as check_text."""
    document = {
        "media_url": url, "media_type": IMAGE, "version": VERSION, "scene": COMMENT, "openid": openid,
    }  # fmt: skip
    return answers.text(await api.post(app, "/wxa/media_check_async", document), "trace_id")


def told(fields: Mapping[str, Any]) -> Judged | None:
    """What a push `wxa_media_check` says; None where WeChat could not fetch or judge the picture."""
    return _read(fields.get("result")) if str(fields.get("errcode", 0)) == "0" else None


def _read(result: Any) -> Judged | None:
    try:
        return Judged(Verdict(result["suggest"]), int(result["label"]))
    except (KeyError, TypeError, ValueError):
        return None
