"""The requests of staff: their own account, colleagues, approvals, property, roster."""

from uuid import UUID

from tests.security import fresh
from tests.security.prepared import Prepared, plain, request
from tests.security.world import PASSWORD, Who, World, apply, place_of

HOUSE = {"kind": "residence", "gross_area_cm2": 900_000}

plain("GET /admin/v1/me", "/admin/v1/me")
plain("GET /admin/v1/approvals", "/admin/v1/approvals?limit=100")
plain("GET /admin/v1/audit", "/admin/v1/audit?action=test.marked&limit=100")
plain("GET /admin/v1/staff", "/admin/v1/staff?limit=100")
plain("GET /admin/v1/staff/{staff_id}", "/admin/v1/staff/{staff_engineer}")
plain("GET /admin/v1/company", "/admin/v1/company")
plain("GET /admin/v1/communities", "/admin/v1/communities")
plain("GET /admin/v1/communities/{community_id}/buildings", "/admin/v1/communities/{a}/buildings")
plain("GET /admin/v1/buildings/{building_id}/units", "/admin/v1/buildings/{building}/units")
plain("GET /admin/v1/communities/{community_id}/houses", "/admin/v1/communities/{a}/houses?limit=100")
plain("GET /admin/v1/houses", "/admin/v1/houses?typed=1-1-101&limit=100")
plain("GET /admin/v1/houses/{house_id}", "/admin/v1/houses/{house}")
plain("GET /admin/v1/roster-template", "/admin/v1/roster-template")
plain("GET /admin/v1/communities/{community_id}/roster-imports", "/admin/v1/communities/{a}/roster-imports")
plain("GET /admin/v1/roster-imports/{import_id}", "/admin/v1/roster-imports/{import}")
plain("GET /admin/v1/roster-imports/{import_id}/errors", "/admin/v1/roster-imports/{import}/errors")
plain("GET /admin/v1/communities/{community_id}/roster-exports", "/admin/v1/communities/{a}/roster-exports")
plain("GET /admin/v1/roster-exports/{export_id}/file #of somebody else", "/admin/v1/roster-exports/{export}/file")
plain("GET /admin/v1/houses/{house_id}/residents", "/admin/v1/houses/{house}/residents")
plain("GET /admin/v1/houses/{house_id}/residents #with former", "/admin/v1/houses/{house}/residents?with_former=true")
plain("GET /admin/v1/residents", "/admin/v1/residents?phone=13900001004")
plain("GET /admin/v1/residents #of the other community", "/admin/v1/residents?phone=13900001005")
plain("GET /admin/v1/residents #who moved out", "/admin/v1/residents?phone=13900001001")


@request("POST /admin/v1/login")
async def log_in(world: World, who: Who) -> Prepared:
    somebody = await fresh.colleague(world, "engineer", place_of(world, who.name))
    login = await world.res.db.fetchval("SELECT login FROM staff WHERE id = $1", somebody.id)
    return Prepared("/admin/v1/login", {"login": login, "password": PASSWORD}, touches=(somebody.id,))


@request("POST /admin/v1/logout")
async def log_out(world: World, who: Who) -> Prepared:
    return Prepared("/admin/v1/logout", token=await fresh.session(world, who))


@request("POST /admin/v1/me/password")
async def change_password(world: World, who: Who) -> Prepared:
    asker = await fresh.another(world, who)
    body = {"old_password": PASSWORD, "new_password": "battery-staple-9"}
    return Prepared("/admin/v1/me/password", body, token=asker.token, touches=(asker.id,))


@request("POST /admin/v1/me/totp")
async def offer_totp(world: World, who: Who) -> Prepared:
    return Prepared("/admin/v1/me/totp", touches=(who.id,))


@request("POST /admin/v1/me/totp/confirm")
async def confirm_totp(world: World, who: Who) -> Prepared:
    asker = await fresh.another(world, who)
    code = await fresh.offered_totp(world, asker.id) if asker.token and asker.token[0] == "s" and asker.id else "123456"
    return Prepared("/admin/v1/me/totp/confirm", {"code": code}, token=asker.token, touches=(asker.id,))


@request("POST /admin/v1/me/wechat-code")
async def wechat_code(world: World, who: Who) -> Prepared:
    return Prepared("/admin/v1/me/wechat-code", touches=(who.id,))


@request("POST /admin/v1/staff")
async def add_staff(world: World, who: Who) -> Prepared:
    login = f"new{world.next()}"
    company = place_of(world, who.name).company_id
    return Prepared(
        "/admin/v1/staff", {"login": login, "name": "新同事", "password": PASSWORD}, shows=(login,),
        touches=(login, company),
    )  # fmt: skip


async def _of_colleague(world: World, action: str, body: object) -> Prepared:
    one = await fresh.colleague(world, "engineer")
    return Prepared(f"/admin/v1/staff/{one.id}{action}", body, touches=(one.id,))


@request("PUT /admin/v1/staff/{staff_id}")
async def change_staff(world: World, who: Who) -> Prepared:
    return await _of_colleague(world, "", {"name": "改名", "state": "DISABLED"})


@request("POST /admin/v1/staff/{staff_id}/password")
async def reset_password(world: World, who: Who) -> Prepared:
    return await _of_colleague(world, "/password", {"password": "battery-staple-9"})


@request("POST /admin/v1/staff/{staff_id}/roles")
async def grant_role(world: World, who: Who) -> Prepared:
    return await _of_colleague(world, "/roles", {"role": "guard", "community_id": str(world.a.id)})


@request("POST /admin/v1/staff/{staff_id}/roles/revoke")
async def revoke_role(world: World, who: Who) -> Prepared:
    return await _of_colleague(world, "/roles/revoke", {"role": "engineer", "community_id": str(world.a.id)})


def _decision(approval_id: UUID, target: UUID) -> Prepared:
    path = f"/admin/v1/approvals/{approval_id}/decision"
    return Prepared(path, {"approve": True, "note": "已核对"}, shows=(approval_id,), touches=(approval_id, target))


@request("POST /admin/v1/approvals/{approval_id}/decision")
async def decide_binding(world: World, who: Who) -> Prepared:
    somebody = await fresh.person(world)
    applicant = Who("applicant", somebody.token, somebody.id)
    return _decision(await apply(world, applicant, world.ids["house"]), somebody.id)


@request("POST /admin/v1/approvals/{approval_id}/decision #price")
async def decide_price(world: World, who: Who) -> Prepared:
    return _decision(*await fresh.price_proposal(world, world.ids["staff_second"]))


@request("POST /admin/v1/approvals/{approval_id}/decision #void")
async def decide_void(world: World, who: Who) -> Prepared:
    return _decision(*await fresh.void_proposal(world, world.ids["staff_second"]))


@request("POST /admin/v1/approvals/{approval_id}/decision #merchant keys")
async def decide_keys(world: World, who: Who) -> Prepared:
    return _decision(*await fresh.keys_proposal(world, world.ids["staff_second"]))


@request("POST /admin/v1/approvals/{approval_id}/decision #export")
async def decide_export(world: World, who: Who) -> Prepared:
    return _decision(await fresh.export_proposal(world), world.ids["staff_second"])


@request("POST /admin/v1/approvals/{approval_id}/decision #own proposal")
async def decide_own(world: World, who: Who) -> Prepared:
    return _decision(*await fresh.price_proposal(world, who.id or world.ids["staff_second"]))


@request("POST /admin/v1/approvals/{approval_id}/withdraw")
async def withdraw(world: World, who: Who) -> Prepared:
    approval_id, _ = await fresh.price_proposal(world, world.ids["staff_second"])
    return Prepared(f"/admin/v1/approvals/{approval_id}/withdraw")


@request("POST /admin/v1/approvals/{approval_id}/withdraw #own proposal")
async def withdraw_own(world: World, who: Who) -> Prepared:
    by, place = who.id or world.ids["staff_second"], place_of(world, who.name)
    approval_id, _ = await fresh.price_proposal(world, by, place)
    return Prepared(f"/admin/v1/approvals/{approval_id}/withdraw", touches=(approval_id,))


@request("PUT /admin/v1/company")
async def rename_company(world: World, who: Who) -> Prepared:
    company = place_of(world, who.name).company_id
    return Prepared("/admin/v1/company", {"name": "邻里物业"}, shows=(company,), touches=(company,))


@request("POST /admin/v1/communities")
async def add_community(world: World, who: Who) -> Prepared:
    code = f"N{world.next()}"
    return Prepared(
        "/admin/v1/communities", {"code": code, "name": "新小区"}, shows=(code,),
        touches=(code, place_of(world, who.name).company_id),
    )  # fmt: skip


@request("PUT /admin/v1/communities/{community_id}")
async def change_community(world: World, who: Who) -> Prepared:
    place = world.a.id
    return Prepared(f"/admin/v1/communities/{place}", {"name": "AA小区"}, shows=(place,), touches=(place,))


@request("POST /admin/v1/communities/{community_id}/buildings")
async def add_building(world: World, who: Who) -> Prepared:
    place, number = world.a.id, f"{world.next()}栋"
    body = {"name": number, "units": ["1单元"]}
    return Prepared(f"/admin/v1/communities/{place}/buildings", body, shows=(place, number), touches=(place,))


@request("PUT /admin/v1/buildings/{building_id}")
async def rename_building(world: World, who: Who) -> Prepared:
    building = await fresh.building(world)
    return Prepared(f"/admin/v1/buildings/{building}", {"name": "丙座"}, shows=(building,), touches=(building,))


@request("POST /admin/v1/buildings/{building_id}/units")
async def add_unit(world: World, who: Who) -> Prepared:
    building = await fresh.building(world)
    return Prepared(f"/admin/v1/buildings/{building}/units", {"name": "2单元"}, shows=(building,), touches=(building,))


@request("POST /admin/v1/communities/{community_id}/houses")
async def add_house(world: World, who: Who) -> Prepared:
    place, door = world.a.id, f"D{world.next()}"
    body = {"unit_id": str(world.a.unit_id), "door": door, **HOUSE}
    return Prepared(f"/admin/v1/communities/{place}/houses", body, shows=(place, door), touches=(place, door))


@request("PUT /admin/v1/houses/{house_id}")
async def change_house(world: World, who: Who) -> Prepared:
    house = await fresh.house(world)
    return Prepared(f"/admin/v1/houses/{house}", HOUSE, shows=(house,), touches=(house,))


@request("POST /admin/v1/communities/{community_id}/roster-imports")
async def upload(world: World, who: Who) -> Prepared:
    path = f"/admin/v1/communities/{world.a.id}/roster-imports?file_name=roster.xlsx"
    return Prepared(path, raw=f"not a workbook {world.next()}".encode(), shows=(world.a.id,), touches=(world.a.id,))


@request("POST /admin/v1/roster-imports/{import_id}/confirm")
async def confirm_import(world: World, who: Who) -> Prepared:
    made = await fresh.roster_import(world)
    return Prepared(f"/admin/v1/roster-imports/{made}/confirm", shows=(made,), touches=(made,))


@request("POST /admin/v1/roster-imports/{import_id}/cancel")
async def cancel_import(world: World, who: Who) -> Prepared:
    made = await fresh.roster_import(world)
    return Prepared(f"/admin/v1/roster-imports/{made}/cancel", shows=(made,), touches=(made,))


@request("POST /admin/v1/communities/{community_id}/roster-exports")
async def ask_for_export(world: World, who: Who) -> Prepared:
    await fresh.no_export_pending(world)
    path = f"/admin/v1/communities/{world.a.id}/roster-exports"
    return Prepared(path, {"reason": "年度核对"}, touches=(world.a.id,))


@request("GET /admin/v1/roster-exports/{export_id}/file")
async def export_file(world: World, who: Who) -> Prepared:
    export_id = await fresh.export(world, who.id or world.ids["staff_second"])
    return Prepared(f"/admin/v1/roster-exports/{export_id}/file", shows=(export_id.hex,), touches=(export_id,))


@request("POST /admin/v1/houses/{house_id}/residents")
async def propose_resident(world: World, who: Who) -> Prepared:
    house = await fresh.house(world)
    body = {"phone": f"136{world.next():08}", "name": "周八", "role": "owner", "reason": "房产证已核对"}
    return Prepared(f"/admin/v1/houses/{house}/residents", body, touches=(house,))


@request("POST /admin/v1/occupancies/{occupancy_id}/end")
async def move_out(world: World, who: Who) -> Prepared:
    _, _, tie = await fresh.resident(world, "tenant")
    return Prepared(f"/admin/v1/occupancies/{tie}/end", {"reason": "租约到期"}, touches=(tie,))


@request("POST /admin/v1/communities/{community_id}/people/{person_id}/reveal")
async def reveal(world: World, who: Who) -> Prepared:
    _, somebody, _ = await fresh.resident(world, "owner")
    path = f"/admin/v1/communities/{world.a.id}/people/{somebody.id}/reveal"
    return Prepared(path, {"reason": "电话回访"}, shows=(somebody.id, "赵六"), touches=(somebody.id,))


@request("POST /admin/v1/communities/{community_id}/people/{person_id}/reveal #of the other community")
async def reveal_foreign(world: World, who: Who) -> Prepared:
    path = f"/admin/v1/communities/{world.a.id}/people/{world.ids['b_person']}/reveal"
    return Prepared(path, {"reason": "电话回访"})
