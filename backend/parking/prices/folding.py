"""Equal days of a long stay told once (D8): `9月2日至9月30日共 29 天，每天 …`, so that a stay of years has a few lines.

Promises: nothing of a price changes, only how it is told: a folded part stands for each of its days, and its amount is
theirs together. Days are equal where every part of theirs is, at the same time of the day.
"""

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Generic, TypeVar

T = TypeVar("T")

# Fewer equal days are told one by one.
FEWEST = 3


@dataclass(frozen=True, slots=True)
class Part(Generic[T]):
    """Something that is told of a day (its number since 1970); `sign` is equal where the same is told of two days."""

    day: int
    sign: Hashable
    what: T


@dataclass(frozen=True, slots=True)
class Fold(Generic[T]):
    """What is told of `days` days, of which `first` and `last` are the outermost."""

    first: Part[T]
    last: Part[T]
    days: int


def fold(parts: Sequence[Part[T]]) -> Iterator[Fold[T]]:
    """The parts, in order of time, those of equal days together where the first of them stands."""
    days = [list(found) for _, found in groupby(parts, key=lambda part: part.day)]
    signs = [tuple(part.sign for part in day) for day in days]
    count = Counter(signs)
    last = dict(zip(signs, days, strict=True))
    told = set()
    for sign, day in zip(signs, days, strict=True):
        if count[sign] < FEWEST:
            yield from (Fold(part, part, 1) for part in day)
        elif sign not in told:
            told.add(sign)
            yield from (Fold(*pair, count[sign]) for pair in zip(day, last[sign], strict=True))
