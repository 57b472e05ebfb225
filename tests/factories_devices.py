"""Builders of devices, by the product's own command."""

from dataclasses import dataclass
from uuid import UUID

from backend.devices import commands, registry
from backend.devices.commands import Ordered
from backend.devices.registry import Issued
from backend.devices.states import CommandKind, Kind
from backend.kernel.audit import SYSTEM
from backend.kernel.db import Tx
from backend.kernel.resources import Resources
from tests.factories import Community


@dataclass(frozen=True)
class Device:
    """A device and what it signs with."""

    id: UUID
    secret: str

    @property
    def token(self) -> str:
        """What makes a test's client sign as this device."""
        return f"d_{self.id}_{self.secret}"


async def device(
    res: Resources,
    place: Community,
    kind: Kind = Kind.CAMERA,
    *,
    vendor: str = "neutral",
    name: str = "东门",
    serial: str | None = None,
) -> Device:
    """A registered device."""

    async def work(tx: Tx) -> Issued:
        return await registry.register(
            tx,
            SYSTEM,
            keyring=res.keyring,
            community_id=place.id,
            kind=kind,
            vendor=vendor,
            name=name,
            serial=serial,
        )

    issued = await res.db.transact(work)
    return Device(issued.id, issued.secret)


async def ordered(res: Resources, place: Community, to: Device, subject: str = "test:1") -> Ordered:
    """A command that is committed."""

    async def work(tx: Tx) -> Ordered:
        return commands.order(
            tx, SYSTEM, community_id=place.id, device_id=to.id, kind=CommandKind.OPEN, subject=subject, reason="测试"
        )

    return await res.db.transact(work)
