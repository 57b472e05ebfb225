"""A scenario: how often each thing goes wrong, drawn from a seed, so that the same run goes wrong in the same way.

Every kind of event has its own sequence of draws: the n-th event of a kind has the same fate for the same seed,
whatever the numbers of the orders and however the kinds mix. Draws are kept in the store and outlive a restart.
"""

import json
import random
from typing import Any

from sandbox.errors import ControlError
from sandbox.store import Store

SETTING = "scenario"
SCHEMA = """
CREATE TABLE IF NOT EXISTS decisions (
    id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, draw INTEGER NOT NULL, subject TEXT NOT NULL);
"""
RECORD = "INSERT INTO decisions (kind, draw, subject) VALUES (?, ?, ?)"

# What may happen to one call of WeChat Pay, in the order in which a draw is compared with the rates.
ANSWERS = (
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
)
EVENTS = (
    "lose_callbacks",
    "duplicate_callbacks",
    "delay_callbacks",
    "reorder_callbacks",
    "forge_callbacks",
    "lie_callbacks",
    "lie_answers",
    "callback_before_answer",
    "pay_after_close",
    "late_payments",
    "refund_abnormal",
    "refund_closed",
    "signtest",
    "lose_pushes",
    "duplicate_pushes",
    "repeat_pushes",
)
SPANS = {"delay_s": 600, "reorder_s": 60, "late_s": 0.5}
FRIENDLY: dict[str, Any] = {"seed": 0, "rates": {}, **SPANS, "draws": {}}


class Scenario:
    """The rates in force and how far each sequence of draws has come."""

    def __init__(self, store: Store) -> None:
        self._store = store
        saved = store.setting(SETTING)
        self._state: dict[str, Any] = {**FRIENDLY, **(json.loads(saved) if saved else {})}

    def state(self) -> dict[str, Any]:
        """Seed, rates, spans and the number of draws of each kind."""
        return dict(self._state)

    def set(self, wanted: dict[str, Any], scripts: set[str]) -> None:
        """Begin a scenario with its first draw; ControlError for unknown names and wrong values."""
        fresh = {**FRIENDLY, **wanted, "draws": {}}
        if not isinstance(fresh["seed"], int) or not isinstance(fresh["rates"], dict):
            raise ControlError(400, "wrong_value", "seed is an integer, rates is an object")
        known = {*ANSWERS, *EVENTS, *(f"{script}.{answer}" for script in scripts for answer in ANSWERS)}
        for name, rate in fresh["rates"].items():
            if name not in known:
                raise ControlError(400, "unknown_key", f"no rate {name!r}; answers: {ANSWERS}, events: {EVENTS}")
            if not _is_number(rate) or rate > 1:
                raise ControlError(400, "wrong_value", f"{name} is a number from 0 to 1")
        for name in SPANS:
            if not _is_number(fresh[name]):
                raise ControlError(400, "wrong_value", f"{name} is a number of seconds, 0 or more")
        self._state = fresh
        self._store.run("DELETE FROM decisions")
        self._save()

    def reset(self) -> None:
        """Be friendly again."""
        self.set({}, set())

    def happens(self, event: str, subject: str = "") -> bool:
        """Whether the next event of this kind goes wrong."""
        rate = self._state["rates"].get(event, 0)
        if rate <= 0:
            return False
        draw, number = self._draw(event)
        if draw.random() >= rate:
            return False
        self._store.run(RECORD, event, number, subject)
        return True

    def answer(self, script: str, subject: str = "") -> str | None:
        """What happens to the next call of this kind; None means a friendly answer."""
        rates = {answer: self._rate(script, answer) for answer in ANSWERS}
        if not any(rates.values()):
            return None
        draw, number = self._draw(script)
        left = draw.random()
        for answer, rate in rates.items():
            if left < rate:
                self._store.run(RECORD, f"{script}.{answer}", number, subject)
                return answer
            left -= rate
        return None

    def span_s(self, event: str, name: str) -> float:
        """How long the event that was just drawn takes, up to the span of this name."""
        number = self._state["draws"].get(event, 0)
        return random.Random(f"{self._state['seed']}:{event}:{number}:span").uniform(0, float(self._state[name]))

    def error_fen(self, event: str) -> int:
        """By how much the lie that was just drawn is off; never 0."""
        number = self._state["draws"].get(event, 0)
        draw = random.Random(f"{self._state['seed']}:{event}:{number}:fen")
        return draw.choice((-1, 1)) * draw.randint(1, 99)

    @property
    def late_s(self) -> float:
        """How late a late answer comes, in seconds of the machine."""
        return float(self._state["late_s"])

    def _rate(self, script: str, answer: str) -> float:
        rates = self._state["rates"]
        return float(rates.get(f"{script}.{answer}", rates.get(answer, 0)))

    def _draw(self, kind: str) -> tuple[random.Random, int]:
        number = self._state["draws"].get(kind, 0) + 1
        self._state["draws"][kind] = number
        self._save()
        return random.Random(f"{self._state['seed']}:{kind}:{number}"), number

    def _save(self) -> None:
        self._store.save_setting(SETTING, json.dumps(self._state))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
