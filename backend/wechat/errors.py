"""WeChat's refusals and silences, as outcomes and as errors; what an `errcode` means stands in errcodes.py.

Logins and phone codes raise errors that a resident can be shown; sends return their outcome, because a refused message
is everyday life and not an exception.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from backend.kernel.errors import AppError, Forbidden, Invalid, TooMany, Unavailable
from backend.wechat.errcodes import Meaning, meaning_of


@dataclass(frozen=True, slots=True)
class Sent:
    """WeChat accepted it; `msgid` names it in a later event, where one is given."""

    msgid: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """WeChat did not take it, and nothing was sent. `errcode` is None when the request never reached WeChat."""

    meaning: Meaning
    errcode: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """No answer that can be read: it may have been sent. Only what WeChat deduplicates may be repeated."""

    reason: str


Outcome = Sent | Refused | Unknown


class WechatError(Unavailable):
    """WeChat refused a call; `errcode` and `meaning` say why, the message is for people."""

    code = "wechat_unavailable"
    message = "微信服务暂时不可用，请稍后再试。"

    def __init__(self, errcode: int, text: str) -> None:
        super().__init__()
        self.errcode = errcode
        self.text = text
        self.args = (f"errcode {errcode}: {text}",)

    @property
    def meaning(self) -> Meaning:
        return meaning_of(self.errcode)


class WechatUnreadable(Unavailable):
    """WeChat's answer is not what its documentation says: an error page, or half a JSON text."""

    code = "wechat_unavailable"
    message = WechatError.message

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.args = (reason,)


class WechatSilent(Unavailable):
    """WeChat did not answer: somebody waits for it and is told so."""

    code = "wechat_unavailable"
    message = WechatError.message

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.args = (reason,)


class TokenUnavailable(WechatUnreadable):
    """No access token could be had for want of an answer; the call that needed it was not made."""


class CodeRefused(Invalid):
    """A login or phone code is wrong, too old or already used (40029, 40163): the client gets a new one."""

    code = "wechat_code_invalid"
    message = "微信凭证已失效，请重新操作一次。"


class CodeUsed(CodeRefused):
    """A code that has been exchanged before (40163): by whoever asked with it first."""


class PhoneDataRefused(Invalid):
    """Encrypted phone data does not open with the session key, or is not fresh: the client logs in again first."""

    code = "wechat_phone_invalid"
    message = "没有读到手机号，请重新进入小程序后再试。"


class PersonBlocked(Forbidden):
    """WeChat blocks this user as high-risk (40226)."""

    code = "wechat_user_blocked"
    message = "微信限制了该账号的登录，请联系微信客服。"


_FOR_PEOPLE: Mapping[int, type[AppError]] = {
    40029: CodeRefused,
    40163: CodeUsed,
    41008: CodeRefused,
    42003: CodeRefused,
    40226: PersonBlocked,
    45011: TooMany,
}


def for_people(error: WechatError) -> AppError:
    """The error that a resident at the login or at the phone button is shown for WeChat's refusal."""
    shown = _FOR_PEOPLE.get(error.errcode)
    return error if shown is None else shown()
