"""Everything a worker process does, over open resources: relay, sweeper, schedule and consumer, until told to stop."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial

from backend.kernel.outbox import Handler, Lane
from backend.kernel.periodic import Periodic
from backend.kernel.resources import Resources
from workers import edge, relay, schedule, sweeper
from workers.queue import Queue, consume


async def serve(
    res: Resources, handlers: Mapping[str, Handler], periodic: Sequence[Periodic], *, stop: asyncio.Event
) -> None:
    """Serve until `stop`, then let the jobs under way end. An unexpected end of one part ends all, and raises."""
    settings = res.settings
    redis_url = str(settings.redis_url)
    queues = {lane: Queue(redis_url, lane) for lane in Lane}
    known = {**handlers, **schedule.handlers(periodic)}
    work = partial(edge.work, res, known)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(sweeper.run(res.db, stop=stop))
            group.create_task(schedule.run(res.db, periodic, stop=stop))
            for lane, queue in queues.items():
                group.create_task(relay.run(res.db, queue, lane=lane, lease_s=settings.lease_s, stop=stop))
                group.create_task(consume(redis_url, work, job_timeout_s=settings.job_timeout_s, stop=stop, lane=lane))
    finally:
        for queue in queues.values():
            await queue.close()
