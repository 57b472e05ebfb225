"""The sandbox's clock: the machine's time plus an offset that product and sandbox read from one file.

The file holds a decimal integer, the seconds to add; a missing file means 0. It is looked at again on every
reading, so that moving the clock makes retries, expiries and statements due at once. Instants are seconds since
1970 (float); the channel's own days and texts are those of Asia/Shanghai.
"""

import os
import time
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")


class SharedClock:
    """The machine's clock plus the offset in `file`."""

    def __init__(self, file: Path) -> None:
        self._file = str(file)
        self._seen: tuple[int, int, int] | None = None
        self._offset_s = 0

    def now_s(self) -> float:
        """The present instant in seconds since 1970."""
        self._refresh()
        return time.time() + self._offset_s

    def _refresh(self) -> None:
        try:
            stat = os.stat(self._file)  # noqa: PTH116 - half the time of Path.stat, at every reading
        except FileNotFoundError:
            self._seen, self._offset_s = None, 0
            return
        mark = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
        if mark != self._seen:
            self._offset_s = int(Path(self._file).read_text().strip() or "0")
            self._seen = mark


def local(instant_s: float) -> datetime:
    """The instant as wall time in Asia/Shanghai."""
    return datetime.fromtimestamp(instant_s, SHANGHAI)


def rfc3339(instant_s: float) -> str:
    """Like 2026-09-01T00:01:05+08:00, the form of every time in WeChat Pay's JSON."""
    return local(instant_s).isoformat(timespec="seconds")


def day_of(instant_s: float) -> date:
    """The channel's business day of an instant."""
    return local(instant_s).date()


def instant_of(day: date, hour: int = 0) -> float:
    """The instant at which `hour` strikes in Asia/Shanghai on `day`."""
    return datetime(day.year, day.month, day.day, hour, tzinfo=SHANGHAI).astimezone(UTC).timestamp()


def parse_day(text: str) -> date:
    """A day written yyyy-MM-dd; ValueError for any other form."""
    day = date.fromisoformat(text)
    if day.isoformat() != text:
        raise ValueError(f"not yyyy-MM-dd: {text!r}")
    return day
