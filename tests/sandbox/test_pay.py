"""WeChat Pay v3 as the sandbox plays it: orders, re-entry, payment, callback, query, close."""

from pathlib import Path

from tests import vectors
from tests.sandbox.rig import Rig, catcher, play


def test_an_order_paid_is_told_by_a_signed_and_encrypted_callback(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        _, openid = await rig.user()
        async with catcher(rig) as merchant:
            made = await rig.order(openid, merchant.url, attach="house=101")
            assert made.status == 200 and made.is_genuine() and made.serial == rig.public_key_id
            assert len(made.json["prepay_id"]) == 36
            paid = await rig.control("POST", f"/orders/{vectors.MCHID}/WY202609010001/pay")
            await merchant.until(1)
            told = merchant.caught[0]
            assert told.is_genuine() and told.serial == rig.public_key_id
            assert told.headers["User-Agent"] == "Mozilla/4.0"
            trade = told.opened()
            assert trade == (await rig.query()).json
            assert trade["transaction_id"] == paid["transaction"]["transaction_id"]
            assert trade["amount"]["total"] == 12345 and trade["attach"] == "house=101"

    play(tmp_path, scene)
