"""What the moves of dispatch change besides the state (D9): functions by the names that moves.py uses, as in
tickets.effects."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from backend.kernel.db import Tx
from backend.tickets.step import Step

Changes = Mapping[str, Any]


async def urge(tx: Tx, step: Step) -> Changes:
    """The resident has urged once more."""
    return {"urged_times": step.ticket["urged_times"] + 1, "urged_at": tx.now}


async def calm(_tx: Tx, _step: Step) -> Changes:
    """Nobody has urged in the round that begins."""
    return {"urged_times": 0}


async def bind(_tx: Tx, step: Step) -> Changes:
    """The outage's announcement speaks for the ticket."""
    return {"outage_id": step.asked.outage_id}


async def unbind(_tx: Tx, _step: Step) -> Changes:
    """It is worked on by itself from now on."""
    return {"outage_id": None}


EFFECTS: Mapping[str, Callable[[Tx, Step], Awaitable[Changes]]] = {
    each.__name__: each for each in (urge, calm, bind, unbind)
}
