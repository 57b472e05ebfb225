"""Y-4: reconciliation, lines per second from the file on the disk to the commit, both channels, and its memory.

The limit is Python's own csv.reader over the very file, decoded as it is. Ours reads, stages, matches with as many paid
attempts, posts the fees and commits; every line must match, or the rate is 0.
"""

import csv
import json
import time
from collections.abc import Awaitable, Callable

from bench.figures import Figure
from bench.reconcile_seed import Day, seed
from bench.rig import Rig, pairs

LINES, MANY = 200_000, 1_000_000
RSS_MB = 200


async def _measure(rig: Rig, channel: str, lines: int) -> Figure:
    day, peaks_mb = await seed(rig, channel, rig.size(lines)), [0.0]

    async def ours() -> float:
        async with rig.copy(day.settings) as settings:
            arguments = (day.channel, str(day.merchant_id), str(day.path))
            process = rig.start("bench.reconcile_child", settings, arguments=arguments)
            await rig.ended(process)
            said = (rig.directory / "bench.reconcile_child.log").read_text()
            if process.returncode != 0:
                raise RuntimeError(said)
            told = json.loads(said.splitlines()[-1])
        peaks_mb.append(told["rss_mb"])
        right = (told["lines"], told["matched"], told["differences"]) == (day.lines, day.lines, 0)
        return day.lines / float(told["seconds"]) if right else 0.0

    async def limit() -> float:
        return day.lines / read_plainly(day)

    limits, mine = await pairs(rig, limit, ours)
    return Figure(
        f"Y-4 {channel} {lines // 1000}k",
        f"statement of {channel} reconciled, {lines:,} lines",
        "lines/s",
        "csv.reader alone over the same file",
        limits,
        mine,
        0.25,
        also=((f"peak memory of the process {max(peaks_mb):.0f} MB (≤ {RSS_MB})", max(peaks_mb) <= RSS_MB),),
        notes=(f"{day.lines:,} lines against as many attempts, all matched, no difference",),
    )


def read_plainly(day: Day) -> float:
    """Seconds that csv.reader takes for the file."""
    started, rows = time.perf_counter(), 0
    with day.path.open(encoding=day.encoding, newline="") as file:
        for _ in csv.reader(file):
            rows += 1
    if rows < day.lines:
        raise RuntimeError("the file is short")
    return time.perf_counter() - started


def _yardstick(channel: str, lines: int) -> Callable[[Rig], Awaitable[Figure]]:
    async def yardstick(rig: Rig) -> Figure:
        return await _measure(rig, channel, lines)

    return yardstick


y4_wechat, y4_alipay = _yardstick("wechat", LINES), _yardstick("alipay", LINES)
y4_wechat_many, y4_alipay_many = _yardstick("wechat", MANY), _yardstick("alipay", MANY)
