"""Kinds of devices, states of commands and their moves; the database holds the same lists (I-13)."""

from enum import StrEnum


class Kind(StrEnum):
    """Kinds of devices."""

    CAMERA = "camera"
    GATE = "gate"
    BARRIER = "barrier"
    METER = "meter"


class CommandKind(StrEnum):
    """What a device can be told to do."""

    OPEN = "open"


class CommandState(StrEnum):
    """A command (指令). EXPIRED may still become DONE or FAILED: the device did it, and told us late."""

    QUEUED = "QUEUED"
    DELIVERED = "DELIVERED"
    DONE = "DONE"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"


class Outcome(StrEnum):
    """What became of a device's event."""

    APPLIED = "applied"
    REFUSED = "refused"
    IGNORED = "ignored"
