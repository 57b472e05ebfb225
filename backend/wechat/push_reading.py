"""What stands in a push: XML of an official account, XML or JSON of a mini-program, read into one form (R10).

Promises: no document type or entity is read; at most MAX_BYTES; event names are in lower case, since WeChat's own
spelling varies; `List`, one object or many, in either format, is always a list (pitfalls E9). `key` tells pushes apart:
by MsgId, else by follower, second and event, and by what the event says, so that of two results of messages in the same
second none is lost (pitfalls E10).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from xml.parsers.expat import ExpatError

import orjson
import xmltodict

from backend.wechat.apps import AppKind
from backend.wechat.push_wire import PushRefused
from backend.wechat.pushes import Push

MAX_BYTES = 64 << 10
EVENT = "event"
TEXT = "text"
OF_EVERY = ("ToUserName", "FromUserName", "CreateTime", "MsgType")
# One of each per follower and second: whatever else they say, a second one is a copy.
OF_FOLLOWER = ("subscribe", "unsubscribe")
MAX_ID = 128
MAX_KIND = 64
LATEST_S = 1 << 33


@dataclass(frozen=True, slots=True)
class Message:
    """One push. `event` is empty for what a follower has written; `fields` are those besides `OF_EVERY` and `Event`."""

    appid: str
    original_id: str
    openid: str
    at: datetime
    kind: str
    event: str
    fields: Mapping[str, Any]
    key: bytes

    @property
    def text(self) -> str:
        """What a follower has written, in a message of text."""
        return str(self.fields.get("Content") or "").strip()

    @property
    def event_key(self) -> str:
        """What was scanned or tapped."""
        return str(self.fields.get("EventKey") or "")

    def push(self) -> Push:
        """As jobs get it."""
        return Push(self.appid, self.openid, self.event, self.at, self.fields)


def document(body: bytes, kind: AppKind) -> dict[str, Any]:
    """The fields of a body as they stand; PushRefused. Official accounts write XML only."""
    if len(body) > MAX_BYTES:
        raise PushRefused("size")
    try:
        if kind is AppKind.MINIPROGRAM and body.lstrip().startswith(b"{"):
            found = orjson.loads(body)
        else:
            found = xmltodict.parse(body.decode(), disable_entities=True)["xml"]
    except (ExpatError, ValueError, KeyError, TypeError) as error:
        raise PushRefused("document") from error
    if not isinstance(found, dict) or b"\\u0000" in orjson.dumps(found):
        raise PushRefused("fields")
    return found


def read(appid: str, found: Mapping[str, Any]) -> Message:
    """The message behind the fields; PushRefused where one of `OF_EVERY` is missing or odd."""
    original_id, openid, kind = (_id(found, name) for name in ("ToUserName", "FromUserName", "MsgType"))
    event = _id(found, "Event").lower() if kind.lower() == EVENT else ""
    if len(kind) > MAX_KIND or len(event) > MAX_KIND:
        raise PushRefused("kind")
    told_s = str(found.get("CreateTime"))
    if not (told_s.isascii() and told_s.isdigit() and int(told_s) < LATEST_S):
        raise PushRefused("CreateTime")
    fields = _plain({name: value for name, value in found.items() if name not in (*OF_EVERY, "Event", "Encrypt")})
    return Message(
        appid=appid,
        original_id=original_id,
        openid=openid,
        at=datetime.fromtimestamp(int(told_s), UTC),
        kind=kind.lower(),
        event=event,
        fields=fields,
        key=_key(appid, openid, told_s, event, fields),
    )


def _id(found: Mapping[str, Any], name: str) -> str:
    value = found.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_ID or not value.isascii() or not value.isprintable():
        raise PushRefused(name)
    return value


def _plain(fields: dict[str, Any]) -> dict[str, Any]:
    """`List` as a list, in its place in JSON, and out of the element that wraps it in XML."""
    for name, value in list(fields.items()):
        if isinstance(value, dict) and set(value) == {"List"}:
            del fields[name]
            fields["List"] = value["List"]
    if "List" in fields and not isinstance(fields["List"], list):
        fields["List"] = [fields["List"]]
    return fields


def _key(appid: str, openid: str, told_s: str, event: str, fields: Mapping[str, Any]) -> bytes:
    if not event:
        named = ["message", appid, str(fields.get("MsgId") or f"{openid} {told_s} {fields.get('Content')}")]
    else:
        said = "" if event in OF_FOLLOWER else orjson.dumps(fields, option=orjson.OPT_SORT_KEYS).decode()
        named = [EVENT, appid, openid, told_s, event, said]
    return hashlib.sha256(orjson.dumps(named)).digest()
