"""One step of a ticket: who asks for which move, of which ticket, with what. Guards and effects look at it (D9)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from backend.kernel.audit import SYSTEM, Actor
from backend.kernel.auth import HouseScope
from backend.kernel.db import Record
from backend.tickets.moves import Move, Rule
from backend.tickets.paid.lines import LineWish
from backend.tickets.states import Role


@dataclass(frozen=True, slots=True)
class Sight:
    """What a resident may see: by houses (D1), and own tickets of public areas of communities that he lives in."""

    scope: HouseScope
    communities: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Who:
    """Who moves a ticket, in which capacity, and which tickets there are for them: one of `communities` and `sight`."""

    actor: Actor
    role: Role
    communities: Sequence[UUID] = ()
    sight: Sight | None = None


def the_system(community_id: UUID) -> Who:
    """The system, for a ticket of a community."""
    return Who(SYSTEM, Role.SYSTEM, (community_id,))


@dataclass(frozen=True, slots=True)
class Stars:
    """What a resident says of the work."""

    stars: int
    tags: tuple[str, ...]
    words: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What comes with a move.

    `lines` are those of a quote, `version` is that of the quote which was seen. `details` are kept with the event, for
    everybody who sees the ticket.
    """

    reason: str | None = None
    staff_id: UUID | None = None
    until: datetime | None = None
    into_id: UUID | None = None
    category_id: UUID | None = None
    outage_id: UUID | None = None
    stars: Stars | None = None
    lines: tuple[LineWish, ...] = ()
    version: int | None = None
    media_ids: tuple[UUID, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """A move that is being made: the ticket's row is held; `assignee_id`: who has it in hand before the move."""

    move: Move
    rule: Rule
    who: Who
    asked: Asked
    ticket: Record
    category: Record
    assignee_id: UUID | None

    @property
    def ticket_id(self) -> UUID:
        """The ticket."""
        found: UUID = self.ticket["id"]
        return found

    @property
    def community_id(self) -> UUID:
        """Where the ticket is."""
        found: UUID = self.ticket["community_id"]
        return found

    @property
    def worker_id(self) -> UUID:
        """Who is to have the ticket in hand after the move: the one named, else who moves it."""
        found = self.asked.staff_id or self.who.actor.id
        assert found is not None, "somebody is named, or acts"
        return found
