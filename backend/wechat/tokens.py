"""Access tokens (wechat-miniprogram.md section 2): one token for all processes, fetched when needed and once.

`stable_token` in normal mode is asked, never `force_refresh`, so that others who share the account are not thrown out
(pitfalls D1, D4). What an account is given for a time, its token as well as its JS-SDK ticket (D10), lives in Redis
and in the process. A call whose token was refused names it, and a new one is fetched only if the cached token is still
that one (compare-and-refresh, D2). Without Redis each process keeps its own copy, which is the same because the
platform hands everybody the same.

Where WeChat hands out the refused token again, asking helps nobody: it is believed for INSISTED_S, so that thousands of
refused messages cost a question now and then and not one each (D3).
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

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
INSISTED_S = 10.0


@dataclass(frozen=True, slots=True)
class _Held:
    """What is held until an instant of the injected clock, so that it ends when time is moved (design section 4)."""

    text: str = field(repr=False)
    until_s: float

    def usable(self, refused: str | None, now_s: float) -> bool:
        return self.text != refused and now_s < self.until_s


@dataclass(frozen=True, slots=True)
class Given:
    """What WeChat has given to an account, for so many seconds."""

    text: str = field(repr=False)
    life_s: int

    @classmethod
    def of(cls, document: dict[str, Any], key: str) -> "Given":
        """What stands under `key` of an answer; WechatUnreadable where it or its life is not there."""
        if type(document.get("expires_in")) is not int:
            raise WechatUnreadable("the answer has no expires_in")
        return cls(answers.text(document, key), document["expires_in"])


class Shared:
    """One text per account that all processes share, `kind` in Redis; `fetch` asks WeChat for it."""

    def __init__(
        self, redis: aioredis.Redis, clock: Clock, kind: str, fetch: Callable[[App], Awaitable[Given]]
    ) -> None:
        self._redis = redis
        self._clock = clock
        self._kind = kind
        self._ask = fetch
        self._held: dict[str, _Held] = {}
        self._insisted: dict[str, _Held] = {}
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def current(self, app: App, *, refused: str | None = None) -> str:
        """The account's text, not the `refused` one unless WeChat itself hands that out again; raises as `fetch`."""
        held = self._own(app.appid, refused)
        if held is not None:
            return held.text
        async with self._turns[app.appid]:
            held = self._own(app.appid, refused)
            if held is None:
                held = self._held[app.appid] = await self._shared(app, refused)
                if held.text == refused:
                    self._insisted[app.appid] = _Held(refused, self._now_s() + INSISTED_S)
        return held.text

    def _own(self, appid: str, refused: str | None) -> _Held | None:
        """What this process knows without asking; the refused token only while WeChat has just insisted on it."""
        now_s = self._now_s()
        held, insisted = self._held.get(appid), self._insisted.get(appid)
        if held is not None and held.usable(refused, now_s):
            return held
        return insisted if insisted is not None and insisted.text == refused and insisted.usable(None, now_s) else None

    async def _shared(self, app: App, refused: str | None) -> _Held:
        """What all processes share, fetched by one of them while the others wait for it."""
        name = f"wechat:{self._kind}-lock:{app.appid}"
        lock = self._redis.lock(name, timeout=LOCK_S, sleep=POLL_S, blocking_timeout=LOCK_S)
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
        kept = await self._redis.get(self._key(appid))
        if kept is None:
            return None
        until_s, _, text = kept.decode().partition(" ")
        held = _Held(text, float(until_s))
        return held if held.usable(refused, self._now_s()) else None

    async def _fetch(self, app: App) -> _Held:
        """Ask WeChat, and tell the other processes."""
        given = await self._ask(app)
        life_s = max(given.life_s - EARLY_S, SHORTEST_S)
        held = _Held(given.text, self._now_s() + life_s)
        with suppress(RedisError):
            await self._redis.set(self._key(app.appid), f"{held.until_s} {given.text}", ex=life_s)
        return held

    def _key(self, appid: str) -> str:
        return f"wechat:{self._kind}:{appid}"

    def _now_s(self) -> float:
        return self._clock.now().timestamp()


class Tokens:
    """The access tokens of all accounts, as this process knows them."""

    def __init__(self, egress: Egress, redis: aioredis.Redis, base_url: str, clock: Clock) -> None:
        self._egress = egress
        self._base_url = base_url.rstrip("/")
        self._shared = Shared(redis, clock, "token", self._fetch)

    async def current(self, app: App, *, refused: str | None = None) -> str:
        """The account's token, not the `refused` one unless WeChat itself hands that out again.

        WechatError when WeChat refuses to give one, TokenUnavailable when it does not answer.
        """
        return await self._shared.current(app, refused=refused)

    async def _fetch(self, app: App) -> Given:
        """The secret stands in the body, never in an address."""
        wanted = {"grant_type": "client_credential", "appid": app.appid, "secret": app.secret, "force_refresh": False}
        url = self._base_url + PATH
        try:
            answer = await self._egress.request(
                "POST", url, headers=answers.JSON_HEADERS, body=orjson.dumps(wanted), total_s=FETCH_S
            )
            return Given.of(answers.read(answer), "access_token")
        except (EgressError, WechatUnreadable) as error:
            raise TokenUnavailable(str(error)) from error
