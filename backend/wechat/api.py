"""Calls to api.weixin.qq.com: JSON in raw UTF-8, with the account's token, which is refreshed at most once per call."""

from typing import Any
from urllib.parse import quote, urlencode
from weakref import WeakKeyDictionary

import orjson

from backend.kernel.egress import Egress
from backend.kernel.resources import Resources
from backend.wechat import answers
from backend.wechat.apps import App
from backend.wechat.errors import Meaning, WechatError
from backend.wechat.tokens import Tokens


class WechatApi:
    """WeChat's open API, for any account."""

    def __init__(self, egress: Egress, tokens: Tokens, base_url: str) -> None:
        self._egress = egress
        self._tokens = tokens
        self._base_url = base_url.rstrip("/")

    async def get(self, path: str, query: dict[str, str]) -> dict[str, Any]:
        """A call that carries its own credentials; EgressError, WechatError or WechatUnreadable."""
        return answers.read(await self._egress.request("GET", f"{self._base_url}{path}?{urlencode(query)}"))

    async def post(self, app: App, path: str, document: dict[str, Any]) -> dict[str, Any]:
        """A call with the token of `app`; one refused token is replaced and the call repeated, once (pitfalls D2).

        EgressError, WechatError or WechatUnreadable; TokenUnavailable when the call was not made at all.
        """
        body = orjson.dumps(document)
        token = await self._tokens.current(app)
        try:
            return await self._post(path, token, body)
        except WechatError as error:
            if error.meaning is not Meaning.REFRESH_TOKEN:
                raise
        return await self._post(path, await self._tokens.current(app, refused=token), body)

    async def _post(self, path: str, token: str, body: bytes) -> dict[str, Any]:
        url = f"{self._base_url}{path}?access_token={quote(token, safe='')}"
        return answers.read(await self._egress.request("POST", url, headers=answers.JSON_HEADERS, body=body))


_BY_EGRESS: WeakKeyDictionary[Egress, WechatApi] = WeakKeyDictionary()


def of(res: Resources) -> WechatApi:
    """The one WechatApi of these resources: its tokens are shared by everything in the process."""
    api = _BY_EGRESS.get(res.egress)
    if api is None:
        base_url = res.settings.wechat_api_url
        tokens = Tokens(res.egress, res.redis, base_url, res.clock)
        api = _BY_EGRESS[res.egress] = WechatApi(res.egress, tokens, base_url)
    return api
