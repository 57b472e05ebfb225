"""Pushes as they stand in a request's body: XML or JSON, plain, sealed, or both (official account page, section 1)."""

import json
from collections.abc import Mapping
from typing import Any

PLAIN, COMPATIBLE, SAFE = "plain", "compatible", "safe"
MODES = (PLAIN, COMPATIBLE, SAFE)
XML, JSON = "xml", "json"
FORMATS = (XML, JSON)
CONTENT_TYPES = {XML: "text/xml", JSON: "application/json"}


def write(form: str, message: Mapping[str, Any]) -> str:
    """The message in the form of the app. A `List` of one is its only item (mini-program page, section 4.3)."""
    if form == JSON:
        return json.dumps(_unlisted(message), ensure_ascii=False, separators=(",", ":"))
    return f"<xml>{_nodes(message)}</xml>"


def envelope(form: str, mode: str, message: Mapping[str, Any], sealed: str) -> str:
    """The body around a sealed message: in compatible mode the plain nodes stand in it too."""
    if mode == PLAIN:
        return write(form, message)
    outside = message if mode == COMPATIBLE else {"ToUserName": message["ToUserName"]}
    return write(form, {**outside, "Encrypt": sealed})


def _unlisted(value: Any, name: str = "") -> Any:
    if isinstance(value, Mapping):
        return {key: _unlisted(item, key) for key, item in value.items()}
    if isinstance(value, list):
        items = [_unlisted(item) for item in value]
        return items[0] if name == "List" and len(items) == 1 else items
    return value


def _nodes(values: Mapping[str, Any]) -> str:
    return "".join(_node(name, value) for name, value in values.items())


def _node(name: str, value: Any) -> str:
    if isinstance(value, list):
        return "".join(_node(name, item) for item in value)
    if isinstance(value, Mapping):
        return f"<{name}>{_nodes(value)}</{name}>"
    if isinstance(value, str):
        safe = value.replace("]]>", "]]]]><![CDATA[>")
        return f"<{name}><![CDATA[{safe}]]></{name}>"
    return f"<{name}>{value}</{name}>"
