"""Fees over HTTP: from an item to a published bill, what residents and staff see, and what they do not."""

from datetime import date
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from backend.fees import handlers, payable
from backend.kernel.db import Database, Tx
from backend.kernel.outbox import Job
from backend.kernel.resources import Resources
from backend.ledger import accounts
from tests import factories, factories_fees
from tests.conftest import Client

ITEM = {
    "code": "WYF", "name": "物业费", "type": "property", "formula": "gross_area", "prepaid": True,
    "house_kinds": ["residence"], "valid_from": "2020-01-01",
}  # fmt: skip


async def _work(res: Resources, event: str) -> None:
    row = await res.db.fetchrow("SELECT id, payload FROM outbox WHERE event = $1 AND state = 'READY'", event)
    assert row is not None
    await res.db.execute(
        "UPDATE outbox SET state = 'LEASED', attempt = 1, lease_until = $2 WHERE id = $1", row["id"], res.clock.now()
    )
    await handlers.HANDLERS[event](Job(res, row["id"], 1, event, row["payload"]))


async def test_from_an_item_to_a_bill_that_explains_itself(client: Client, res: Resources) -> None:
    place = await factories.community(res)
    house_id = await factories.house(res, place)
    bare = await factories.house(res, place, "102", gross_area_cm2=None)
    owner = await factories.person(res)
    await factories.occupy(res, owner, house_id)
    one, two = [client.of((await factories.staff(res, place, "manager")).token) for _ in range(2)]
    resident = client.of(owner.token)

    item = await one.post("/admin/v1/fee-items", {"community_id": str(place.id), **ITEM})
    assert item.status == 201, item.body
    item_id = item.json["id"]
    proposed = await one.post(
        f"/admin/v1/fee-items/{item_id}/prices",
        {"rate_micro": 2_500_000, "effective_from": "2020-01-01", "reason": "前期物业合同"},
    )
    assert (proposed.status, proposed.json["state"]) == (202, "PENDING")
    decision = f"/admin/v1/approvals/{proposed.json['approval_id']}/decision"
    assert (await one.post(decision, {"approve": True, "note": "同意"})).code == "second_person_required"
    decided = await two.post(decision, {"approve": True, "note": "同意"})
    assert decided.status == 200, decided.body
    priced = await one.get(f"/admin/v1/fee-items/{item_id}/prices")
    assert [each["text"] for each in priced.json["items"]] == ["2.50 元/m²·月"]

    run = await one.post("/admin/v1/billing-runs", {"item_id": item_id, "day": "2026-09-01"})
    assert (run.status, run.json["state"], run.json["title"]) == (201, "DRAFT", "物业费 2026年9月")
    path = f"/admin/v1/billing-runs/{run.json['id']}"
    assert (await one.post(f"{path}/publish")).code == "run_not_ready"
    await _work(res, "fees.run_requested")
    preview = await one.get(path)
    assert (preview.json["run"]["bill_count"], preview.json["run"]["total_fen"]) == (1, 22_338)
    assert preview.json["omitted"] == [
        {"reason": "no_area", "text": "房屋没有填写计费面积", "houses": 1, "samples": ["1栋1单元102"]}
    ]
    drafts = await one.get(f"{path}/bills")
    bill_id = drafts.json["items"][0]["id"]
    assert (await resident.get(f"/api/v1/bills/{bill_id}")).status == 404
    assert (await resident.get("/api/v1/bills")).json["items"] == []

    published = await two.post(f"{path}/publish")
    assert (published.status, published.json["state"]) == (200, "PUBLISHED")
    listed = (await resident.get("/api/v1/bills")).json
    (bill,) = listed["items"]
    assert (bill["id"], bill["title"], bill["due_fen"], bill["overdue"], listed["next_cursor"]) == (
        bill_id, "物业费 2026年9月", 22_338, False, None,
    )  # fmt: skip
    told = await resident.get(f"/api/v1/bills/{bill_id}/explanation")
    assert told.json["summary"] == "物业费 2026年9月：建筑面积 89.35 m² × 2.50 元/m²·月 × 1 个月 = 223.38 元。"
    assert told.json["rounding"] == "精确金额 223.375 元，四舍五入到分，应收 223.38 元。"
    assert (await one.get(f"/admin/v1/bills/{bill_id}/explanation")).json == told.json
    detail = await resident.get(f"/api/v1/bills/{bill_id}")
    assert detail.json["lines"] == [{"label": "2026年9月", "amount_fen": 22_338}]
    assert (await one.get(f"/admin/v1/bills?house_id={bare}")).json["items"] == []
    trial = await one.get(f"/admin/v1/trial-balance?community_id={place.id}")
    assert trial.json["total_fen"] == 0
    assert {line["name"]: line["closing_fen"] for line in trial.json["lines"]} == {
        "应收账款": 22_338,
        "收费收入": -22_338,
    }

    void = await one.post(f"/admin/v1/bills/{bill_id}/void", {"reason": "面积登记错误"})
    assert void.status == 202
    again = await one.post(f"/admin/v1/bills/{bill_id}/void", {"reason": "面积登记错误"})
    assert again.code == "approval_pending"
    await two.post(f"/admin/v1/approvals/{void.json['approval_id']}/decision", {"approve": True, "note": "同意"})
    assert (await resident.get(f"/api/v1/bills/{bill_id}")).json["bill"]["state"] == "VOIDED"
    assert (await resident.get("/api/v1/bills?state=open")).json["items"] == []
    reissue = await one.post(
        "/admin/v1/billing-runs", {"item_id": item_id, "day": "2026-09-01", "house_id": str(house_id)}
    )
    assert reissue.status == 201, reissue.body
    twice = await one.post(
        "/admin/v1/billing-runs", {"item_id": item_id, "day": "2026-09-01", "house_id": str(house_id)}
    )
    assert twice.code == "run_exists"
    cancelled = await one.post(f"/admin/v1/billing-runs/{reissue.json['id']}/cancel", {"reason": "先不补"})
    assert cancelled.json["state"] == "CANCELLED"
    await factories_fees.assert_books(res.db)


async def test_items_are_changed_closed_and_excluded_from(client: Client, res: Resources) -> None:
    place = await factories.community(res)
    house_id = await factories.house(res, place)
    manager = client.of((await factories.staff(res, place, "manager")).token)
    item_id = await factories_fees.item(res, place)
    path = f"/admin/v1/fee-items/{item_id}"
    changed = await manager.call("PATCH", path, {"name": "物业服务费"})
    assert (changed.json["name"], changed.json["due_days"]) == ("物业服务费", 30)
    assert (await manager.call("PATCH", path, {"formula": "fixed"})).status == 422
    made = await manager.post(f"{path}/exclusions", {"house_id": str(house_id), "reason": "开发商自持"})
    assert (made.status, made.json["house_label"]) == (201, "1栋1单元101")
    assert (await manager.post(f"{path}/exclusions", {"house_id": str(house_id), "reason": "重复"})).code == (
        "already_excluded"
    )
    listed = await manager.get(f"{path}/exclusions")
    assert [each["reason"] for each in listed.json["items"]] == ["开发商自持"]
    assert (await manager.call("DELETE", f"{path}/exclusions/{house_id}")).status == 200
    assert (await manager.call("DELETE", f"{path}/exclusions/{house_id}")).status == 404
    assert (await manager.post(f"{path}/close")).json["state"] == "CLOSED"
    assert (await manager.post(f"{path}/close")).code == "item_closed"
    items = (await manager.get("/admin/v1/fee-items")).json["items"]
    assert [(each["state"], each["rate_micro"]) for each in items] == [("CLOSED", 2_500_000)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"cycle_months": 5}, {"cycle_months": "1"}, {"formula": "magic"}, {"house_kinds": []}, {"due_days": -1},
        {"valid_until": "2027-01-01"}, {"surprise": 1}, {"name": ""}, {"valid_from": "yesterday"},
    ],
)  # fmt: skip
async def test_an_item_that_does_not_fit_is_refused(client: Client, res: Resources, wrong: dict[str, Any]) -> None:
    place = await factories.community(res)
    manager = client.of((await factories.staff(res, place, "manager")).token)
    answer = await manager.post("/admin/v1/fee-items", {"community_id": str(place.id), **ITEM, **wrong})
    assert answer.status == 422, answer.body
    assert await res.db.fetchval("SELECT count(*) FROM fee_item") == 0


async def test_i19_a_repeated_run_request_gets_the_first_answer(client: Client, res: Resources) -> None:
    place = await factories.community(res)
    manager = client.of((await factories.staff(res, place, "manager")).token)
    body = {"item_id": str(await factories_fees.item(res, place)), "day": "2026-09-01"}
    first = await manager.post("/admin/v1/billing-runs", body, key="again")
    second = await manager.post("/admin/v1/billing-runs", body, key="again")
    assert (first.status, first.json) == (second.status, second.json)
    assert await res.db.fetchval("SELECT count(*) FROM billing_run") == 1


async def test_staff_of_another_community_find_nothing(client: Client, res: Resources) -> None:
    place = await factories.community(res)
    other = await factories.community(res, "LL02", company_id=place.company_id)
    house_id = await factories.house(res, place)
    item_id = await factories_fees.item(res, place)
    run = await factories_fees.published(res, item_id)
    bill_id = await factories_fees.bill_of(res.db, house_id)
    stranger = client.of((await factories.staff(res, other, "manager")).token)
    reason = {"reason": "试一试"}
    for method, path, body in [
        ("GET", f"/admin/v1/fee-items/{item_id}", None),
        ("PATCH", f"/admin/v1/fee-items/{item_id}", {"name": "水费"}),
        ("POST", f"/admin/v1/fee-items/{item_id}/close", {}),
        ("GET", f"/admin/v1/fee-items/{item_id}/prices", None),
        ("POST", f"/admin/v1/fee-items/{item_id}/prices", {"rate_micro": 1, "effective_from": "2027-01-01", **reason}),
        ("GET", f"/admin/v1/fee-items/{item_id}/exclusions", None),
        ("POST", f"/admin/v1/fee-items/{item_id}/exclusions", {"house_id": str(house_id), **reason}),
        ("DELETE", f"/admin/v1/fee-items/{item_id}/exclusions/{house_id}", None),
        ("POST", "/admin/v1/billing-runs", {"item_id": str(item_id), "day": "2026-10-01"}),
        ("POST", "/admin/v1/fee-items", {"community_id": str(place.id), **ITEM}),
        ("GET", f"/admin/v1/billing-runs/{run.id}", None),
        ("GET", f"/admin/v1/billing-runs/{run.id}/bills", None),
        ("POST", f"/admin/v1/billing-runs/{run.id}/publish", {}),
        ("POST", f"/admin/v1/billing-runs/{run.id}/cancel", reason),
        ("GET", f"/admin/v1/bills/{bill_id}", None),
        ("GET", f"/admin/v1/bills/{bill_id}/explanation", None),
        ("POST", f"/admin/v1/bills/{bill_id}/void", reason),
        ("GET", f"/admin/v1/trial-balance?community_id={place.id}", None),
    ]:
        headers = {"Idempotency-Key": uuid4().hex}
        answer = await stranger.call(method, path, body, headers=headers)
        assert (answer.status, answer.code) == (404, "not_found"), (method, path, answer.body)
    for path in ("/admin/v1/fee-items", "/admin/v1/billing-runs", f"/admin/v1/bills?house_id={house_id}"):
        assert (await stranger.get(path)).json["items"] == []


async def test_i23_whose_bills_a_resident_sees(client: Client, res: Resources) -> None:
    place = await factories.community(res)
    mine, let, foreign = [await factories.house(res, place, code) for code in ("101", "102", "103")]
    owner, family, tenant, former, stranger = [await factories.person(res, f"1380000000{n}") for n in range(5)]
    await factories.occupy(res, owner, mine)
    await factories.occupy(res, family, mine, "family")
    await factories.occupy(res, owner, let)
    await factories.occupy(res, tenant, let, "tenant")
    await factories.occupy(res, former, foreign)
    by_owner = await factories_fees.item(res, place)
    by_tenant = await factories_fees.item(res, place, code="SF", name="水费", liable="tenant")
    for item_id in (by_owner, by_tenant):
        await factories_fees.published(res, item_id)
    await res.db.execute("UPDATE occupancy SET ends_on = '2026-09-01' WHERE person_id = $1", former.id)

    async def seen(who: factories.Person) -> set[tuple[str, str]]:
        items = (await client.of(who.token).get("/api/v1/bills")).json["items"]
        for each in items:
            assert (await client.of(who.token).get(f"/api/v1/bills/{each['id']}")).status == 200
        return {(each["title"][:3].strip(), each["house_label"][-3:]) for each in items}

    assert await seen(owner) == {("物业费", "101"), ("水费", "101"), ("物业费", "102"), ("水费", "102")}
    assert await seen(family) == {("物业费", "101"), ("水费", "101")}
    assert await seen(tenant) == {("水费", "102")}
    assert await seen(former) == {("物业费", "103"), ("水费", "103")}
    assert await seen(stranger) == set()
    of_tenant = (await client.of(tenant.token).get("/api/v1/bills")).json["items"][0]["id"]
    for path in (f"/api/v1/bills/{of_tenant}", f"/api/v1/bills/{of_tenant}/explanation", f"/api/v1/bills/{uuid4()}"):
        answer = await client.of(stranger.token).get(path)
        assert (answer.status, answer.code) == (404, "not_found")


async def test_bills_come_in_pages_newest_first_filtered_by_state(client: Client, res: Resources) -> None:
    place = await factories.community(res)
    house_id = await factories.house(res, place)
    owner = await factories.person(res)
    await factories.occupy(res, owner, house_id)
    item_id = await factories_fees.item(res, place)
    for month in range(1, 10):
        await factories_fees.published(res, item_id, date(2026, month, 1))
    resident = client.of(owner.token)
    titles, cursor, pages = [], "", 0
    while cursor is not None:
        page = (await resident.get(f"/api/v1/bills?limit=4{cursor and f'&cursor={cursor}'}")).json
        titles += [each["title"] for each in page["items"]]
        cursor, pages = page["next_cursor"], pages + 1
    assert titles == [f"物业费 2026年{month}月" for month in range(9, 0, -1)]
    assert pages == 3

    async def pay(tx: Tx) -> None:
        bill_id = await tx.fetchval("SELECT id FROM bill WHERE period_start = '2026-01-01'")
        clearing = await accounts.ensure(tx, accounts.Key(place.id, accounts.Code.CLEARING, uuid4()))
        await payable.apply_paid(tx, lines=[(uuid4(), bill_id, 22_338, 0)], clearing_account=clearing)

    await res.db.transact(pay)
    paid = (await resident.get("/api/v1/bills?state=paid")).json["items"]
    assert [(each["title"], each["due_fen"], each["paid_fen"]) for each in paid] == [("物业费 2026年1月", 0, 22_338)]
    assert len((await resident.get("/api/v1/bills?state=open")).json["items"]) == 8
    assert (await resident.get("/api/v1/bills?cursor=nonsense")).code == "bad_cursor"
    assert (await resident.get("/api/v1/bills?state=mine")).status == 422


async def test_y9_my_bills_take_one_statement_after_the_session(
    client: Client, res: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = await factories.community(res)
    house_id = await factories.house(res, place)
    owner = await factories.person(res)
    await factories.occupy(res, owner, house_id)
    await factories_fees.published(res, await factories_fees.item(res, place))
    counted: list[str] = []
    for name in ("fetch", "fetchrow", "fetchval", "execute"):
        real = getattr(Database, name)

        async def counting(self: Database, sql: str, *args: Any, real: Any = real) -> Any:
            counted.append(sql)
            return await real(self, sql, *args)

        monkeypatch.setattr(Database, name, counting)
    monkeypatch.setattr(Database, "transact", partial(pytest.fail, "no transaction to read"))
    assert len((await client.of(owner.token).get("/api/v1/bills")).json["items"]) == 1
    assert len(counted) == 2, counted


@pytest.mark.parametrize("role", ["engineer", "guard"])
async def test_roles_without_the_permission_are_refused(client: Client, res: Resources, role: str) -> None:
    place = await factories.community(res)
    who = client.of((await factories.staff(res, place, role)).token)
    assert (await who.get("/admin/v1/fee-items")).status == 403
    assert (await who.get("/admin/v1/billing-runs")).status == 403
