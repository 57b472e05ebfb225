"""Access tokens (wechat-miniprogram.md section 2): one token for all processes, fetched when needed and once.

`stable_token` in normal mode is asked, never `force_refresh`, so that others who share the account are not thrown out
(pitfalls D1, D4). The token lives in Redis and in the process. A call whose token was refused names it, and a new one
is fetched only if the cached token is still that one (compare-and-refresh, D2). Without Redis each process keeps its
own copy, which is the same token because the platform hands everybody the same.
"""

import asyncio
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field

import orjson
import redis.asyncio as aioredis
from redis.exceptions import RedisError

from backend.kernel.clock import Clock
from backend.kernel.egress import Egress, EgressError
from backend.wechat import answers
from backend.wechat.apps import App
from backend.wechat.errors import TokenUnavailable, WechatUnreadable

PATH = "/cgi-bin/stable_token"
EARLY_S = 300
SHORTEST_S = 20
LOCK_S = 10.0
FETCH_S = 8.0
POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class _Held:
    """A token until an instant of the injected clock, so that it ends when time is moved (design section 4)."""

    token: str = field(repr=False)
    until_s: float

    def usable(self, refused: str | None, now_s: float) -> bool:
        return self.token != refused and now_s < self.until_s


class Tokens:
    """The access tokens of all accounts, as this process knows them."""

    def __init__(self, egress: Egress, redis: aioredis.Redis, base_url: str, clock: Clock) -> None:
        self._egress = egress
        self._redis = redis
        self._clock = clock
        self._base_url = base_url.rstrip("/")
        self._held: dict[str, _Held] = {}
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def current(self, app: App, *, refused: str | None = None) -> str:
        """The account's token, not the `refused` one unless WeChat itself hands that out again.

        WechatError when WeChat refuses to give one, TokenUnavailable when it does not answer.
        """
        held = self._held.get(app.appid)
        if held is not None and held.usable(refused, self._now_s()):
            return held.token
        async with self._turns[app.appid]:
            held = self._held.get(app.appid)
            if held is None or not held.usable(refused, self._now_s()):
                held = self._held[app.appid] = await self._shared(app, refused)
        return held.token

    async def _shared(self, app: App, refused: str | None) -> _Held:
        """The token that all processes share, fetched by one of them while the others wait for it."""
        lock = self._redis.lock(f"wechat:token-lock:{app.appid}", timeout=LOCK_S, sleep=POLL_S, blocking_timeout=LOCK_S)
        try:
            cached = await self._cached(app.appid, refused)
            if cached is not None:
                return cached
            locked = await lock.acquire()
        except RedisError:
            return await self._fetch(app)
        try:
            return await self._cached(app.appid, refused) or await self._fetch(app)
        except RedisError:
            return await self._fetch(app)
        finally:
            if locked:
                with suppress(RedisError):
                    await lock.release()

    async def _cached(self, appid: str, refused: str | None) -> _Held | None:
        kept = await self._redis.get(_key(appid))
        if kept is None:
            return None
        until_s, _, token = kept.decode().partition(" ")
        held = _Held(token, float(until_s))
        return held if held.usable(refused, self._now_s()) else None

    async def _fetch(self, app: App) -> _Held:
        """Ask WeChat, and tell the other processes. The secret stands in the body, never in an address."""
        wanted = {"grant_type": "client_credential", "appid": app.appid, "secret": app.secret, "force_refresh": False}
        url = self._base_url + PATH
        try:
            answer = await self._egress.request(
                "POST", url, headers=answers.JSON_HEADERS, body=orjson.dumps(wanted), total_s=FETCH_S
            )
            document = answers.read(answer)
            token, expires_in = answers.text(document, "access_token"), document.get("expires_in")
        except (EgressError, WechatUnreadable) as error:
            raise TokenUnavailable(str(error)) from error
        if type(expires_in) is not int:
            raise TokenUnavailable("the answer has no expires_in")
        life_s = max(expires_in - EARLY_S, SHORTEST_S)
        held = _Held(token, self._now_s() + life_s)
        with suppress(RedisError):
            await self._redis.set(_key(app.appid), f"{held.until_s} {token}", ex=life_s)
        return held

    def _now_s(self) -> float:
        return self._clock.now().timestamp()


def _key(appid: str) -> str:
    return f"wechat:token:{appid}"
