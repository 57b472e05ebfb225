"""Mini-program login and phone number (wechat-miniprogram.md sections 1 and 3).

A refusal that the resident can cure (an old or used code) is an error with a sentence for him; everything else is
"WeChat is not available". A session key never leaves the server, and the newest one is the only one to keep.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from wechatpy.crypto import WeChatWxaCrypto
from wechatpy.exceptions import InvalidAppIdException

from backend.kernel.egress import EgressError
from backend.wechat import answers
from backend.wechat.api import WechatApi
from backend.wechat.apps import App
from backend.wechat.errors import PhoneDataRefused, WechatError, WechatSilent, WechatUnreadable, for_people

FRESH_S = 300


@dataclass(frozen=True, slots=True)
class Session:
    """A user of one mini-program; `unionid` only where the account is bound to an Open Platform account."""

    openid: str
    unionid: str | None
    session_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Phone:
    """A phone number that WeChat vouches for: digits without country code, and the country code (`86`)."""

    number: str = field(repr=False)
    country_code: str


async def code2session(api: WechatApi, app: App, *, code: str) -> Session:
    """Exchange the code of `wx.login`: single use, five minutes. CodeRefused, PersonBlocked, TooMany, Unavailable."""
    query = {"appid": app.appid, "secret": app.secret, "js_code": code, "grant_type": "authorization_code"}
    try:
        document = await api.get("/sns/jscode2session", query)
    except WechatError as error:
        raise for_people(error) from error
    except EgressError as error:
        raise WechatSilent(str(error)) from error
    unionid = document.get("unionid")
    return Session(
        openid=answers.text(document, "openid"),
        unionid=unionid if isinstance(unionid, str) and unionid else None,
        session_key=answers.text(document, "session_key"),
    )


async def phone_number(api: WechatApi, app: App, *, code: str) -> Phone:
    """Exchange the code of the phone button, which is not the login code: single use, five minutes, charged."""
    try:
        document = await api.post(app, "/wxa/business/getuserphonenumber", {"code": code})
    except WechatError as error:
        raise for_people(error) from error
    except EgressError as error:
        raise WechatSilent(str(error)) from error
    info = document.get("phone_info")
    if not isinstance(info, dict):
        raise WechatUnreadable("the answer has no phone_info")
    try:
        return _phone(info, app.appid)
    except (KeyError, TypeError, ValueError) as error:
        raise WechatUnreadable("phone_info is not a phone number of this account") from error


def decrypt_phone(app: App, session_key: str, *, encrypted_data: str, iv: str, now: datetime) -> Phone:
    """The phone number in what an old client's button gives (section 1.3); PhoneDataRefused otherwise.

    The watermark must name this account and be fresh, so that neither another account's data nor an old capture binds
    a phone.
    """
    try:
        info = WeChatWxaCrypto(session_key, iv, app.appid).decrypt_message(encrypted_data)
        phone = _phone(info, app.appid)
        age_s = now.timestamp() - info["watermark"]["timestamp"]
    except (InvalidAppIdException, IndexError, KeyError, TypeError, ValueError) as error:
        raise PhoneDataRefused from error
    if abs(age_s) > FRESH_S:
        raise PhoneDataRefused
    return phone


def _phone(info: dict[str, Any], appid: str) -> Phone:
    if info["watermark"]["appid"] != appid:
        raise ValueError("watermark of another account")
    number, country_code = info["purePhoneNumber"], info["countryCode"]
    if not isinstance(number, str) or not number.isascii() or not number.isdigit():
        raise ValueError("not a phone number")
    return Phone(number, str(country_code))
