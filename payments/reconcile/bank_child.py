"""The process in which a bank's workbook is opened: little memory, bounded time, nothing to steal.

Run as `python -m payments.reconcile.bank_child`: the file on standard input, its cells as JSON on standard output.
"""

import resource
import sys

import orjson

from backend.kernel import workbook
from payments.reconcile import bank_reading

MEMORY_BYTES = 1 << 30
CPU_S = 30


def main() -> int:
    """Exit code 0 with an answer on standard output; anything else is a file that cannot be handled."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    try:
        sheet = workbook.read(sys.stdin.buffer.read())
    except workbook.Refused as refused:
        sys.stdout.buffer.write(orjson.dumps({"refused": str(refused)}))
        return 0
    table = [[bank_reading.plain(value) for value in row] for row in sheet.values]
    sys.stdout.buffer.write(orjson.dumps({"table": table}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
