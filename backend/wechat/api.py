"""Calls to api.weixin.qq.com: JSON in raw UTF-8, with the account's token, which is refreshed at most once per call."""

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import quote, urlencode
from weakref import WeakKeyDictionary

import orjson

from backend.kernel.egress import Answer, Egress
from backend.kernel.resources import Resources
from backend.wechat import answers
from backend.wechat.apps import App
from backend.wechat.errcodes import Meaning
from backend.wechat.errors import WechatError
from backend.wechat.tokens import Tokens

T = TypeVar("T")


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
        return await self._with_token(app, "POST", path, {}, orjson.dumps(document), answers.read)

    async def draw(self, app: App, path: str, document: dict[str, Any]) -> bytes:
        """A call that is answered by a picture; as `post` otherwise."""
        return await self._with_token(app, "POST", path, {}, orjson.dumps(document), answers.read_picture)

    async def ask(self, app: App, path: str, query: dict[str, str]) -> dict[str, Any]:
        """A reading call with the token of `app`; as `post` otherwise."""
        return await self._with_token(app, "GET", path, query, None, answers.read)

    async def prepare(self, app: App) -> None:
        """Have the account's token at hand; WechatError or TokenUnavailable when there is none to be had."""
        await self._tokens.current(app)

    async def _with_token(
        self, app: App, method: str, path: str, query: dict[str, str], body: bytes | None, read: Callable[[Answer], T]
    ) -> T:
        async def call(token: str) -> T:
            url = f"{self._base_url}{path}?{urlencode({'access_token': token, **query}, quote_via=quote, safe='')}"
            return read(await self._egress.request(method, url, headers=answers.JSON_HEADERS, body=body))

        token = await self._tokens.current(app)
        try:
            return await call(token)
        except WechatError as error:
            if error.meaning is not Meaning.REFRESH_TOKEN:
                raise
        return await call(await self._tokens.current(app, refused=token))


_BY_EGRESS: WeakKeyDictionary[Egress, WechatApi] = WeakKeyDictionary()


def of(res: Resources) -> WechatApi:
    """The one WechatApi of these resources: its tokens are shared by everything in the process."""
    api = _BY_EGRESS.get(res.egress)
    if api is None:
        base_url = res.settings.wechat_api_url
        tokens = Tokens(res.egress, res.redis, base_url, res.clock)
        api = _BY_EGRESS[res.egress] = WechatApi(res.egress, tokens, base_url)
    return api
