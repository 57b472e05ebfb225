"""`linli camera` as a process against a real listener: what it sends, what it prints, how it ends."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from aiohttp import web

from backend.parking.cameras import vendors
from backend.parking.cameras.base import STANDARD
from backend.parking.lanes.sighting import Decision, Sighting

pytestmark = pytest.mark.apart


async def run(data_dir: Path, vendor: str, *options: str, **env: str) -> tuple[int, str, list[Sighting]]:
    """Exit code and output of one run, and what its listener read."""
    adapter, seen = vendors.adapter(vendor), []

    async def take(request: web.Request) -> web.Response:
        event = adapter.read(dict(request.headers), await request.read())
        if isinstance(event, Sighting):
            seen.append(event)
        answer = adapter.answer(event, Decision(open=True, lines=("欢迎光临",)), STANDARD)
        return web.Response(body=answer.body, headers={"Content-Type": answer.content_type})

    app = web.Application(client_max_size=adapter.body_bytes)
    app.router.add_post("/camera", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/camera"
    argv = [sys.executable, "-m", "backend.cli", "camera", "--vendor", vendor, "--url", url, *options]
    process = await asyncio.create_subprocess_exec(
        *argv,
        env={**os.environ, "LINLI_DATA_DIR": str(data_dir), **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    await runner.cleanup()
    return process.returncode or 0, output.decode(), seen


@pytest.mark.parametrize("vendor", sorted(vendors.ADAPTERS))
def test_a_camera_pushes_two_cars(tmp_path: Path, vendor: str) -> None:
    at = "2026-11-20T10:30:15"
    code, output, seen = asyncio.run(run(tmp_path, vendor, "--plate", "粤B12345", "--plate", "无牌车", "--at", at))
    assert code == 0, output
    assert [event.plate for event in seen] == ["粤B12345", None]
    assert seen[0].at.isoformat() == "2026-11-20T02:30:15+00:00"
    opened = "已抬杆；显示：欢迎光临。" if vendors.adapter(vendor).opens_by_answer else "未抬杆。"
    assert output.splitlines() == [f"第 1 条：{opened}", f"第 2 条：{opened}"]


def test_a_camera_sends_its_store(tmp_path: Path) -> None:
    plates = ("--plate", "粤B12345", "--plate", "粤B12346")
    code, output, seen = asyncio.run(run(tmp_path, "zhenshi", *plates, "--offline"))
    assert (code, output.strip()) == (0, "补传 2 条，剩余 0 条，抬杆 0 次。")
    assert all(event.replayed for event in seen)


def test_a_heartbeat_fetches_a_command(tmp_path: Path) -> None:
    assert asyncio.run(run(tmp_path, "zhenshi"))[:2] == (0, "已抬杆；显示：欢迎光临。\n")


def test_what_goes_wrong_is_a_sentence(tmp_path: Path) -> None:
    code, output, _ = asyncio.run(run(tmp_path, "zhenshi", "--plate", "粤B12345", "--at", "soon"))
    assert (code, output) == (1, "过车时间看不懂，或者这个品牌的摄像机没有心跳。\n")


def test_there_are_no_played_cameras_in_live_mode(tmp_path: Path) -> None:
    live = {
        "LINLI_MODE": "live",
        "LINLI_MASTER_KEY": "ab" * 32,
        "LINLI_DATABASE_URL": "postgresql://linli@127.0.0.1/linli",
        "LINLI_REDIS_URL": "redis://127.0.0.1",
        "LINLI_PUBLIC_URL": "https://linli.example.cn",
    }
    code, output, seen = asyncio.run(run(tmp_path, "zhenshi", "--plate", "粤B12345", **live))
    assert (code, output, seen) == (1, "模拟摄像机只能在沙箱模式下运行，正式环境里不能运行。\n", [])
