"""Events that messaging answers."""

from collections.abc import Mapping

from backend.kernel.outbox import Handler
from backend.messaging import intents, sending

HANDLERS: Mapping[str, Handler] = {intents.SEND: sending.on_planned}
