"""Who lives in a house, by name: for staff, masked unless a reason is given (D1, D12)."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from backend.identity import people
from backend.identity.people import Details
from backend.kernel.approvals import Approval
from backend.kernel.audit import Actor
from backend.kernel.auth import TieRole
from backend.kernel.crypto import Keyring
from backend.kernel.db import Reader, Tx
from backend.kernel.errors import Conflict, NotFound
from backend.property import applications, occupancy
from backend.property.houses import House
from backend.property.occupancy import Occupancy


@dataclass(frozen=True, slots=True)
class Resident:
    """A tie and the masked name and phone of its person."""

    tie: Occupancy
    shown: Details


async def with_names(db: Reader, keyring: Keyring, ties: Sequence[Occupancy]) -> list[Resident]:
    """The ties with masked names and phones."""
    known = await people.masked(db, keyring, {tie.person_id for tie in ties})
    return [Resident(tie, known.get(tie.person_id, Details(None, None))) for tie in ties]


async def propose(
    tx: Tx, keyring: Keyring, actor: Actor, *, house: House, phone: str, name: str, role: TieRole, reason: str
) -> Approval:
    """Staff propose to tie the person of a phone to a house; another one approves. Conflict `already_bound`."""
    number = people.phone_of(phone)
    person = await people.ensure(tx, keyring, phone=number, name=name)
    shown = Details(name, number).masked()
    return await applications.propose(
        tx, actor, house=house, person_id=person.id, person_no=person.no, role=role,
        applicant_shown=f"{shown.name} {shown.phone}", reason=reason,
    )  # fmt: skip


async def reveal(
    tx: Tx, keyring: Keyring, actor: Actor, *, person_id: UUID, community_id: UUID, reason: str
) -> Details:
    """Whole name and phone of someone who lives or lived in the community or applies to; recorded with the reason."""
    if not await occupancy.is_known(tx, person_id=person_id, community_id=community_id) and not (
        await applications.is_waiting(tx, person_id=person_id, community_id=community_id)
    ):
        raise NotFound
    found = await people.reveal(tx, keyring, actor, person_ids=[person_id], community_id=community_id, reason=reason)
    if person_id not in found:
        raise Conflict("此人的资料已按要求删除。", code="person_removed")
    return found[person_id]
