"""The demo community's gates, and a few passes of its first residents: a guest tonight, a nanny by her hours, one that
waits for the property. Invited at the end, so that they are valid when somebody looks."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from backend.devices import registry
from backend.devices.states import Kind
from backend.kernel.audit import Actor
from backend.kernel.auth import HouseScope, Tie
from backend.kernel.clock import local_date
from backend.kernel.db import Tx
from backend.kernel.resources import Resources
from backend.property import occupancy
from backend.property.occupancy import Occupancy
from backend.visitors import guests, inviting, reads
from backend.visitors.inviting import NewPass
from backend.visitors.states import PassKind
from backend.visitors.windows import Slot

GATES = ("南门", "东门")
WORKDAYS, FROM_MIN, UNTIL_MIN = 0b0011111, 8 * 60, 18 * 60


async def open_gates(tx: Tx, res: Resources, community_id: UUID, *, administrator: Actor) -> None:
    """The gates, known as devices."""
    for name in GATES:
        await registry.register(
            tx, administrator, keyring=res.keyring, community_id=community_id, kind=Kind.GATE, vendor="neutral",
            name=f"{name}门禁",
        )  # fmt: skip


async def invite(res: Resources, community_id: UUID, owners: Sequence[UUID]) -> None:
    """The first of these owners invite, unless they have done so in an earlier seed."""
    now = res.clock.now().replace(second=0, microsecond=0)
    ties = await occupancy.of_people(res.db, owners[:3], community_ids=[community_id], today=local_date(now))
    homes = {tie.person_id: tie for tie in ties}
    passes = (
        NewPass(PassKind.GUEST, guests.typed("何先生", phone="13900008001"), now, now + timedelta(hours=12),
                companions=2),
        NewPass(PassKind.NANNY, guests.typed("宋阿姨", phone="13900008002"), now, now + timedelta(days=7),
                weekly=(Slot(WORKDAYS, FROM_MIN, UNTIL_MIN),), entries_allowed=None),
        NewPass(PassKind.CONTRACTOR, guests.typed("许师傅", phone="13900008003"), now, now + timedelta(days=30),
                weekly=(Slot(WORKDAYS, FROM_MIN, UNTIL_MIN),), entries_allowed=None, purpose="厨房装修"),
    )  # fmt: skip
    for person_id, new in zip(owners, passes, strict=False):
        await _invite_once(res, homes[person_id], new)


async def _invite_once(res: Resources, home: Occupancy, new: NewPass) -> None:
    scope = HouseScope(home.person_id, (home.house_id,), (home.house_id,), ())
    if await reads.of_house(res.db, scope, house_id=home.house_id, before=None, limit=1):
        return

    async def work(tx: Tx) -> None:
        await inviting.create(
            tx, Actor("resident", home.person_id), keyring=res.keyring,
            tie=Tie(home.house_id, home.community_id, home.role), person_id=home.person_id, new=new,
        )  # fmt: skip

    await res.db.transact(work)
