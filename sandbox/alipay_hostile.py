"""Bad behaviour of Alipay on request: scripts, budgets, switches and seeded rates, kept in the store.

A script is a list that is used up call by call; a budget is a number that is used up event by event; a rate is a
probability for every call, drawn from the seed, so that the same seed and the same calls go wrong in the same way.
"""

import json
import random
from typing import Any

from sandbox.errors import ControlError
from sandbox.world import World

SETTING = "alipay_hostile"
# act_then_…: the deed is done, the answer is lost. later, never: a refund accepted, not yet or never carried out.
CALL_BEHAVIOURS = frozenset(
    {
        "act_then_hang",
        "act_then_error",
        "hang",
        "error",
        "limit",
        "http_500",
        "bad_signature",
        "unsigned",
        "truncated",
        "wrong_amount",
    }
)
REFUND_BEHAVIOURS = CALL_BEHAVIOURS | {"later", "never"}
NOTICE_BEHAVIOURS = frozenset({"lose", "duplicate", "late"})
SCRIPTS = {
    "precreate": CALL_BEHAVIOURS,
    "query": CALL_BEHAVIOURS,
    "close": CALL_BEHAVIOURS,
    "cancel": CALL_BEHAVIOURS,
    "refund": REFUND_BEHAVIOURS,
    "refund_query": CALL_BEHAVIOURS,
    "bill": CALL_BEHAVIOURS,
}
BUDGETS = ("lose_notices", "duplicate_notices", "notice_before_answer", "pay_after_close")
SECONDS = ("delay_notices_s", "shuffle_notices_s")
SWITCHES = {
    "escape_slashes": True,
    "nested_sign": False,
    "refuse_repeated_precreate": False,
    "new_account_columns": False,
}
RATED = {**SCRIPTS, "notices": NOTICE_BEHAVIOURS}
LATE_AT_MOST_S = 600


def defaults() -> dict[str, Any]:
    """The friendly plan."""
    return {
        **dict.fromkeys(BUDGETS, 0),
        **dict.fromkeys(SECONDS, 0),
        **{name: [] for name in SCRIPTS},
        **SWITCHES,
        "rates": {},
        "seed": 0,
        "draws": 0,
    }


def plan(world: World) -> dict[str, Any]:
    """What is still to come."""
    saved = world.store.setting(SETTING)
    return {**defaults(), **(json.loads(saved) if saved else {})}


def update(world: World, wanted: dict[str, Any]) -> dict[str, Any]:
    """Replace the named parts of the plan; ControlError for an unknown part or a wrong value."""
    for name, value in wanted.items():
        _check(name, value)
    fresh = {**plan(world), **wanted, **({"draws": 0} if "seed" in wanted else {})}
    return _save(world, fresh)


def reset(world: World) -> dict[str, Any]:
    """Be friendly again."""
    return _save(world, defaults())


def next_behaviour(world: World, script: str) -> Any:
    """The behaviour of the next call of a kind: the script's first, else what the rates draw; None is friendly."""
    now = plan(world)
    if now[script]:
        first, *rest = now[script]
        _save(world, {**now, script: rest})
        return first
    return _drawn(world, now, script)


def spend(world: World, budget: str) -> bool:
    """Whether the budget still had one; it has one less then."""
    now = plan(world)
    if now[budget] <= 0:
        return False
    _save(world, {**now, budget: now[budget] - 1})
    return True


def is_on(world: World, switch: str) -> bool:
    """Whether a switch is set."""
    return bool(plan(world)[switch])


def notice_fate(world: World) -> tuple[bool, int, float]:
    """Of the next notification: whether it is lost, how many copies go out at once, how many seconds late."""
    drawn = _drawn(world, plan(world), "notices")
    lost = spend(world, "lose_notices") or drawn == "lose"
    copies = 2 if spend(world, "duplicate_notices") or drawn == "duplicate" else 1
    now = plan(world)
    late_s = float(now["delay_notices_s"])
    spread_s = max(float(now["shuffle_notices_s"]), LATE_AT_MOST_S if drawn == "late" else 0)
    if spread_s > 0:
        late_s += _chance(world, now) * spread_s
    return lost, copies, late_s


def _drawn(world: World, now: dict[str, Any], of: str) -> str | None:
    rates = now["rates"].get(of)
    if not rates:
        return None
    chance = _chance(world, now)
    for behaviour, rate in rates.items():
        chance -= rate
        if chance < 0:
            return str(behaviour)
    return None


def _chance(world: World, now: dict[str, Any]) -> float:
    _save(world, {**now, "draws": now["draws"] + 1})
    return random.Random(f"{now['seed']}:{now['draws']}").random()


def _save(world: World, fresh: dict[str, Any]) -> dict[str, Any]:
    world.store.save_setting(SETTING, json.dumps(fresh))
    return fresh


def _check(name: str, value: object) -> None:
    if name not in defaults() or name == "draws":
        known = sorted(set(defaults()) - {"draws"})
        raise ControlError(400, "unknown_key", f"Alipay's hostility knows no {name!r}; it knows {known}")
    if name in SCRIPTS:
        if not isinstance(value, list) or not all(_is_behaviour(name, item) for item in value):
            raise ControlError(400, "wrong_value", f"{name} is a list of {sorted(SCRIPTS[name])} or {{'sub_code'}}")
    elif name == "rates":
        _check_rates(value)
    elif name in SWITCHES:
        if not isinstance(value, bool):
            raise ControlError(400, "wrong_value", f"{name} is true or false")
    elif name == "seed":
        if not isinstance(value, int):
            raise ControlError(400, "wrong_value", "seed is an integer")
    elif not isinstance(value, int | float) or isinstance(value, bool) or value < 0:
        raise ControlError(400, "wrong_value", f"{name} is a number, 0 or more")


def _check_rates(value: object) -> None:
    if not isinstance(value, dict) or not set(value) <= set(RATED):
        raise ControlError(400, "wrong_value", f"rates has keys of {sorted(RATED)}")
    for of, rates in value.items():
        if not isinstance(rates, dict) or not set(rates) <= RATED[of]:
            raise ControlError(400, "wrong_value", f"rates.{of} has keys of {sorted(RATED[of])}")
        if not all(isinstance(rate, int | float) and 0 <= rate <= 1 for rate in rates.values()):
            raise ControlError(400, "wrong_value", f"rates.{of} has values from 0 to 1")


def _is_behaviour(script: str, item: object) -> bool:
    if isinstance(item, dict):
        return set(item) == {"sub_code"} and isinstance(item["sub_code"], str)
    return isinstance(item, str) and item in SCRIPTS[script]
