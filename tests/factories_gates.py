"""Gates of a community, passes of a house, and gates that verify alone by the reference verifier."""

import importlib.util
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID

from backend.devices.states import Kind
from backend.kernel.audit import Actor
from backend.kernel.auth import Tie
from backend.kernel.db import Tx
from backend.kernel.ids import token
from backend.kernel.resources import Resources
from backend.visitors import codes, guests, inviting, passes, scanning
from backend.visitors.inviting import NewPass
from backend.visitors.scanning import Gate, Scan, Verdict
from backend.visitors.states import PassKind
from backend.visitors.windows import Weekly
from tests import factories, factories_devices
from tests.conftest import Client
from tests.factories import Community, Person
from tests.factories_devices import Device

_SPEC = importlib.util.spec_from_file_location("verifier", Path(__file__).parents[1] / "gate" / "verifier.py")
assert _SPEC is not None and _SPEC.loader is not None
verifier: ModuleType = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(verifier)


@dataclass
class Grounds:
    """A community with two gates, a house and its owner."""

    res: Resources
    place: Community
    tie: Tie
    owner: Person
    east: Device
    west: Device

    async def invite(
        self, *, entries: int | None = 1, hours: int = 8, weekly: Weekly | None = None,
        gates: Sequence[Device] | None = None, phone: str | None = None,
    ) -> UUID:  # fmt: skip
        """A pass that is valid from now on."""
        now = self.res.clock.now()
        new = NewPass(
            kind=PassKind.GUEST, guest=guests.typed("李四", phone=phone), valid_from=now,
            valid_until=now + timedelta(hours=hours), weekly=weekly, entries_allowed=entries,
            gate_ids=None if gates is None else tuple(gate.id for gate in gates),
        )  # fmt: skip

        async def work(tx: Tx) -> UUID:
            made = await inviting.create(
                tx, Actor("resident", self.owner.id), keyring=self.res.keyring, tie=self.tie,
                person_id=self.owner.id, new=new,
            )  # fmt: skip
            return made.id

        return await self.res.db.transact(work)

    async def codes_of(self, pass_id: UUID) -> codes.PassCodes:
        """What the phone of a pass shows now."""

        async def work(tx: Tx) -> codes.PassCodes:
            row = await tx.fetchrow("SELECT * FROM visitor_pass WHERE id = $1", pass_id)
            assert row is not None
            return await codes.of_pass(tx, row, keyring=self.res.keyring)

        return await self.res.db.transact(work)

    async def text(self, pass_id: UUID) -> str:
        """The token of a pass."""
        return (await self.codes_of(pass_id)).text

    async def scan(self, gate: Device, text: str, *, key: str | None = None, at: datetime | None = None) -> Verdict:
        """A token at a gate: now, or (`at`) told later."""
        told = Scan(key or token(), text, at)
        return await scanning.at_gate(self.res.db, Gate(gate.id, self.place.id), told, keyring=self.res.keyring)

    async def revoke(self, pass_id: UUID) -> None:
        """Staff revoke a pass."""
        await self.res.db.transact(
            lambda tx: passes.revoke(
                tx, Actor("staff", self.owner.id), pass_id=pass_id, communities=[self.place.id], reason="测试撤销"
            )
        )


async def grounds(res: Resources, code: str = "LL01", *, company_id: UUID | None = None) -> Grounds:
    """A community of its own with everything that a gate needs."""
    place = await factories.community(res, code, company_id=company_id)
    house = await factories.house(res, place, "101")
    owner = await factories.person(res, f"1380000{int.from_bytes(code.encode()[-2:], 'big') % 10_000:04}")
    await factories.occupy(res, owner, house)
    east, west = [
        await factories_devices.device(res, place, Kind.GATE, name=name, vendor="neutral") for name in ("东门", "西门")
    ]
    return Grounds(res, place, Tie(house, place.id, "owner"), owner, east, west)


@dataclass
class Alone:
    """A maker's gate: it syncs when it can, and decides by the reference verifier when it cannot."""

    client: Client
    device: Device
    gate: Any = field(default_factory=verifier.Gate)
    tag: str = ""
    answers: list[dict[str, Any]] = field(default_factory=list)
    bytes_received: list[int] = field(default_factory=list)

    @property
    def now_s(self) -> float:
        return self.client.clock.now().timestamp()

    async def sync(self) -> int:
        """Tell what happened, fetch what is new; the status of the bundle."""
        mine = self.client.of(self.device.token)
        if told := self.gate.to_tell():
            answered = await mine.post("/device/v1/visitor-events", {"events": told})
            assert answered.status == 200, answered.body
            self.answers += answered.json["events"]
            self.gate.told({each["key"] for each in answered.json["events"]}, now_s=self.now_s)
        query = f"?since={self.gate.version}" if self.gate.version != "0" else ""
        given = await mine.get(f"/device/v1/visitor-bundle{query}", headers={"If-None-Match": self.tag})
        if given.status == 200:
            self.tag = given.headers["ETag"]
            self.bytes_received.append(len(given.body))
            self.gate.sync(json.loads(given.body), asked_s=self.now_s, answered_s=self.now_s)
        return int(given.status)

    def admits(self, text: str) -> str:
        """Somebody stands at the gate while there is no network."""
        try:
            self.gate.admit(text, now_s=self.now_s)
        except verifier.Refused as refused:
            return str(refused.code)
        return "open"
