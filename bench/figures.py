"""What a yardstick comes to: a ratio with both figures, or a latency, each as a row of docs/benchmarks.md."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """Ours ÷ limit, pair by pair. `also`: goals beside the ratio, each a text and whether it was met."""

    code: str
    what: str
    unit: str
    limit_name: str
    limits: tuple[float, ...]
    ours: tuple[float, ...]
    goal: float
    also: tuple[tuple[str, bool], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def ratios(self) -> list[float]:
        return [ours / limit for ours, limit in zip(self.ours, self.limits, strict=True)]

    @property
    def met(self) -> bool:
        return statistics.median(self.ratios) >= self.goal and all(met for _, met in self.also)

    def row(self) -> str:
        ours, limit = statistics.median(self.ours), statistics.median(self.limits)
        ratio = f"{statistics.median(self.ratios):.2f} ({min(self.ratios):.2f}–{max(self.ratios):.2f})"
        cells = (
            self.code,
            self.what,
            f"{ours:,.0f} {self.unit}",
            f"{limit:,.0f} {self.unit}: {self.limit_name}",
            f"{ratio}, {len(self.ours)} pairs",
            f"R ≥ {self.goal:g}",
            "yes" if self.met else "**no**",
            "; ".join((*(text for text, _ in self.also), *self.notes)),
        )
        return f"| {' | '.join(cells)} |"


@dataclass(frozen=True)
class Latency:
    """How long something took, in seconds, against a p99."""

    code: str
    what: str
    seconds: tuple[float, ...]
    goal_ms: float
    limit_name: str
    notes: tuple[str, ...] = ()

    @property
    def met(self) -> bool:
        return percentile(self.seconds, 0.99) * 1000 <= self.goal_ms

    def row(self) -> str:
        p50, p99 = (f"{percentile(self.seconds, share) * 1000:,.0f} ms" for share in (0.5, 0.99))
        cells = (
            self.code,
            self.what,
            f"p50 {p50}, p99 {p99}",
            self.limit_name,
            f"{len(self.seconds)} samples",
            f"p99 ≤ {self.goal_ms:.0f} ms",
            "yes" if self.met else "**no**",
            "; ".join(self.notes),
        )
        return f"| {' | '.join(cells)} |"


@dataclass(frozen=True)
class Rate:
    """So many per second, against a goal that stands for itself."""

    code: str
    what: str
    unit: str
    ours: tuple[float, ...]
    goal: float
    notes: tuple[str, ...] = ()

    @property
    def met(self) -> bool:
        return statistics.median(self.ours) >= self.goal

    def row(self) -> str:
        cells = (
            self.code,
            self.what,
            f"{statistics.median(self.ours):,.0f} {self.unit}",
            "none",
            f"{min(self.ours):,.0f}–{max(self.ours):,.0f}, {len(self.ours)} runs",
            f"≥ {self.goal:,.0f} {self.unit}",
            "yes" if self.met else "**no**",
            "; ".join(self.notes),
        )
        return f"| {' | '.join(cells)} |"


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of `values` lie."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]
