"""Y-5: template messages per second from the outbox to the recorded result, one worker, and how a limit is kept.

The limit is aiohttp alone: a loop that sends the same requests to the same stub over 32 connections and reads the
answers. Ours starts from rows of the outbox and ends when every intent has its result; the stub's book is matched with
the intents. With a limit per second no message may come before its slot, and all of them within 2 % of the set rate.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from datetime import time as clock_time
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

import aiohttp
import asyncpg
import orjson
from yarl import URL

from backend.kernel.audit import SYSTEM
from backend.kernel.config import Settings
from backend.kernel.db import Tx
from backend.kernel.processes import free_port
from backend.kernel.resources import Resources
from backend.messaging import intents, quiet_hours, templates
from backend.messaging.intents import Recipient
from backend.messaging.meanings import BILL_ISSUED
from backend.messaging.quiet_hours import Hours
from backend.messaging.templates import Channel
from backend.wechat import answers, apps
from backend.wechat.apps import AppKind
from bench.figures import Figure
from bench.houses_seed import Estate, seed
from bench.matching import Matching, match
from bench.rig import Rig, answering, pairs, progress
from bench.worker import EVENT

MESSAGES = 20_000
LIMITED_MESSAGES = 4_000
PER_SECOND = 400
CONNECTIONS = 32
PLAN_CHUNK = 2_000
LIMIT_S = 240
FREE = 100_000
PATH = "/cgi-bin/message/template/send"
MIDNIGHT = clock_time(0, 0)
OFFICIAL = "wx0ff1c1a1acc00005"
FIELDS = {"thing1": "houses", "thing2": "item", "amount3": "amount", "date4": "due_on"}
VALUES = {
    "houses": "1栋1单元101", "item": "物业费", "period": "2026年9月", "amount": "223.38元", "due_on": "2026-10-01",
}  # fmt: skip
FOLLOW = """
    INSERT INTO wechat_user (id, appid, openid, person_id, created_at)
    SELECT gen_random_uuid(), $1, 'o' || md5(id::text), id, $2 FROM person
"""
LIMITS = """
    INSERT INTO send_limit (appid, kind, per_day, per_second) VALUES ($1, 'template', 1000000000, $2)
        ON CONFLICT (appid, kind) DO UPDATE SET per_second = EXCLUDED.per_second
"""
COMPANY = "SELECT company_id FROM company_community WHERE community_id = $1"
# The worker is at work once it has done a row of nothing.
HELLO = "INSERT INTO outbox (event, payload, state, run_at, emitted_at) VALUES ($1, '{}', 'READY', $2, $2)"
WARM = "SELECT count(*) = 1 FROM outbox WHERE state = 'DONE'"
DUE = "UPDATE outbox SET run_at = $1 WHERE state = 'READY'"
ALL_ENDED = "SELECT NOT EXISTS (SELECT FROM outbox WHERE state IN ('READY', 'LEASED'))"
SENT = "SELECT replace(id::text, '-', '') AS key, msgid FROM message_intent WHERE state = 'SENT'"


async def y5(rig: Rig) -> Figure:
    """The fan-out against the bare loop, and its limiter."""
    count = rig.size(MESSAGES)
    full = await planned(rig, count)

    async def limit() -> float:
        async with stub(rig) as book:
            began = time.perf_counter()
            await _bare(book.port, count)
            seconds = time.perf_counter() - began
        return count / seconds if len(book.lines()) == count else 0.0

    async def ours() -> float:
        return await _sent(rig, full, count, per_second=10 * FREE)

    limits, mine = await pairs(rig, limit, ours)
    limited = await planned(rig, rig.size(LIMITED_MESSAGES))
    rate = await _sent(rig, limited, rig.size(LIMITED_MESSAGES), per_second=PER_SECOND)
    kept = PER_SECOND * 0.98 <= rate <= PER_SECOND * 1.0001
    return Figure(
        "Y-5",
        "template messages sent, from the outbox to the recorded result, one worker",
        "/s",
        f"aiohttp alone in a loop to the same stub, {CONNECTIONS} connections",
        limits,
        mine,
        0.3,
        also=((f"limited to {PER_SECOND}/s: {rate:,.1f}/s, none before its slot", kept),),
        notes=(f"{count:,} messages, {count // intents.SEND_BATCH} jobs",),
    )


class Book:
    """What the stub has seen, once it has stopped."""

    def __init__(self, port: int, path: Path) -> None:
        self.port, self.path = port, path

    def lines(self) -> list[tuple[str, str, float]]:
        """Key, number and instant of every message."""
        found = (line.split() for line in self.path.read_text().splitlines())
        return [(key, number, float(at)) for key, number, at in found]


@contextlib.asynccontextmanager
async def stub(rig: Rig) -> AsyncIterator[Book]:
    """The stub, ready to answer; its book is whole at the end."""
    book = Book(free_port(), rig.directory / f"stub-{uuid4().hex}")
    settings = Settings(data_dir=rig.directory)
    process = rig.start("bench.wechat_stub", settings, BENCH_PORT=str(book.port), BENCH_SEEN=str(book.path))
    try:
        await answering(book.port, process)
        yield book
    finally:
        await rig.stop(process)


async def planned(rig: Rig, count: int) -> Estate:
    """A database with `count` followers and a message for each, in the outbox, not due yet."""
    estate = await seed(rig, count)
    async with rig.resources(estate.settings) as res, rig.owner(estate.settings) as owner:
        await res.db.transact(partial(_open_account, res=res, estate=estate))
        await owner.execute(FOLLOW, OFFICIAL, res.clock.now())
        people = [row["id"] for row in await owner.fetch("SELECT id FROM person ORDER BY id")]
        for start in range(0, count, PLAN_CHUNK):
            await res.db.transact(partial(_plan, estate=estate, people=people[start : start + PLAN_CHUNK]))
        await owner.execute("UPDATE outbox SET run_at = 'infinity' WHERE state = 'READY'")
        for table in ("message_intent", "outbox", "wechat_user"):
            await owner.execute(f"VACUUM ANALYZE {table}")
    return estate


async def _open_account(tx: Tx, *, res: Resources, estate: Estate) -> None:
    """An official account with the template, and no quiet hours: a yardstick is the same at night."""
    company_id: UUID = await tx.fetchval(COMPANY, estate.community_id)
    await apps.register(
        tx, res.keyring, actor=SYSTEM, company_id=company_id, kind=AppKind.OFFICIAL, appid=OFFICIAL, secret="0" * 32
    )
    await templates.save(
        tx, SYSTEM, company_id=company_id, appid=OFFICIAL, channel=Channel.TEMPLATE, meaning=BILL_ISSUED.name,
        template_id="TplBill", fields=FIELDS,
    )  # fmt: skip
    never = Hours(MIDNIGHT, MIDNIGHT)
    await quiet_hours.save(tx, SYSTEM, company_id=company_id, community_id=None, hours=never)


async def _plan(tx: Tx, *, estate: Estate, people: Sequence[UUID]) -> None:
    recipients = [Recipient(person_id, VALUES) for person_id in people]
    await intents.plan(tx, BILL_ISSUED, event_key="bench", community_id=estate.community_id, recipients=recipients)


async def _bare(port: int, count: int) -> None:
    """The same requests with nothing around them."""
    url = URL(f"http://127.0.0.1:{port}{PATH}?access_token=stub-token-of-the-benchmark", encoded=True)
    bodies = iter([_body(number) for number in range(count)])

    async def work(session: aiohttp.ClientSession) -> None:
        for body in bodies:
            async with session.post(url, data=body, headers=answers.JSON_HEADERS) as answer:
                orjson.loads(await answer.read())

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS)) as session:
        await asyncio.gather(*(work(session) for _ in range(CONNECTIONS)))


def _body(number: int) -> bytes:
    data = {key: {"value": VALUES[name]} for key, name in FIELDS.items()}
    document = {"touser": f"o{number:032x}", "template_id": "TplBill", "data": data, "client_msg_id": f"{number:032x}"}
    return orjson.dumps(document)


async def _sent(rig: Rig, estate: Estate, count: int, *, per_second: int) -> float:
    """Messages per second, from the instant at which they are due until all have their results; 0 when any is wrong."""
    async with stub(rig) as book, rig.copy(estate.settings) as copied:
        settings = copied.model_copy(update={"wechat_api_url": f"http://127.0.0.1:{book.port}"})
        async with rig.owner(settings) as owner:
            await owner.execute(LIMITS, OFFICIAL, per_second)
            async with rig.resources(settings):
                seen = str(rig.directory / "seen")
                process = rig.start("bench.worker", settings, BENCH_SEEN=seen)
            await owner.execute(HELLO, EVENT, datetime.now(UTC))
            await _until(owner, WARM)
            began = time.perf_counter()
            await owner.execute(DUE, datetime.now(UTC))
            await _until(owner, ALL_ENDED)
            seconds = time.perf_counter() - began
            sent = {row["key"]: row["msgid"] for row in await owner.fetch(SENT)}
            next_slot_at = await owner.fetchval("SELECT next_slot_at FROM send_quota")
        await rig.stop(process)
        await rig.sound(settings)
    lines = book.lines()
    found = match(sent, ((key, number) for key, number, _ in lines))
    progress(f"    {found.text()}")
    if len(sent) != count:
        return 0.0
    return found.rate(seconds) if per_second > FREE else _kept(found, lines, next_slot_at, per_second)


def _kept(found: Matching, lines: Sequence[tuple[str, str, float]], next_slot_at: datetime, per_second: int) -> float:
    """Messages per second under a limit; 0 when one came before its slot."""
    first_s = next_slot_at.timestamp() - len(lines) / per_second
    early = sum(at < first_s + number / per_second for number, (_, _, at) in enumerate(lines))
    progress(f"    {early} before their slots")
    return 0.0 if early else found.rate((lines[-1][2] - first_s) + 1 / per_second)


async def _until(owner: asyncpg.Connection, sql: str) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not await owner.fetchval(sql):
        if time.monotonic() > deadline:
            raise TimeoutError(sql)
        await asyncio.sleep(0.05)
