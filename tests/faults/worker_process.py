"""A worker process with the handlers of messages and of tests: killed, stopped and restarted by the tests beside it."""

import asyncio
import os
import signal

from backend.kernel.config import Settings
from backend.kernel.db import Tx
from backend.kernel.failpoints import failpoint
from backend.kernel.outbox import Job
from backend.kernel.resources import open_resources
from backend.messaging import handlers as message_handlers
from workers.serving import serve


async def on_counted(job: Job) -> None:
    """One effect per row: a second one for the same number breaks inbox_once."""

    async def effect(tx: Tx) -> None:
        await tx.execute(
            "INSERT INTO inbox (source, event_key, received_at) VALUES ('effect', $1, $2)",
            str(job.payload["n"]),
            tx.now,
        )
        await failpoint("test.in_transaction")

    await asyncio.sleep(0.002)
    await job.transact(effect)


async def main() -> None:
    settings = Settings.from_env(os.environ)
    res = await open_resources(settings, models=("backend.kernel.models",), approval_kinds={})
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    print("ready", flush=True)
    await serve(res, {"test.counted": on_counted, **message_handlers.HANDLERS}, (), stop=stop)
    await res.close()


if __name__ == "__main__":
    asyncio.run(main())
