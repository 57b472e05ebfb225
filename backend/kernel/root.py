"""The frame of every process of ours: settings → event loop → work → an exit code and, where it failed, one sentence.

Exit codes: what the work says (0 unless it says otherwise), 2 for settings that do not allow a start, 3 where a part
that is needed is away, 130 when stopped from the keyboard. A process that serves runs until SIGTERM or SIGINT.
"""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop

from backend.kernel.config import ConfigError, Settings
from backend.kernel.errors import AppError

WRONG_SETTINGS = 2
PART_AWAY = 3
INTERRUPTED = 130


def run(work: Callable[[Settings], Coroutine[Any, Any, int | None]], *, failed: str = "无法启动") -> int:
    """Run `work` with the settings of the environment; expected errors become a sentence that begins with `failed`."""
    try:
        settings = Settings.from_env(os.environ)
        collect_seldom()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(work(settings)) or 0
    except ConfigError as error:
        print(error, file=sys.stderr)
        return WRONG_SETTINGS
    except AppError as error:
        print(f"{failed}：{error.message}", file=sys.stderr)
        return PART_AWAY
    except KeyboardInterrupt:
        return INTERRUPTED


def collect_seldom() -> None:
    """What has been loaded stays: the collector need not look at it again with every few requests."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)


def told_to_stop() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, stop.set)
    return stop
