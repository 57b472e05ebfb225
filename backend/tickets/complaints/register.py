"""What a complaint has besides its ticket, (投诉登记): nature, urgency, who called, anonymity (D9, R7).

Promises: every ticket of an answered kind has its row. Who reported an anonymous ticket stands in ticket_reporter
alone: the ticket, its events and their entries in the audit name neither person nor house (`traced`).
"""

from dataclasses import dataclass
from uuid import UUID

from backend.kernel.audit import Actor
from backend.kernel.crypto import Context, Keyring
from backend.kernel.db import Record, Tx
from backend.tickets.complaints.words import Nature, Urgency

TABLE = "ticket_complaint"

ENTER = """
    INSERT INTO ticket_complaint (ticket_id, community_id, nature, urgency, taken_by, caller_name_sealed,
                                  caller_phone_sealed, caller_phone_blind, paper_no, bill_id)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT (ticket_id) DO NOTHING
"""

REMEMBER = "INSERT INTO ticket_reporter (ticket_id, community_id, person_id, house_id) VALUES ($1, $2, $3, $4)"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who called or wrote, as far as told; the phone in its normal form."""

    name: str | None
    phone: str | None


@dataclass(frozen=True, slots=True)
class Particulars:
    """What a complaint says besides a ticket. `taken_by`: the member of staff who typed it in; `caller` with it."""

    nature: Nature = Nature.OTHER
    urgency: Urgency = Urgency.USUAL
    anonymous: bool = False
    taken_by: UUID | None = None
    caller: Caller | None = None
    paper_no: str | None = None
    bill_id: UUID | None = None


NO_PARTICULARS = Particulars()


async def enter(tx: Tx, ticket: Record, *, particulars: Particulars, keyring: Keyring | None = None) -> None:
    """Write the complaint of a ticket that has come in, or has become one; a row that is there stays."""
    ticket_id, caller = ticket["id"], particulars.caller or Caller(None, None)
    name = _sealed(keyring, caller.name, "caller_name_sealed", ticket_id)
    phone = _sealed(keyring, caller.phone, "caller_phone_sealed", ticket_id)
    blind = None if keyring is None or caller.phone is None else keyring.blind(caller.phone, "phone")
    await tx.execute(
        ENTER, ticket_id, ticket["community_id"], particulars.nature, particulars.urgency, particulars.taken_by, name,
        phone, blind, particulars.paper_no, particulars.bill_id,
    )  # fmt: skip


async def remember(tx: Tx, ticket: Record, *, person_id: UUID, house_id: UUID) -> None:
    """Keep who reported an anonymous ticket, apart from it."""
    await tx.execute(REMEMBER, ticket["id"], ticket["community_id"], person_id, house_id)


def traced(actor: Actor, ticket: Record) -> Actor:
    """Who a ticket's trace names: of an anonymous ticket's resident nothing but that it was a resident."""
    return Actor("resident") if ticket["anonymous"] and actor.kind == "resident" else actor


def _sealed(keyring: Keyring | None, text: str | None, column: str, ticket_id: UUID) -> bytes | None:
    return None if keyring is None or text is None else keyring.seal(text, Context(TABLE, column, ticket_id))
