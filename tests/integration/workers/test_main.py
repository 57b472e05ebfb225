"""The worker process as it is started in production: works, stops on SIGTERM, says in Chinese what is missing."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from backend.kernel.config import Settings
from backend.kernel.resources import Resources
from tests import workers_rig as rig

pytestmark = pytest.mark.apart

ROOT = Path(__file__).parent.parent.parent.parent


def start(settings: Settings, **changes: str) -> subprocess.Popen[str]:
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("LINLI_")},
        "LINLI_DATABASE_URL": str(settings.database_url),
        "LINLI_REDIS_URL": str(settings.redis_url),
        "LINLI_DATA_DIR": str(settings.data_dir),
        "LINLI_LOG_LEVEL": "error",
        **changes,
    }
    return subprocess.Popen(
        [sys.executable, "-m", "workers.main"], cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip


async def test_periodic_work_runs_and_sigterm_ends_the_process_cleanly(res: Resources) -> None:
    process = start(res.settings)

    async def sealed() -> bool:
        assert process.poll() is None, process.communicate()[0]
        return bool(
            await res.db.fetchval("SELECT count(*) FROM periodic_run WHERE name = 'audit.seal' AND state = 'DONE'")
        )

    try:
        await rig.until(sealed, within_s=30)
        process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        said, _ = await asyncio.to_thread(process.communicate)
        assert process.returncode == 0, said
        assert time.monotonic() - began < 10
        assert said == ""
        assert await res.db.fetchval("SELECT count(*) FROM outbox WHERE failures > 0") == 0
    finally:
        process.kill()
        process.wait()


async def test_a_missing_database_is_one_clear_sentence(res: Resources) -> None:
    process = start(res.settings, LINLI_DATABASE_URL="postgresql://a:b@127.0.0.1:9/none")
    said, _ = await asyncio.to_thread(process.communicate)
    assert process.returncode == 3
    assert said.strip().splitlines()[-1].startswith("无法启动：")


async def test_redis_missing_at_the_start_is_no_reason_to_stop(res: Resources) -> None:
    process = start(res.settings, LINLI_REDIS_URL="redis://127.0.0.1:9/0", LINLI_LOG_LEVEL="warning")
    try:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        assert await asyncio.to_thread(lambda: any("relay_paused" in line for line in lines))
        assert await asyncio.to_thread(lambda: any("relay_paused" in line for line in lines))
        process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.communicate)
        assert process.returncode == 0
    finally:
        process.kill()
        process.wait()
