"""Staff routes of WeChat's accounts: the accounts, how they tell us things, menu and automatic replies (R10).

An account belongs to the company, so every route needs a role for all of it.
"""

from typing import Any
from uuid import UUID

from backend.kernel.db import Record, Tx
from backend.kernel.errors import Conflict, Invalid, NotFound, Unavailable
from backend.kernel.http import Call, Nothing, Page, Route, decode_cursor, encode_cursor
from backend.wechat import apps, auto_replies, menus, push_settings
from backend.wechat.apps import AppKind
from backend.wechat.menus import MenuRefused
from backend.wechat.push_settings import PushMode
from backend.wechat.schemas import (
    AppBody,
    AppList,
    AppView,
    MenuBody,
    MenuView,
    PushSettingsBody,
    ReplyBody,
    ReplyList,
    ReplyMade,
    ReplyView,
)

MANAGE, REPLIES = "official_account.manage", "official_account.reply"
PUSH_PATH = "/wechat"


async def list_apps(call: Call[None, None]) -> AppList:
    """GET /admin/v1/wechat-apps."""
    company_id = call.principal.require_company(MANAGE)
    return AppList(items=[_app(call, row) for row in await apps.described(call.res.db, company_id)])


async def save_app(call: Call[AppBody, None]) -> AppView:
    """PUT /admin/v1/wechat-apps/{appid}."""
    company_id, appid = call.principal.require_company(MANAGE), _appid(call)

    async def work(tx: Tx) -> AppView:
        await apps.register(
            tx, call.res.keyring, actor=call.principal.actor, company_id=company_id, kind=call.body.kind, appid=appid,
            secret=call.body.secret,
        )  # fmt: skip
        return await _view(call, tx, company_id, appid)

    return await call.transact(work)


async def set_push(call: Call[PushSettingsBody, None]) -> AppView:
    """PUT /admin/v1/wechat-apps/{appid}/push-settings."""
    company_id, appid = call.principal.require_company(MANAGE), _appid(call)

    async def work(tx: Tx) -> AppView:
        await push_settings.set_push(
            tx, call.res.keyring, call.principal.actor, company_id=company_id, appid=appid, new=call.body.settings()
        )
        return await _view(call, tx, company_id, appid)

    view = await call.transact(work)
    push_settings.of(call.res).forget(appid)
    return view


async def show_menu(call: Call[None, None]) -> MenuView:
    """GET /admin/v1/wechat-apps/{appid}/menu."""
    company_id = call.principal.require_company(MANAGE)
    return MenuView.of(await menus.of_app(call.res.db, appid=_appid(call), company_id=company_id))


async def save_menu(call: Call[MenuBody, None]) -> MenuView:
    """PUT /admin/v1/wechat-apps/{appid}/menu."""
    company_id, appid, res = call.principal.require_company(MANAGE), _appid(call), call.res
    miniprograms = await menus.miniprograms_of(res, company_id)

    async def work(tx: Tx) -> MenuView:
        menu = await menus.save(
            tx, call.principal.actor, appid=appid, company_id=company_id, buttons=call.body.written(),
            sites=res.settings.sites, miniprograms=miniprograms,
        )  # fmt: skip
        return MenuView.of(menu)

    return await call.transact(work)


async def push_menu(call: Call[None, None]) -> MenuView:
    """POST /admin/v1/wechat-apps/{appid}/menu/push."""
    company_id = call.principal.require_company(MANAGE)
    menu = await menus.push(call.res, call.principal.actor, appid=_appid(call), company_id=company_id)
    return MenuView.of(menu)


async def list_replies(call: Call[None, Page]) -> ReplyList:
    """GET /admin/v1/wechat-apps/{appid}/replies."""
    company_id, limit = call.principal.require_company(REPLIES), call.query.limit
    after = None if call.query.cursor is None else decode_cursor(call.query.cursor, (UUID,))[0]
    found = await auto_replies.of_app(
        call.res.db, appid=_appid(call), company_id=company_id, after=after, limit=limit
    )  # fmt: skip
    return ReplyList(
        items=[ReplyView.of(row) for row in found],
        next_cursor=encode_cursor(found[-1]["id"]) if len(found) == limit else None,
    )


async def create_reply(call: Call[ReplyBody, None]) -> ReplyMade:
    """POST /admin/v1/wechat-apps/{appid}/replies."""
    company_id, appid = call.principal.require_company(REPLIES), _appid(call)

    async def work(tx: Tx) -> ReplyMade:
        made = await auto_replies.create(
            tx, call.principal.actor, appid=appid, company_id=company_id, new=call.body.new()
        )
        return ReplyMade(id=made)

    return await call.once(work, ReplyMade)


async def change_reply(call: Call[ReplyBody, None]) -> Nothing:
    """PUT /admin/v1/wechat-apps/{appid}/replies/{reply_id}."""
    company_id, appid = call.principal.require_company(REPLIES), _appid(call)
    await call.res.db.transact(
        lambda tx: auto_replies.change(
            tx, call.principal.actor, reply_id=call.ids["reply_id"], appid=appid, company_id=company_id,
            new=call.body.new(),
        )
    )  # fmt: skip
    return Nothing()


async def delete_reply(call: Call[None, None]) -> Nothing:
    """DELETE /admin/v1/wechat-apps/{appid}/replies/{reply_id}."""
    company_id, appid = call.principal.require_company(REPLIES), _appid(call)
    await call.res.db.transact(
        lambda tx: auto_replies.delete(
            tx, call.principal.actor, reply_id=call.ids["reply_id"], appid=appid, company_id=company_id
        )
    )
    return Nothing()


def _appid(call: Call[Any, Any]) -> str:
    """The account in the path; NotFound for what cannot be one."""
    appid = call.path["appid"]
    if not apps.APPID.fullmatch(appid):
        raise NotFound
    return appid


async def _view(call: Call[Any, Any], tx: Tx, company_id: UUID, appid: str) -> AppView:
    rows = await apps.described(tx, company_id)
    return next(_app(call, row) for row in rows if row["appid"] == appid)


def _app(call: Call[Any, Any], row: Record) -> AppView:
    return AppView(
        appid=row["appid"],
        kind=AppKind(row["kind"]),
        push_url=f"{call.res.settings.sites[0]}{PUSH_PATH}/{row['appid']}",
        push_mode=None if row["push_mode"] is None else PushMode(row["push_mode"]),
        original_id=row["original_id"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


_APPS = "/admin/v1/wechat-apps"
_ONE = f"{_APPS}/{{appid}}"

ROUTES: tuple[Route, ...] = (
    Route("GET", _APPS, list_apps, MANAGE, "公司的小程序和公众号", answer=AppList, errors=(NotFound,)),
    Route("PUT", _ONE, save_app, MANAGE, "登记小程序或公众号，或更换密钥", body=AppBody, answer=AppView,
          errors=(NotFound, Conflict)),
    Route("PUT", f"{_ONE}/push-settings", set_push, MANAGE, "设置微信推送的令牌、加密密钥和模式",
          body=PushSettingsBody, answer=AppView, errors=(NotFound, Invalid)),
    Route("GET", f"{_ONE}/menu", show_menu, MANAGE, "公众号的菜单", answer=MenuView, errors=(NotFound,)),
    Route("PUT", f"{_ONE}/menu", save_menu, MANAGE, "保存公众号的菜单", body=MenuBody, answer=MenuView,
          errors=(NotFound, Invalid)),
    Route("POST", f"{_ONE}/menu/push", push_menu, MANAGE, "把菜单发布到微信", answer=MenuView,
          errors=(NotFound, MenuRefused, Unavailable)),
    Route("GET", f"{_ONE}/replies", list_replies, REPLIES, "公众号的自动回复", query=Page, answer=ReplyList,
          errors=(NotFound,)),
    Route("POST", f"{_ONE}/replies", create_reply, REPLIES, "新增一条自动回复", body=ReplyBody, answer=ReplyMade,
          status=201, creates=True, errors=(NotFound, Invalid, Conflict)),
    Route("PUT", f"{_ONE}/replies/{{reply_id}}", change_reply, REPLIES, "修改一条自动回复", body=ReplyBody,
          answer=Nothing, errors=(NotFound, Invalid, Conflict)),
    Route("DELETE", f"{_ONE}/replies/{{reply_id}}", delete_reply, REPLIES, "删除一条自动回复", answer=Nothing,
          errors=(NotFound,)),
)  # fmt: skip
