"""A lane that keeps the list for times without a network, as docs/parking.md tells makers to."""

from dataclasses import dataclass, field
from datetime import date
from typing import Any

from backend.kernel.audit import Actor
from backend.kernel.clock import local_date
from backend.parking.lanes import gate_list
from backend.parking.lanes.gate_list import Entry, Given
from tests.factories_devices import Device
from tests.factories_parking import Lot


async def fetch(lot: Lot, camera: Device, *, since: str | None = None, have: str | None = None) -> Given:
    """The list as the route asks for it."""
    return await gate_list.of_camera(
        lot.res.db, Actor("device", camera.id), keyring=lot.res.keyring, camera_id=camera.id, since=since, have=have,
        today=local_date(lot.res.clock.now()),
    )  # fmt: skip


@dataclass
class Keeper:
    """What one lane knows."""

    lot: Lot
    camera: Device
    version: str | None = None
    tag: str | None = None
    entries: dict[str, Entry] = field(default_factory=dict)
    wholes: int = 0

    async def ask(self) -> None:
        """Fetch what is new."""
        given = await fetch(self.lot, self.camera, since=self.version, have=self.tag)
        self.version, self.tag = given.version.text, given.version.tag
        if given.entries is None:
            return
        if given.version.full:
            self.entries, self.wholes = {}, self.wholes + 1
        for gone in given.removed:
            self.entries.pop(gone, None)
        self.entries.update({entry.id: entry for entry in given.entries})

    def known(self, today: date) -> list[tuple[Any, ...]]:
        """The entries that are not over."""
        lasting = [entry for entry in self.entries.values() if entry.ends_on is None or entry.ends_on > today]
        return sorted((tuple(entry) for entry in lasting), key=str)
