"""Y-10: a visitor's token verified and its pass used, over HTTP, signed by the gate; and what a gate does alone.

The limit is pgbench with the one conditional update of a pass by its id. Each pass lets in once and is scanned once, at
one of the gates in turn.
"""

import json
import statistics
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import orjson

from bench import loopback
from bench.figures import Figure, percentile
from bench.loopback import Run
from bench.rig import Rig, pairs, progress
from bench.visitor_seed import GATES, Estate, scan, seed, signed
from gate.verifier import Gate, decode

SCANS = 2_400
WARM = 400
CLIENTS = 8
CONNECTIONS = 64
HOUSES = 5_000
PASSES_OF_HOUSE = 2
ALONE = 20_000
MAX_BUNDLE, MAX_DELTA = 1 << 20, 4 << 10

UPDATE = """
\\set n random(1, {passes})
UPDATE visitor_pass SET entries_used = entries_used + 1
 WHERE id = ('00000000-0000-7000-8000-' || lpad((:n)::text, 12, '0'))::uuid AND state = 'ACTIVE'
   AND entries_used < entries_allowed
RETURNING id;
"""

OPENED = "SELECT count(*) FROM visitor_pass WHERE entries_used = 1 AND state = 'USED'"
# One entry used of each pass, a tenth withdrawn; then ten more changes.
USED = "UPDATE visitor_pass SET entries_used = 1"
WITHDRAWN = "UPDATE visitor_pass SET state = 'REVOKED', revoked_at = $1 WHERE id::text LIKE '%0'"
TEN_MORE = """
    UPDATE visitor_pass SET entries_used = 2
     WHERE id IN (SELECT id FROM visitor_pass WHERE state = 'ACTIVE' ORDER BY id LIMIT 10)
"""


async def y10(rig: Rig) -> Figure:
    """The product against pgbench of its one update; p99 at half load; bundle, changes and verifying alone."""
    once, often = await seed(rig, rig.size(SCANS), entries=1), await seed(rig, rig.size(SCANS), entries=1_000)

    async def limit() -> float:
        async with rig.copy(often.settings) as settings:
            script = UPDATE.format(passes=len(often.texts))
            return await rig.pgbench(settings, script, clients=CLIENTS, transactions=len(often.texts) // 4)

    async def ours() -> float:
        return (await _scanned(rig, once, None))[0]

    limits, mine = await pairs(rig, limit, ours)
    _, half = await _scanned(rig, once, statistics.median(mine) / 2)
    p50, p99 = (percentile(half, share) * 1000 for share in (0.5, 0.99))
    whole, changes, alone = await _bundles(rig)
    return Figure(
        "Y-10",
        "visitor's token verified and its pass used, signed requests",
        "/s",
        "pgbench of the one conditional UPDATE",
        limits,
        mine,
        0.3,
        also=(
            (f"half load: p50 {p50:.1f} ms, p99 {p99:.1f} ms (≤ 50)", p99 <= 50),
            (f"bundle of {HOUSES:,} houses {whole / 1024:,.0f} KiB (≤ 1 MiB)", whole <= MAX_BUNDLE),
            (f"after ten changes {changes:,} bytes (≤ 4 KiB)", changes <= MAX_DELTA),
        ),
        notes=(
            f"{len(once.texts):,} scans, {GATES} gates, one process, {CONNECTIONS} connections (pgbench: {CLIENTS})",
            f"the one-file verifier alone: {alone:,.0f} tokens/s",
        ),
    )


async def _scanned(rig: Rig, estate: Estate, per_second: float | None) -> tuple[float, list[float]]:
    """Scans per second and the seconds that each took; every one must have opened, and be counted once."""
    async with rig.copy(estate.settings) as settings:
        async with rig.serving("backend.main", settings) as port:
            requests = [
                scan(estate.gates[n % GATES], key=f"scan-{n}", text=text) for n, text in enumerate(estate.texts)
            ]
            warm = min(WARM, len(requests) // 10)
            first = await loopback.drive(port, requests[:warm], connections=CONNECTIONS)
            run = await loopback.drive(port, requests[warm:], connections=CONNECTIONS, per_second=per_second)
        async with rig.owner(settings) as owner:
            _matched((first, run), await owner.fetchval(OPENED), len(requests))
        await rig.sound(settings)
    return len(run.answers) / run.seconds, [answer.seconds for answer in run.answers]


def _matched(runs: tuple[Run, ...], used: int, expected: int) -> None:
    answers = [answer for run in runs for answer in run.answers]
    said = [answer.body for answer in answers if answer.status != 200 or not orjson.loads(answer.body)["open"]]
    progress(f"    {len(answers) - len(said):,} opened, {used:,} used, of {expected:,}")
    if said or used != expected:
        raise RuntimeError(f"not what was expected: {used} used, {said[:3]}")


async def _bundles(rig: Rig) -> tuple[int, int, float]:
    """Bytes of the whole bundle and of ten changes, over HTTP, and how fast the gate that keeps them verifies."""
    passes = HOUSES * PASSES_OF_HOUSE
    estate, kept, sizes = await seed(rig, passes, entries=10), Gate(), []
    async with rig.serving("backend.main", estate.settings) as port, rig.owner(estate.settings) as owner:
        for statement, arguments in ((USED, ()), (WITHDRAWN, (datetime.now(UTC),)), (TEN_MORE, ())):
            await owner.execute(statement, *arguments)
            if statement is USED:
                continue
            since = "" if kept.version == "0" else f"?since={kept.version}"
            asked = signed(estate.gates[0], "GET", f"/device/v1/visitor-bundle{since}")
            (answer,) = (await loopback.drive(port, [asked], connections=1)).answers
            if answer.status != 200:
                raise RuntimeError(answer.body.decode())
            now_s = time.time()
            kept.sync(json.loads(answer.body), asked_s=now_s, answered_s=now_s)
            sizes.append(len(answer.body))
    if len(kept.known) != passes:
        raise RuntimeError(f"the gate knows {len(kept.known)} passes of {passes}")
    good = [text for text in estate.texts if not kept.known[decode(text).subject]["revoked"]]
    return sizes[0], sizes[1], _alone(good, kept)


def _alone(texts: Sequence[str], gate: Gate) -> float:
    """Tokens that one process verifies in a second without a network, knowing a community's whole bundle."""
    started = time.perf_counter()
    for number in range(ALONE):
        gate.check(texts[number % len(texts)], now_s=time.time())
    return ALONE / (time.perf_counter() - started)
