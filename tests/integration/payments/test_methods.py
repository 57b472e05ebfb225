"""WeChat Pay by code and in a browser, and by a service provider for its sub merchant (D6)."""

from dataclasses import replace
from uuid import UUID

import pytest

from backend.kernel.audit import SYSTEM, Actor
from backend.kernel.db import Tx
from payments import asking, closing, merchants, orders, prepay
from payments.asking import Said
from payments.channels.base import Channel, Method
from payments.merchant_keys import Keys
from payments.orders import MustCloseFirst, Payer, Way
from payments.payables import Kind, Wish
from tests import factories, vectors
from tests.conftest import Client
from tests.factories_payments import API_V3_KEY, Stage

SUB_MCHID = "1900000109"


async def _order(play: Stage, bill: UUID, method: Method, payer: Payer | None = None) -> UUID:
    wanted = payer or replace(play.payer, ip="203.0.113.7")

    async def work(tx: Tx) -> UUID:
        placed = await orders.place(
            tx, wanted, res=play.res, actor=Actor("resident", wanted.person_id), wishes=[Wish(Kind.BILL, bill)],
            way=Way(Channel.WECHAT, method, return_url="https://wy.example.com/paid"),
        )  # fmt: skip
        return placed.order_id

    return await play.res.db.transact(work)


@pytest.mark.parametrize("method", [Method.NATIVE, Method.H5])
async def test_codes_and_browsers_are_paid_and_settled(play: Stage, sandbox_client: Client, method: Method) -> None:
    bill = await play.bill()
    order_id = await _order(play, bill, method)
    opening = await prepay.opening(play.res, order_id)
    assert (opening.qr_text is None, opening.open_url is None) == (method is Method.H5, method is Method.NATIVE)
    await play.user_pays(order_id)
    await play.deliver()
    assert (await play.state(order_id), await play.bill_state(bill)) == ("PAID", "PAID")
    await play.balanced()


async def test_b20_a_browser_elsewhere_gets_an_order_of_its_own(play: Stage, sandbox_client: Client) -> None:
    bill = await play.bill()
    here, there = replace(play.payer, ip="203.0.113.7"), replace(play.payer, ip="203.0.113.8")
    first = await _order(play, bill, Method.H5, here)
    assert await _order(play, bill, Method.H5, here) == first
    with pytest.raises(MustCloseFirst):
        await _order(play, bill, Method.H5, there)


async def test_an_address_for_a_browser_is_fetched_anew_before_it_dies(play: Stage, sandbox_client: Client) -> None:
    order_id = await _order(play, await play.bill(), Method.H5)
    first = await prepay.opening(play.res, order_id)
    asked_at = (await play.attempt(order_id))["prepaid_at"]
    await play.later(minutes=3)
    assert await prepay.opening(play.res, order_id) == first
    assert (await play.attempt(order_id))["prepaid_at"] == asked_at
    await play.later(minutes=2)
    assert (await prepay.opening(play.res, order_id)).open_url is not None
    assert (await play.attempt(order_id))["prepaid_at"] > asked_at
    await play.user_pays(order_id)
    await play.deliver()
    assert await play.state(order_id) == "PAID"


@pytest.mark.parametrize("own_app", [True, False])
async def test_a_service_provider_collects_for_its_sub_merchant(
    play: Stage, sandbox_client: Client, own_app: bool
) -> None:
    """Paid, queried and closed under both numbers; the books are the sub merchant's."""
    appid = factories.APPID
    told = await play.sandbox.ask(
        "PUT", f"/merchants/{vectors.MCHID}",
        {
            "appids": ["wxserviceprovider1", appid], "apiv3_key": API_V3_KEY, "serial_no": vectors.MERCHANT_SERIAL,
            "public_key_pem": vectors.public_pem(vectors.key_m()), "mode": "public_key",
            "sub_merchants": {SUB_MCHID: [appid]},
        },
    )  # fmt: skip
    keys = Keys(
        vectors.MERCHANT_SERIAL, vectors.private_pem(vectors.key_m()), API_V3_KEY,
        {told["platform_public_key_id"]: told["platform_public_key_pem"]},
    )  # fmt: skip

    async def work(tx: Tx) -> UUID:
        made = await merchants.create(
            tx, SYSTEM, keyring=play.res.keyring, mode=play.res.settings.mode, company_id=play.place.company_id,
            community_id=play.place.id, item_id=None, mchid=vectors.MCHID,
            appid="wxserviceprovider1" if own_app else appid, sub_mchid=SUB_MCHID,
            sub_appid=appid if own_app else None, name="服务商代收", keys=keys,
        )  # fmt: skip
        return made.id

    merchant_id = await play.res.db.transact(work)
    first, second, third = [await play.ready(bill) for bill in await play.bills(3)]
    assert (await play.attempt(first))["merchant_id"] == merchant_id
    await play.user_pays(first)
    await play.deliver()
    await play.hostile(lose_callbacks=1)
    await play.user_pays(second)
    assert await asking.ask_now(play.res, second) is Said.PAID
    assert await closing.close(play.res, third, reason="cancelled") == "CLOSED"
    assert [await play.state(order_id) for order_id in (first, second, third)] == ["PAID", "PAID", "CLOSED"]
    assert await play.differences() == []
