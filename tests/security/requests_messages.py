"""The requests of staff about templates at WeChat, samples, quiet hours and figures."""

from uuid import UUID

from tests.security.prepared import Prepared, plain, request
from tests.security.world import MINI, Who, World

TEMPLATES = "/admin/v1/message-templates"

plain("GET /admin/v1/message-apps/{appid}/templates", f"/admin/v1/message-apps/{MINI}/templates")
plain(f"POST {TEMPLATES}/check", f"{TEMPLATES}/check")
plain("GET /admin/v1/quiet-hours", "/admin/v1/quiet-hours")
plain(
    "GET /admin/v1/communities/{community_id}/message-figures",
    "/admin/v1/communities/{a}/message-figures?from_on=2026-09-01&to_on=2026-09-30",
)


@request(f"POST {TEMPLATES}/{{template_id}}/test")
async def send_sample(world: World, who: Who) -> Prepared:
    """Whoever asks is a member of staff who has bound the mini-program."""
    db = world.res.db
    template: UUID = await db.fetchval("SELECT id FROM message_template WHERE template_id = 'SubOurs'")
    await db.execute(
        """INSERT INTO wechat_user (id, appid, openid, staff_id, created_at)
           SELECT gen_random_uuid(), $1, 'o' || md5(id::text), id, $3 FROM staff WHERE id = $2
               ON CONFLICT DO NOTHING""",
        MINI, who.id, world.res.clock.now(),
    )  # fmt: skip
    return Prepared(f"{TEMPLATES}/{template}/test", touches=(template, MINI))


@request("PUT /admin/v1/quiet-hours")
async def save_quiet_hours(world: World, who: Who) -> Prepared:
    hours = {"begins": f"{20 + world.next() % 4:02}:{world.next() % 60:02}", "ends": "08:00"}
    body = {"community_id": str(world.a.id), "hours": hours}
    return Prepared("/admin/v1/quiet-hours", body, touches=(world.a.id,))
