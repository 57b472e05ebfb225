"""D11: whom a notice reaches, rule by rule and in combination, by a table written by hand."""

import random
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from backend.kernel.audit import SYSTEM
from backend.kernel.db import Tx
from backend.kernel.errors import NotFound
from backend.kernel.resources import Resources
from backend.messaging import reach, templates
from backend.messaging.choosing import Address, Delivery, Intent, choose
from backend.messaging.meanings import NOTICE
from backend.messaging.states import IntentState
from backend.messaging.templates import Channel
from backend.notices.audience import Arrears, Audience, Rule, of_json
from backend.notices.states import Parking
from backend.wechat import apps
from backend.wechat.apps import AppKind
from tests import factories, factories_cards, factories_fees, factories_parking
from tests import factories_notices as make

ALL = {"owner", "family", "landlord", "tenant", "both", "far"}
VALUES = {
    "community": "LL01小区", "kind": "停水停电", "title": "2栋周三停水", "summary": "请提前储水。",
    "published_at": "2026-09-01 10:00",
}  # fmt: skip


async def test_each_rule_takes_whom_the_table_says(res: Resources) -> None:
    town = await make.town(res)
    item = await factories_fees.item(res, town.place)
    run = await factories_fees.published(res, item)
    await factories_parking.overdue(res, town.place, town.houses["101"], item, run.id)
    lot = await factories_parking.lot(res, town.place)
    await factories_cards.vehicle(lot, town.houses["102"], "粤B12345")
    await factories_parking.card(lot, ("粤B54321",), house_id=town.houses["201"])
    today = (res.clock.now() + timedelta(hours=8)).date()
    await factories_parking.card(lot, ("粤B55555",), house_id=town.houses["101"], ends_on=today)
    first, second, houses = town.place.building_id, town.second_building, town.houses
    owing, idle = Rule(arrears=Arrears(30, 1)), Rule(arrears=Arrears(64, 1))
    table = (
        ("everybody", Rule(), None, ALL),
        ("a building", Rule(building_ids=(second,)), None, {"both", "far"}),
        ("a unit", Rule(unit_ids=(town.units["2"],)), None, {"far"}),
        ("a house", Rule(house_ids=(houses["101"],)), None, {"owner", "family"}),
        ("one of several places", Rule(building_ids=(second,), house_ids=(houses["101"],)), None,
         {"both", "far", "owner", "family"}),
        ("owners", Rule(roles=("owner",)), None, {"owner", "landlord", "both", "far"}),
        ("families and tenants", Rule(roles=("family", "tenant")), None, {"family", "tenant", "both"}),
        ("owners of a building", Rule(building_ids=(first,), roles=("owner",)), None, {"owner", "landlord"}),
        ("arrears of 30 days", owing, None, {"owner", "family"}),
        ("arrears of 63 days", Rule(arrears=Arrears(63, 1)), None, {"owner", "family"}),
        ("arrears of 64 days", idle, None, set()),
        ("arrears of 1 yuan", Rule(arrears=Arrears(1, 100)), None, {"owner", "family"}),
        ("arrears of more", Rule(arrears=Arrears(1, 101)), None, set()),
        ("families in arrears", replace(owing, roles=("family",)), None, {"family"}),
        ("arrears in another building", replace(owing, building_ids=(second,)), None, set()),
        ("a vehicle", Rule(parking=Parking.VEHICLE), None, {"landlord", "tenant", "both", "owner", "family"}),
        ("a card of today", Rule(parking=Parking.CARD), None, {"both"}),
        ("without a building", Rule(), Rule(building_ids=(second,)),
         {"owner", "family", "landlord", "tenant", "both"}),
        ("without who owes", Rule(), owing, {"landlord", "tenant", "both", "far"}),
        ("without those of whom nobody owes", Rule(), idle, ALL),
        ("without tenants", Rule(), Rule(roles=("tenant",)), ALL - {"tenant"}),
        ("owners without a house", Rule(roles=("owner",)), Rule(house_ids=(houses["221"],)),
         {"owner", "landlord", "both"}),
        ("without owners of a building alone", Rule(), Rule(building_ids=(second,), roles=("owner",)), ALL - {"far"}),
    )  # fmt: skip
    wrong = {}
    for name, only, without, expected in table:
        whom = Audience(only, without)
        assert of_json(whom.as_json()) == whom
        if (found := await town.belong(whom)) != expected:
            wrong[name] = found
    # `both` stays in when building 2 is left out: by house 102.
    assert wrong == {}


async def test_a_place_of_another_community_is_refused(res: Resources) -> None:
    town = await make.town(res)
    elsewhere = await factories.community(res, "ZZ01", company_id=town.place.company_id)
    for rule in (Rule(building_ids=(elsewhere.building_id,)), Rule(unit_ids=(uuid4(),)),
                 Rule(building_ids=(town.units["1"],))):  # fmt: skip
        for whom in (Audience(rule), Audience(Rule(), rule)):
            with pytest.raises(NotFound):
                await town.draft(whom)


APPS = (
    ("wx0000000000000a01", AppKind.OFFICIAL, Channel.TEMPLATE),
    ("wx0000000000000a02", AppKind.OFFICIAL, Channel.TEMPLATE),
    ("wx0000000000000b01", AppKind.MINIPROGRAM, Channel.SUBSCRIPTION),
    ("wx0000000000000b02", AppKind.MINIPROGRAM, Channel.SUBSCRIPTION),
)


async def offer(res: Resources, place: factories.Community, unfit: str | None) -> None:
    """Two apps of each kind with a template for notices; that of `unfit` shows a text where WeChat wants a number."""

    async def work(tx: Tx) -> None:
        for appid, kind, channel in APPS:
            await apps.register(
                tx, res.keyring, actor=SYSTEM, company_id=place.company_id, kind=kind, appid=appid, secret="0" * 32
            )
            fields = {"number1": "title"} if appid == unfit else {"thing1": "title", "time2": "published_at"}
            await templates.save(
                tx, SYSTEM, company_id=place.company_id, appid=appid, channel=channel, meaning=NOTICE.name,
                template_id=f"T{appid[-3:]}", fields=fields,
            )  # fmt: skip

    await res.db.transact(work)


async def people_at_random(res: Resources, seed: int, count: int) -> list[UUID]:
    """People with some accounts, some of them out of reach, and some consents."""
    rng, now = random.Random(seed), res.clock.now()
    ids = [uuid4() for _ in range(count)]
    await res.db.execute("INSERT INTO person (id, created_at) SELECT id, $2 FROM unnest($1::uuid[]) AS id", ids, now)
    users = [(one, appid) for one in ids for appid, _, _ in APPS for _ in range(rng.randint(0, 2))]
    reachable = [rng.random() < 0.5 for _ in users]
    await res.db.execute(
        """INSERT INTO wechat_user (id, appid, openid, person_id, reachable, created_at)
           SELECT gen_random_uuid(), appid, gen_random_uuid()::text, person_id, reachable, $4
             FROM unnest($1::uuid[], $2::text[], $3::boolean[]) AS u (person_id, appid, reachable)""",
        [one for one, _ in users], [appid for _, appid in users], reachable, now,
    )  # fmt: skip
    consents = [(one, f"T{appid[-3:]}") for one in ids for appid, _, _ in APPS[2:] if rng.random() < 0.7]
    await res.db.execute(
        """INSERT INTO message_consent (person_id, template_id, credits, last_answer, answered_at)
           SELECT person_id, template_id, credits, 'accept', $4
             FROM unnest($1::uuid[], $2::text[], $3::integer[]) AS c (person_id, template_id, credits)""",
        [one for one, _ in consents], [name for _, name in consents], [rng.randint(0, 1) for _ in consents], now,
    )  # fmt: skip
    return ids


async def chosen(res: Resources, place: factories.Community, ids: list[UUID]) -> Counter[str]:
    """What sending would choose, person by person."""
    offered = await templates.of_companies(res.db, [place.company_id])
    found: Counter[str] = Counter()
    for person_id in ids:
        rows = await res.db.fetch(
            "SELECT appid, openid, reachable FROM message_address WHERE person_id = $1 ORDER BY appid, openid",
            person_id,
        )
        credits = await res.db.fetch("SELECT * FROM message_consent WHERE person_id = $1", person_id)
        intent = Intent(
            uuid4(), place.company_id, person_id, NOTICE.name, VALUES, "", IntentState.PENDING, None, None, None, None,
            None, 0,
        )  # fmt: skip
        left = {(row["person_id"], row["template_id"]): row["credits"] for row in credits}
        choice = choose(intent, offered, [Address(**dict(row.items())) for row in rows], left, res.clock.now())
        found[choice.channel if isinstance(choice, Delivery) else choice.state] += 1
    return found


@pytest.mark.parametrize("unfit", [None, APPS[0][0], APPS[3][0]])
async def test_the_count_beforehand_is_what_sending_would_choose(res: Resources, unfit: str | None) -> None:
    place = await factories.community(res)
    await offer(res, place, unfit)
    ids = await people_at_random(res, 7, 80)
    counted = await reach.count(res.db, NOTICE, company_id=place.company_id, values=VALUES, person_ids=ids)
    expected = await chosen(res, place, ids)
    assert (counted.template, counted.subscription, counted.inbox, counted.unfit) == (
        expected["template"], expected["subscription"], expected["INBOX_ONLY"], expected["PARKED"],
    )  # fmt: skip
    assert counted.template > 0 and counted.subscription > 0 and counted.inbox > 0
    assert (counted.unfit > 0) == (unfit is not None)


async def test_the_preview_shows_each_template_as_it_will_be_sent(res: Resources) -> None:
    place = await factories.community(res)
    await offer(res, place, APPS[1][0])
    shown = await reach.shown(res.db, NOTICE, company_id=place.company_id, values={**VALUES, "title": "停水" * 20})
    assert [(one.appid, one.why is None) for one in shown] == [
        (appid, appid != APPS[1][0]) for appid, _, _ in APPS
    ]  # fmt: skip
    assert shown[0].data == {"thing1": f"{'停水' * 10}"[:19] + "…", "time2": "2026-09-01 10:00"}
