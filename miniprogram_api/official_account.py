"""Resident routes of the official account (公众号): whether it reaches me, and a code to bind it (R10, D11)."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from backend.identity import account_codes, followers, wechat_users
from backend.identity.account_codes import LIFETIME, Drawn
from backend.kernel.auth import RESIDENT
from backend.kernel.db import Tx
from backend.kernel.errors import Conflict, Forbidden, NotFound, TooMany, Unauthenticated, Unavailable
from backend.kernel.http import Call, Route, Strict, example
from backend.kernel.ratelimit import Rule
from backend.wechat import account_api, api, apps, push_settings

CODE_RATE = Rule("official_account.code", count=10, period_s=600, strict=True)
_ID = "0198f2a0-0000-7000-8000-000000000001"
_APPID = "wx1234567890abcdef"
_ENDS = "2026-09-01T02:10:00Z"


class AccountAnswer(Strict):
    """`bound`: messages reach me through the account; else ask for a code, or follow it with the same WeChat."""

    model_config = example(appid=_APPID, bound=False)
    appid: str
    bound: bool


class Offered(Strict):
    """The code as it is kept for a repeated request."""

    model_config = example(id=_ID, appid=_APPID, expires_at=_ENDS)
    id: UUID
    appid: str
    expires_at: datetime


class CodeAnswer(Strict):
    """Good for one scan in WeChat until `expires_at`."""

    model_config = example(
        content="http://weixin.qq.com/q/kZgfwMTm72WWPkovabbI",
        picture_url="https://mp.weixin.qq.com/cgi-bin/showqrcode?ticket=gQH47joAAAAA", expires_at=_ENDS,
    )  # fmt: skip
    content: str = Field(description="to be drawn as a QR code")
    picture_url: str = Field(description="where WeChat shows the same code as a picture")
    expires_at: datetime


async def show_account(call: Call[None, None]) -> AccountAnswer:
    """GET /api/v1/official-account."""
    person_id = call.principal.person_id
    appid = await push_settings.official_of(call.res.db, await _company(call))
    return AccountAnswer(appid=appid, bound=await followers.is_bound(call.res.db, person_id=person_id, appid=appid))


async def offer_code(call: Call[None, None]) -> CodeAnswer:
    """POST /api/v1/official-account/code: the code is committed, WeChat makes it, what it made is kept."""
    res, person_id = call.res, call.principal.person_id
    appid = await push_settings.official_of(res.db, await _company(call))

    async def work(tx: Tx) -> Offered:
        code_id, expires_at = await account_codes.offer(tx, res.keyring, person_id=person_id, appid=appid)
        return Offered(id=code_id, appid=appid, expires_at=expires_at)

    offered = await call.once(work, Offered)
    if offered.expires_at <= res.clock.now():
        raise Conflict("这个二维码已过期，请重新获取。", code="code_expired")
    drawn = await account_codes.drawn_of(res.db, offered.id) or await _draw(call, offered)
    picture_url = account_api.picture_url(res.settings, drawn.ticket)
    return CodeAnswer(content=drawn.content, picture_url=picture_url, expires_at=offered.expires_at)


async def _draw(call: Call[Any, Any], offered: Offered) -> Drawn:
    res = call.res
    app = await apps.app_by_appid(res.db, res.keyring, offered.appid)
    scene, lifetime_s = account_codes.scene_of(res.keyring, offered.id), int(LIFETIME.total_seconds())
    made = await account_api.scene_code(api.of(res), app, scene=scene, lifetime_s=lifetime_s)
    drawn = Drawn(made.content, made.ticket)
    await res.db.transact(lambda tx: account_codes.keep_drawn(tx, offered.id, drawn))
    return drawn


async def _company(call: Call[Any, Any]) -> UUID:
    """The company whose mini-program the resident has opened."""
    if call.principal.wechat_user_id is None:
        raise Unauthenticated
    mine = await wechat_users.account(call.res.db, call.res.keyring, call.principal.wechat_user_id)
    return (await apps.app_by_appid(call.res.db, call.res.keyring, mine.appid)).company_id


ROUTES: tuple[Route, ...] = (
    Route("GET", "/api/v1/official-account", show_account, RESIDENT, "公众号能不能通知到我", answer=AccountAnswer,
          errors=(Forbidden, NotFound)),
    Route("POST", "/api/v1/official-account/code", offer_code, RESIDENT, "获取绑定公众号的二维码", answer=CodeAnswer,
          status=201, creates=True, rate=CODE_RATE, errors=(Forbidden, NotFound, Conflict, TooMany, Unavailable)),
)  # fmt: skip
