"""The three families of refusals: WeChat's API, WeChat Pay, and the sandbox's own control API."""

from typing import Any


class ApiError(Exception):
    """A refusal of api.weixin.qq.com: HTTP 200 with a non-zero `errcode`."""

    def __init__(self, errcode: int, errmsg: str) -> None:
        super().__init__(errmsg)
        self.errcode = errcode
        self.errmsg = errmsg


class PayError(Exception):
    """A refusal of WeChat Pay v3; `number` ends the Request-ID (protocols/wechat-pay-v3.md section 12)."""

    def __init__(
        self, status: int, code: str, message: str, *, number: int = 0, detail: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.number = number
        self.detail = detail


class ControlError(Exception):
    """A refusal of the control API, in plain words for whoever drives it."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
