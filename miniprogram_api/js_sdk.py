"""The signature by which a page of ours, open in WeChat, may use the JS-SDK (R10)."""

from pydantic import Field

from backend.identity import wechat_users
from backend.kernel.auth import RESIDENT
from backend.kernel.errors import Forbidden, Invalid, NotFound, TooMany, Unauthenticated, Unavailable
from backend.kernel.http import Call, Route, Strict, example
from backend.kernel.ratelimit import Rule
from backend.wechat import apps, js_sdk
from backend.wechat.apps import App, AppKind

RATE = Rule("wechat.js_sdk", count=60, period_s=60)


class SignatureBody(Strict):
    model_config = example(url="https://wy.example.com/h5/index.html?from=menu")
    url: str = Field(min_length=8, max_length=1024, description="location.href; what follows # does not count")


class SignatureAnswer(Strict):
    """What wx.config takes: `appid` as appId, `nonce_str` as nonceStr."""

    model_config = example(
        appid="wx0ff1c1a1acc00047", nonce_str="7QK2M9XRPA7QK2M9", timestamp=1_788_230_400,
        signature="0f9de62fce790f9a083d5c99e95740ceb90c27ed",
    )  # fmt: skip
    appid: str
    nonce_str: str
    timestamp: int
    signature: str


async def sign(call: Call[SignatureBody, None]) -> SignatureAnswer:
    """POST /api/v1/js-sdk/signature."""
    signed = await js_sdk.sign(call.res, await _account(call), url=call.body.url)
    return SignatureAnswer(
        appid=signed.appid, nonce_str=signed.nonce_str, timestamp=signed.timestamp, signature=signed.signature
    )


async def _account(call: Call[SignatureBody, None]) -> App:
    """The official account by which the resident has logged in, else that of the same company; NotFound."""
    if call.principal.wechat_user_id is None:
        raise Unauthenticated
    res = call.res
    known = await wechat_users.account(res.db, res.keyring, call.principal.wechat_user_id)
    app = await apps.app_by_appid(res.db, res.keyring, known.appid)
    if app.kind is AppKind.OFFICIAL:
        return app
    found = await apps.apps_of_company(res.db, res.keyring, company_id=app.company_id, kind=AppKind.OFFICIAL)
    if not found:
        raise NotFound("物业公司还没有接入公众号，页面内的微信功能暂不可用。", code="no_official_account")
    return found[0]


ROUTES = (
    Route(
        "POST", "/api/v1/js-sdk/signature", sign, RESIDENT, "公众号网页使用微信 JS-SDK 的签名", body=SignatureBody,
        answer=SignatureAnswer, rate=RATE, errors=(Unauthenticated, Forbidden, NotFound, Invalid, TooMany, Unavailable),
    ),
)  # fmt: skip
