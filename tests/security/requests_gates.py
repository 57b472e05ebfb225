"""The requests of gates and of codes for them: by the gate itself, by residents, by staff."""

from uuid import UUID

from backend.devices.states import Kind
from backend.kernel.audit import SYSTEM
from backend.kernel.auth import Tie
from backend.kernel.db import Tx
from backend.kernel.ids import token, uuid7
from backend.visitors import bundles, resident_passes, short_codes
from tests import factories_devices
from tests.factories import Person
from tests.factories_devices import Device
from tests.factories_gates import Grounds
from tests.security.prepared import Prepared, request
from tests.security.world import Who, World


async def gate(world: World, letter: str = "a") -> Device:
    """A gate of a community that has its number and its keys already."""
    made = await factories_devices.device(
        world.res, world.places[letter], Kind.GATE, name=f"{world.next()}号门", vendor="neutral"
    )
    await bundles.of_gate(
        world.res.db, SYSTEM, keyring=world.res.keyring, gate_id=made.id, since=None, have=None,
        at=world.res.clock.now(),
    )  # fmt: skip
    return made


async def grounds(world: World) -> Grounds:
    """The house of the world with gates of its community; passes are invited by its owner."""
    east, owner, place = await gate(world), world.who["owner"], world.a
    assert owner.id is not None and owner.wechat_user_id is not None and owner.token is not None
    person = Person(owner.id, owner.wechat_user_id, owner.openid or "", owner.token)
    return Grounds(world.res, place, Tie(world.ids["house"], place.id, "owner"), person, east, east)


def by(who: Who, device: Device) -> str | None:
    """The matrix's device is a camera: where it is let in, a gate asks in its place."""
    return device.token if who.name == "device" else None


async def a_pass(world: World) -> tuple[Grounds, UUID]:
    """A pass of the world's house; whatever earlier rows counted towards the day's limit is forgotten."""
    await world.res.db.execute("UPDATE visitor_pass SET valid_from = valid_from - interval '2 days'")
    at = await grounds(world)
    return at, await at.invite(entries=None, hours=72)


@request("POST /device/v1/visitor-scans")
async def scan(world: World, who: Who) -> Prepared:
    at, pass_id = await a_pass(world)
    body = {"key": token(), "token": await at.text(pass_id)}
    return Prepared("/device/v1/visitor-scans", body, token=by(who, at.east), touches=(pass_id, at.east.id))


@request("POST /device/v1/visitor-digits")
async def enter_digits(world: World, who: Who) -> Prepared:
    at, pass_id = await a_pass(world)
    now = world.res.clock.now()

    async def work(tx: Tx) -> None:
        ring, code_id = world.res.keyring, uuid7(now)
        await tx.execute(
            short_codes.INSERT, code_id, pass_id, at.east.id, tx.today, at.place.id, short_codes.blind(ring, "042917"),
            ring.seal("042917", short_codes.Context(short_codes.TABLE, short_codes.COLUMN, code_id)), tx.now,
        )  # fmt: skip

    await world.res.db.transact(work)
    body = {"key": token(), "code": "042917"}
    return Prepared("/device/v1/visitor-digits", body, token=by(who, at.east), touches=(pass_id, at.east.id))


@request("POST /device/v1/visitor-events")
async def tell(world: World, who: Who) -> Prepared:
    at, pass_id = await a_pass(world)
    told = {"key": token(), "token": await at.text(pass_id), "at_s": int(world.res.clock.now().timestamp()) + 1}
    return Prepared("/device/v1/visitor-events", {"events": [told]}, token=by(who, at.east), touches=(pass_id,))


@request("GET /device/v1/visitor-bundle")
async def fetch(world: World, who: Who) -> Prepared:
    device = await gate(world)
    return Prepared("/device/v1/visitor-bundle", token=by(who, device), touches=(device.id,))


@request("GET /api/v1/visitor-passes/{pass_id}/code")
async def show(world: World, who: Who) -> Prepared:
    at, pass_id = await a_pass(world)
    await at.codes_of(pass_id)
    return Prepared(f"/api/v1/visitor-passes/{pass_id}/code")


@request("GET /api/v1/visitor-passes/{pass_id}/code.png")
async def picture(world: World, who: Who) -> Prepared:
    at, pass_id = await a_pass(world)
    await at.codes_of(pass_id)
    return Prepared(f"/api/v1/visitor-passes/{pass_id}/code.png")


@request("GET /api/v1/houses/{house_id}/door-code")
async def show_own(world: World, who: Who) -> Prepared:
    """Who may has one already, so that reading makes nothing new."""
    await gate(world)
    if who.name in ("tenant", "family", "owner") and who.id is not None:
        tie, person_id = Tie(world.ids["house"], world.a.id, "owner"), who.id
        await world.res.db.transact(lambda tx: resident_passes.ensure(tx, tie=tie, person_id=person_id))
    return Prepared(f"/api/v1/houses/{world.ids['house']}/door-code")


async def conflict(world: World, letter: str = "a") -> UUID:
    """An entry that a gate should not have let in."""
    made, conflict_id, now = await gate(world, letter), uuid7(world.res.clock.now()), world.res.clock.now()
    await world.res.db.execute(
        """WITH told AS (INSERT INTO device_event (id, community_id, device_id, event_key, kind, happened_at,
                                                   received_at, outcome, reason, answer)
                         VALUES ($1, $2, $3, $4, 'visitor_offline', $5, $5, 'refused', 'used_up', '{}') RETURNING id)
           INSERT INTO visitor_conflict (id, community_id, gate_id, device_event_id, reason, happened_at, told_at)
           SELECT $1, $2, $3, id, 'used_up', $5, $5 FROM told""",
        conflict_id, world.places[letter].id, made.id, token(), now,
    )  # fmt: skip
    return conflict_id


@request("GET /admin/v1/visitor-conflicts")
async def list_conflicts(world: World, who: Who) -> Prepared:
    """One of each place that names the place; the page is long enough for all."""
    for letter in ("a", "b", "c"):
        await conflict(world, letter)
    return Prepared("/admin/v1/visitor-conflicts?limit=100")


@request("POST /admin/v1/visitor-conflicts/{conflict_id}/settle")
async def settle(world: World, who: Who) -> Prepared:
    made = await conflict(world)
    return Prepared(f"/admin/v1/visitor-conflicts/{made}/settle", {"note": "已与住户核实"}, touches=(made,))


@request("POST /admin/v1/communities/{community_id}/visitor-keys/distrust")
async def distrust(world: World, who: Who) -> Prepared:
    await gate(world)
    path = f"/admin/v1/communities/{world.a.id}/visitor-keys/distrust"
    return Prepared(path, {"reason": "密钥可能外泄"}, touches=(world.a.id,))
