"""Everything a process holds open: opened once at start, closed at the end, handed down as an argument."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import redis.asyncio as aioredis

from backend.kernel import failpoints, log
from backend.kernel.approvals import ApprovalKind
from backend.kernel.clock import Clock, clock_of
from backend.kernel.config import ConfigError, Settings
from backend.kernel.crypto import Keyring, load_keyring
from backend.kernel.db import Database
from backend.kernel.egress import Egress
from backend.kernel.migrator import require_migrated
from backend.kernel.pool import open_database
from backend.kernel.ratelimit import RateLimiter
from backend.kernel.storage import Storage, open_storage, storage_origin

# Where Alipay lays its statements; production alone names it (protocols/alipay.md section 10).
ALIPAY_BILLS = "https://dwbillcenter.alipay.com"


@dataclass(frozen=True, slots=True)
class Resources:
    """The parts that handlers and jobs work with."""

    settings: Settings
    clock: Clock
    db: Database
    redis: aioredis.Redis
    keyring: Keyring
    egress: Egress
    storage: Storage
    limiter: RateLimiter
    approval_kinds: Mapping[str, ApprovalKind] = field(default_factory=dict)

    async def close(self) -> None:
        """Give everything back, the database last."""
        await self.egress.close()
        await self.redis.aclose()
        await self.db.close()


def redis_of(url: str) -> aioredis.Redis:
    """A client whose every call ends within a second, so that Redis away is a delay and not a hang."""
    client: aioredis.Redis = aioredis.Redis.from_url(
        url, socket_timeout=1.0, socket_connect_timeout=1.0, health_check_interval=15
    )
    return client


async def open_resources(
    settings: Settings,
    *,
    models: tuple[str, ...],
    approval_kinds: Mapping[str, ApprovalKind],
    clock: Clock | None = None,
    db: Database | None = None,
) -> Resources:
    """Open all resources of one process; `db` where a pool to the database of `settings` is open already.

    Redis need not answer; PostgreSQL must, and must have the newest schema (`Unavailable` otherwise).
    """
    if settings.database_url is None or settings.redis_url is None:
        raise ConfigError(
            "没有数据库或 Redis 的地址。请用 linli up 启动，或设置 LINLI_DATABASE_URL 和 LINLI_REDIS_URL。"
        )
    log.configure(settings.log_level)
    failpoints.arm_from(settings)
    clock = clock or clock_of(settings)
    db = db or await open_database(
        settings.database_url,
        clock,
        models=models,
        pool_size=settings.database_pool,
        statement_timeout_s=settings.statement_timeout_s,
        lock_timeout_s=settings.lock_timeout_s,
    )
    try:
        await require_migrated(db)
        keyring = await load_keyring(db, settings, at=clock.now())
    except BaseException:
        await db.close()
        raise
    redis = redis_of(settings.redis_url)
    egress = Egress(_origins(settings))
    return Resources(
        settings=settings,
        clock=clock,
        db=db,
        redis=redis,
        keyring=keyring,
        egress=egress,
        storage=open_storage(settings, egress, clock),
        limiter=RateLimiter(redis),
        approval_kinds=approval_kinds,
    )


def _origins(settings: Settings) -> frozenset[str]:
    """The hosts that the product may call: WeChat, WeChat Pay, Alipay and the file store (security: SSRF)."""
    urls = [
        settings.wechat_api_url, settings.wechat_pay_url, settings.alipay_url, ALIPAY_BILLS, storage_origin(settings)
    ]  # fmt: skip
    return frozenset(url for url in urls if url is not None)
