"""The one place that reads the time.

Instants are aware UTC datetimes, business dates are dates in Asia/Shanghai. In sandbox mode the whole system, product
and sandbox alike, is moved through time by an offset in seconds kept in `<LINLI_DATA_DIR>/clock-offset`; in live mode
the offset is refused at start (design section 4).
"""

import contextlib
import os
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

from backend.kernel.config import Mode, Settings

SHANGHAI = ZoneInfo("Asia/Shanghai")
OFFSET_FILE = "clock-offset"
_STEP = re.compile(r"(?P<count>\d+)(?P<unit>[dhms])")
_UNIT_S = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}


class Clock(Protocol):
    """Source of the present instant."""

    def now(self) -> datetime:
        """The present instant, aware, UTC."""
        ...


def local_date(instant: datetime) -> date:
    """The date in Asia/Shanghai on which `instant` falls."""
    return instant.astimezone(SHANGHAI).date()


def start_of_day(day: date) -> datetime:
    """The UTC instant at which `day` begins in Asia/Shanghai."""
    return datetime(day.year, day.month, day.day, tzinfo=SHANGHAI).astimezone(UTC)


class SystemClock:
    """The machine's clock, without any offset (live mode)."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class SharedClock:
    """The machine's clock plus the offset that product and sandbox share (sandbox mode)."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._file = str(data_dir / OFFSET_FILE)
        self._seen_mtime_ns = -1
        self._offset = timedelta()

    def now(self) -> datetime:
        self._refresh()
        return datetime.now(UTC) + self._offset

    def _refresh(self) -> None:
        try:
            mtime_ns = os.stat(self._file).st_mtime_ns  # noqa: PTH116 - half the time of Path.stat, with every request
        except FileNotFoundError:
            self._offset, self._seen_mtime_ns = timedelta(), -1
            return
        if mtime_ns != self._seen_mtime_ns:
            self._offset = timedelta(seconds=read_offset_s(self._data_dir))
            self._seen_mtime_ns = mtime_ns


@dataclass(slots=True)
class FrozenClock:
    """A clock that stands still until a test moves it."""

    instant: datetime

    def now(self) -> datetime:
        return self.instant

    def advance(self, step: timedelta) -> None:
        self.instant += step


def read_offset_s(data_dir: Path) -> int:
    """The shared offset in seconds; 0 where the file is missing."""
    try:
        return int((data_dir / OFFSET_FILE).read_text().strip() or "0")
    except FileNotFoundError:
        return 0


def write_offset_s(data_dir: Path, offset_s: int) -> None:
    """Replace the shared offset in one step, so that no reader sees half a number."""
    data_dir.mkdir(parents=True, exist_ok=True)
    fresh = data_dir / f"{OFFSET_FILE}.{os.getpid()}"
    fresh.write_text(f"{offset_s}\n")
    fresh.replace(data_dir / OFFSET_FILE)


def reset_offset(data_dir: Path) -> None:
    """Forget the offset: the shared clock is the machine's again."""
    with contextlib.suppress(FileNotFoundError):
        (data_dir / OFFSET_FILE).unlink()


def advance(data_dir: Path, step_s: int) -> int:
    """Move the shared clock forward by `step_s` seconds and return the new offset in seconds.

    Raises ValueError for a step that is not positive: the books know no way back in time.
    """
    if step_s <= 0:
        raise ValueError("the shared clock only moves forward")
    offset_s = read_offset_s(data_dir) + step_s
    write_offset_s(data_dir, offset_s)
    return offset_s


def parse_step_s(text: str) -> int:
    """Seconds meant by a step such as `3d`, `12h`, `30m`, `45s` or `1d12h`; ValueError otherwise."""
    matches = list(_STEP.finditer(text))
    if not matches or "".join(match.group() for match in matches) != text:
        raise ValueError(f"not a step of time: {text!r}; write it like 3d, 12h or 30m")
    return sum(int(match["count"]) * _UNIT_S[match["unit"]] for match in matches)


def clock_of(settings: Settings) -> Clock:
    """The shared, movable clock in sandbox mode, the machine's in live mode."""
    return SharedClock(settings.data_dir) if settings.mode is Mode.SANDBOX else SystemClock()
