"""Choosing how to pay: which ways are open, and what each gives to the payer's device (D6)."""

from typing import Any
from uuid import uuid4

import pytest

from tests import factories, vectors
from tests.conftest import Client
from tests.factories_alipay import alipay
from tests.factories_payments import Stage

ALL = [
    ("wechat", "jsapi"), ("wechat", "h5"), ("wechat", "native"),
    ("alipay", "wap"), ("alipay", "page"), ("alipay", "precreate"),
]  # fmt: skip


async def _ways(play: Stage, client: Client, *bill_ids: object) -> list[tuple[str, str]]:
    phone = client.of(play.owner.token)
    answer = await phone.get("/api/v1/payment-ways?bill_ids=" + ",".join(str(each) for each in bill_ids))
    assert answer.status == 200, answer.body
    return [(way["channel"], way["method"]) for way in answer.json["items"]]


async def _pay(play: Stage, client: Client, bill: object, channel: str, method: str, **more: Any) -> Any:
    body = {"bill_ids": [str(bill)], "channel": channel, "method": method, **more}
    return await client.of(play.owner.token).post("/api/v1/payments", body)


async def test_the_ways_are_those_of_the_merchants_that_collect(play: Stage, sandbox_client: Client) -> None:
    bill = await play.bill()
    assert await _ways(play, sandbox_client, bill) == ALL[:3]
    await alipay(play)
    assert await _ways(play, sandbox_client, bill, await play.bill()) == ALL
    await play.res.db.execute("UPDATE merchant SET paused = true WHERE channel = 'wechat'")
    assert await _ways(play, sandbox_client, bill) == ALL[3:]


async def test_inside_of_wechat_one_pays_only_in_the_merchants_app(play: Stage, sandbox_client: Client) -> None:
    await play.res.db.execute("UPDATE merchant SET appid = 'wxanotherapp0001'")
    assert await _ways(play, sandbox_client, await play.bill()) == ALL[1:3]


async def test_foreign_unknown_and_malformed_bills_have_no_ways(play: Stage, sandbox_client: Client) -> None:
    phone = sandbox_client.of(play.owner.token)
    foreign = await play.bill(house_id=await factories.house(play.res, play.place, "F9"))
    mine = await play.bill()
    for ids in (str(uuid4()), str(foreign), f"{mine},{foreign}"):
        assert (await phone.get(f"/api/v1/payment-ways?bill_ids={ids}")).status == 404
    for ids in ("", "x", f"{mine},", ",".join([str(mine)] * 61)):
        assert (await phone.get(f"/api/v1/payment-ways?bill_ids={ids}")).status == 422


@pytest.mark.parametrize(("channel", "method"), ALL)
async def test_each_way_opens_its_own_cashier(play: Stage, sandbox_client: Client, channel: str, method: str) -> None:
    await alipay(play)
    made = await _pay(play, sandbox_client, await play.bill(), channel, method)
    assert made.status == 201, made.body
    given = {name for name in ("request_payment", "qr_text", "open_url") if made.json[name] is not None}
    wanted = {"jsapi": "request_payment", "native": "qr_text", "precreate": "qr_text"}.get(method, "open_url")
    assert given == {wanted}
    attempt = await play.attempt(made.json["payment_id"])
    assert (attempt["channel"], attempt["method"], attempt["state"]) == (channel, method, "SENT")


@pytest.mark.parametrize(
    ("channel", "method"), [("wechat", "wap"), ("alipay", "jsapi"), ("counter", "cash"), ("wechat", "cash")]
)
async def test_a_way_that_residents_do_not_have_is_refused(
    play: Stage, sandbox_client: Client, channel: str, method: str
) -> None:
    made = await _pay(play, sandbox_client, await play.bill(), channel, method)
    assert made.status == 422
    assert await play.count("payment_order") == 0


@pytest.mark.parametrize("path", ["//evil.example", "https://evil.example", "/a?b=c", "\\evil", ""])
async def test_a_browser_is_led_back_to_our_own_pages_alone(play: Stage, sandbox_client: Client, path: str) -> None:
    made = await _pay(play, sandbox_client, await play.bill(), "wechat", "h5", return_path=path)
    if made.status == 201:
        request = (await play.attempt(made.json["payment_id"]))["request"]
        assert request["return_url"].startswith(play.res.settings.public_url + "/")
    else:
        assert made.status == 422


async def test_another_way_is_another_order_and_the_first_is_closed_at_its_channel(
    play: Stage, sandbox_client: Client
) -> None:
    till, bill = await alipay(play), await play.bill()
    first = (await _pay(play, sandbox_client, bill, "wechat", "jsapi")).json["payment_id"]
    second = await _pay(play, sandbox_client, bill, "alipay", "precreate")
    assert second.status == 201, second.body
    assert await play.state(first) == "CLOSED"
    number = (await play.attempt(first))["out_trade_no"]
    assert (await play.sandbox.ask("GET", f"/orders/{vectors.MCHID}/{number}"))["state"] == "CLOSED"
    await till.pays(second.json["payment_id"])
    await till.deliver()
    assert (await play.state(second.json["payment_id"]), await play.bill_state(bill)) == ("PAID", "PAID")


async def test_the_address_of_the_payer_is_told_for_h5(play: Stage, sandbox_client: Client) -> None:
    made = await _pay(play, sandbox_client, await play.bill(), "wechat", "h5")
    assert (await play.attempt(made.json["payment_id"]))["request"]["payer_ip"] == "127.0.0.1"


async def test_d4_a_pause_of_company_or_community_stops_new_orders_and_not_callbacks(
    play: Stage, sandbox_client: Client
) -> None:
    staff = await factories.staff(play.res, play.place, "administrator", all_communities=True)
    office = sandbox_client.of(staff.token)
    for community_id in (None, str(play.place.id)):
        bill = await play.bill()
        order_id = await play.ready(await play.bill())
        where = {"community_id": community_id, "reason": "银行维护"}
        paused = await office.post("/admin/v1/collection/pause", where)
        assert paused.status == 200, paused.body
        assert [place["community_id"] for place in paused.json["items"]] == [community_id]
        refused = await play.create(sandbox_client, bill)
        assert (refused.status, refused.code) == (409, "collection_paused")
        assert await _ways(play, sandbox_client, bill) == []
        await play.user_pays(order_id)
        await play.deliver()
        assert await play.state(order_id) == "PAID"
        assert (await office.post("/admin/v1/collection/resume", where)).json["items"] == []
        assert (await office.post("/admin/v1/collection/resume", where)).status == 404
        assert (await play.create(sandbox_client, bill)).status == 201
    await play.balanced()


async def test_staff_of_one_community_pause_that_one_alone(play: Stage, sandbox_client: Client) -> None:
    other = await factories.community(play.res, "LL02", company_id=play.place.company_id)
    manager = sandbox_client.of((await factories.staff(play.res, play.place, "manager")).token)
    for community_id in (None, str(other.id), str(uuid4())):
        answer = await manager.post("/admin/v1/collection/pause", {"community_id": community_id, "reason": "维护"})
        assert answer.status == 404
    answer = await manager.post("/admin/v1/collection/pause", {"community_id": str(play.place.id), "reason": "维护"})
    assert answer.status == 200
    assert await play.count("collection_pause") == 1


async def test_outcomes_that_nobody_knows_are_listed_for_staff(play: Stage, sandbox_client: Client) -> None:
    await play.hostile(prepay=["act_then_500"])
    assert (await play.create(sandbox_client, await play.bill())).status == 503
    await play.ready(await play.bill())
    cashier = sandbox_client.of((await factories.staff(play.res, play.place, "cashier")).token)
    listed = (await cashier.get("/admin/v1/payment-attempts")).json["items"]
    assert [(each["state"], each["channel"], each["method"]) for each in listed] == [("UNKNOWN", "wechat", "jsapi")]
    assert len((await cashier.get("/admin/v1/payment-attempts?state=SENT")).json["items"]) == 1
