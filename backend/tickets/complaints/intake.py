"""What comes by telephone, on paper or by word of mouth is typed in by staff (代录入) (D9, R7).

Promises: who typed it in is kept; the caller's name and phone are sealed, the phone found by its blind index; a phone
that belongs to a known person makes the ticket that person's. Of an anonymous caller nothing is kept. The whole phone
is read with a reason, and each reading is in the audit.
"""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from backend.identity import people
from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.crypto import Context, Keyring
from backend.kernel.db import Tx
from backend.kernel.errors import Invalid, NotFound
from backend.tickets import submitting
from backend.tickets.complaints.register import TABLE, Caller
from backend.tickets.states import Channel
from backend.tickets.submitting import NOWHERE, New, Submitted

HOUSE_IN = "SELECT 1 FROM ticket_house WHERE id = $1 AND community_id = $2"

CALLER = """
    SELECT q.ticket_id, q.community_id, q.caller_name_sealed, q.caller_phone_sealed
      FROM ticket_complaint q
     WHERE q.ticket_id = $1 AND q.community_id = ANY ($2::uuid[])
       AND num_nonnulls(q.caller_name_sealed, q.caller_phone_sealed) > 0
"""


async def take(tx: Tx, actor: Actor, keyring: Keyring, *, new: New, channel: Channel) -> Submitted:
    """Type in what was told; the caller has found the community in scope.

    Raises NotFound for the house or the category, Invalid `anonymous_with_name`, `house_or_place`.
    """
    caller = new.particulars.caller
    if new.particulars.anonymous and (caller is not None or new.house_id is not None):
        raise Invalid("匿名登记时请不要填写来电人和房屋。", code="anonymous_with_name")
    if new.house_id is not None and await tx.fetchval(HOUSE_IN, new.house_id, new.community_id) is None:
        raise NotFound("没有找到这套房屋，请重新选择。")
    particulars = replace(new.particulars, taken_by=actor.id)
    known = await people.by_phone(tx, keyring, [caller.phone] if caller and caller.phone else [])
    person_id = next((person.id for person in known.values()), None)
    new = replace(new, particulars=particulars, place=new.place or (None if new.house_id else NOWHERE))
    return await submitting.submit(tx, actor, new=new, person_id=person_id, channel=channel, keyring=keyring)


async def caller_of(
    tx: Tx, actor: Actor, keyring: Keyring, *, ticket_id: UUID, communities: Sequence[UUID], reason: str
) -> Caller:
    """Who called, whole, for calling back; NotFound where nobody gave a name or a phone."""
    row = await tx.fetchrow(CALLER, ticket_id, list(communities))
    if row is None:
        raise NotFound
    audit.record(
        tx, actor, action="ticket.caller_revealed", target=f"ticket:{ticket_id}", community_id=row["community_id"],
        reason=reason,
    )  # fmt: skip

    def opened(column: str) -> str | None:
        sealed = row[column]
        return None if sealed is None else keyring.open(bytes(sealed), Context(TABLE, column, ticket_id))

    return Caller(opened("caller_name_sealed"), opened("caller_phone_sealed"))
