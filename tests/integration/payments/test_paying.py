"""The thin path of D6: place, prepay, pay, callback, settled; and its neighbours."""

from tests.conftest import Client
from tests.factories_payments import Stage


async def test_a_callback_settles_several_bills_of_one_order(play: Stage, sandbox_client: Client) -> None:
    first, second, third = await play.bill(26_805), await play.bill(100), await play.bill(7)
    created = await play.create(sandbox_client, first, second, third)
    assert created.status == 201, created.body
    order_id = created.json["payment_id"]
    assert created.json["amount_fen"] == 26_912
    assert await play.state(order_id) == "PAYING"

    await play.user_pays(order_id)
    await play.deliver()

    assert await play.state(order_id) == "PAID"
    assert [await play.bill_state(bill) for bill in (first, second, third)] == ["PAID"] * 3
    attempt = await play.attempt(order_id)
    assert (attempt["state"], attempt["settled_by"], attempt["ask_at"]) == ("PAID", "callback", None)
    assert await play.count("inbox WHERE outcome = 'applied'") == 1
    assert await play.count("outbox WHERE event = 'payments.paid'") == 1
    assert await play.count("audit_entry WHERE action = 'payments.settled'") == 1
    await play.balanced()
