"""`make bench`: the yardsticks of reliability.md section 4; `python -m bench [names] [--quick] [--write]`."""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import uvloop

from bench import table
from bench.figures import Figure, Latency, Rate
from bench.million import million
from bench.rig import Rig, progress, servers
from bench.y1_callbacks import y1, y1b
from bench.y2_hot_account import y2
from bench.y3_billing import y3
from bench.y4_reconciliation import y4_alipay, y4_alipay_many, y4_wechat, y4_wechat_many
from bench.y5_fanout import y5
from bench.y6_relay import y6
from bench.y8_jobs import y7, y8
from bench.y9_bills import y9
from bench.y10_visitors import y10
from bench.y13_gate import y13
from bench.y14_barrier import y14
from bench.y15_quotes import y15
from bench.y16_what_if import y16
from bench.y17_tickets import y17

Yardstick = Callable[[Rig], Awaitable[Figure | Latency | Rate]]
YARDSTICKS: Mapping[str, Yardstick] = {
    "y1": y1,
    "y1b": y1b,
    "y2": y2,
    "y3": y3,
    "y4-wechat": y4_wechat,
    "y4-alipay": y4_alipay,
    "y4-wechat-million": y4_wechat_many,
    "y4-alipay-million": y4_alipay_many,
    "y5": y5,
    "y6": y6,
    "y7": y7,
    "y8": y8,
    "y9": y9,
    "y10": y10,
    "y13": y13,
    "y14": y14,
    "y15": y15,
    "y16": y16,
    "y17": y17,
    "million": million,
}


async def measure(rig: Rig, names: list[str]) -> list[Figure | Latency | Rate]:
    """The figures of the yardsticks named, one after the other."""
    figures = []
    for name in names:
        progress(f"{name} …")
        figures.append(await YARDSTICKS[name](rig))
        progress(figures[-1].row())
    return figures


def main() -> int:
    """Exit code 1 when a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("names", nargs="*", help=f"of {', '.join(YARDSTICKS)}; all but million when none is given")
    parser.add_argument("--quick", action="store_true", help="a smoke run: smaller, fewer pairs, no figure to quote")
    parser.add_argument("--write", action="store_true", help="rewrite the rows of docs/benchmarks.md")
    asked: Any = parser.parse_args()
    names = asked.names or [name for name in YARDSTICKS if name != "million"]
    unknown = sorted(set(names) - set(YARDSTICKS))
    if unknown:
        parser.error(f"no such yardstick: {', '.join(unknown)}")
    if asked.quick and asked.write:
        parser.error("a quick run gives no figure to write down")
    with servers(quick=asked.quick) as rig, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        figures = runner.run(measure(rig, names))
    print(table.text(figures, quick=asked.quick))
    if asked.write:
        table.write(figures)
    return 0 if all(figure.met for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
