"""Logging in from the mini-program, binding a phone, logging out (D1; protocols/wechat-miniprogram sections 1 and 3).

WeChat is asked before the transaction begins, never inside it.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from backend.identity import people, sessions, staff_login, wechat_users
from backend.kernel import cookies
from backend.kernel.auth import PUBLIC, RESIDENT
from backend.kernel.errors import BadRequest, Forbidden, Invalid, NotFound, TooMany, Unauthenticated, Unavailable
from backend.kernel.http import Call, Nothing, Reply, Route, Strict, example
from backend.kernel.personal import mask_phone
from backend.kernel.ratelimit import Rule
from backend.wechat import api, apps, miniprogram

# Residents of one telephone company share addresses, hence the generous count.
LOGIN_RATE = Rule("resident.login", count=300, period_s=60, strict=True)
PHONE_RATE = Rule("resident.phone", count=10, period_s=600, strict=True)
CODE_RATE = Rule("staff.wechat_code", count=10, period_s=600, strict=True)


class LoginBody(Strict):
    model_config = example(appid="wxd678efh567hg6787", code="0a3Bzq000tL9xS1")

    appid: str = Field(min_length=1, max_length=64, description="the mini-program's own id")
    code: str = Field(min_length=1, max_length=256, description="what wx.login gave")


class LoginAnswer(Strict):
    model_config = example(token="r_Zm9v", expires_at="2026-09-08T02:00:00Z", phone_bound=True)

    token: str
    expires_at: datetime
    phone_bound: bool = Field(description="false: ask for the phone next")


class PhoneBody(Strict):
    model_config = example(code="e31968a7f94cc5ee25fafc2aef2773f0bb8c3937b22520eb8ee345274d00c144")

    code: str | None = Field(None, min_length=1, max_length=256, description="what the phone button gave")
    encrypted_data: str | None = Field(None, min_length=1, max_length=4096, description="old clients")
    iv: str | None = Field(None, min_length=1, max_length=64)


class PhoneAnswer(Strict):
    model_config = example(phone="138****6666")

    phone: str


class StaffBindingBody(Strict):
    model_config = example(code="K7QM2XRP")

    code: str = Field(pattern=r"^[0-9A-Za-z]{8}$")


class StaffBindingAnswer(Strict):
    model_config = example(name="王芳")

    name: str


async def log_in(call: Call[LoginBody, None]) -> LoginAnswer:
    res = call.res
    app = await apps.app_by_appid(res.db, res.keyring, call.body.appid)
    known = await miniprogram.code2session(api.of(res), app, code=call.body.code)
    done = await res.db.transact(
        lambda tx: wechat_users.sign_in(
            tx, res.keyring, appid=app.appid, openid=known.openid, unionid=known.unionid,
            session_key=known.session_key,
        )
    )  # fmt: skip
    return LoginAnswer(token=done.token, expires_at=done.expires_at, phone_bound=done.person_id is not None)


async def log_out(call: Call[None, None]) -> Nothing | Reply:
    session = call.principal.session or b""
    await call.res.db.transact(lambda tx: sessions.revoke(tx, session))
    if not cookies.read(call.headers, cookies.SESSION_COOKIE):
        return Nothing()
    over = cookies.setting(
        call.res.settings, call.headers, cookies.SESSION_COOKIE, "", path=cookies.SESSION_PATH, max_age_s=0
    )  # fmt: skip
    return Reply(body=b"{}", content_type="application/json", headers={"Set-Cookie": over})


async def bind_phone(call: Call[PhoneBody, None]) -> PhoneAnswer:
    res, user_id = call.res, _wechat_user(call)
    account = await wechat_users.account(res.db, res.keyring, user_id)
    app = await apps.app_by_appid(res.db, res.keyring, account.appid)
    verified = await _verified_phone(call, app, account.session_key)
    foreign = verified.country_code not in ("86", "+86")
    phone = people.phone_of(f"+{verified.country_code.lstrip('+')}{verified.number}" if foreign else verified.number)
    await res.db.transact(
        lambda tx: wechat_users.bind_phone(tx, res.keyring, call.principal.actor, wechat_user_id=user_id, phone=phone)
    )
    return PhoneAnswer(phone=mask_phone(phone))


async def _verified_phone(call: Call[PhoneBody, None], app: apps.App, session_key: str | None) -> miniprogram.Phone:
    """The phone that WeChat vouches for, by the code of the button or by what an old client's button encrypted."""
    body = call.body
    if body.code is not None:
        return await miniprogram.phone_number(api.of(call.res), app, code=body.code)
    if body.encrypted_data is None or body.iv is None:
        raise BadRequest("请提供手机号授权码。", code="phone_code_required")
    if session_key is None:
        raise Unauthenticated("请先重新登录，再授权手机号。")
    return miniprogram.decrypt_phone(
        app, session_key, encrypted_data=body.encrypted_data, iv=body.iv, now=call.res.clock.now()
    )


async def bind_staff(call: Call[StaffBindingBody, None]) -> StaffBindingAnswer:
    user_id = _wechat_user(call)
    name = await call.res.db.transact(
        lambda tx: staff_login.bind_wechat(
            tx, call.principal.actor, wechat_user_id=user_id, code=call.body.code.upper()
        )
    )
    return StaffBindingAnswer(name=name)


def _wechat_user(call: Call[Any, Any]) -> UUID:
    if call.principal.wechat_user_id is None:
        raise Unauthenticated
    return call.principal.wechat_user_id


ROUTES: tuple[Route, ...] = (
    Route("POST", "/api/v1/login", log_in, PUBLIC, "小程序登录", body=LoginBody, answer=LoginAnswer, rate=LOGIN_RATE,
          errors=(Invalid, Forbidden, NotFound, TooMany, Unavailable)),
    Route("POST", "/api/v1/logout", log_out, RESIDENT, "退出登录", answer=Nothing),
    Route("POST", "/api/v1/phone", bind_phone, RESIDENT, "绑定微信验证过的手机号", body=PhoneBody, answer=PhoneAnswer,
          rate=PHONE_RATE, errors=(BadRequest, Invalid, NotFound, TooMany, Unavailable)),
    Route("POST", "/api/v1/staff-binding", bind_staff, RESIDENT, "员工用一次性绑定码绑定自己的微信",
          body=StaffBindingBody, answer=StaffBindingAnswer, rate=CODE_RATE, errors=(Forbidden, TooMany)),
)  # fmt: skip
