"""The process in which Excel files are read and written: little memory, bounded time, nothing to steal.

Run as `python -m backend.roster.child read|write`; a file or JSON on standard input, JSON or a file on standard output.
It gets no environment, opens no connection, and is killed by its limits when a file is hostile.
"""

import resource
import sys

import orjson

from backend.kernel import workbook
from backend.roster import columns

MEMORY_BYTES = 1 << 30
CPU_S = 50


def _read(body: bytes) -> bytes:
    try:
        parsed = columns.parse(workbook.read(body))
    except workbook.Refused as refused:
        return orjson.dumps({"refused": str(refused)})
    answer = {"rows": parsed.rows, "problems": parsed.problems, "problem_count": parsed.problem_count}
    return orjson.dumps(answer, default=tuple)


def _write(body: bytes) -> bytes:
    return workbook.write(**orjson.loads(body))


def main() -> int:
    """Exit code 0 with an answer on standard output; anything else is a file that cannot be handled."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    work = {"read": _read, "write": _write}[sys.argv[1]]
    sys.stdout.buffer.write(work(sys.stdin.buffer.read()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
