"""The personal centre (个人中心): who I am, my houses, my consents (R15)."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from backend.identity import consents, people, wechat_users
from backend.identity.consents import Purpose
from backend.kernel.auth import RESIDENT, Principal, TieRole
from backend.kernel.db import Reader, Tx
from backend.kernel.errors import Forbidden, NotFound, Unauthenticated
from backend.kernel.http import Call, Nothing, Route, Strict, example
from backend.property import communities, houses
from backend.property.rights import RIGHTS, Right

_ID = "0198f2a0-0000-7000-8000-000000000001"


class MyHouse(Strict):
    model_config = example(
        house_id=_ID, community_id=_ID, community="幸福里", label="1栋1单元101", kind="residence",
        gross_area_cm2=893_500, role="owner", rights=["bills.all", "pay.all"], pay_code="7QK2M9XRPA",
    )  # fmt: skip

    house_id: UUID
    community_id: UUID
    community: str
    label: str
    kind: str
    gross_area_cm2: int | None
    role: TieRole
    rights: list[Right]
    pay_code: str | None = Field(description="for others who pay (代缴); owner and family see it")


class MeAnswer(Strict):
    model_config = example(
        person_id=_ID, name="张*", phone="138****6666", is_staff=False,
        houses=[], consents=[],
    )  # fmt: skip

    person_id: UUID | None = Field(description="null until a phone is bound")
    name: str | None
    phone: str | None
    is_staff: bool
    houses: list[MyHouse]
    consents: list["ConsentAnswer"]


class ConsentAnswer(Strict):
    model_config = example(purpose="service", version=1, granted_at="2026-09-01T02:00:00Z", revoked_at=None)

    purpose: Purpose
    version: int
    granted_at: datetime
    revoked_at: datetime | None


class ConsentsAnswer(Strict):
    model_config = example(items=[])

    items: list[ConsentAnswer]


class ConsentBody(Strict):
    model_config = example(purpose="service", version=1)

    purpose: Purpose
    version: int = Field(ge=1, le=10_000)


class NameBody(Strict):
    model_config = example(name="张三")

    name: str = Field(min_length=1, max_length=50)


async def me(call: Call[None, None]) -> MeAnswer:
    res, who = call.res, call.principal
    if who.wechat_user_id is None:
        raise Unauthenticated
    account = await wechat_users.account(res.db, res.keyring, who.wechat_user_id)
    if who.id is None:
        return MeAnswer(person_id=None, name=None, phone=None, is_staff=account.is_staff, houses=[], consents=[])
    known = (await people.masked(res.db, res.keyring, [who.id])).get(who.id)
    return MeAnswer(
        person_id=who.id,
        name=known.name if known else None,
        phone=known.phone if known else None,
        is_staff=account.is_staff,
        houses=await houses_of(res.db, who),
        consents=await _consents(res.db, who.id),
    )


async def houses_of(db: Reader, who: Principal) -> list[MyHouse]:
    """The houses to which the resident has a current tie, and what the role allows there."""
    found = {house.id: house for house in await houses.by_ids(db, [tie.house_id for tie in who.ties])}
    places = {place.id: place.name for place in await communities.by_ids(db, [tie.community_id for tie in who.ties])}
    return [
        MyHouse(
            house_id=tie.house_id,
            community_id=tie.community_id,
            community=places[tie.community_id],
            label=found[tie.house_id].label,
            kind=found[tie.house_id].features.kind,
            gross_area_cm2=found[tie.house_id].features.gross_area_cm2,
            role=tie.role,
            rights=sorted(RIGHTS[tie.role]),
            pay_code=None if tie.role == "tenant" else found[tie.house_id].pay_code,
        )
        for tie in who.ties
    ]


async def _consents(db: Reader, person_id: UUID) -> list[ConsentAnswer]:
    return [
        ConsentAnswer(
            purpose=Purpose(consent.purpose),
            version=consent.version,
            granted_at=consent.granted_at,
            revoked_at=consent.revoked_at,
        )
        for consent in await consents.of_person(db, person_id)
    ]


async def rename(call: Call[NameBody, None]) -> Nothing:
    person_id = call.principal.person_id
    await call.res.db.transact(
        lambda tx: people.rename(tx, call.res.keyring, call.principal.actor, person_id=person_id, name=call.body.name)
    )
    return Nothing()


async def list_consents(call: Call[None, None]) -> ConsentsAnswer:
    return ConsentsAnswer(items=await _consents(call.res.db, call.principal.person_id))


async def grant_consent(call: Call[ConsentBody, None]) -> ConsentsAnswer:
    person_id = call.principal.person_id

    async def work(tx: Tx) -> ConsentsAnswer:
        await consents.grant(
            tx, call.principal.actor, person_id=person_id, purpose=call.body.purpose, version=call.body.version
        )
        return ConsentsAnswer(items=await _consents(tx, person_id))

    return await call.transact(work)


async def revoke_consent(call: Call[None, None]) -> ConsentsAnswer:
    person_id, purpose = call.principal.person_id, _purpose(call)

    async def work(tx: Tx) -> ConsentsAnswer:
        await consents.revoke(tx, call.principal.actor, person_id=person_id, purpose=purpose)
        return ConsentsAnswer(items=await _consents(tx, person_id))

    return await call.transact(work)


def _purpose(call: Call[Any, Any]) -> Purpose:
    try:
        return Purpose(call.path["purpose"])
    except ValueError as error:
        raise NotFound from error


ROUTES: tuple[Route, ...] = (
    Route("GET", "/api/v1/me", me, RESIDENT, "我的身份、房屋和授权", answer=MeAnswer),
    Route("PUT", "/api/v1/me/name", rename, RESIDENT, "填写或修改姓名", body=NameBody, answer=Nothing,
          errors=(Forbidden, NotFound)),
    Route("GET", "/api/v1/consents", list_consents, RESIDENT, "我的个人信息授权记录", answer=ConsentsAnswer,
          errors=(Forbidden,)),
    Route("POST", "/api/v1/consents", grant_consent, RESIDENT, "同意某一用途的个人信息处理", body=ConsentBody,
          answer=ConsentsAnswer, errors=(Forbidden,)),
    Route("DELETE", "/api/v1/consents/{purpose}", revoke_consent, RESIDENT, "撤回授权", answer=ConsentsAnswer,
          errors=(Forbidden, NotFound)),
)  # fmt: skip
