"""My houses: who lives in them, inviting, joining, applying, removing (D1, R15)."""

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from backend.identity import people
from backend.identity.people import Details, Person
from backend.kernel.auth import RESIDENT, Tie, TieRole
from backend.kernel.clock import local_date
from backend.kernel.db import Reader, Tx
from backend.kernel.errors import Conflict, Forbidden, Invalid, NotFound, TooMany
from backend.kernel.http import Call, Nothing, Route, Strict, example
from backend.kernel.ratelimit import Rule
from backend.property import applications, communities, family_codes, houses, occupancy, rights
from backend.property.rights import Right
from miniprogram_api.me import MyHouse, houses_of

JOIN_RATE = Rule("house.join", count=10, period_s=600, strict=True)
CODE_RATE = Rule("house.family_code", count=20, period_s=3600)
APPLY_RATE = Rule("house.apply", count=20, period_s=3600)
_ID = "0198f2a0-0000-7000-8000-000000000001"


class HousesAnswer(Strict):
    model_config = example(items=[])

    items: list[MyHouse]


class Member(Strict):
    model_config = example(occupancy_id=_ID, name="李*", phone="139****0002", role="family", starts_on="2026-09-01")

    occupancy_id: UUID
    name: str | None
    phone: str | None
    role: TieRole
    starts_on: date


class MembersAnswer(Strict):
    model_config = example(items=[])

    items: list[Member]


class FamilyCodeBody(Strict):
    model_config = example(role="family")

    role: Literal["family", "tenant"]


class FamilyCodeAnswer(Strict):
    model_config = example(code="K7QM2XRP", expires_at="2026-09-01T02:05:00Z")

    code: str
    expires_at: datetime


class JoinBody(Strict):
    model_config = example(code="K7QM2XRP")

    code: str = Field(pattern=r"^[0-9A-Za-z]{8}$")


class JoinAnswer(Strict):
    model_config = example(house_id=_ID, label="1栋1单元101", role="family")

    house_id: UUID
    label: str
    role: TieRole


class CommunityChoice(Strict):
    model_config = example(id=_ID, name="幸福里")

    id: UUID
    name: str


class CommunityChoices(Strict):
    model_config = example(items=[])

    items: list[CommunityChoice]


class ApplicationBody(Strict):
    model_config = example(community_id=_ID, house="1栋1单元101", role="owner", name="张三", reason="新购房屋")

    community_id: UUID
    house: str = Field(min_length=1, max_length=60, description="as people write it: 1栋101, 1-1-101")
    role: TieRole
    name: str = Field(min_length=1, max_length=50)
    reason: str = Field(min_length=1, max_length=500)


class ApplicationAnswer(Strict):
    model_config = example(
        id=_ID, house="1栋1单元101", role="owner", state="PENDING", note=None, applied_at="2026-09-01T02:00:00Z",
        decided_at=None,
    )  # fmt: skip

    id: UUID
    house: str
    role: TieRole
    state: str
    note: str | None
    applied_at: datetime
    decided_at: datetime | None


class ApplicationsAnswer(Strict):
    model_config = example(items=[])

    items: list[ApplicationAnswer]


async def my_houses(call: Call[None, None]) -> HousesAnswer:
    return HousesAnswer(items=await houses_of(call.res.db, call.principal))


async def members(call: Call[None, None]) -> MembersAnswer:
    res, tie = call.res, _owned(call)
    living = await occupancy.of_houses(res.db, [tie.house_id], today=_today(call))
    known = await people.masked(res.db, res.keyring, [one.person_id for one in living])
    unknown = Details(None, None)
    return MembersAnswer(
        items=[
            Member(
                occupancy_id=one.id,
                name=known.get(one.person_id, unknown).name,
                phone=known.get(one.person_id, unknown).phone,
                role=one.role,
                starts_on=one.starts_on,
            )
            for one in living
        ]
    )


async def make_code(call: Call[FamilyCodeBody, None]) -> FamilyCodeAnswer:
    tie, who = _owned(call), call.principal
    made = await call.res.db.transact(
        lambda tx: family_codes.create(
            tx, call.res.keyring, who.actor, house_id=tie.house_id, community_id=tie.community_id,
            owner_id=who.person_id, role=call.body.role,
        )
    )  # fmt: skip
    return FamilyCodeAnswer(code=made.code, expires_at=made.expires_at)


async def join(call: Call[JoinBody, None]) -> JoinAnswer:
    who = call.principal
    person_id = who.person_id

    async def work(tx: Tx) -> JoinAnswer:
        me = await people.one(tx, person_id)
        joined = await family_codes.join(
            tx, call.res.keyring, who.actor, code=call.body.code, person_id=me.id, person_no=me.no
        )
        house = await houses.one(tx, joined.house_id)
        return JoinAnswer(house_id=house.id, label=house.label, role=joined.role)

    return await call.once(work, JoinAnswer)


async def remove_member(call: Call[None, None]) -> Nothing:
    tie, actor = _owned(call), call.principal.actor

    async def work(tx: Tx) -> Nothing:
        member = await occupancy.one(tx, call.ids["occupancy_id"])
        if member.house_id != tie.house_id:
            raise NotFound
        if member.role == "owner":
            raise Forbidden("不能移除其他业主，请联系物业办理。", code="owner_not_removable")
        await occupancy.end(tx, actor, occupancy_id=member.id)
        return Nothing()

    return await call.transact(work)


async def list_communities(call: Call[None, None]) -> CommunityChoices:
    found = await communities.every_name(call.res.db)
    return CommunityChoices(items=[CommunityChoice(id=place, name=name) for place, name in found.items()])


async def apply(call: Call[ApplicationBody, None]) -> ApplicationAnswer:
    who, body, keyring = call.principal, call.body, call.res.keyring
    person_id = who.person_id

    async def work(tx: Tx) -> ApplicationAnswer:
        house = await houses.named(tx, body.community_id, body.house)
        me = await people.one(tx, person_id)
        phone = (await people.masked(tx, keyring, [me.id]))[me.id].phone
        shown = Details(body.name, None).masked().name
        await people.ensure_named(tx, keyring, person_id=me.id, name=body.name)
        approval = await applications.propose(
            tx, who.actor, house=house, person_id=me.id, person_no=me.no, role=body.role,
            applicant_shown=f"{shown} {phone or ''}".strip(), reason=body.reason,
        )  # fmt: skip
        return await _application(tx, me, approval.id)

    return await call.once(work, ApplicationAnswer)


async def my_applications(call: Call[None, None]) -> ApplicationsAnswer:
    found = await applications.of_person(call.res.db, call.principal.person_id)
    return ApplicationsAnswer(items=[_answer(application) for application in found])


async def _application(db: Reader, me: Person, approval_id: UUID) -> ApplicationAnswer:
    (found,) = [one for one in await applications.of_person(db, me.id) if one.id == approval_id]
    return _answer(found)


def _answer(application: applications.Application) -> ApplicationAnswer:
    return ApplicationAnswer(
        id=application.id,
        house=application.house_label,
        role=application.role,
        state=application.state,
        note=application.note,
        applied_at=application.applied_at,
        decided_at=application.decided_at,
    )


def _owned(call: Call[Any, Any]) -> Tie:
    """The tie to the house in the path; NotFound where there is none now, Forbidden unless it is an owner's."""
    tie = call.principal.tie(call.ids["house_id"])
    rights.require(tie, Right.MEMBERS)
    return tie


def _today(call: Call[Any, Any]) -> date:
    return local_date(call.res.clock.now())


_HOUSE = "/api/v1/houses/{house_id}"

ROUTES: tuple[Route, ...] = (
    Route("GET", "/api/v1/houses", my_houses, RESIDENT, "我的房屋", answer=HousesAnswer),
    Route("GET", f"{_HOUSE}/members", members, RESIDENT, "业主查看房屋成员", answer=MembersAnswer,
          errors=(NotFound, Forbidden)),
    Route("POST", f"{_HOUSE}/family-codes", make_code, RESIDENT, "业主生成家庭邀请码（五分钟内一次有效）",
          body=FamilyCodeBody, answer=FamilyCodeAnswer, status=201, rate=CODE_RATE,
          errors=(NotFound, Forbidden, TooMany)),
    Route("POST", "/api/v1/houses/join", join, RESIDENT, "用邀请码加入房屋", body=JoinBody, answer=JoinAnswer,
          creates=True, rate=JOIN_RATE, errors=(Forbidden, Conflict, TooMany)),
    Route("DELETE", f"{_HOUSE}/members/{{occupancy_id}}", remove_member, RESIDENT, "业主移除家人或租客", answer=Nothing,
          errors=(NotFound, Forbidden, Conflict)),
    Route("GET", "/api/v1/communities", list_communities, RESIDENT, "可以申请绑定的小区", answer=CommunityChoices),
    Route("GET", "/api/v1/applications", my_applications, RESIDENT, "我的绑定申请", answer=ApplicationsAnswer,
          errors=(Forbidden,)),
    Route("POST", "/api/v1/applications", apply, RESIDENT, "申请绑定房屋，由物业审批", body=ApplicationBody,
          answer=ApplicationAnswer, status=201, creates=True, rate=APPLY_RATE,
          errors=(Forbidden, Invalid, Conflict, TooMany)),
)  # fmt: skip
