"""States of cards and spaces, their moves, and for whom a card is sold; the database holds the same lists (I-13)."""

from collections.abc import Mapping
from enum import StrEnum

from backend.parking.states import CardKind


class CardState(StrEnum):
    """A card. UNPAID: asked for, and covers nothing yet. Past its end an active one has lapsed, and may be renewed."""

    UNPAID = "UNPAID"
    ACTIVE = "ACTIVE"
    CANCELLED = "CANCELLED"


CARD_MOVES: Mapping[CardState, frozenset[CardState]] = {
    CardState.UNPAID: frozenset({CardState.ACTIVE, CardState.CANCELLED}),
    CardState.ACTIVE: frozenset({CardState.CANCELLED}),
    CardState.CANCELLED: frozenset(),
}


class Audience(StrEnum):
    """For whom a card is sold: a house with a space of its own (产权车位), with a rented one (租赁车位), any house for
    its vehicles (无固定车位), a house for a vehicle of somebody else that it has leave to bring (外来车辆)."""

    OWNED = "owned"
    RENTED = "rented"
    HOUSE = "house"
    OUTSIDE = "outside"


KIND_OF: Mapping[Audience, CardKind] = {
    Audience.OWNED: CardKind.OWNED,
    Audience.RENTED: CardKind.MONTHLY,
    Audience.HOUSE: CardKind.MONTHLY,
    Audience.OUTSIDE: CardKind.MONTHLY,
}


class SpaceKind(StrEnum):
    """Kinds of spaces (标准, 微型, 子母, 充电, 无障碍)."""

    STANDARD = "standard"
    COMPACT = "compact"
    TANDEM = "tandem"
    CHARGING = "charging"
    ACCESSIBLE = "accessible"


class SpaceState(StrEnum):
    """A space (空置, 已售, 已租, 预留)."""

    FREE = "free"
    SOLD = "sold"
    RENTED = "rented"
    RESERVED = "reserved"


SPACE_MOVES: Mapping[SpaceState, frozenset[SpaceState]] = {
    SpaceState.FREE: frozenset({SpaceState.SOLD, SpaceState.RENTED, SpaceState.RESERVED}),
    SpaceState.RESERVED: frozenset({SpaceState.FREE, SpaceState.SOLD, SpaceState.RENTED}),
    SpaceState.RENTED: frozenset({SpaceState.FREE, SpaceState.SOLD}),
    SpaceState.SOLD: frozenset({SpaceState.FREE}),
}

# The state of the spaces that give a house the right to a card for this audience.
SPACE_OF: Mapping[Audience, SpaceState] = {Audience.OWNED: SpaceState.SOLD, Audience.RENTED: SpaceState.RENTED}


class OutsideVehicles(StrEnum):
    """What the approval of an outside vehicle gives: the right to buy a card, or a card at once."""

    BUY = "buy"
    CARD = "card"
