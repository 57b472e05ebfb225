"""F-25: the target of the log is gone. Money is taken all the same, and the lines that were lost are counted."""

import asyncio
import os
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import aiohttp
import pytest

from backend.kernel.clock import write_offset_s
from backend.kernel.config import Settings
from backend.kernel.processes import free_port
from backend.kernel.resources import Resources
from tests import factories
from tests.api_process import ROOT, offset_s
from tests.conftest import Client
from tests.factories_payments import sound
from tests.factories_reconcile import Books, books

pytestmark = pytest.mark.apart

LOST = re.compile(rb"^linli_log_lines_lost_total (\d+)", re.MULTILINE)


def _full() -> int:
    """A device that has no room."""
    return os.open("/dev/full", os.O_WRONLY)


def _nobody_reads() -> int:
    """A pipe whose reader has gone."""
    reading, writing = os.pipe()
    os.close(reading)
    return writing


@asynccontextmanager
async def _serving(settings: Settings, output: int) -> AsyncIterator[Client]:
    """An API process that writes its log there."""
    port = free_port()
    write_offset_s(settings.data_dir, offset_s())
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("LINLI_")},
        "LINLI_DATA_DIR": str(settings.data_dir),
        "LINLI_DATABASE_URL": str(settings.database_url),
        "LINLI_REDIS_URL": str(settings.redis_url),
        "LINLI_PUBLIC_URL": settings.public_url,
        "LINLI_HTTP_PORT": str(port),
        "LINLI_LOG_LEVEL": "info",
    }
    process = subprocess.Popen([sys.executable, "-m", "backend.main"], cwd=ROOT, env=env, stdout=output, stderr=output)
    os.close(output)
    try:
        async with aiohttp.ClientSession() as session:
            client = Client(f"http://127.0.0.1:{port}", session)
            await _healthy(client, process)
            yield client
    finally:
        process.kill()
        process.wait()


async def _healthy(client: Client, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 40
    while True:
        with suppress(aiohttp.ClientError):
            if (await client.get("/healthz")).status == 200:
                return
        assert time.monotonic() < deadline and process.poll() is None, "the process does not serve without its log"
        await asyncio.sleep(0.1)


async def _taken(made: Books, client: Client) -> None:
    """A cashier takes the money of five bills; a wrong request, which is logged as well."""
    cashier = await factories.staff(made.res, made.stage.place, "cashier")
    desk = client.of(cashier.token)
    opened = await desk.post(
        "/admin/v1/counter/shifts", {"community_id": str(made.stage.place.id), "float_fen": 50_000}
    )
    assert opened.status == 201, opened.body
    for number in range(5):
        bill_id = await made.stage.bill()
        line = {"kind": "bill", "id": str(bill_id), "amount_fen": None}
        body = {"lines": [line], "method": "cash", "voucher_no": f"LG{number:04d}", "amount_fen": 26_805}
        taken = await desk.post("/admin/v1/counter/takings", body)
        assert taken.status == 201, taken.body
        assert await made.stage.bill_state(bill_id) == "PAID"
    assert (await desk.post("/admin/v1/counter/takings", {"lines": []})).status == 422
    assert await made.stage.count("counter_voucher") == 5


@pytest.mark.parametrize("target", [_full, _nobody_reads], ids=["full", "nobody reads"])
async def test_f25_money_is_taken_while_the_log_cannot_be_written(res: Resources, target: Callable[[], int]) -> None:
    made = await books(res)
    async with _serving(res.settings, target()) as client:
        await _taken(made, client)
        told = LOST.search((await client.get("/metrics")).body)
        assert told is not None and int(told[1]) > 5
    await sound(res)
