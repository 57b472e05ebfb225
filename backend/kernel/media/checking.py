"""The one way to check a file that somebody sends: `written_anew`.

Promises: the kind follows from the content; what is kept of a picture or a video is what was decoded, encoded again by
us; a file that is hostile costs a process of its own its life and nothing else: DEADLINE_S, a bound of memory and of
CPU time (confined.py). AT_ONCE files are worked on at a time, QUEUE wait, more are told to come again.
"""

import asyncio
import sys
from pathlib import Path

from backend.kernel import log
from backend.kernel.errors import Unavailable
from backend.kernel.media import confined, document
from backend.kernel.media.formats import Kind, Made, Reason, Refused, kind_of

AT_ONCE = 2
QUEUE = 16
WAIT_S = 12
DEADLINE_S = 45
_MODULES = {Kind.PICTURE: "backend.kernel.media.picture", Kind.VIDEO: "backend.kernel.media.video"}
_ROOT = Path(__file__).parents[3]
logger = log.get_logger("media")


class _Turns:
    """Who may decode now; one for the process."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def __aenter__(self) -> None:
        busy = Unavailable("现在上传的人太多，请稍后再试。", code="media_busy")
        if self._waiting >= QUEUE:
            raise busy
        self._waiting += 1
        try:
            async with asyncio.timeout(WAIT_S):
                await self._free.acquire()
        except TimeoutError as error:
            raise busy from error
        finally:
            self._waiting -= 1

    async def __aexit__(self, *_: object) -> None:
        self._free.release()


_turns = _Turns()


async def written_anew(body: bytes, *, accepted: frozenset[Kind]) -> Made:
    """What is kept of a file of one of the `accepted` kinds; Refused with a sentence, Unavailable when busy."""
    kind = kind_of(body, accepted=accepted)
    if kind is Kind.DOCUMENT:
        return document.checked(body)
    async with _turns:
        answer = await _decoded(kind, body)
    return confined.read(answer)


async def _decoded(kind: Kind, body: bytes) -> bytes:
    """The answer of a process that decodes `body`; Refused where it failed or took too long."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", _MODULES[kind],
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        cwd=_ROOT, env={},
    )  # fmt: skip
    try:
        async with asyncio.timeout(DEADLINE_S):
            answer, _ = await process.communicate(body)
    except TimeoutError as error:
        logger.warning("media_slow", kind=kind.value, size_bytes=len(body))
        raise Refused(Reason.DAMAGED) from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        logger.info("media_unreadable", kind=kind.value, size_bytes=len(body), exit_code=process.returncode)
        raise Refused(Reason.DAMAGED)
    return answer
