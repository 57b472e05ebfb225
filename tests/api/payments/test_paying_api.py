"""Paying through HTTP, as the mini-program does: parameters, keys, status, changed mind, history."""

import base64
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from tests import factories, vectors
from tests.conftest import Client
from tests.factories_payments import Stage


async def test_the_phone_gets_exactly_what_request_payment_takes_and_the_key_verifies_it(
    play: Stage, sandbox_client: Client
) -> None:
    created = await play.create(sandbox_client, await play.bill())
    parameters = created.json["request_payment"]
    assert set(parameters) == {"timeStamp", "nonceStr", "package", "signType", "paySign"}
    assert parameters["signType"] == "RSA" and parameters["package"].startswith("prepay_id=")
    text = "\n".join(
        [factories.APPID, parameters["timeStamp"], parameters["nonceStr"], parameters["package"], ""]
    ).encode()
    vectors.key_m().public_key().verify(base64.b64decode(parameters["paySign"]), text, PKCS1v15(), SHA256())


async def test_i19_a_repeated_key_gets_the_same_payment_and_another_body_is_refused(
    play: Stage, sandbox_client: Client
) -> None:
    first, second = await play.bill(), await play.bill()
    one = await play.create(sandbox_client, first, key="same")
    again = await play.create(sandbox_client, first, key="same")
    assert (one.status, again.status) == (201, 201)
    assert one.json["payment_id"] == again.json["payment_id"]
    other = await play.create(sandbox_client, second, key="same")
    assert (other.status, other.code) == (409, "idempotency_key_reused")
    assert await play.count("payment_order") == 1


@pytest.mark.parametrize(
    "body",
    [{}, {"bill_ids": []}, {"bill_ids": ["x"]}, {"bill_ids": [str(uuid4())] * 61}, {"bill_ids": [], "amount_fen": 1}],
)
async def test_a_body_that_is_not_as_declared_changes_nothing(
    play: Stage, sandbox_client: Client, body: dict[str, object]
) -> None:
    answer = await sandbox_client.of(play.owner.token).post("/api/v1/payments", body)
    assert answer.status == 422
    assert await play.count("payment_order") == 0


async def test_unknown_bills_and_foreign_payments_are_the_same_404(play: Stage, sandbox_client: Client) -> None:
    assert (await play.create(sandbox_client, uuid4())).status == 404
    order_id = (await play.create(sandbox_client, await play.bill())).json["payment_id"]
    for path in (f"/api/v1/payments/{order_id}", f"/api/v1/payments/{uuid4()}", "/api/v1/payments/x"):
        answer = await sandbox_client.of(play.family.token).get(path)
        assert (answer.status, answer.code) == (404, "not_found")
    answer = await sandbox_client.of(play.family.token).post(f"/api/v1/payments/{order_id}/cancel")
    assert answer.status == 404
    assert await play.state(order_id) == "PAYING"


async def test_status_while_waiting_while_confirming_and_when_paid(play: Stage, sandbox_client: Client) -> None:
    phone = sandbox_client.of(play.owner.token)
    bill = await play.bill(26_805)
    order_id = (await play.create(sandbox_client, bill)).json["payment_id"]
    waiting = (await phone.get(f"/api/v1/payments/{order_id}")).json
    assert (waiting["state"], waiting["ask_again_after_s"], waiting["can_cancel"]) == ("PAYING", 2, True)
    assert [line["bill_id"] for line in waiting["lines"]] == [str(bill)]

    confirming = (await phone.get(f"/api/v1/payments/{order_id}?client_says=ok")).json
    assert "不要重复支付" in confirming["state_text"]

    await play.hostile(lose_callbacks=1)
    await play.user_pays(order_id)
    too_soon = (await phone.get(f"/api/v1/payments/{order_id}?client_says=ok")).json
    assert too_soon["state"] == "PAYING"
    await play.later(seconds=3)
    paid = (await phone.get(f"/api/v1/payments/{order_id}?client_says=ok")).json
    assert (paid["state"], paid["ask_again_after_s"], paid["state_text"]) == ("PAID", None, "支付成功。")
    assert (await phone.get(f"/api/v1/payments/{order_id}?client_says=maybe")).status == 422
    await play.balanced()


async def test_a_cancelled_payment_is_closed_at_the_channel_and_its_bill_is_free(
    play: Stage, sandbox_client: Client
) -> None:
    phone = sandbox_client.of(play.owner.token)
    bill = await play.bill()
    order_id = (await play.create(sandbox_client, bill)).json["payment_id"]
    answer = await phone.post(f"/api/v1/payments/{order_id}/cancel")
    assert (answer.status, answer.json["state"], answer.json["can_cancel"]) == (200, "CLOSED", False)
    assert (await phone.post(f"/api/v1/payments/{order_id}/cancel")).json["state"] == "CLOSED"
    assert (await play.create(sandbox_client, bill, who=play.family)).status == 201
    await play.balanced()


async def test_cancelling_what_is_paid_shows_that_it_is_paid(play: Stage, sandbox_client: Client) -> None:
    order_id = (await play.create(sandbox_client, await play.bill())).json["payment_id"]
    await play.hostile(lose_callbacks=1)
    await play.user_pays(order_id)
    answer = await sandbox_client.of(play.owner.token).post(f"/api/v1/payments/{order_id}/cancel")
    assert (answer.status, answer.json["state"]) == (200, "PAID")
    await play.balanced()


async def test_history_is_ones_own_newest_first_in_pages(play: Stage, sandbox_client: Client) -> None:
    ids = [str(await play.order(bill)) for bill in await play.bills(5)]
    phone = sandbox_client.of(play.owner.token)
    first = (await phone.get("/api/v1/payments?limit=3")).json
    second = (await phone.get(f"/api/v1/payments?limit=3&cursor={first['next_cursor']}")).json
    assert [item["payment_id"] for item in first["items"] + second["items"]] == ids[::-1]
    assert second["next_cursor"] is None
    assert (await sandbox_client.of(play.family.token).get("/api/v1/payments")).json["items"] == []


@pytest.mark.parametrize("raw", [b"", b"{", b"null", b"\xff\xfe", b"[" * 10_000])
async def test_a_callback_of_rubbish_is_refused_plainly(play: Stage, sandbox_client: Client, raw: bytes) -> None:
    answer = await sandbox_client.call("POST", f"/pay/notify/wechat/{play.merchant_id}", raw=raw)
    assert (answer.status, answer.json) == (401, {"code": "FAIL", "message": "失败"})
    answer = await sandbox_client.call("POST", f"/pay/notify/wechat/{uuid4()}", raw=raw)
    assert (answer.status, answer.json["code"]) == (404, "FAIL")
    assert await play.count("inbox") == 0


async def test_every_byte_of_a_callback_counts(play: Stage, sandbox_client: Client) -> None:
    order_id = await play.ready(await play.bill())
    body, headers = await play.captured(order_id)
    for position in range(0, len(body), 37):
        flipped = body[:position] + bytes([body[position] ^ 1]) + body[position + 1 :]
        assert await play.send(sandbox_client, (flipped, headers)) == 401
    assert await play.send(sandbox_client, (body + b"\n", headers)) == 401
    swapped = {**headers, "Wechatpay-Nonce": headers["Wechatpay-Timestamp"], "Wechatpay-Timestamp": "1"}
    assert await play.send(sandbox_client, (body, swapped)) == 401
    assert await play.state(order_id) == "PAYING"
    assert await play.send(sandbox_client, (body, headers)) == 204
    await play.balanced()
