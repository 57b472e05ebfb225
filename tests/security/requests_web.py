"""The requests of pages in WeChat, of mini-program codes, and of content checks."""

from uuid import UUID

from backend.kernel.audit import SYSTEM
from backend.kernel.ids import uuid7
from backend.wechat import apps, codes
from backend.wechat.codes import CodeKind
from tests import factories, factories_devices
from tests.factories_devices import Kind
from tests.security.prepared import Prepared, plain, request
from tests.security.world import MINI, OFFICIAL, SECRET, Who, World

HOUSE, GATE = "/admin/v1/houses/{house_id}/mini-code", "/admin/v1/gates/{gate_id}/mini-code"
SWITCH, CHECKS = "/admin/v1/ticket-screening", "/admin/v1/ticket-checks"
ADD_CHECK = """
    INSERT INTO ticket_check (id, community_id, ticket_id, event_id, kind, state, created_at, ended_at)
    SELECT $1, e.community_id, e.ticket_id, e.id, 'words', 'RISKY', $3, $3 FROM ticket_event e
     WHERE e.ticket_id = $2 AND e.move = 'submit'
        ON CONFLICT (event_id, kind, media_id) DO UPDATE SET created_at = $3
 RETURNING id
"""

plain(f"GET {SWITCH}", SWITCH)


@request("GET /p/login/{appid}")
async def leave(world: World, who: Who) -> Prepared:
    await world.res.redis.flushdb()
    return Prepared(f"/p/login/{OFFICIAL}?back=/h5/")


@request("GET /p/login/{appid}/return")
async def come_back(world: World, who: Who) -> Prepared:
    await world.res.redis.flushdb()
    return Prepared(f"/p/login/{OFFICIAL}/return?back=/h5/&code=x&state=y")


@request("POST /api/v1/js-sdk/signature")
async def sign(world: World, who: Who) -> Prepared:
    await world.res.redis.flushdb()
    await world.sandbox.ask("PUT", f"/apps/{OFFICIAL}", {"secret": SECRET, "kind": "official"})
    return Prepared("/api/v1/js-sdk/signature", {"url": f"{world.res.settings.public_url}/h5/"})


async def code(world: World, kind: CodeKind, subject_id: UUID) -> str:
    """The scene of a code whose picture is there."""
    app = await apps.app_by_appid(world.res.db, world.res.keyring, MINI)
    wanted = await codes.subject(world.res.db, kind, subject_id)
    made = await world.res.db.transact(lambda tx: codes.give(tx, SYSTEM, wanted, app=app))
    return (await codes.draw(world.res, app, made)).scene


@request("GET /api/v1/codes/{scene}")
async def resolve(world: World, who: Who) -> Prepared:
    await world.res.redis.flushdb()
    return Prepared(f"/api/v1/codes/{await code(world, CodeKind.HOUSE, world.ids['house'])}")


@request(f"GET {HOUSE}")
async def show_house(world: World, who: Who) -> Prepared:
    scene = await code(world, CodeKind.HOUSE, world.ids["house"])
    return Prepared(f"/admin/v1/houses/{world.ids['house']}/mini-code", shows=(scene,))


@request(f"POST {HOUSE}")
async def make_house(world: World, who: Who) -> Prepared:
    made = await factories.house(world.res, world.a, f"M{world.next()}")
    return Prepared(f"/admin/v1/houses/{made}/mini-code", touches=(made,))


@request(f"GET {GATE}")
async def show_gate(world: World, who: Who) -> Prepared:
    scene = await code(world, CodeKind.GATE, world.ids["gate"])
    return Prepared(f"/admin/v1/gates/{world.ids['gate']}/mini-code", shows=(scene,))


@request(f"POST {GATE}")
async def make_gate(world: World, who: Who) -> Prepared:
    made = await factories_devices.device(world.res, world.a, Kind.GATE, name=f"侧门{world.next()}")
    return Prepared(f"/admin/v1/gates/{made.id}/mini-code", touches=(made.id,))


@request(f"PUT {SWITCH}")
async def turn(world: World, who: Who) -> Prepared:
    await world.res.db.execute("DELETE FROM ticket_screening")
    return Prepared(SWITCH, {"enabled": False})


async def found(world: World, ticket: str) -> UUID:
    """Words of a ticket that were found risky."""
    check_id: UUID = await world.res.db.fetchval(
        ADD_CHECK, uuid7(world.res.clock.now()), world.ids[ticket], world.res.clock.now()
    )
    return check_id


@request(f"GET {CHECKS}")
async def list_found(world: World, who: Who) -> Prepared:
    for ticket in ("ticket", "b_ticket", "c_ticket"):
        await found(world, ticket)
    return Prepared(f"{CHECKS}?limit=100")


@request(f"POST {CHECKS}/{{check_id}}/decision")
async def decide(world: World, who: Who) -> Prepared:
    await world.res.db.execute("DELETE FROM ticket_check")
    check_id = await found(world, "ticket")
    return Prepared(
        f"{CHECKS}/{check_id}/decision", {"shown": True, "reason": "已核实内容"}, touches=(check_id,)
    )  # fmt: skip
