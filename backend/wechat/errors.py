"""What WeChat's refusals mean to us: one table from `errcode` to what happens next, as data.

Sources: protocols/wechat-miniprogram.md sections 1 to 4, wechat-official-account.md section 2.2, pitfalls D and E.
Logins and phone codes raise errors that a resident can be shown; sends return their outcome, because a refused message
is everyday life and not an exception.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from backend.kernel.errors import AppError, Forbidden, Invalid, TooMany, Unavailable


class Meaning(StrEnum):
    """What a refusal asks of the sender."""

    REFRESH_TOKEN = "REFRESH_TOKEN"
    RETRY = "RETRY"
    STOP_PERSON = "STOP_PERSON"
    BACK_OFF_TODAY = "BACK_OFF_TODAY"
    PARK = "PARK"
    DROP = "DROP"


NO_CREDIT = 43101

MEANINGS: Mapping[int, Meaning] = {
    # The token: fetched once more for all processes, the call repeated once.
    40001: Meaning.REFRESH_TOKEN,
    40014: Meaning.REFRESH_TOKEN,
    42001: Meaning.REFRESH_TOKEN,
    # Busy, or too many at once: the same message later, with the same key.
    -1: Meaning.RETRY,
    43108: Meaning.RETRY,
    45011: Meaning.RETRY,
    # A shipping report that came before WeChat knew of the payment.
    10060001: Meaning.RETRY,
    # This person cannot be reached through this account: not following, blocked us, refuses messages.
    43004: Meaning.STOP_PERSON,
    43019: Meaning.STOP_PERSON,
    48002: Meaning.STOP_PERSON,
    50005: Meaning.STOP_PERSON,
    # The day's quota of the account is used up.
    45009: Meaning.BACK_OFF_TODAY,
    # No subscription left for this template: this message goes another way, the next one may be sent again.
    NO_CREDIT: Meaning.DROP,
    # Content or template: no repetition helps, staff must see it.
    40003: Meaning.PARK,
    40037: Meaning.PARK,
    41030: Meaning.PARK,
    45168: Meaning.PARK,
    47001: Meaning.PARK,
    47003: Meaning.PARK,
    # Configuration of the account, or a ban.
    40002: Meaning.PARK,
    40013: Meaning.PARK,
    40125: Meaning.PARK,
    40164: Meaning.PARK,
    40243: Meaning.PARK,
    41002: Meaning.PARK,
    41004: Meaning.PARK,
    43002: Meaning.PARK,
    43107: Meaning.PARK,
    45109: Meaning.PARK,
    48001: Meaning.PARK,
    48004: Meaning.PARK,
    50004: Meaning.PARK,
    50007: Meaning.PARK,
    89503: Meaning.PARK,
    89506: Meaning.PARK,
    89507: Meaning.PARK,
}


def meaning_of(errcode: int) -> Meaning:
    """What `errcode` asks of the sender; one that nobody has told us is for staff to see."""
    return MEANINGS.get(errcode, Meaning.PARK)


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
    40163: CodeRefused,
    41008: CodeRefused,
    42003: CodeRefused,
    40226: PersonBlocked,
    45011: TooMany,
}


def for_people(error: WechatError) -> AppError:
    """The error that a resident at the login or at the phone button is shown for WeChat's refusal."""
    shown = _FOR_PEOPLE.get(error.errcode)
    return error if shown is None else shown()
