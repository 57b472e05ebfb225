"""One town, played in whatever process this is called in; the servers are built once and die with the process."""

import asyncio
import os
import time
from dataclasses import dataclass
from multiprocessing.queues import SimpleQueue
from pathlib import Path

import uvloop

from backend.kernel import root
from tests.simulation import machine, year
from tests.simulation.host import Host
from tests.simulation.machine import Machine

_home: list[Path] = []
_here: list[Machine] = []


@dataclass(frozen=True)
class Asked:
    """One town to be played."""

    seed: int
    houses: int
    months: int


@dataclass(frozen=True)
class Told:
    """What came of it; `wrong` is empty when its books agree."""

    seed: int
    seconds: float
    wrong: str
    counted: dict[str, int]


def stay(cores: SimpleQueue[int], home: Path) -> None:
    """Have this process keep its servers in `home`, and a town and its servers on one core: they work by turns, and
    waking a process on another core costs more.

    The collector is set as in a process of the product.
    """
    os.sched_setaffinity(0, {cores.get()})
    root.collect_seldom()
    _home.append(home)


def play(asked: Asked) -> Told:
    """Play one town on this process's servers."""
    if not _here:
        _here.append(machine.build(_home[0]))
    started = time.monotonic()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            counted = runner.run(_play(_here[0], asked))
    except Exception as error:  # house: the edge of a simulated town
        return Told(asked.seed, time.monotonic() - started, f"{type(error).__name__}: {error}", {})
    return Told(asked.seed, time.monotonic() - started, "", counted)


async def _play(servers: Machine, asked: Asked) -> dict[str, int]:
    async with servers.settings() as settings:
        host = Host(settings, servers.sandbox.clock, **year.settings_for(asked.seed))
        await host.start()
        try:
            town = await year.live(
                host, servers.sandbox, servers.sandbox.clock, seed=asked.seed, houses=asked.houses, months=asked.months
            )
        finally:
            await host.stop()
    return dict(town.told)
