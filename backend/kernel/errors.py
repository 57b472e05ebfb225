"""Every error that an answer may carry: one tree, a code for programs, a sentence in Chinese for people."""

from collections.abc import Mapping
from typing import Any


class AppError(Exception):
    """Base of all expected failures. `code` and `status` are the wire contract, `message` is for people.

    `retryable` tells a program that the same request may succeed later.
    """

    code = "internal"
    status = 500
    message = "系统出了点问题，请稍后再试。"
    retryable = False

    def __init__(self, message: str | None = None, *, code: str | None = None, **details: Any) -> None:
        self.message = message or type(self).message
        self.code = code or type(self).code
        self.details: Mapping[str, Any] = details
        super().__init__(f"{self.code}: {self.message}")


class BadRequest(AppError):
    """The request cannot be read; nothing was changed."""

    code = "bad_request"
    status = 400
    message = "请求的内容看不懂，请检查后重试。"


class Invalid(AppError):
    """The request was read, but a value in it is not acceptable; `details["fields"]` names each."""

    code = "invalid"
    status = 422
    message = "填写的内容有误，请按提示修改。"


class Unauthenticated(AppError):
    code = "unauthenticated"
    status = 401
    message = "请先登录。"


class Forbidden(AppError):
    code = "forbidden"
    status = 403
    message = "您没有权限进行此操作。"


class NotFound(AppError):
    """Unknown and foreign ids alike: the answer must not tell them apart."""

    code = "not_found"
    status = 404
    message = "没有找到您要的内容。"


class Conflict(AppError):
    """The state of things forbids it: already done, held by someone else, stale."""

    code = "conflict"
    status = 409
    message = "当前状态不允许此操作，请刷新后再看。"


class TooLarge(AppError):
    code = "too_large"
    status = 413
    message = "内容太大，请减小后重试。"


class TooMany(AppError):
    code = "too_many_requests"
    status = 429
    message = "操作太频繁，请稍后再试。"
    retryable = True


class Unavailable(AppError):
    """A part that we need does not answer at the moment; nothing was changed."""

    code = "unavailable"
    status = 503
    message = "服务暂时不可用，请稍后再试。"
    retryable = True


class ChannelUnknown(Unavailable):
    """The channel may or may not have acted: the outcome is asked for later, never assumed."""

    code = "channel_unknown"
    message = "正在向支付渠道确认结果，请稍后查看，不要重复支付。"
