"""The gates of a community (门禁), as visitors see them: devices that are in use, which guards open by a command."""

from collections.abc import Sequence
from uuid import UUID

from backend.devices import commands
from backend.devices.states import CommandKind
from backend.kernel.audit import Actor
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import NotFound

ONE = "SELECT id, community_id, name FROM visitor_gate WHERE id = $1 AND community_id = ANY ($2::uuid[])"
OF_COMMUNITY = "SELECT id, name FROM visitor_gate WHERE community_id = $1 ORDER BY name, id LIMIT 200"


async def one(db: Reader, gate_id: UUID, *, communities: Sequence[UUID]) -> Record:
    """A gate of these communities; NotFound."""
    row = await db.fetchrow(ONE, gate_id, list(communities))
    if row is None:
        raise NotFound
    return row


async def of_community(db: Reader, community_id: UUID) -> list[Record]:
    """The gates of a community."""
    return await db.fetch(OF_COMMUNITY, community_id)


def open_for(tx: Tx, actor: Actor, *, community_id: UUID, gate_id: UUID, entry_id: UUID) -> None:
    """Tell a gate to open for somebody whom a guard has let in."""
    commands.order(
        tx, actor, community_id=community_id, device_id=gate_id, kind=CommandKind.OPEN,
        subject=f"visitor_entry:{entry_id}", reason="门岗放行",
    )  # fmt: skip
