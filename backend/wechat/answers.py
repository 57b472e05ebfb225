"""How an answer of api.weixin.qq.com is read: refusals come as HTTP 200 with an `errcode`."""

from typing import Any

import orjson

from backend.kernel.egress import Answer
from backend.wechat.errors import WechatError, WechatUnreadable

PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
PICTURES = (PNG, JPEG)
JSON_HEADERS = {"Content-Type": "application/json", "Accept": "application/json"}


def read(answer: Answer) -> dict[str, Any]:
    """The document of a successful answer; WechatError for a refusal, WechatUnreadable for anything else."""
    if answer.status != 200:
        raise WechatUnreadable(f"HTTP {answer.status}")
    try:
        document = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        raise WechatUnreadable("not JSON") from None
    if not isinstance(document, dict) or type(document.get("errcode", 0)) is not int:
        raise WechatUnreadable("not an answer of this interface")
    if document.get("errcode", 0) != 0:
        raise WechatError(document["errcode"], str(document.get("errmsg", "")))
    return document


def text(document: dict[str, Any], key: str) -> str:
    """A text that must be there; WechatUnreadable otherwise."""
    value = document.get(key)
    if not isinstance(value, str) or not value:
        raise WechatUnreadable(f"the answer has no {key}")
    return value


def read_picture(answer: Answer) -> bytes:
    """The picture of a successful answer; refusals are JSON, told by their content (section "General conventions")."""
    if answer.status == 200 and answer.body.startswith(PICTURES):
        return answer.body
    read(answer)
    raise WechatUnreadable("not a picture")
