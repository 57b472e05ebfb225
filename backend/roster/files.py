"""Excel files from outside the event loop: each is read or written by a process of its own (`roster.child`)."""

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from backend.kernel import log
from backend.kernel.errors import Unavailable
from backend.roster.columns import HEADERS, NOTES, Listed, ParsedRow, Problem

DEADLINE_S = 55
logger = log.get_logger("roster")
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Roster:
    """What a file holds. With `refused` or a problem nothing of it may be imported."""

    rows: tuple[ParsedRow, ...] = ()
    problems: tuple[Problem, ...] = ()
    problem_count: int = 0


async def read(body: bytes) -> Roster:
    """The rows of an uploaded file, or every problem with them; a file that is no roster at all has one problem."""
    answer = await _child("read", body)
    if answer is None:
        return _refused("文件内容异常，处理时超出了限制，请使用下载的模板重新整理后再上传。")
    return await asyncio.to_thread(_roster, answer)


def _roster(answer: bytes) -> Roster:
    """What the child said of a file; half a second for 50,000 rows, so in a thread."""
    document = orjson.loads(answer)
    if "refused" in document:
        return _refused(document["refused"])
    return Roster(
        rows=tuple(
            ParsedRow(*row)._replace(people=[Listed(*person) for person in row[-1]]) for row in document["rows"]
        ),
        problems=tuple(Problem(*problem) for problem in document["problems"]),
        problem_count=document["problem_count"],
    )


async def write(rows: list[list[Any]]) -> bytes:
    """A roster file of `rows` in the order of HEADERS; Unavailable where it cannot be made in time."""
    document = {"title": "房屋与住户", "headers": list(HEADERS), "rows": rows, "notes": NOTES}
    answer = await _child("write", orjson.dumps(document))
    if answer is None:
        raise Unavailable("表格生成失败，请稍后再试。", code="export_failed")
    return answer


def _refused(message: str) -> Roster:
    return Roster(problems=(Problem(0, "", message),), problem_count=1)


async def _child(verb: str, body: bytes) -> bytes | None:
    """The child's answer; None where it failed or took too long."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "backend.roster.child", verb,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        cwd=_ROOT, env={},
    )  # fmt: skip
    try:
        async with asyncio.timeout(DEADLINE_S):
            answer, _ = await process.communicate(body)
    except TimeoutError:
        logger.warning("roster_child_slow", verb=verb, size_bytes=len(body))
        return None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        logger.warning("roster_child_failed", verb=verb, size_bytes=len(body), exit_code=process.returncode)
        return None
    return answer
