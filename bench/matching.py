"""F-24: what clients were told, matched with what the database holds. A wrong result has rate 0."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Matching:
    """Counts of keys. `missing`: told done, nothing there. `conflicting`: told refused, and there it is."""

    match: int = 0
    mismatch: int = 0
    missing: int = 0
    duplicate: int = 0
    conflicting: int = 0

    @property
    def clean(self) -> bool:
        return self.match > 0 and not (self.mismatch or self.missing or self.duplicate or self.conflicting)

    def rate(self, seconds: float) -> float:
        """Matches per second; 0 when anything is wrong."""
        return self.match / seconds if self.clean else 0.0

    def text(self) -> str:
        return (
            f"match {self.match:,}, mismatch {self.mismatch}, missing {self.missing}, duplicate {self.duplicate}, "
            f"conflicting {self.conflicting}"
        )


def match(told: Mapping[Any, Any], found: Iterable[tuple[Any, Any]]) -> Matching:
    """`told`: key → what the client was told came of it, None for a refusal. `found`: an entry per effect."""
    effects: dict[Any, list[Any]] = {}
    for key, value in found:
        effects.setdefault(key, []).append(value)
    counts = dict.fromkeys(("match", "mismatch", "missing", "duplicate", "conflicting"), 0)
    for key, value in told.items():
        counts[_kind(value, effects.pop(key, []))] += 1
    counts["conflicting"] += len(effects)
    return Matching(**counts)


def _kind(told: Any, effects: list[Any]) -> str:
    if told is None:
        return "conflicting" if effects else "missing"
    if not effects:
        return "missing"
    if len(effects) > 1:
        return "duplicate"
    return "match" if effects[0] == told else "mismatch"
