"""Y-14: from WeChat's callback to the command at the barrier that holds its long poll.

Cars that owe stand at the exits of eight lots, each with an order under way. For one after the other in each lane the
device polls, the callback is sent, and the clock runs from its first byte to the command's last.
"""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson

from backend.kernel.db import Tx
from backend.kernel.resources import Resources
from backend.ledger import accounts
from backend.ledger.accounts import Code, Key
from bench import loopback
from bench.callbacks_seed import ATTEMPT, LINE, ORDER, Town, callbacks, make_merchant
from bench.figures import Latency
from bench.gate_seed import LOTS, OWED_FEN, Estate, plate, seed, sighting, signed
from bench.matching import Matching, match
from bench.rig import Rig, progress
from tests import vectors

CARS = 800
POLL = "/device/v1/commands?wait_s=10"
# A device that has just sent its poll is held before the callback leaves.
SETTLES_S = 0.03

# Car n is the one that the sighting with the key seed-n let in.
ORDERED = f"""
    WITH stay AS (
        SELECT p.session_id AS id, p.community_id, split_part(d.event_key, '-', 2)::integer AS n
          FROM parking_event p JOIN device_event d ON d.id = p.device_event_id AND p.kind = 'entered'),
    placed AS (
        INSERT INTO payment_order (id, community_id, payer_person_id, amount_fen, state, description, digest,
                                   created_at, expires_at)
        SELECT {ORDER}, community_id, $1, $4, 'PAYING', '停车费', decode(md5(n::text), 'hex'), $5::timestamptz,
               $5::timestamptz + interval '30 minutes' FROM stay),
    line AS (
        INSERT INTO payment_line (id, order_id, kind, payable_id, title, principal_fen)
        SELECT {LINE}, {ORDER}, 'parking', id, '停车费', $4 FROM stay),
    held AS (INSERT INTO payment_hold (kind, payable_id, order_id) SELECT 'parking', id, {ORDER} FROM stay)
    INSERT INTO payment_attempt (id, order_id, community_id, merchant_id, clearing_account, channel, method,
                                 out_trade_no, amount_fen, state, request, prepay_id, prepaid_at, ask_at, created_at)
    SELECT {ATTEMPT}, {ORDER}, community_id, $2, $3, 'wechat', 'jsapi', 'BENCH' || lpad(n::text, 12, '0'), $4, 'SENT',
           jsonb_build_object('app_id', '{vectors.APPID}'), 'wx' || n, $5, $5::timestamptz + interval '1 minute', $5
      FROM stay
"""  # noqa: S608 - constants only

# One row for each stay that was paid for, by the command that it came to.
PAID = """
    SELECT c.id AS command_id, s.state, s.paid_fen
      FROM parking_session s JOIN device_command c ON c.subject = 'parking_session:' || s.id
     WHERE s.paid_fen > 0
"""


@dataclass(frozen=True, slots=True)
class Told:
    """A command as its device got it, and how long after the callback had left."""

    command_id: UUID
    seconds: float


async def y14(rig: Rig) -> Latency:
    """Eight lanes side by side, one car after the other in each."""
    estate = await seed(rig, rig.size(CARS))
    async with rig.serving("backend.main", estate.settings) as port:
        await _at_the_exits(port, estate)
        async with rig.resources(estate.settings) as res:
            town = await _orders(res, estate)
        lanes = await asyncio.gather(*(_lane(port, estate, town, lane) for lane in range(LOTS)))
    told = [each for lane in lanes for each in lane]
    async with rig.owner(estate.settings) as owner:
        rows = await owner.fetch(PAID)
    found = _matched(told, rows)
    progress(f"    {found.text()}")
    await rig.sound(estate.settings)
    clean = found.clean and found.match == estate.waiting
    return Latency(
        "Y-14",
        "from the callback of a payment to the command at the barrier",
        tuple(each.seconds for each in told) if clean else (float("inf"),),
        1000,
        "one settlement + one notification + one claim",
        notes=(f"{LOTS} lanes at a time, one process",),
    )


async def _at_the_exits(port: int, estate: Estate) -> None:
    """Every car is seen at its exit and asked to pay."""
    at = datetime.now(UTC)
    asked = [
        sighting(estate.exits[n % LOTS], key=f"exit-{n}", text=plate(n, waiting=True), at=at)
        for n in range(estate.waiting)
    ]
    run = await loopback.drive(port, asked, connections=LOTS)
    if any(answer.status != 200 or orjson.loads(answer.body)["open"] for answer in run.answers):
        raise RuntimeError("a car that owes was not asked to pay")


async def _orders(res: Resources, estate: Estate) -> Town:
    """An order under way for each car, as the product would have left it."""

    async def work(tx: Tx) -> UUID:
        made = await make_merchant(
            tx, res=res, company_id=estate.company_id, community_id=estate.community_id, number=0
        )  # fmt: skip
        clearing = await accounts.ensure(tx, Key(estate.community_id, Code.CLEARING, made.id))
        await tx.execute(ORDERED, estate.company_id, made.id, clearing, OWED_FEN, tx.now)
        return made.id

    return Town(estate.settings, (await res.db.transact(work),), estate.waiting)


async def _lane(port: int, estate: Estate, town: Town, lane: int) -> list[Told]:
    """The cars of one lane, paid for one after the other; the device does what it is told and says so."""
    device, told = estate.exits[lane], []
    for number in range(lane, estate.waiting, LOTS):
        poll = asyncio.create_task(_timed(port, signed(device, "GET", POLL)))
        await asyncio.sleep(SETTLES_S)
        (callback,) = callbacks(town, range(number, number + 1), amount=lambda _: OWED_FEN)
        started = time.perf_counter()
        (settled,) = (await loopback.drive(port, [callback], connections=1)).answers
        if settled.status != 204:
            raise RuntimeError(f"the callback of car {number} was answered {settled.status}: {settled.body.decode()}")
        ended, items = await poll
        for item in items:
            told.append(Told(UUID(item["id"]), ended - started))
            target = f"/device/v1/commands/{item['id']}/acknowledgement"
            done = signed(device, "POST", target, orjson.dumps({"done": True, "detail": ""}))
            await loopback.drive(port, [done], connections=1)
    return told


async def _timed(port: int, poll: bytes) -> tuple[float, list[dict[str, str]]]:
    run = await loopback.drive(port, [poll], connections=1)
    return time.perf_counter(), orjson.loads(run.answers[0].body)["items"]


def _matched(told: list[Told], rows: list[Any]) -> Matching:
    """Commands that the devices were given against the stays that were paid for."""
    expected = ("PAID", OWED_FEN)
    return match(
        {each.command_id: expected for each in told},
        ((row["command_id"], (row["state"], row["paid_fen"])) for row in rows),
    )
