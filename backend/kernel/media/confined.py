"""The inside of the process in which one file of a stranger is decoded: little memory, bounded time, nothing to steal.

The file on standard input; on standard output a line of JSON, then the bytes it announces. The process has no
environment, no connection and no file but what it was given, and is killed by its limits when a file is hostile.
"""

import os
import resource
import sys
from collections.abc import Callable

import orjson

from backend.kernel.media.formats import MIB, Made, Reason, Refused

MEMORY_BYTES = 1024 * MIB
CPU_S = 40
OUTPUT_BYTES = 60 * MIB
OPEN_FILES = 32


def serve(rewrite: Callable[[bytes], Made]) -> int:
    """Exit code 0 with an answer on standard output; anything else is a file that cannot be decoded."""
    os.nice(10)
    for kind, bound in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_S),
        (resource.RLIMIT_FSIZE, OUTPUT_BYTES),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (bound, bound))
    try:
        made = rewrite(sys.stdin.buffer.read())
    except Refused as refused:
        sys.stdout.buffer.write(orjson.dumps({"refused": refused.details["reason"]}) + b"\n")
        return 0
    small = made.small or b""
    head = {
        "kind": made.kind, "bytes": len(made.body), "small_bytes": len(small), "width": made.width,
        "height": made.height, "length_ms": made.length_ms,
    }  # fmt: skip
    sys.stdout.buffer.write(orjson.dumps(head) + b"\n" + made.body + small)
    return 0


def read(answer: bytes) -> Made:
    """What `serve` wrote, outside; Refused as it said, and where it is no whole answer."""
    line, _, rest = answer.partition(b"\n")
    head = orjson.loads(line)
    if "refused" in head:
        raise Refused(Reason(head["refused"]))
    if len(rest) != head["bytes"] + head["small_bytes"]:
        raise Refused(Reason.DAMAGED)
    body, small = rest[: head["bytes"]], rest[head["bytes"] :]
    return Made(head["kind"], body, small or None, head["width"], head["height"], head["length_ms"])
