"""I-16: a process that is killed in the middle of a round leaves nobody out and tells nobody twice."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from backend.kernel.failpoints import KILLED
from backend.kernel.resources import Resources
from tests import factories_notices as make

pytestmark = pytest.mark.apart

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("armed", ["notices.chunk_planned@2", "tx.after_commit@2"])
async def test_a_killed_round_is_taken_up_where_it_stood(res: Resources, armed: str) -> None:
    town = await make.town(res)
    notice_id = await town.published()
    sending_id = str(await res.db.fetchval("SELECT id FROM notice_sending"))
    argv = [sys.executable, "-m", "tests.integration.notices.sending_child", str(res.settings.database_url)]
    done = await asyncio.to_thread(subprocess.run, [*argv, sending_id, armed], cwd=ROOT, check=False)
    assert done.returncode == KILLED
    assert len(await town.told(notice_id)) == (4 if armed.startswith("tx.after_commit") else 2)
    await town.work()
    assert await town.told(notice_id) == ["both", "family", "far", "landlord", "owner", "tenant"]
    await town.sound()
