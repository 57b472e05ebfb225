"""What followers write: keywords, consultations, and what is said to whom is not known (R10, R7)."""

import asyncio
from dataclasses import dataclass
from uuid import UUID

import pytest

from backend.composition import CHECKS
from backend.kernel.resources import Resources
from backend.tickets import rules
from backend.tickets.categories import Settings
from backend.tickets.states import Kind
from miniprogram_api import account_words as words
from miniprogram_api.account_pushes import MAX_TEXTS
from tests import factories, factories_tickets
from tests.conftest import Client
from tests.factories_account import OFFICIAL, Wechat, account, reply
from tests.soundness import broken

OPENID = "oFan"


@dataclass
class Writer:
    """A resident who is bound to the account."""

    res: Resources
    wechat: Wechat
    place: factories.Community
    person: factories.Person
    house_id: UUID

    async def tickets(self) -> list[dict[str, object]]:
        found = await self.res.db.fetch("SELECT * FROM ticket ORDER BY no")
        return [dict(row.items()) for row in found]


async def bind(res: Resources, person: factories.Person, openid: str = OPENID) -> None:
    await res.db.execute(
        """INSERT INTO wechat_user (id, appid, openid, person_id, created_at)
           VALUES (gen_random_uuid(), $1, $2, $3, $4)""",
        OFFICIAL, openid, person.id, res.clock.now(),
    )  # fmt: skip


async def writer(res: Resources, client: Client, *, role: str = "owner", takes: bool = True) -> Writer:
    place = await factories.community(res)
    await account(res, place)
    if takes:
        await factories_tickets.category(res, place, Settings("咨询", Kind.CONSULTATION))
    house_id = await factories.house(res, place)
    person = await factories.person(res)
    await factories.occupy(res, person, house_id, role)
    await bind(res, person)
    return Writer(res, Wechat(client, res.clock), place, person, house_id)


async def test_keywords_are_answered_exactly_first_then_by_the_longest_that_is_contained(
    res: Resources, client: Client
) -> None:
    place = await factories.community(res)
    await account(res, place)
    for kind, keyword, text in (
        ("exact", "电话", "总机 0755-12345678"), ("contains", "电话", "请回复“电话”"),
        ("contains", "维修电话", "维修热线"), ("contains", "WIFI", "大堂的无线网络免费"), ("click", "WIFI", "菜单"),
    ):  # fmt: skip
        await reply(res, place, kind, keyword, text)
    wechat = Wechat(client, res.clock)
    for said, answered in (
        ("电话", "总机 0755-12345678"), (" 电话 ", "总机 0755-12345678"), ("你们的电话是多少", "请回复“电话”"),
        ("维修电话多少", "维修热线"), ("有ＷｉＦｉ吗", "大堂的无线网络免费"), ("菜单", words.HOW_TO_BIND),
    ):  # fmt: skip
        assert await wechat.text(OPENID, said) == answered, said
    assert await res.db.fetchval("SELECT count(*) FROM ticket") == 0


@pytest.mark.parametrize("role", ["owner", "family", "tenant"])
async def test_a_text_of_a_bound_resident_opens_a_consultation_and_the_next_adds_to_it(
    res: Resources, client: Client, role: str
) -> None:
    my = await writer(res, client, role=role)
    first = await my.wechat.text(OPENID, "游泳池几号开放？", msg_id=77)
    (ticket,) = await my.tickets()
    assert first == words.CONSULTED.format(no=ticket["no"])
    assert (ticket["kind"], ticket["channel"], ticket["state"]) == ("consultation", "official", "SUBMITTED")
    assert (ticket["person_id"], ticket["house_id"]) == (my.person.id, my.house_id)
    assert ticket["description"] == "游泳池几号开放？"
    assert await my.wechat.text(OPENID, "游泳池几号开放？", msg_id=77) == first
    assert await my.wechat.text(OPENID, "孩子也能去吗") == words.ADDED.format(no=ticket["no"])
    said = await res.db.fetch("SELECT move, reason FROM ticket_event ORDER BY id")
    assert [(row["move"], row["reason"]) for row in said] == [("submit", None), ("note", "孩子也能去吗")]
    assert len(await my.tickets()) == 1
    assert await broken(res.db, CHECKS) == []
    await res.db.execute("UPDATE ticket SET state = 'REJECTED'")
    assert "已登记" in str(await my.wechat.text(OPENID, "那健身房呢"))
    assert len(await my.tickets()) == 2


async def test_texts_at_once_open_one_consultation(res: Resources, client: Client) -> None:
    my = await writer(res, client)
    told = await asyncio.gather(*(my.wechat.text(OPENID, f"第{n}句") for n in range(6)))
    assert len(await my.tickets()) == 1
    assert sum("已登记" in str(text) for text in told) == 1
    assert await res.db.fetchval("SELECT count(*) FROM ticket_event") == 6


async def test_whoever_is_not_bound_is_told_how_and_an_old_follower_is_asked_about(
    res: Resources, client: Client
) -> None:
    await account(res, await factories.community(res))
    wechat = Wechat(client, res.clock)
    assert await wechat.text("oOld", "在吗") == words.HOW_TO_BIND
    assert await wechat.text("oOld", "在吗") == words.HOW_TO_BIND
    assert await res.db.fetchval("SELECT count(*) FROM outbox WHERE event = 'wechat.subscribe'") == 1
    assert await res.db.fetchval("SELECT follows FROM wechat_user WHERE openid = 'oOld'") is True


async def test_a_flood_is_limited_for_the_one_who_floods(res: Resources, client: Client) -> None:
    my = await writer(res, client)
    told = [await my.wechat.text(OPENID, f"第{n}句") for n in range(MAX_TEXTS + 2)]
    assert words.TOO_FAST not in told[:MAX_TEXTS] and told[MAX_TEXTS:] == [words.TOO_FAST] * 2
    assert await res.db.fetchval("SELECT count(*) FROM ticket_event") == MAX_TEXTS
    assert await my.wechat.text("oOther", "在吗") == words.HOW_TO_BIND
    await res.db.execute("UPDATE wechat_push SET received_at = received_at - interval '11 minutes'")
    assert "已补充" in str(await my.wechat.text(OPENID, "还在吗"))


async def test_what_stands_in_the_way_of_a_consultation_is_said(res: Resources, client: Client) -> None:
    my = await writer(res, client, takes=False)
    assert await my.wechat.text(OPENID, "在吗") == "您所在的小区还没有开通咨询，请直接致电物业。"
    homeless = await factories.person(res, phone="13800000002")
    await bind(res, homeless, "oHomeless")
    assert await my.wechat.text("oHomeless", "在吗") == words.NO_HOUSE
    assert await my.wechat.text(OPENID, "   ") == words.NOTHING_SAID
    assert await my.tickets() == []
    picture = await my.wechat.tell(OPENID, {"MsgType": "image", "MediaId": "m", "MsgId": "5"})
    assert my.wechat.said(picture) == words.ONLY_TEXT


async def test_the_days_limit_of_tickets_holds_here_too(res: Resources, client: Client) -> None:
    my = await writer(res, client)
    limit = (await rules.of_community(res.db, my.place.id)).resident_daily
    for number in range(limit):
        await my.wechat.text(OPENID, f"第{number}件")
        await res.db.execute("UPDATE ticket SET state = 'REJECTED'")
        await res.db.execute("UPDATE wechat_push SET received_at = received_at - interval '11 minutes'")
    assert str(await my.wechat.text(OPENID, "还有一件")).startswith(f"您今天已提交 {limit} 张工单")
    assert len(await my.tickets()) == limit


async def test_a_house_of_another_company_takes_no_consultations_from_here(res: Resources, client: Client) -> None:
    my = await writer(res, client)
    elsewhere = await factories.community(res, "LL02")
    there = await factories.person(res, phone="13800000003")
    await factories.occupy(res, there, await factories.house(res, elsewhere, "102"))
    await bind(res, there, "oThere")
    assert await my.wechat.text("oThere", "在吗") == words.NO_HOUSE
