"""Named points at which a test makes the system fail (reliability.md section 2); sandbox mode only.

A point costs one look into an empty dict while nothing is armed. Points are armed by `LINLI_FAILPOINTS`, which live
mode refuses at start, or by `arm` inside the process:

    settle.before_commit=exit137, prepay.after_call=sleep:0.5*1, run.after_chunk=raise40001@3

`*n` lets the point fire n times only, `@n` lets it fire from its n-th pass on.
"""

import asyncio
import os
import re
import time
from dataclasses import dataclass
from typing import NoReturn

import asyncpg

from backend.kernel.config import ConfigError, Mode, Settings

KILLED = 137
_ENTRY = re.compile(r"(?P<name>[\w.]+)=(?P<action>[\w:.]+?)(?:\*(?P<times>\d+))?(?:@(?P<from>\d+))?")
_ACTION = re.compile(r"raise|raise[0-9A-Z]{5}|sleep:\d+(\.\d+)?|cancel|exit137")


class FailpointError(Exception):
    """What an armed point raises: nothing but the broad edges may expect it."""


@dataclass(slots=True)
class _Armed:
    action: str
    left: int | None
    first_pass: int
    passes: int = 0

    def due(self) -> bool:
        """Count one pass; true when the point acts in it."""
        self.passes += 1
        if self.passes < self.first_pass or self.left == 0:
            return False
        if self.left is not None:
            self.left -= 1
        return True


_armed: dict[str, _Armed] = {}


def arm(name: str, action: str, *, times: int | None = None, first_pass: int = 1) -> None:
    """Arm point `name` with `action`: raise, raise<sqlstate>, sleep:<seconds>, cancel or exit137; else ValueError."""
    if not _ACTION.fullmatch(action):
        raise ValueError(f"no such failpoint action: {action!r}")
    _armed[name] = _Armed(action, times, first_pass)


def disarm_all() -> None:
    """No point acts any more."""
    _armed.clear()


def passes(name: str) -> int:
    """How often the armed point `name` has been passed; 0 when it is not armed."""
    point = _armed.get(name)
    return point.passes if point else 0


def arm_from(settings: Settings) -> None:
    """Arm what `settings.failpoints` names; ConfigError for text that cannot be read, or outside sandbox mode."""
    if not settings.failpoints:
        return
    if settings.mode is not Mode.SANDBOX:
        raise ConfigError("failpoints：正式环境不允许设置故障点。")
    for text in settings.failpoints.split(","):
        entry = _ENTRY.fullmatch(text.strip())
        if entry is None or not _ACTION.fullmatch(entry["action"]):
            raise ConfigError(f"failpoints：看不懂这个故障点：{text.strip()}。写法如 settle.before_commit=exit137。")
        times = int(entry["times"]) if entry["times"] else None
        arm(entry["name"], entry["action"], times=times, first_pass=int(entry["from"] or 1))


async def failpoint(name: str) -> None:
    """Pass the point `name`; acts only when armed."""
    if _armed:
        point = _armed.get(name)
        if point is not None and point.due():
            if point.action.startswith("sleep:"):
                await asyncio.sleep(float(point.action.removeprefix("sleep:")))
            else:
                _fail(name, point.action)


def failpoint_sync(name: str) -> None:
    """The same for code that does not await; a sleep blocks the thread."""
    if _armed:
        point = _armed.get(name)
        if point is not None and point.due():
            if point.action.startswith("sleep:"):
                time.sleep(float(point.action.removeprefix("sleep:")))
            else:
                _fail(name, point.action)


def _fail(name: str, action: str) -> NoReturn:
    if action == "exit137":
        os._exit(KILLED)
    if action == "cancel":
        raise asyncio.CancelledError(f"failpoint {name}")
    if action == "raise":
        raise FailpointError(name)
    raise asyncpg.PostgresError.new({"C": action.removeprefix("raise"), "M": f"failpoint {name}", "S": "ERROR"})
