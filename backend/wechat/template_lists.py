"""The templates that an account has at WeChat (我的模板), with their keys (mini-program 4.2, official account 2)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backend.wechat.api import WechatApi
from backend.wechat.apps import App, AppKind
from backend.wechat.errors import WechatUnreadable

# Path, and the names of the list and of the template's id in it.
_LISTS: Mapping[AppKind, tuple[str, str, str]] = {
    AppKind.MINIPROGRAM: ("/wxaapi/newtmpl/gettemplate", "data", "priTmplId"),
    AppKind.OFFICIAL: ("/cgi-bin/template/get_all_private_template", "template_list", "template_id"),
}
_KEY = re.compile(r"\{\{\s*(\w+)\.DATA\s*\}\}")
# Keys of old templates that phones have not shown since May 2023 and that need no value.
_NOT_SHOWN = frozenset({"first", "remark"})


@dataclass(frozen=True, slots=True)
class Listed:
    """A template as WeChat has it. `allowed`: the values that a key may take, where WeChat says so (enum)."""

    template_id: str
    title: str
    keys: tuple[str, ...]
    allowed: Mapping[str, tuple[str, ...]]


async def of_app(api: WechatApi, app: App) -> list[Listed]:
    """Every template of the account; raises as `WechatApi.fetch` does."""
    path, listed, template_id = _LISTS[app.kind]
    document = await api.ask(app, path, {})
    try:
        return [_listed(entry, template_id) for entry in document.get(listed) or []]
    except (KeyError, TypeError, AttributeError) as error:
        raise WechatUnreadable("a list of templates that cannot be read") from error


def _listed(entry: Mapping[str, Any], template_id: str) -> Listed:
    keys = dict.fromkeys(key for key in _KEY.findall(entry["content"]) if key not in _NOT_SHOWN)
    return Listed(
        template_id=str(entry[template_id]),
        title=str(entry.get("title", "")),
        keys=tuple(keys),
        allowed={
            str(each["keywordCode"]).removesuffix(".DATA"): tuple(map(str, each["enumValueList"]))
            for each in entry.get("keywordEnumValueList") or []
        },
    )
