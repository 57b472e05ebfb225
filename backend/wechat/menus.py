"""The menu of an official account (自定义菜单): kept here, edited by an administrator, sent to WeChat on request (R10).

Promises: what is kept fits WeChat's limits in bytes (official account section 6) and leads to our own sites and the
company's own mini-programs only. Sending is a call of its own: the document is committed before, and that it was sent
is noted only where it is still that document.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.egress import EgressError
from backend.kernel.errors import Invalid, NotFound
from backend.kernel.resources import Resources
from backend.wechat import api, apps
from backend.wechat.apps import AppKind
from backend.wechat.errors import WechatError, WechatSilent
from backend.wechat.sites import is_ours

NAME_BYTES, SUB_NAME_BYTES, KEY_BYTES, URL_BYTES = 16, 60, 128, 1024
MAX_BUTTONS, MAX_SUB_BUTTONS = 3, 5
NEEDS: Mapping[str, tuple[str, ...]] = {
    "click": ("key",),
    "view": ("url",),
    "miniprogram": ("appid", "pagepath", "url"),
}

OFFICIAL = "SELECT appid FROM wechat_app WHERE appid = $1 AND company_id = $2 AND kind = 'official'"
OF_APP = "SELECT buttons, changed_at, pushed_at FROM wechat_menu WHERE appid = $1 AND company_id = $2"
SAVE = """
    INSERT INTO wechat_menu AS menu (appid, company_id, buttons, changed_at)
    VALUES ($1, $2, $3, $4)
        ON CONFLICT (appid) DO UPDATE
       SET buttons = excluded.buttons, changed_at = excluded.changed_at, pushed_at = NULL
"""
PUSHED = "UPDATE wechat_menu SET pushed_at = $3 WHERE appid = $1 AND changed_at = $2"


@dataclass(frozen=True, slots=True)
class Menu:
    """A menu as WeChat takes it; `pushed_at` is None until this very menu has been sent."""

    appid: str
    buttons: Sequence[Mapping[str, Any]]
    changed_at: datetime
    pushed_at: datetime | None


class MenuRefused(Invalid):
    """WeChat did not take the menu; its own words are in the details."""

    code = "menu_refused"
    message = "微信没有接受这个菜单，请按提示修改后重试。"


async def of_app(db: Reader, *, appid: str, company_id: UUID) -> Menu:
    """The menu of an account of the company; NotFound where there is none."""
    row = await db.fetchrow(OF_APP, appid, company_id)
    if row is None:
        raise NotFound
    return _menu(appid, row)


async def save(
    tx: Tx,
    actor: Actor,
    *,
    appid: str,
    company_id: UUID,
    buttons: Sequence[Mapping[str, Any]],
    sites: Sequence[str],
    miniprograms: Sequence[str],
) -> Menu:
    """Keep a menu; NotFound for the account, Invalid `menu` naming every field that WeChat or we would not take."""
    if await tx.fetchval(OFFICIAL, appid, company_id) is None:
        raise NotFound
    problems = [{"field": field, "message": text} for field, text in faults(buttons, sites, miniprograms)]
    if problems:
        raise Invalid(code="menu", fields=problems)
    before = await tx.fetchrow(OF_APP, appid, company_id)
    await tx.execute(SAVE, appid, company_id, [dict(button) for button in buttons], tx.now)
    audit.record(
        tx, actor, action="wechat_menu.changed", target=f"wechat_app:{appid}", community_id=company_id,
        before=None if before is None else {"buttons": before["buttons"]}, after={"buttons": list(buttons)},
    )  # fmt: skip
    return await of_app(tx, appid=appid, company_id=company_id)


async def push(res: Resources, actor: Actor, *, appid: str, company_id: UUID) -> Menu:
    """Send the kept menu to WeChat. NotFound, MenuRefused, Unavailable; sending again does no harm."""
    menu = await of_app(res.db, appid=appid, company_id=company_id)
    app = await apps.app_by_appid(res.db, res.keyring, appid)
    try:
        await api.of(res).post(app, "/cgi-bin/menu/create", {"button": list(menu.buttons)})
    except WechatError as error:
        raise MenuRefused(errcode=error.errcode, errmsg=error.text) from error
    except EgressError as error:
        raise WechatSilent(str(error)) from error

    async def note(tx: Tx) -> Menu:
        await tx.execute(PUSHED, appid, menu.changed_at, tx.now)
        audit.record(tx, actor, action="wechat_menu.pushed", target=f"wechat_app:{appid}", community_id=company_id)
        return await of_app(tx, appid=appid, company_id=company_id)

    return await res.db.transact(note)


async def miniprograms_of(res: Resources, company_id: UUID) -> list[str]:
    """The mini-programs to which a menu of the company may lead."""
    found = await apps.apps_of_company(res.db, res.keyring, company_id=company_id, kind=AppKind.MINIPROGRAM)
    return [app.appid for app in found]


def faults(
    buttons: Sequence[Mapping[str, Any]], sites: Sequence[str], miniprograms: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """(field, sentence) of everything that is not right in a menu."""
    if not 1 <= len(buttons) <= MAX_BUTTONS:
        yield "buttons", f"一级菜单为 1 到 {MAX_BUTTONS} 个。"
    for number, button in enumerate(buttons):
        at, below = f"buttons.{number}", button.get("sub_button")
        yield from _name_faults(at, button, NAME_BYTES)
        if below is None:
            yield from _action_faults(at, button, sites, miniprograms)
            continue
        if button.get("type") is not None:
            yield f"{at}.type", "有子菜单的一级菜单不能再有动作。"
        if not 1 <= len(below) <= MAX_SUB_BUTTONS:
            yield f"{at}.sub_button", f"子菜单为 1 到 {MAX_SUB_BUTTONS} 个。"
        for below_number, sub in enumerate(below):
            below_at = f"{at}.sub_button.{below_number}"
            yield from _name_faults(below_at, sub, SUB_NAME_BYTES)
            yield from _action_faults(below_at, sub, sites, miniprograms)


def _name_faults(at: str, button: Mapping[str, Any], most: int) -> Iterator[tuple[str, str]]:
    if not button["name"].strip() or len(button["name"].encode()) > most:
        yield f"{at}.name", f"菜单名不能为空，最多 {most} 个字节（一个汉字占 3 个字节）。"


def _action_faults(
    at: str, button: Mapping[str, Any], sites: Sequence[str], miniprograms: Sequence[str]
) -> Iterator[tuple[str, str]]:
    kind = button.get("type")
    if kind is None:
        yield f"{at}.type", "请选择菜单的动作：点击回复、打开网页或打开小程序。"
        return
    for name in NEEDS[kind]:
        if not button.get(name):
            yield f"{at}.{name}", "请填写这一项。"
    for name in set(button) - {"name", "type", *NEEDS[kind]}:
        yield f"{at}.{name}", "这个动作没有这一项。"
    if len((button.get("key") or "").encode()) > KEY_BYTES:
        yield f"{at}.key", f"最多 {KEY_BYTES} 个字节。"
    url = button.get("url")
    if url and len(url.encode()) > URL_BYTES:
        yield f"{at}.url", f"最多 {URL_BYTES} 个字节。"
    if url and not is_ours(url, sites):
        yield f"{at}.url", "网址必须是本系统自己的网址。"
    if button.get("appid") and button["appid"] not in miniprograms:
        yield f"{at}.appid", "小程序必须是本公司登记的小程序。"


def _menu(appid: str, row: Record) -> Menu:
    return Menu(appid, row["buttons"], row["changed_at"], row["pushed_at"])
