"""Versions of a list that devices keep and refresh by its changes: what they give back, and the list's entity tag."""

import re
from dataclasses import dataclass
from datetime import date

_TEXT = re.compile(r"([0-9]{1,18})-([0-9a-f]{16})")


@dataclass(frozen=True, slots=True)
class Version:
    """One state of a list, and whether it is given whole on this day; `mark` tells a restored backup apart."""

    number: int
    mark: str
    full: bool
    on: date

    @property
    def text(self) -> str:
        """The version as the device gives it back."""
        return f"{self.number}-{self.mark}" if self.number else "0"

    @property
    def tag(self) -> str:
        """Strong: one address with one tag has one content; from day to day what is over is left out."""
        return f'"{self.text}.{"full" if self.full else "delta"}.{self.on.isoformat()}"'

    def is_among(self, have: str | None) -> bool:
        """Whether the device names this very state (If-None-Match)."""
        return self.tag in [each.strip() for each in (have or "").split(",")]


def parsed(since: str | None) -> tuple[int, str]:
    """Number and mark of the version that a device says it has; (0, "") for none, or none of ours."""
    found = _TEXT.fullmatch(since or "")
    return (int(found[1]), found[2]) if found else (0, "")
