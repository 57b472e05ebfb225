"""WeChat's errcodes, as data: what each asks of whoever made the call, and what staff can do about it.

Sources: protocols/wechat-miniprogram.md sections 1 to 8, wechat-official-account.md sections 2, 4 and 6, pitfalls D, E.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Meaning(StrEnum):
    """What a refusal asks of the sender."""

    REFRESH_TOKEN = "REFRESH_TOKEN"
    RETRY = "RETRY"
    STOP_PERSON = "STOP_PERSON"
    BACK_OFF_TODAY = "BACK_OFF_TODAY"
    PARK = "PARK"
    DROP = "DROP"
    LOG_IN_AGAIN = "LOG_IN_AGAIN"


@dataclass(frozen=True, slots=True)
class Errcode:
    """`advice`: what it means and what to do, in Chinese, for staff."""

    meaning: Meaning
    advice: str


NO_CREDIT = 43101

_TOKEN = "系统会自动更换访问凭证并重试。一直出现时，请核对 AppSecret，并确认没有别的系统在用旧接口刷新凭证。"
_BUSY = "微信系统繁忙，系统会自动重试，不需要处理。"
_OFTEN = "调用太频繁，系统会放慢速度后自动重试，不需要处理。"
_MISSING = "请求缺少必要的参数，请把这条记录交给系统的维护人员。"
_CODE = "登录或授权凭证已失效，请用户重新操作一次。"
_KEY = "用户的登录状态已失效，请用户重新进入小程序。"
_MENU = "自定义菜单的内容不符合微信的要求，请按菜单的长度和个数限制修改后重新发布。"
_LINK = "小程序链接的参数不符合微信的要求，请把这条记录交给系统的维护人员。"
_ADDRESS = "请管理员在微信里确认服务器的 IP 地址，确认之后重新发送。"

CODES: Mapping[int, Errcode] = {
    # The token: fetched once more for all processes, the call repeated once.
    40001: Errcode(Meaning.REFRESH_TOKEN, _TOKEN),
    40014: Errcode(Meaning.REFRESH_TOKEN, _TOKEN),
    42001: Errcode(Meaning.REFRESH_TOKEN, _TOKEN),
    # Busy, or too many at once: the same call later, with the same key.
    -1: Errcode(Meaning.RETRY, _BUSY),
    43108: Errcode(Meaning.RETRY, "同时给这位用户发送了多条消息，系统会稍后自动重试，不需要处理。"),
    44990: Errcode(Meaning.RETRY, _OFTEN),
    44991: Errcode(Meaning.RETRY, _OFTEN),
    45011: Errcode(Meaning.RETRY, _OFTEN),
    # A shipping report that came before WeChat knew of the payment.
    10060001: Errcode(Meaning.RETRY, "微信还没有这笔支付的记录，系统会稍后自动重试，不需要处理。"),
    # This person cannot be reached through this account: not following, blocked us, refuses messages.
    43004: Errcode(Meaning.STOP_PERSON, "这位用户没有关注公众号，系统已改用其他方式通知，不需要处理。"),
    43019: Errcode(
        Meaning.STOP_PERSON, "这位用户在公众号的黑名单里，系统已改用其他方式通知。需要恢复时，请先移出黑名单。"
    ),
    48002: Errcode(Meaning.STOP_PERSON, "这位用户拒绝接收公众号的消息，系统已改用其他方式通知，不需要处理。"),
    50005: Errcode(Meaning.STOP_PERSON, "这位用户没有关注公众号，系统已改用其他方式通知，不需要处理。"),
    # The quota of a day is used up.
    44993: Errcode(Meaning.BACK_OFF_TODAY, "今天生成的小程序链接已达到微信的上限，明天自动恢复。"),
    45009: Errcode(
        Meaning.BACK_OFF_TODAY, "今天的调用次数已达到微信的上限，剩下的明天上午自动发送。着急时可以在微信后台清零一次。"
    ),
    # No subscription left for this template: this message goes another way, the next one may be sent again.
    NO_CREDIT: Errcode(Meaning.DROP, "这位用户没有剩余的订阅次数。用户下次点击“允许”之后就能再次收到。"),
    # A credential of the phone or of a web page: only its holder can get a new one.
    40029: Errcode(Meaning.LOG_IN_AGAIN, _CODE),
    40163: Errcode(Meaning.LOG_IN_AGAIN, _CODE),
    41008: Errcode(Meaning.LOG_IN_AGAIN, _CODE),
    42002: Errcode(Meaning.LOG_IN_AGAIN, _CODE),
    42003: Errcode(Meaning.LOG_IN_AGAIN, _CODE),
    42007: Errcode(Meaning.LOG_IN_AGAIN, _CODE),
    61010: Errcode(Meaning.LOG_IN_AGAIN, "这位用户两小时内没有使用过小程序，请用户打开小程序后再试。"),
    87007: Errcode(Meaning.LOG_IN_AGAIN, _KEY),
    87008: Errcode(Meaning.LOG_IN_AGAIN, _KEY),
    87009: Errcode(Meaning.LOG_IN_AGAIN, _KEY),
    # Content or template: no repetition helps, staff must see it.
    40003: Errcode(Meaning.PARK, "用户标识（openid）不属于这个小程序或公众号。请确认用户绑定的是现在使用的账号。"),
    40037: Errcode(Meaning.PARK, "微信没有这个模板编号。请在“消息模板”里换成微信后台现有的模板，再重新发送。"),
    41030: Errcode(Meaning.PARK, "点击消息要打开的小程序页面还没有发布。请发布包含该页面的版本，再重新发送。"),
    45168: Errcode(Meaning.PARK, "内容含有微信不允许的词语。请修改内容后重新发送。"),
    47001: Errcode(Meaning.PARK, _MISSING),
    47003: Errcode(
        Meaning.PARK, "某个字段的内容不符合微信的要求，字段名见微信的说明。请在“消息模板”里核对字段，再重新发送。"
    ),
    # Configuration of the account, or a ban.
    40002: Errcode(Meaning.PARK, _MISSING),
    40013: Errcode(Meaning.PARK, "AppID 不正确，或者与用户的凭证不是同一个账号。请核对 AppID。"),
    40097: Errcode(Meaning.PARK, _MISSING),
    40125: Errcode(Meaning.PARK, "AppSecret 不正确。请在微信后台重置后，更新系统里登记的 AppSecret，再重新发送。"),
    40129: Errcode(Meaning.PARK, "场景参数不符合微信的要求，请把这条记录交给系统的维护人员。"),
    40164: Errcode(
        Meaning.PARK, "服务器的 IP 地址不在白名单里，地址见微信的说明。请在微信后台加入白名单，再重新发送。"
    ),
    40165: Errcode(Meaning.PARK, _LINK),
    40169: Errcode(Meaning.PARK, "小程序码的场景参数太长，请把这条记录交给系统的维护人员。"),
    40212: Errcode(Meaning.PARK, _LINK),
    40226: Errcode(Meaning.PARK, "微信认为这位用户有风险，限制了登录。请用户联系微信客服。"),
    40243: Errcode(Meaning.PARK, "AppSecret 已被冻结。请在微信后台解冻，再重新发送。"),
    41002: Errcode(Meaning.PARK, _MISSING),
    41004: Errcode(Meaning.PARK, _MISSING),
    43002: Errcode(Meaning.PARK, _MISSING),
    43104: Errcode(Meaning.PARK, "用户标识（openid）与 AppID 不匹配，请核对系统里登记的账号。"),
    43107: Errcode(Meaning.PARK, "订阅消息能力已被微信封禁。请登录微信后台查看原因并申诉，恢复后再重新发送。"),
    45109: Errcode(Meaning.PARK, "微信已停用统一服务消息，请改用模板消息或订阅消息。"),
    48001: Errcode(
        Meaning.PARK,
        "这个账号没有调用该接口的权限：公众号要是已认证的服务号，小程序要完成认证。请在微信后台核对后再重新发送。",
    ),
    48004: Errcode(Meaning.PARK, "这个接口已被微信封禁。请登录微信后台查看原因并申诉，恢复后再重新发送。"),
    48006: Errcode(Meaning.PARK, "本月清零调用次数的机会已用完（每月 10 次），请等到明天自动恢复。"),
    50004: Errcode(Meaning.PARK, "这个账号不允许调用该接口。请登录微信后台查看账号状态。"),
    50007: Errcode(Meaning.PARK, "这个账号已被微信停用。请登录微信后台查看原因并申诉，恢复后再重新发送。"),
    85079: Errcode(Meaning.PARK, "小程序还没有发布，请先发布小程序。"),
    85096: Errcode(Meaning.PARK, "小程序码的页面参数不符合微信的要求，请把这条记录交给系统的维护人员。"),
    87020: Errcode(Meaning.PARK, "同样的内容短时间内已经提交过检测，请等待上一次的结果。"),
    89503: Errcode(Meaning.PARK, _ADDRESS),
    89506: Errcode(Meaning.PARK, f"管理员刚刚拒绝了服务器的 IP 地址，24 小时后才能再次请求。{_ADDRESS}"),
    89507: Errcode(Meaning.PARK, f"管理员拒绝了服务器的 IP 地址，1 小时后才能再次请求。{_ADDRESS}"),
    **dict.fromkeys((85401, 85402, 85406, 85407, 85408), Errcode(Meaning.PARK, _LINK)),
    **dict.fromkeys((*range(40016, 40021), *range(40022, 40028)), Errcode(Meaning.PARK, _MENU)),
}
UNHEARD = Errcode(Meaning.PARK, "微信返回了没有见过的错误。请按微信的说明查找原因，处理之后再重新发送。")


def meaning_of(errcode: int) -> Meaning:
    """What `errcode` asks of the sender; one that nobody has told us is for staff to see."""
    return CODES.get(errcode, UNHEARD).meaning


def advice_of(errcode: int) -> str:
    """What `errcode` means and what to do about it, in Chinese, for staff."""
    return CODES.get(errcode, UNHEARD).advice
