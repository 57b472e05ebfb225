"""People: sealed, found by blind index, one per phone (I-24, D12)."""

import asyncio

import asyncpg
import pytest

from backend.identity import people, roles, wechat_users
from backend.identity.checks import CHECKS
from backend.identity.principals import authenticate
from backend.identity.roles import Role
from backend.kernel.audit import SYSTEM
from backend.kernel.auth import STAFF_SELF
from backend.kernel.crypto import SealError
from backend.kernel.ids import uuid7
from backend.kernel.resources import Resources
from tests import factories
from tests.conftest import START
from tests.soundness import broken


async def test_a_hundred_who_need_one_phone_at_once_get_one_person(res: Resources) -> None:
    made = await asyncio.gather(
        *(
            res.db.transact(lambda tx: people.ensure(tx, res.keyring, phone="13800000001", name="张三"))
            for _ in range(100)
        )
    )
    assert len({person.id for person in made}) == 1
    assert await res.db.fetchval("SELECT count(*) FROM person") == 1
    assert await broken(res.db, CHECKS) == []


async def test_a_known_name_is_kept_and_an_unknown_one_is_filled_in(res: Resources) -> None:
    async def ensure(name: str | None) -> people.Person:
        return await res.db.transact(lambda tx: people.ensure(tx, res.keyring, phone="13800000001", name=name))

    person = await ensure(None)
    for name in ("张三", "李四", None):
        assert await ensure(name) == person
    assert (await people.masked(res.db, res.keyring, [person.id]))[person.id].name == "张*"


async def test_a_sealed_name_moved_to_another_person_does_not_open(res: Resources) -> None:
    first, second = await factories.person(res), await factories.person(res, "13800000002", "李四")
    await res.db.execute(
        "UPDATE person SET name_sealed = (SELECT name_sealed FROM person WHERE id = $1) WHERE id = $2",
        first.id, second.id,
    )  # fmt: skip
    with pytest.raises(SealError):
        await people.masked(res.db, res.keyring, [second.id])


async def test_the_database_refuses_plain_text_where_ciphertext_belongs(res: Resources) -> None:
    who = await factories.person(res)
    with pytest.raises(asyncpg.CheckViolationError):
        await res.db.execute("UPDATE person SET phone_sealed = '13800000001' WHERE id = $1", who.id)


async def test_a_seal_of_an_unknown_key_is_found(res: Resources) -> None:
    who = await factories.person(res)
    await res.db.execute("UPDATE person SET name_sealed = set_byte(name_sealed, 2, 250) WHERE id = $1", who.id)
    (found,) = await broken(res.db, CHECKS)
    assert (found.check.code, found.offenders) == ("I-24", 1)


async def test_a_second_phone_moves_the_account_to_the_person_of_that_phone(res: Resources) -> None:
    place = await factories.community(res)
    house_id = await factories.house(res, place)
    listed = await factories.person(res, "13800000002")
    await factories.occupy(res, listed, house_id)
    who = await factories.person(res, "13800000001")
    assert (await authenticate(res, who.token, "r")).ties == ()
    await res.db.transact(
        lambda tx: wechat_users.bind_phone(
            tx, res.keyring, SYSTEM, wechat_user_id=who.wechat_user_id, phone="13800000002"
        )
    )
    now = await authenticate(res, who.token, "r")
    assert (now.id, [tie.house_id for tie in now.ties]) == (listed.id, [house_id])


async def test_the_account_of_the_same_human_in_another_app_is_bound_with_it(res: Resources) -> None:
    async def sign_in(appid: str) -> wechat_users.SignedIn:
        return await res.db.transact(
            lambda tx: wechat_users.sign_in(
                tx, res.keyring, appid=appid, openid=f"o-{appid}", unionid="u1", session_key="a2V5"
            )
        )

    mini, official = await sign_in("mini"), await sign_in("official")
    person = await res.db.transact(
        lambda tx: wechat_users.bind_phone(
            tx, res.keyring, SYSTEM, wechat_user_id=mini.wechat_user_id, phone="13800000001"
        )
    )
    bound = await res.db.fetch("SELECT DISTINCT person_id FROM wechat_user")
    assert [row["person_id"] for row in bound] == [person.id]
    assert (await sign_in("third")).person_id == person.id
    assert official.person_id is None


async def test_a_company_wide_role_reaches_communities_made_later_and_the_company_itself(res: Resources) -> None:
    place = await factories.community(res)
    boss = await factories.staff(res, place, "administrator", all_communities=True)
    later = await factories.community(res, "LL02", company_id=place.company_id)
    foreign = await factories.community(res, "LL03")
    who = await authenticate(res, boss.token, "r")
    assert who.grants["property.edit"] == {place.id, later.id, place.company_id}
    assert foreign.id not in who.grants["property.edit"]


def test_money_roles_count_only_with_a_second_factor() -> None:
    here = uuid7(START)
    for role in Role:
        alone = roles.grants([(role, [here])], second_factor=False)
        assert (set(alone) == {STAFF_SELF}) == (role in roles.MONEY_ROLES)
        assert set(roles.grants([(role, [here])], second_factor=True)) > {STAFF_SELF}
