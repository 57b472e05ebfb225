"""How a town lives: month after month, a few moments each, then rest, then the books are compared."""

import random
from collections.abc import Callable
from datetime import timedelta

from backend.kernel import failpoints
from tests.conftest import START, MovableClock, Sandbox
from tests.simulation import books
from tests.simulation.habits import HABITS, SHARES, USUAL, come_back, lie
from tests.simulation.host import Host
from tests.simulation.town import Household, Town

MOMENTS = 2
VISITS_OF_A_PLAN = 25
KILLED_EVERY = 10
MONTH = timedelta(days=30)
REST = (timedelta(minutes=5), timedelta(minutes=45), timedelta(hours=2), timedelta(hours=26), timedelta(hours=26))
POINTS = (
    "settle.after_look",
    "settle.before_write",
    "settle.after_lock",
    "settle.before_flush",
    "settle.before_commit",
    "order.before_commit",
    "order.after_commit",
    "prepay.before_call",
    "prepay.after_call",
    "query.after_call",
    "close.after_call",
    "callback.before_answer",
    "http.before_answer",
)
CALLS = ("prepay", "query", "close", "refund", "refund_query")
ALIPAY_CALLS = ("precreate", "query", "close", "cancel", "refund", "refund_query")
ALIPAY_WAYS = ("act_then_error", "error", "limit", "http_500", "bad_signature", "unsigned", "truncated")
WAYS = ("act_then_500", "500", "429", "bad_signature", "truncated", "old_serial")


class Wrong(AssertionError):
    """The books of a town do not agree; the text says how, and which seed it was."""


async def live(
    host: Host,
    sandbox: Sandbox,
    clock: MovableClock,
    *,
    seed: int,
    houses: int,
    months: int,
    progress: Callable[[str], None] = lambda text: None,
) -> Town:
    """Play one town to its end on an empty database and an emptied sandbox; Wrong when its books do not agree."""
    town = Town(seed, host, sandbox, clock, houses, months, random.Random(seed))
    await town.found(SHARES)
    for month in range(months):
        await _month(town, month)
        if month == 0:
            await host.analyze()
        progress(f"month {month + 1} of {months}")
        if broken := await host.broken():
            raise Wrong(f"seed {seed}, month {month + 1}: {broken}")
    await _rest(town)
    if wrong := await books.compare(town):
        raise Wrong(f"seed {seed}: " + "\n".join(wrong))
    return town


async def _month(town: Town, month: int) -> None:
    """Bills are published, then people pay at a few moments; every now and then the channel has another plan."""
    await town.host.work()
    await _publish(town)
    late = [home for home in town.households if home.habit != USUAL or (month + home.number) % home.every == 0]
    town.dice.shuffle(late)
    for moment in range(MOMENTS):
        share = len(late) // (MOMENTS - moment)
        acting, late = late[:share], late[share:]
        for number, home in enumerate(acting):
            if number % VISITS_OF_A_PLAN == 0:
                await _be_hostile(town)
            await _act(town, home)
        await come_back(town)
        if town.dice.random() < 0.12:
            await town.host.crash()
        await town.pass_time(MONTH / MOMENTS * town.dice.uniform(0.9, 1.0))


async def _publish(town: Town) -> None:
    """The manager publishes what the nightly scan has made ready."""
    path = f"/admin/v1/billing-runs?community_id={town.place.id}&state=READY&limit=100"
    failpoints.disarm_all()
    for run in (await town.get(town.staff["manager"], path))["items"]:
        await town.post(town.staff["manager"], f"/admin/v1/billing-runs/{run['id']}/publish")
    await town.host.work()


async def _act(town: Town, home: Household) -> None:
    await HABITS[home.habit](town, home)
    if town.dice.random() < 0.02:
        await lie(town, home)


async def _be_hostile(town: Town) -> None:
    """Another plan of the channel, another weak point of ours."""
    failpoints.disarm_all()
    plan: dict[str, object] = {
        "seed": town.dice.randrange(1 << 30),
        "lose_callbacks": town.dice.randrange(4),
        "duplicate_callbacks": town.dice.randrange(4),
        "callback_before_answer": town.dice.randrange(3),
        "delay_callbacks_s": town.dice.choice([0, 0, 30, 600]),
        **{call: town.dice.sample(WAYS, town.dice.randrange(3)) for call in CALLS},
    }
    await town.control("PUT", "/hostile", plan)
    calls = {call: town.dice.sample(ALIPAY_WAYS, town.dice.randrange(3)) for call in ALIPAY_CALLS}
    notices = {"lose_notices": town.dice.randrange(3), "duplicate_notices": town.dice.randrange(3)}
    await town.control("PUT", "/alipay/hostile", {**calls, **notices})
    if not town.host.killed:
        town.fragile = True
        for name in town.dice.sample(POINTS, 2):
            failpoints.arm(name, town.dice.choice(["raise", "raise40001"]), times=town.dice.randrange(1, 4))


async def _rest(town: Town) -> None:
    """The channel is friendly again, and time does the rest: repeats, questions, closes, refunds."""
    failpoints.disarm_all()
    town.fragile = False
    quiet = {"lose_callbacks": 0, "duplicate_callbacks": 0, "callback_before_answer": 0, "delay_callbacks_s": 0}
    await town.control("PUT", "/hostile", {**quiet, **{call: [] for call in CALLS}})
    await town.control("DELETE", "/alipay/hostile")
    for step in REST:
        for _ in range(4):
            await town.pass_time(step / 4)


def settings_for(seed: int) -> dict[str, object]:
    """One town in ten is played against processes that are killed."""
    return {"killed": seed % KILLED_EVERY == KILLED_EVERY - 1}


__all__ = ["START", "Wrong", "live", "settings_for"]
