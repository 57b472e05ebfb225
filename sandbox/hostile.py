"""Bad behaviour on request: what the channel does wrong next, by a script from the control API.

Scripts are lists that are used up call by call; numbers are budgets that are used up event by event. They are kept in
the store, so that a restart does not turn the channel friendly.
"""

import json
import random
from typing import Any

from sandbox.errors import ControlError
from sandbox.scenario import Scenario
from sandbox.store import Store

SETTING = "hostile"
PAY_BEHAVIOURS = frozenset(
    {
        "act_then_hang",
        "act_then_cut",
        "act_then_500",
        "hang",
        "cut",
        "500",
        "429",
        "bad_signature",
        "truncated",
        "old_serial",
        "late",
    }
)
API_BEHAVIOURS = frozenset({"act_then_hang", "act_then_cut", "hang", "cut", "500"})
REFUND_BEHAVIOURS = PAY_BEHAVIOURS | {"NOT_ENOUGH", "FREQUENCY_LIMITED", "USER_ACCOUNT_ABNORMAL"}
REFUND_OUTCOMES = frozenset({"SUCCESS", "ABNORMAL", "CLOSED"})
SEND_RESULTS = frozenset({"success", "failed:user block", "failed: system failed"})
VERDICTS = frozenset({"pass", "review", "risky"})
SCRIPTS = {
    "prepay": PAY_BEHAVIOURS,
    "query": PAY_BEHAVIOURS,
    "close": PAY_BEHAVIOURS,
    "refund": REFUND_BEHAVIOURS,
    "refund_query": PAY_BEHAVIOURS,
    "statement": PAY_BEHAVIOURS,
    "refund_outcomes": REFUND_OUTCOMES,
    "messages": API_BEHAVIOURS,
    "token": API_BEHAVIOURS,
    "send_results": SEND_RESULTS,
    "text_verdicts": VERDICTS,
    "media_verdicts": VERDICTS | {"download_failed"},
}
PAY_SCRIPTS = {"prepay", "query", "close", "refund", "refund_query", "statement"}
BUDGETS = (
    "lose_callbacks",
    "duplicate_callbacks",
    "forge_callbacks",
    "lie_callbacks",
    "lie_answers",
    "callback_before_answer",
    "pay_after_close",
    "late_payments",
    "lose_pushes",
    "duplicate_pushes",
    "repeat_pushes",
)
DEFAULTS: dict[str, Any] = {
    **dict.fromkeys(BUDGETS, 0),
    "delay_callbacks_s": 0,
    "delay_pushes_s": 0,
    "media_check_delay_s": 10,
    "refund_delay_s": 2,
    **{name: [] for name in SCRIPTS},
    "calls": {},
    "quotas": {},
    "signtest_rate": 0.0,
    "seed": 0,
}


class Hostility:
    """The scripts and budgets in force; what they leave open is drawn by the scenario."""

    def __init__(self, store: Store) -> None:
        self._store = store
        saved = store.setting(SETTING)
        self._plan: dict[str, Any] = {**DEFAULTS, **(json.loads(saved) if saved else {})}
        self._draws = 0
        self.scenario = Scenario(store)

    def plan(self) -> dict[str, Any]:
        """What is still to come."""
        return dict(self._plan)

    def update(self, wanted: dict[str, Any]) -> None:
        """Replace the named parts of the plan; ControlError for an unknown part or a wrong value."""
        for name, value in wanted.items():
            _check(name, value)
        if "seed" in wanted:
            self._draws = 0
        self._plan.update(wanted)
        self._save()

    def reset(self) -> None:
        """Be friendly again."""
        self.scenario.reset()
        self._plan = dict(DEFAULTS)
        self._draws = 0
        self._save()

    def next_behaviour(self, script: str, subject: str = "") -> Any:
        """What happens to the next call of a kind, by script (used up by this) or by draw; None means friendly."""
        waiting = self._plan[script]
        if not waiting:
            return self.scenario.answer(script, subject) if script in PAY_SCRIPTS else None
        self._plan[script] = waiting[1:]
        self._save()
        return waiting[0]

    def next_call(self, path: str) -> Any:
        """What happens to the next call of a path of api.weixin.qq.com, by its script; None means friendly."""
        waiting = self._plan["calls"].get(path)
        if not waiting:
            return None
        self._plan["calls"] = {**self._plan["calls"], path: waiting[1:]}
        self._save()
        return waiting[0]

    def quota(self, api: str, usual: int) -> int:
        """How often an API may be called a day."""
        return int(self._plan["quotas"].get(api, usual))

    def spend(self, budget: str, subject: str = "") -> bool:
        """Whether it goes wrong this time: the budget still had one, and has one less then, or the draw says so."""
        if self._plan[budget] <= 0:
            return self.scenario.happens(budget, subject)
        self._plan[budget] -= 1
        self._save()
        return True

    def callback_delay_s(self, subject: str) -> float:
        """How late a callback starts: always, sometimes, or just enough to come in another order."""
        delay_s = float(self._plan["delay_callbacks_s"])
        for event, span in (("delay_callbacks", "delay_s"), ("reorder_callbacks", "reorder_s")):
            if self.scenario.happens(event, subject):
                delay_s += self.scenario.span_s(event, span)
        return delay_s

    @property
    def push_delay_s(self) -> float:
        """How late a push starts."""
        return float(self._plan["delay_pushes_s"])

    @property
    def media_check_delay_s(self) -> float:
        """How long a check of a picture or a recording takes."""
        return float(self._plan["media_check_delay_s"])

    @property
    def refund_delay_s(self) -> float:
        """How long a refund is PROCESSING."""
        return float(self._plan["refund_delay_s"])

    def refund_outcome(self) -> str:
        """How the next refund will end."""
        scripted = self.next_behaviour("refund_outcomes")
        if scripted is not None:
            return str(scripted)
        if self.scenario.happens("refund_abnormal"):
            return "ABNORMAL"
        return "CLOSED" if self.scenario.happens("refund_closed") else "SUCCESS"

    def wants_signtest(self) -> bool:
        """Whether the next signature shall be one of WeChat Pay's probes (section 3, SIGNTEST)."""
        rate = float(self._plan["signtest_rate"])
        if rate <= 0:
            return self.scenario.happens("signtest")
        self._draws += 1
        return random.Random(f"{self._plan['seed']}:{self._draws}").random() < rate

    def _save(self) -> None:
        self._store.save_setting(SETTING, json.dumps(self._plan))


def _check(name: str, value: object) -> None:
    if name not in DEFAULTS:
        raise ControlError(400, "unknown_key", f"hostile knows no {name!r}; it knows {sorted(DEFAULTS)}")
    if name in SCRIPTS:
        if not isinstance(value, list) or not all(_is_behaviour(name, item) for item in value):
            raise ControlError(400, "wrong_value", f"{name} is a list of {sorted(SCRIPTS[name])}")
    elif name in ("calls", "quotas"):
        fits = _is_script if name == "calls" else _is_count
        if not isinstance(value, dict) or not all(fits(item) for item in value.values()):
            raise ControlError(400, "wrong_value", "calls: path to list of behaviours; quotas: path to calls a day")
    elif name == "seed":
        if not isinstance(value, int):
            raise ControlError(400, "wrong_value", "seed is an integer")
    elif not isinstance(value, int | float) or isinstance(value, bool) or value < 0:
        raise ControlError(400, "wrong_value", f"{name} is a number, 0 or more")


def _is_script(value: object) -> bool:
    return isinstance(value, list) and all(_is_behaviour("token", item) for item in value)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_behaviour(script: str, item: object) -> bool:
    if isinstance(item, dict):
        return SCRIPTS[script] is API_BEHAVIOURS and isinstance(item.get("errcode"), int)
    return isinstance(item, str) and item in SCRIPTS[script]
