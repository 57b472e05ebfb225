"""The only file that knows arq (0.28): how leases are pushed to Redis and consumed from it.

Redis holds copies of leases and owns nothing. A job is one lease or a few, named `<outbox id>:<attempt>` each, so that
pushing them twice is one job, and a result is never kept. arq spends more on a job than our transaction does: where
many rows are due, TOGETHER of them share one. Its two keys are written here in pipelines, because `enqueue_job` takes
four round trips each. Jobs are worked oldest row first. Redis may go away, hang or come back empty at any moment: the
consumer starts a new arq worker, jobs under way end in peace, and the outbox brings back what was lost (I-16).
"""

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import orjson
from arq.connections import ArqRedis
from arq.constants import default_queue_name, job_key_prefix
from arq.jobs import serialize_job
from arq.worker import Worker, func
from redis.exceptions import RedisError

from backend.kernel import log
from backend.kernel.leases import Lease
from backend.kernel.outbox import Lane

PIPELINE = 500
BODY_TTL_MS = 3_600_000
POLL_DELAY_S = 0.02
MAX_JOBS = {Lane.PROMPT: 30, Lane.BULK: 8}
NAMES = {Lane.PROMPT: default_queue_name, Lane.BULK: f"{default_queue_name}:bulk"}
TOGETHER = {Lane.PROMPT: 5, Lane.BULK: 1}
READ_LIMIT = 500
SHUTDOWN_WAIT_S = 30
RESTART_PAUSE_S = 0.5
REDIS_AWAY = (RedisError, OSError, TimeoutError)
_FUNCTION = "work"
_KEEPALIVE = {socket.TCP_KEEPIDLE: 10, socket.TCP_KEEPINTVL: 5, socket.TCP_KEEPCNT: 3, socket.TCP_USER_TIMEOUT: 20_000}
logger = log.get_logger("queue")

Work = Callable[[Lease, bool], Awaitable[None]]


def connect(redis_url: str, *, timeout_s: float | None) -> ArqRedis:
    """A client of arq's kind whose calls end within `timeout_s`, or wait as long as the peer's machine is alive."""
    client: ArqRedis = ArqRedis.from_url(
        redis_url,
        socket_timeout=timeout_s,
        socket_connect_timeout=2.0,
        socket_keepalive=True,
        socket_keepalive_options=_KEEPALIVE,
    )
    client.job_serializer, client.job_deserializer = orjson.dumps, orjson.loads
    client.expires_extra_ms = BODY_TTL_MS
    return client


def job_id(leases: Sequence[Lease]) -> str:
    """The name of a job in Redis: all its leases."""
    return ",".join(f"{lease.id}:{lease.attempt}" for lease in leases)


def _body(leases: Sequence[Lease]) -> bytes:
    written = tuple(
        (lease.id, lease.attempt, lease.event, lease.payload, lease.failures, lease.claimed_at) for lease in leases
    )
    return serialize_job(_FUNCTION, written, {}, None, 0, serializer=orjson.dumps)


def _read(row_id: int, attempt: int, event: str, payload: Mapping[str, Any], failures: int, claimed_at: str) -> Lease:
    return Lease(row_id, attempt, event, payload, failures, datetime.fromisoformat(claimed_at))


class Queue:
    """The producing side of one lane; every call raises one of REDIS_AWAY while Redis does not answer."""

    def __init__(self, redis_url: str, lane: Lane = Lane.PROMPT) -> None:
        self.lane = lane
        self._name = NAMES[lane]
        self._redis = connect(redis_url, timeout_s=2.0)

    async def depth(self) -> int:
        """Jobs in Redis, those under way included."""
        return int(await self._redis.zcard(self._name))

    async def push(self, leases: Sequence[Lease], *, together: int = 1) -> None:
        """Hand leases to whichever worker is free, `together` in one job, PIPELINE jobs at a time."""
        jobs = [leases[start : start + together] for start in range(0, len(leases), together)]
        for start in range(0, len(jobs), PIPELINE):
            chunk = jobs[start : start + PIPELINE]
            async with self._redis.pipeline(transaction=False) as pipe:
                for job in chunk:
                    pipe.psetex(job_key_prefix + job_id(job), BODY_TTL_MS, _body(job))
                pipe.zadd(self._name, {job_id(job): job[0].id for job in chunk})
                await pipe.execute()

    async def close(self) -> None:
        """Give the connections back."""
        await self._redis.aclose()


async def consume(
    redis_url: str, work: Work, *, job_timeout_s: int, stop: asyncio.Event, lane: Lane = Lane.PROMPT
) -> None:
    """Work the jobs of one lane until `stop`, with a new arq worker whenever Redis ended the old one.

    `work(lease, started_before)` must not raise; what is under way at `stop` has SHUTDOWN_WAIT_S to end.
    """
    leftovers: set[asyncio.Task[None]] = set()
    while not stop.is_set():
        worker = _worker(redis_url, work, job_timeout_s, lane)
        try:
            await _run(worker, stop)
        except REDIS_AWAY as error:
            logger.warning("queue_lost", error=repr(error))
        rest = asyncio.create_task(_let_finish(worker))
        leftovers.add(rest)
        rest.add_done_callback(leftovers.discard)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), RESTART_PAUSE_S)
    if leftovers:
        await asyncio.wait(leftovers, timeout=SHUTDOWN_WAIT_S)


def _worker(redis_url: str, work: Work, job_timeout_s: int, lane: Lane) -> Worker:
    at_once = asyncio.Semaphore(MAX_JOBS[lane])

    async def one(lease: Lease, started_before: bool) -> None:
        async with at_once:
            await work(lease, started_before)

    async def run(ctx: Mapping[str, Any], *leases: Any) -> None:
        started_before = ctx["job_try"] > 1
        if len(leases) == 1:
            await one(_read(*leases[0]), started_before)
        else:
            await asyncio.gather(*(one(_read(*lease), started_before) for lease in leases))

    return Worker(
        functions=[func(run, name=_FUNCTION, max_tries=1_000)],
        # No time-out per call: it would cost a tenth of the rate, and a worker has nothing to do without Redis.
        redis_pool=connect(redis_url, timeout_s=None),
        queue_name=NAMES[lane],
        handle_signals=False,
        job_completion_wait=SHUTDOWN_WAIT_S,
        max_jobs=MAX_JOBS[lane],
        queue_read_limit=READ_LIMIT,
        job_timeout=job_timeout_s,
        keep_result=0,
        poll_delay=POLL_DELAY_S,
        health_check_interval=10,
        job_serializer=orjson.dumps,
        job_deserializer=orjson.loads,
        log_results=False,
    )


async def _run(worker: Worker, stop: asyncio.Event) -> None:
    """Run one arq worker until it ends by itself (Redis is away: raises) or `stop` is set and its jobs have ended."""
    main = asyncio.create_task(worker.async_run())
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({main, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not main.done():
            worker.handle_sig_wait_for_completion(signal.SIGTERM)
        with suppress(asyncio.CancelledError):
            await main
    finally:
        stopping.cancel()


async def _let_finish(worker: Worker) -> None:
    """Let the jobs of a worker that has ended come to their end, then give its connections back."""
    if worker.tasks:
        await asyncio.gather(*worker.tasks.values(), return_exceptions=True)
    await worker.pool.aclose(close_connection_pool=True)
