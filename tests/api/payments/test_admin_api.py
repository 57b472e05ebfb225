"""Staff's side: merchants without their secrets, pausing, keys by two people, orders, asking now."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from backend.kernel.config import ConfigError, Mode
from backend.kernel.errors import Conflict, Invalid
from payments import merchant_keys, merchants
from payments.channels.base import Channel
from payments.merchant_keys import Account, Keys
from tests import factories, vectors
from tests.conftest import START, Client, Sandbox
from tests.factories_payments import API_V3_KEY, Stage


async def _keys(sandbox: Sandbox) -> dict[str, Any]:
    told = await sandbox.ask(
        "PUT", f"/merchants/{vectors.MCHID}",
        {
            "appids": [factories.APPID], "apiv3_key": API_V3_KEY, "serial_no": vectors.MERCHANT_SERIAL,
            "public_key_pem": vectors.public_pem(vectors.key_m()), "mode": "public_key",
        },
    )  # fmt: skip
    return {
        "serial_no": vectors.MERCHANT_SERIAL,
        "private_key_pem": vectors.private_pem(vectors.key_m()),
        "api_v3_key": API_V3_KEY,
        "platform_keys": {told["platform_public_key_id"]: told["platform_public_key_pem"]},
    }


async def _administrator(play: Stage, *, everywhere: bool = True) -> str:
    return (await factories.staff(play.res, play.place, "administrator", all_communities=everywhere)).token


async def test_a_merchant_is_added_and_never_shows_its_secrets(
    play: Stage, sandbox_client: Client, sandbox: Sandbox
) -> None:
    office = sandbox_client.of(await _administrator(play))
    body = {
        "community_id": str(play.place.id), "item_id": None, "mchid": vectors.MCHID, "appid": factories.APPID,
        "name": "小区商户", "keys": await _keys(sandbox),
    }  # fmt: skip
    made = await office.post("/admin/v1/merchants", body)
    assert made.status == 201, made.body
    again = await office.post("/admin/v1/merchants", body)
    assert (again.status, again.code) == (409, "merchant_exists")
    listed = await office.get("/admin/v1/merchants")
    assert [item["name"] for item in listed.json["items"]] == ["小区商户", "沙箱商户"]
    for answer in (made, listed):
        assert b"PRIVATE KEY" not in answer.body and API_V3_KEY.encode() not in answer.body
    stored = await play.res.db.fetchrow("SELECT * FROM merchant WHERE id = $1", made.json["id"])
    assert stored is not None and API_V3_KEY.encode() not in stored["api_v3_key_sealed"]
    order_id = await play.ready(await play.bill())
    assert str((await play.attempt(order_id))["merchant_id"]) == made.json["id"]


async def test_bad_keys_are_named(play: Stage, sandbox_client: Client, sandbox: Sandbox) -> None:
    office = sandbox_client.of(await _administrator(play))
    keys = {**await _keys(sandbox), "private_key_pem": "-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----"}
    body = {"mchid": vectors.MCHID, "appid": factories.APPID, "name": "商户", "keys": keys}
    answer = await office.post("/admin/v1/merchants", {**body, "community_id": str(play.place.id)})
    assert (answer.status, answer.code) == (422, "key_refused")


async def test_merchants_need_a_role_for_all_of_the_company(play: Stage, sandbox_client: Client) -> None:
    office = sandbox_client.of(await _administrator(play, everywhere=False))
    assert (await office.get("/admin/v1/merchants")).status == 404
    cashier = await factories.staff(play.res, play.place, "cashier", all_communities=True)
    path = f"/admin/v1/merchants/{play.merchant_id}/pause"
    assert (await sandbox_client.of(cashier.token).post(path, {"reason": "测试"})).status == 403


async def test_pausing_stops_new_orders_and_not_callbacks(play: Stage, sandbox_client: Client) -> None:
    office = sandbox_client.of(await _administrator(play))
    order_id = await play.ready(await play.bill())
    path = f"/admin/v1/merchants/{play.merchant_id}"
    assert (await office.post(f"{path}/pause", {"reason": "银行维护"})).json["paused"] is True
    refused = await play.create(sandbox_client, await play.bill())
    assert (refused.status, refused.code) == (409, "collection_paused")
    await play.user_pays(order_id)
    await play.deliver()
    assert await play.state(order_id) == "PAID"
    assert (await office.post(f"{path}/resume", {"reason": "恢复"})).json["paused"] is False
    assert (await play.create(sandbox_client, await play.bill())).status == 201
    await play.balanced()


async def test_a_retired_merchant_still_settles(play: Stage, sandbox_client: Client) -> None:
    office = sandbox_client.of(await _administrator(play))
    order_id = await play.ready(await play.bill())
    path = f"/admin/v1/merchants/{play.merchant_id}/retire"
    assert (await office.post(path, {"reason": "换商户"})).json["retired_at"] is not None
    assert (await office.post(path, {"reason": "换商户"})).status == 404
    refused = await play.create(sandbox_client, await play.bill())
    assert (refused.status, refused.code) == (409, "payment_not_open")
    await play.user_pays(order_id)
    await play.deliver()
    assert await play.state(order_id) == "PAID"
    await play.balanced()


async def test_keys_are_changed_by_two_people(play: Stage, sandbox_client: Client, sandbox: Sandbox) -> None:
    first, second = sandbox_client.of(await _administrator(play)), sandbox_client.of(await _administrator(play))
    before = await play.res.db.fetchval("SELECT version FROM merchant WHERE id = $1", play.merchant_id)
    proposed = await first.post(
        f"/admin/v1/merchants/{play.merchant_id}/keys", {"keys": await _keys(sandbox), "reason": "证书到期"}
    )
    assert proposed.status == 201, proposed.body
    approval = proposed.json["approval_id"]
    own = await first.post(f"/admin/v1/approvals/{approval}/decision", {"approve": True, "note": "好"})
    assert own.status == 403
    assert await play.res.db.fetchval("SELECT version FROM merchant WHERE id = $1", play.merchant_id) == before
    done = await second.post(f"/admin/v1/approvals/{approval}/decision", {"approve": True, "note": "好"})
    assert done.status == 200, done.body
    assert await play.res.db.fetchval("SELECT version FROM merchant WHERE id = $1", play.merchant_id) == before + 1
    stored = str(await play.res.db.fetchval("SELECT payload FROM approval WHERE id = $1", approval))
    assert API_V3_KEY not in stored and "PRIVATE KEY" not in stored
    await play.ready(await play.bill())


async def test_orders_are_read_and_the_channel_is_asked_now(play: Stage, sandbox_client: Client) -> None:
    cashier = sandbox_client.of((await factories.staff(play.res, play.place, "cashier")).token)
    order_id = await play.ready(await play.bill())
    await play.hostile(lose_callbacks=1)
    await play.user_pays(order_id)
    listed = (await cashier.get("/admin/v1/orders?state=PAYING")).json["items"]
    assert [item["id"] for item in listed] == [str(order_id)]
    asked = await cashier.post(f"/admin/v1/orders/{order_id}/ask")
    assert (asked.status, asked.json["said"], asked.json["order"]["state"]) == (200, "paid", "PAID")
    shown = (await cashier.get(f"/admin/v1/orders/{order_id}")).json
    assert [attempt["settled_by"] for attempt in shown["attempts"]] == ["query"]
    assert len(shown["lines"]) == 1
    elsewhere = await factories.community(play.res, "LL02", company_id=play.place.company_id)
    foreign = sandbox_client.of((await factories.staff(play.res, elsewhere, "cashier")).token)
    assert (await foreign.get(f"/admin/v1/orders/{order_id}")).status == 404
    assert (await foreign.get("/admin/v1/orders")).json["items"] == []
    await play.balanced()


async def test_live_mode_refuses_the_keys_of_the_sandbox(play: Stage, sandbox: Sandbox) -> None:
    given = await _keys(sandbox)
    keys = Keys(given["serial_no"], given["private_key_pem"], given["api_v3_key"], given["platform_keys"])
    account = Account(Channel.WECHAT, vectors.MCHID, factories.APPID)
    merchant_keys.check(account, keys, Mode.SANDBOX)
    with pytest.raises(Invalid) as refused:
        merchant_keys.check(account, keys, Mode.LIVE)
    assert refused.value.code == "sandbox_key"
    await merchants.refuse_sandbox(play.res.db, Mode.SANDBOX)
    with pytest.raises(ConfigError):
        await merchants.refuse_sandbox(play.res.db, Mode.LIVE)
    await play.res.db.execute("UPDATE merchant SET retired_at = created_at")
    await merchants.refuse_sandbox(play.res.db, Mode.LIVE)


SELLER, ALIPAY_APP = "2088531891668739", "9021000000000001"


def _alipay(**keys: Any) -> dict[str, Any]:
    given = {"private_key_pem": vectors.private_pem(vectors.key_m()), **keys}
    return {"channel": "alipay", "mchid": SELLER, "appid": ALIPAY_APP, "name": "支付宝收款", "keys": given}


async def test_a_merchant_of_alipay_in_key_mode_is_added_and_opened(play: Stage, sandbox_client: Client) -> None:
    office = sandbox_client.of(await _administrator(play))
    made = await office.post(
        "/admin/v1/merchants", _alipay(platform_keys={"public_key": vectors.public_pem(vectors.key_p())})
    )
    assert made.status == 201, made.body
    assert made.json["notify_url"].endswith(f"/pay/notify/alipay/{made.json['id']}")
    known = await merchants.merchant(play.res, UUID(made.json["id"]))
    assert (known.channel, known.mchid, known.appid) == (Channel.ALIPAY, SELLER, ALIPAY_APP)
    assert (known.keys.app_id, known.keys.seller_id, known.keys.app_cert_sn) == (ALIPAY_APP, SELLER, "")


async def test_a_merchant_of_alipay_in_certificate_mode_is_added_by_its_three_files(
    play: Stage, sandbox_client: Client, sandbox: Sandbox
) -> None:
    office = sandbox_client.of(await _administrator(play))
    certificate = _self_signed(vectors.key_p())
    files = {"app": _self_signed(vectors.key_m()), "root": certificate, "platform": certificate}
    made = await office.post("/admin/v1/merchants", _alipay(certificates=files))
    assert made.status == 201, made.body
    stored = await play.res.db.fetchrow("SELECT * FROM merchant WHERE id = $1", UUID(made.json["id"]))
    assert stored is not None and len(stored["serial_no"]) == 32 and len(stored["root_serial_no"]) == 32
    assert list(stored["platform_keys"]) == [stored["root_serial_no"]]
    known = await merchants.merchant(play.res, UUID(made.json["id"]))
    assert known.keys.root_cert_sn == stored["root_serial_no"]


@pytest.mark.parametrize(
    "change",
    [
        {"platform_keys": {}},
        {"platform_keys": {"public_key": vectors.public_pem(vectors.key_m())}},
        {"platform_keys": {"public_key": "x"}},
        {"serial_no": "ab", "platform_keys": {"public_key": vectors.public_pem(vectors.key_p())}},
        {"api_v3_key": API_V3_KEY, "platform_keys": {"public_key": vectors.public_pem(vectors.key_p())}},
        {"certificates": {"app": "x", "root": "x", "platform": "x"}},
    ],
)
async def test_keys_that_alipay_cannot_work_with_are_refused(
    play: Stage, sandbox_client: Client, change: dict[str, Any]
) -> None:
    office = sandbox_client.of(await _administrator(play))
    answer = await office.post("/admin/v1/merchants", _alipay(**change))
    assert (answer.status, answer.code) == (422, "key_refused"), answer.body


async def test_the_keys_of_alipay_are_changed_by_two_people(play: Stage, sandbox_client: Client) -> None:
    first, second = sandbox_client.of(await _administrator(play)), sandbox_client.of(await _administrator(play))
    public = {"public_key": vectors.public_pem(vectors.key_p())}
    made = (await first.post("/admin/v1/merchants", _alipay(platform_keys=public))).json["id"]
    certificate = _self_signed(vectors.key_p())
    files = {"app": _self_signed(vectors.key_m()), "root": certificate, "platform": certificate}
    proposed = await first.post(
        f"/admin/v1/merchants/{made}/keys", {"keys": _alipay(certificates=files)["keys"], "reason": "改用证书"}
    )
    assert proposed.status == 201, proposed.body
    path = f"/admin/v1/approvals/{proposed.json['approval_id']}/decision"
    assert (await second.post(path, {"approve": True, "note": "好"})).status == 200
    row = await play.res.db.fetchrow("SELECT * FROM merchant WHERE id = $1", UUID(made))
    assert row is not None and row["version"] == 2 and row["root_serial_no"] and row["api_v3_key_sealed"] is None


async def test_live_mode_refuses_an_application_of_alipays_sandboxes(play: Stage) -> None:
    keys = Keys("", vectors.private_pem(vectors.key_m()), "", {"public_key": vectors.public_pem(vectors.key_p())})
    merchant_keys.check(Account(Channel.ALIPAY, SELLER, "2021004112345678"), keys, Mode.LIVE)
    for appid in (ALIPAY_APP, "2021000000000001"):
        with pytest.raises(Invalid) as refused:
            merchant_keys.check(Account(Channel.ALIPAY, SELLER, appid), keys, Mode.LIVE)
        assert refused.value.code == "sandbox_key"


async def test_a_service_provider_collects_for_its_sub_merchant(
    play: Stage, sandbox_client: Client, sandbox: Sandbox
) -> None:
    office = sandbox_client.of(await _administrator(play))
    body = {
        "community_id": str(play.place.id), "mchid": vectors.MCHID, "appid": "wxserviceprovider1", "name": "服务商代收",
        "sub_mchid": "1900000109", "sub_appid": factories.APPID, "keys": await _keys(sandbox),
    }  # fmt: skip
    made = await office.post("/admin/v1/merchants", body)
    assert made.status == 201, made.body
    known = await merchants.merchant(play.res, UUID(made.json["id"]))
    assert (known.mchid, known.appid, known.keys.mchid) == ("1900000109", factories.APPID, vectors.MCHID)


async def test_a_company_has_one_counter_without_keys_which_nobody_retires(play: Stage, sandbox_client: Client) -> None:
    company_id = play.place.company_id
    found = await asyncio.gather(
        *(play.res.db.transact(lambda tx: merchants.counter(tx, company_id)) for _ in range(5))
    )
    counter = found[0]
    assert {each.id for each in found} == {counter.id}
    assert (counter.mchid, counter.appid, counter.keys) == (company_id.hex, "counter", None)
    assert await merchants.merchant(play.res, counter.id) == counter
    with pytest.raises(Conflict):
        merchants.channel(play.res, counter)
    office = sandbox_client.of(await _administrator(play))
    for action in ("pause", "retire"):
        answer = await office.post(f"/admin/v1/merchants/{counter.id}/{action}", {"reason": "测试"})
        assert answer.status == 404
    answer = await office.post(f"/admin/v1/merchants/{counter.id}/keys", {**_alipay(), "reason": "测试"})
    assert answer.status in (404, 422)


def _self_signed(key: RSAPrivateKey) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Linli Test CA")])
    made = x509.CertificateBuilder(
        issuer_name=name, subject_name=name, public_key=key.public_key(), serial_number=x509.random_serial_number(),
        not_valid_before=START, not_valid_after=START + timedelta(days=1),
    ).sign(key, SHA256())  # fmt: skip
    return made.public_bytes(Encoding.PEM).decode()
