"""Events that messaging answers."""

from collections.abc import Mapping

from backend.kernel.outbox import Handler
from backend.messaging import consent_pushes, deliveries, intents, sending

HANDLERS: Mapping[str, Handler] = {
    intents.SEND: sending.on_planned,
    **deliveries.HANDLERS,
    **consent_pushes.HANDLERS,
}
