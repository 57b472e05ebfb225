"""States of a message intent and the moves between them; the database holds the same list (I-13)."""

from collections.abc import Mapping
from enum import StrEnum


class IntentState(StrEnum):
    """Where a message stands. Whatever happens here, the inbox holds it from the start."""

    PENDING = "PENDING"
    SENDING = "SENDING"
    SENT = "SENT"
    INBOX_ONLY = "INBOX_ONLY"
    UNKNOWN = "UNKNOWN"
    PARKED = "PARKED"


MOVES: Mapping[IntentState, frozenset[IntentState]] = {
    IntentState.PENDING: frozenset({IntentState.SENDING, IntentState.INBOX_ONLY, IntentState.PARKED}),
    IntentState.SENDING: frozenset(
        {
            IntentState.PENDING,
            IntentState.SENT,
            IntentState.INBOX_ONLY,
            IntentState.UNKNOWN,
            IntentState.PARKED,
        }
    ),
    IntentState.SENT: frozenset(),
    IntentState.INBOX_ONLY: frozenset(),
    IntentState.UNKNOWN: frozenset(),
    IntentState.PARKED: frozenset({IntentState.PENDING}),
}
