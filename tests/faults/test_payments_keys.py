"""Keys change while money flows: the platform's and the merchant's own, of both channels, with no restart (B7, C24)."""

from typing import Any
from uuid import UUID

import pytest

from backend.kernel.resources import Resources
from payments import merchants
from tests import factories, vectors
from tests.conftest import Client, Run, Sandbox
from tests.factories_alipay import APP_ID, SELLER_ID, Alipay, alipay
from tests.factories_payments import API_V3_KEY, Stage, stage


@pytest.fixture
def play(sandbox_res: Resources, sandbox: Sandbox, run: Run, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Rows of merchants are looked at again each time, so that the test need not wait."""
    monkeypatch.setattr(merchants, "FRESH_S", 0)
    return run(stage(sandbox_res, sandbox))


async def _enter(play: Stage, client: Client, merchant_id: UUID, keys: dict[str, Any]) -> None:
    """Two administrators change the keys of a merchant."""
    first, second = [
        client.of((await factories.staff(play.res, play.place, "administrator", all_communities=True)).token)
        for _ in range(2)
    ]
    proposed = await first.post(f"/admin/v1/merchants/{merchant_id}/keys", {"keys": keys, "reason": "密钥轮换"})
    assert proposed.status == 201, proposed.body
    path = f"/admin/v1/approvals/{proposed.json['approval_id']}/decision"
    assert (await second.post(path, {"approve": True, "note": "核对无误"})).status == 200


def _wechat(platform: list[dict[str, str]], **changes: str) -> dict[str, Any]:
    return {
        "serial_no": vectors.MERCHANT_SERIAL, "private_key_pem": vectors.private_pem(vectors.key_m()),
        "api_v3_key": API_V3_KEY, "platform_keys": {each["id"]: each["pem"] for each in platform}, **changes,
    }  # fmt: skip


async def _pay_some(play: Stage, count: int = 4) -> list[UUID]:
    """Payments whose callbacks have been sent once."""
    order_ids = [await play.ready(bill) for bill in await play.bills(count)]
    for order_id in order_ids:
        await play.user_pays(order_id)
    await play.deliver()
    return order_ids


async def test_b7_a_new_platform_key_signs_beside_the_old_one_and_no_payment_is_lost(
    play: Stage, sandbox_client: Client
) -> None:
    before = await _pay_some(play)
    both = (await play.sandbox.ask("POST", "/keys/public_key/renew", {}))["public_keys"]
    unbelieved = await _pay_some(play)
    states = {await play.state(order_id) for order_id in unbelieved}
    assert states == {"PAID", "PAYING"}, "the old key is still believed, the new one not yet"

    await _enter(play, sandbox_client, play.merchant_id, _wechat(both[-2:]))
    during = await _pay_some(play)
    assert {await play.state(order_id) for order_id in during} == {"PAID"}, "both are believed, without a restart"
    await play.later(minutes=1)
    await play.deliver()
    assert {await play.state(order_id) for order_id in unbelieved} == {"PAID"}, "what was refused came again"

    await play.sandbox.ask("POST", "/keys/public_key/retire", {})
    await _enter(play, sandbox_client, play.merchant_id, _wechat(both[-1:]))
    after = await _pay_some(play)
    for order_id in (*before, *during, *after):
        assert await play.state(order_id) == "PAID"
    await play.balanced()


async def test_the_merchants_own_certificate_is_renewed_while_orders_are_placed(
    play: Stage, sandbox_client: Client
) -> None:
    serial = "7777F09EFDC096DE15EBE81A47057A7232F1B8E2"
    platform = (await play.sandbox.ask("GET", "/keys"))["public_keys"][-1:]
    await play.sandbox.ask(
        "POST", f"/merchants/{vectors.MCHID}/keys",
        {"serial_no": serial, "public_key_pem": vectors.public_pem(vectors.key_p())},
    )  # fmt: skip
    old = await _pay_some(play, 1)
    new = _wechat(platform, serial_no=serial, private_key_pem=vectors.private_pem(vectors.key_p()))
    await _enter(play, sandbox_client, play.merchant_id, new)
    await play.sandbox.ask("DELETE", f"/merchants/{vectors.MCHID}/keys/{vectors.MERCHANT_SERIAL}")
    for order_id in [*old, *await _pay_some(play, 2)]:
        assert await play.state(order_id) == "PAID"
    await play.balanced()


async def test_c24_alipays_certificate_is_issued_anew_over_the_same_key_and_still_believed(
    play: Stage, sandbox_client: Client
) -> None:
    till = await alipay(play)
    await play.sandbox.ask("POST", "/alipay/certificate/reissue", {})
    assert await _paid(till) == "PAID"


async def test_alipays_keys_are_changed_while_its_notifications_come(play: Stage, sandbox_client: Client) -> None:
    till = await alipay(play)
    waiting = await till.ready(await play.bill())
    body = await till.body(waiting)
    told = await play.sandbox.ask(
        "PUT",
        f"/alipay/merchants/{APP_ID}",
        {"seller_id": SELLER_ID, "mode": "certificate", "public_key_pem": vectors.public_pem(vectors.key_m())},
    )
    files = {"app": told["app_cert_pem"], "root": told["alipay_root_cert_pem"], "platform": told["alipay_cert_pem"]}
    only_new = {"private_key_pem": vectors.private_pem(vectors.key_m()), "certificates": files}
    await _enter(play, sandbox_client, till.merchant_id, only_new)
    assert (await till.send(sandbox_client, body))[0] == 401, "the key of the test is no longer believed"
    order_id = await till.ready(await play.bill())
    await till.pays(order_id)
    await till.deliver()
    assert await play.state(order_id) == "PAID"


async def _paid(till: Alipay) -> str:
    order_id = await till.ready(await till.play.bill())
    await till.pays(order_id)
    await till.deliver()
    return await till.play.state(order_id)
