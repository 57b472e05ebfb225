"""Rate limits, counted in Redis for all processes, and in this process while Redis is away.

A rule is a bucket of `count` uses that fills up again at `count` per `period_s`: so many at once, then one each
`period_s / count`. One number per subject is kept, the instant at which the bucket is full again (GCRA). Without Redis,
money routes keep their count per process and strict rules (login, codes) shrink to a quarter of it. A Redis that does
not answer costs one request 0.2 s, then is left alone for a second. Requests that come together are counted together.
"""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from redis.asyncio import Redis
from redis.exceptions import RedisError

from backend.kernel import metrics
from backend.kernel.errors import TooMany
from backend.kernel.gathering import Together

REDIS_WAIT_S = 0.2
REDIS_PAUSE_S = 1.0
STRICT_SHARE = 4
MAX_SUBJECTS = 20_000

# KEYS buckets; ARGV for each: microseconds per use, microseconds per period.
# Returns the microseconds to wait for each, 0 when allowed.
_TAKE = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local waits = {}
for i, key in ipairs(KEYS) do
    local step, period = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
    local full_at = math.max(tonumber(redis.call('GET', key) or now), now) + step
    local wait = full_at - now - period
    if wait <= 0 then
        redis.call('SET', key, string.format('%.0f', full_at), 'PX', math.ceil((full_at - now) / 1000) + 1)
    end
    waits[i] = math.max(wait, 0)
end
return waits
"""


@dataclass(frozen=True, slots=True)
class Rule:
    """`count` uses per `period_s` seconds for each subject; `strict` rules get tighter while Redis is away."""

    name: str
    count: int
    period_s: float
    strict: bool = False

    @property
    def period_us(self) -> int:
        return round(self.period_s * 1_000_000)

    @property
    def step_us(self) -> int:
        return self.period_us // self.count


class RateLimiter:
    """The limits of one process."""

    def __init__(self, redis: Redis, *, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._take = redis.register_script(_TAKE)
        self._shared: Together[tuple[Rule, str], float | None] = Together(self._take_shared)
        self._monotonic_s = monotonic_s
        self._redis_again_s = -math.inf
        self._full_at_us: OrderedDict[str, int] = OrderedDict()

    async def check(self, rule: Rule, subject: str) -> None:
        """Count one use by `subject`; TooMany with `retry_after_s` in its details when there is none left."""
        key = f"rate:{rule.name}:{sha256(subject.encode()).hexdigest()[:32]}"
        wait_s = await self._shared.ask((rule, key))
        by = "redis"
        if wait_s is None:
            wait_s, by = self._take_here(rule, key), "process"
        if wait_s > 0:
            metrics.rate_limited.labels(rule.name, by).inc()
            raise TooMany(retry_after_s=math.ceil(wait_s))

    async def _take_shared(self, asked: Sequence[tuple[Rule, str]]) -> list[float | None]:
        """Seconds to wait for each by Redis's count, in one round trip; None while Redis is away."""
        if self._monotonic_s() < self._redis_again_s:
            return [None] * len(asked)
        arguments = [number for rule, _ in asked for number in (rule.step_us, rule.period_us)]
        try:
            async with asyncio.timeout(REDIS_WAIT_S):
                waits = await self._take(keys=[key for _, key in asked], args=arguments)
        except (RedisError, OSError):
            self._redis_again_s = self._monotonic_s() + REDIS_PAUSE_S
            return [None] * len(asked)
        return [int(wait_us) / 1_000_000 for wait_us in waits]

    def _take_here(self, rule: Rule, key: str) -> float:
        """The same count kept in this process; of too many subjects the one not seen for longest is forgotten."""
        count = max(1, rule.count // STRICT_SHARE) if rule.strict else rule.count
        now_us = int(self._monotonic_s() * 1_000_000)
        full_at_us = max(self._full_at_us.pop(key, now_us), now_us)
        next_us = full_at_us + rule.period_us // count
        wait_us = max(0, next_us - now_us - rule.period_us)
        self._full_at_us[key] = full_at_us if wait_us else next_us
        if len(self._full_at_us) > MAX_SUBJECTS:
            self._full_at_us.popitem(last=False)
        return wait_us / 1_000_000
