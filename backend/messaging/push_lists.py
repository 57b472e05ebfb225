"""The lists in WeChat's pushes about subscriptions (mini-program section 4.3): an object for one, an array for several
(pitfalls E9), in a container of the event's name or, in JSON, beside the common keys.
"""

from collections.abc import Mapping
from typing import Any

from backend.wechat.pushes import Push


def items(push: Push, container: str) -> list[Mapping[str, Any]]:
    """What the push lists; nothing where it has no list."""
    held = push.fields.get(container)
    listed = (held if isinstance(held, Mapping) else push.fields).get("List")
    several = listed if isinstance(listed, list) else [listed]
    return [item for item in several if isinstance(item, Mapping)]
