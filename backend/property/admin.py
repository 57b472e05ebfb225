"""Staff routes of property: company, communities, buildings, units, houses, search (S1)."""

from typing import Any
from uuid import UUID

from backend.kernel.db import Tx
from backend.kernel.errors import Conflict, Invalid, NotFound
from backend.kernel.http import Call, Route, decode_cursor, encode_cursor
from backend.property import communities, houses
from backend.property.schemas import (
    BuildingAnswer,
    BuildingBody,
    BuildingsAnswer,
    CommunitiesAnswer,
    CommunityAnswer,
    CommunityBody,
    CompanyAnswer,
    CompanyBody,
    HouseAnswer,
    HouseBody,
    HousesAnswer,
    HousesQuery,
    NewBuildingBody,
    NewCommunityBody,
    NewHouseBody,
    UnitAnswer,
    UnitBody,
    UnitsAnswer,
)

READ, EDIT, COMPANY = "property.read", "property.edit", "company.manage"


async def show_company(call: Call[None, None]) -> CompanyAnswer:
    company_id = call.principal.company_id
    if company_id is None:
        raise NotFound
    return CompanyAnswer(id=company_id, name=await communities.company_name(call.res.db, company_id))


async def rename_company(call: Call[CompanyBody, None]) -> CompanyAnswer:
    company_id = _company(call)
    await call.res.db.transact(
        lambda tx: communities.rename_company(tx, call.principal.actor, company_id=company_id, name=call.body.name)
    )
    return CompanyAnswer(id=company_id, name=call.body.name)


async def list_communities(call: Call[None, None]) -> CommunitiesAnswer:
    found = await communities.by_ids(call.res.db, call.principal.communities(READ))
    return CommunitiesAnswer(items=[CommunityAnswer.of(community) for community in found])


async def add_community(call: Call[NewCommunityBody, None]) -> CommunityAnswer:
    company_id, body = _company(call), call.body

    async def work(tx: Tx) -> CommunityAnswer:
        community_id = await communities.create(
            tx, call.principal.actor, company_id=company_id, code=body.code, name=body.name, address=body.address
        )
        return CommunityAnswer(id=community_id, code=body.code, name=body.name, address=body.address)

    return await call.once(work, CommunityAnswer)


async def change_community(call: Call[CommunityBody, None]) -> CommunityAnswer:
    community_id = _community(call, EDIT)

    async def work(tx: Tx) -> CommunityAnswer:
        await communities.change(
            tx, call.principal.actor, community_id=community_id, name=call.body.name, address=call.body.address
        )
        (changed,) = await communities.by_ids(tx, [community_id])
        return CommunityAnswer.of(changed)

    return await call.transact(work)


async def list_buildings(call: Call[None, None]) -> BuildingsAnswer:
    found = await communities.buildings(call.res.db, _community(call, READ))
    return BuildingsAnswer(items=[BuildingAnswer.of(building) for building in found])


async def add_building(call: Call[NewBuildingBody, None]) -> BuildingAnswer:
    community_id = _community(call, EDIT)

    async def work(tx: Tx) -> BuildingAnswer:
        building_id = await communities.add_building(
            tx, call.principal.actor, community_id=community_id, name=call.body.name, units=call.body.units
        )
        return await _building(tx, building_id)

    return await call.once(work, BuildingAnswer)


async def rename_building(call: Call[BuildingBody, None]) -> BuildingAnswer:
    building_id = await _building_id(call, EDIT)

    async def work(tx: Tx) -> BuildingAnswer:
        await communities.rename_building(tx, call.principal.actor, building_id=building_id, name=call.body.name)
        return await _building(tx, building_id)

    return await call.transact(work)


async def list_units(call: Call[None, None]) -> UnitsAnswer:
    building_id = await _building_id(call, READ)
    return UnitsAnswer(items=[UnitAnswer.of(unit) for unit in await communities.units(call.res.db, building_id)])


async def add_unit(call: Call[UnitBody, None]) -> UnitAnswer:
    building_id = await _building_id(call, EDIT)

    async def work(tx: Tx) -> UnitAnswer:
        unit_id = await communities.add_unit(tx, call.principal.actor, building_id=building_id, name=call.body.name)
        (unit,) = [unit for unit in await communities.units(tx, building_id) if unit.id == unit_id]
        return UnitAnswer.of(unit)

    return await call.once(work, UnitAnswer)


async def list_houses(call: Call[None, HousesQuery]) -> HousesAnswer:
    community_id, query, db = _community(call, READ), call.query, call.res.db
    if query.typed is not None:
        found = await houses.matching(db, [community_id], query.typed, limit=query.limit)
        return HousesAnswer(items=[HouseAnswer.of(house) for house in found], next_cursor=None)
    after = 0 if query.cursor is None else decode_cursor(query.cursor, (int,))[0]
    page = await houses.page(db, community_id, after_no=after, limit=query.limit)
    return HousesAnswer(
        items=[HouseAnswer.of(house) for house in page],
        next_cursor=encode_cursor(page[-1].no) if len(page) == query.limit else None,
    )


async def search_houses(call: Call[None, HousesQuery]) -> HousesAnswer:
    found = await houses.matching(
        call.res.db, call.principal.communities(READ), call.query.typed or "", limit=call.query.limit
    )
    return HousesAnswer(items=[HouseAnswer.of(house) for house in found], next_cursor=None)


async def add_house(call: Call[NewHouseBody, None]) -> HouseAnswer:
    community_id, body = _community(call, EDIT), call.body

    async def work(tx: Tx) -> HouseAnswer:
        house = await houses.create(
            tx, call.principal.actor, community_id=community_id, unit_id=body.unit_id, door=body.door,
            features=body.features(),
        )  # fmt: skip
        return HouseAnswer.of(house)

    return await call.once(work, HouseAnswer)


async def show_house(call: Call[None, None]) -> HouseAnswer:
    house = await houses.one(call.res.db, call.ids["house_id"])
    call.principal.require_community(READ, house.community_id)
    return HouseAnswer.of(house)


async def change_house(call: Call[HouseBody, None]) -> HouseAnswer:
    house = await houses.one(call.res.db, call.ids["house_id"])
    call.principal.require_community(EDIT, house.community_id)

    async def work(tx: Tx) -> HouseAnswer:
        return HouseAnswer.of(
            await houses.change(tx, call.principal.actor, house_id=house.id, features=call.body.features())
        )

    return await call.transact(work)


def _company(call: Call[Any, Any]) -> UUID:
    """The company of a principal who manages all of it; NotFound otherwise."""
    return call.principal.require_company(COMPANY)


def _community(call: Call[Any, Any], permission: str) -> UUID:
    """The community in the path, once `permission` is held there."""
    community_id = call.ids["community_id"]
    call.principal.require_community(permission, community_id)
    return community_id


async def _building_id(call: Call[Any, Any], permission: str) -> UUID:
    """The building in the path, once `permission` is held in its community."""
    building_id = call.ids["building_id"]
    call.principal.require_community(permission, await communities.community_of_building(call.res.db, building_id))
    return building_id


async def _building(tx: Tx, building_id: UUID) -> BuildingAnswer:
    community_id = await communities.community_of_building(tx, building_id)
    (found,) = [one for one in await communities.buildings(tx, community_id) if one.id == building_id]
    return BuildingAnswer.of(found)


_PLACE = "/admin/v1/communities/{community_id}"

ROUTES: tuple[Route, ...] = (
    Route("GET", "/admin/v1/company", show_company, READ, "本公司", answer=CompanyAnswer, errors=(NotFound,)),
    Route("PUT", "/admin/v1/company", rename_company, COMPANY, "修改公司名称", body=CompanyBody, answer=CompanyAnswer,
          errors=(NotFound,)),
    Route("GET", "/admin/v1/communities", list_communities, READ, "我负责的小区", answer=CommunitiesAnswer),
    Route("POST", "/admin/v1/communities", add_community, COMPANY, "新增小区", body=NewCommunityBody,
          answer=CommunityAnswer, status=201, creates=True, errors=(Conflict, NotFound)),
    Route("PUT", _PLACE, change_community, EDIT, "修改小区", body=CommunityBody, answer=CommunityAnswer,
          errors=(NotFound,)),
    Route("GET", f"{_PLACE}/buildings", list_buildings, READ, "楼栋列表", answer=BuildingsAnswer, errors=(NotFound,)),
    Route("POST", f"{_PLACE}/buildings", add_building, EDIT, "新增楼栋", body=NewBuildingBody, answer=BuildingAnswer,
          status=201, creates=True, errors=(NotFound, Conflict, Invalid)),
    Route("PUT", "/admin/v1/buildings/{building_id}", rename_building, EDIT, "修改楼栋名称", body=BuildingBody,
          answer=BuildingAnswer, errors=(NotFound,)),
    Route("GET", "/admin/v1/buildings/{building_id}/units", list_units, READ, "单元列表", answer=UnitsAnswer,
          errors=(NotFound,)),
    Route("POST", "/admin/v1/buildings/{building_id}/units", add_unit, EDIT, "新增单元", body=UnitBody,
          answer=UnitAnswer, status=201, creates=True, errors=(NotFound, Conflict)),
    Route("GET", f"{_PLACE}/houses", list_houses, READ, "房屋列表与查找", query=HousesQuery, answer=HousesAnswer,
          errors=(NotFound,)),
    Route("POST", f"{_PLACE}/houses", add_house, EDIT, "新增房屋", body=NewHouseBody, answer=HouseAnswer, status=201,
          creates=True, errors=(NotFound, Conflict, Invalid)),
    Route("GET", "/admin/v1/houses", search_houses, READ, "在我负责的所有小区里查找房屋", query=HousesQuery,
          answer=HousesAnswer),
    Route("GET", "/admin/v1/houses/{house_id}", show_house, READ, "房屋详情", answer=HouseAnswer, errors=(NotFound,)),
    Route("PUT", "/admin/v1/houses/{house_id}", change_house, EDIT, "修改房屋", body=HouseBody, answer=HouseAnswer,
          errors=(NotFound,)),
)  # fmt: skip
