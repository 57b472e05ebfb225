"""Native and H5 orders, the partner mode of service providers, and keys renewed on both sides while traffic flows."""

import json
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from tests import vectors
from tests.sandbox.rig import MINI_APPID, OFFICIAL_APPID, Rig, Signed, catcher, play, unseal

NOTIFY = "https://pay.example.com/notify/wx"
NUMBER = "WY202609010001"
SUB_MCHID = "1900000109"
SCENE = {"payer_client_ip": "183.6.1.9", "h5_info": {"type": "Wap"}}


async def create(rig: Rig, kind: str, **changes: Any) -> Signed:
    body = rig.order_body("", changes.pop("notify_url", NOTIFY), **changes)
    del body["payer"]
    return await rig.pay_call("POST", f"/v3/pay/transactions/{kind}", json.dumps(body).encode())


def test_a_native_code_is_scanned_and_a_new_one_replaces_it(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        user_id, openid = await rig.user()
        first = (await create(rig, "native")).json["code_url"]
        assert first.startswith("weixin://wxpay/bizpayurl?pr=")
        second = (await create(rig, "native")).json["code_url"]
        assert second != first
        await rig.control("POST", "/scan", {"code_url": first}, status=404)
        seen = await rig.control("POST", "/scan", {"code_url": second})
        async with rig.http.get(seen["cashier_url"]) as cashier:
            assert "￥123.45" in await cashier.text()
        paid = await rig.control("POST", "/scan", {"code_url": second, "user_id": user_id, "pay": True})
        assert paid["transaction"]["payer_openid"] == openid
        assert (await rig.query()).json["trade_type"] == "NATIVE"
        await rig.control("POST", "/scan", {"code_url": second, "pay": True}, status=409)

    play(tmp_path, scene)


def test_a_native_code_lives_two_hours_and_a_repeated_request_gives_two_more(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        code_url = (await create(rig, "native")).json["code_url"]
        rig.advance(2 * 3600 + 1)
        await rig.control("POST", "/scan", {"code_url": code_url}, status=409)
        again = (await create(rig, "native")).json["code_url"]
        rig.advance(2 * 3600 - 60)
        assert (await rig.control("POST", "/scan", {"code_url": again, "pay": True}))["state"] == "SUCCESS"

    play(tmp_path, scene)


async def h5_page(rig: Rig, url: str, **headers: str) -> tuple[int, str]:
    async with rig.http.get(url, headers=headers) as shown:
        return shown.status, await shown.text()


def test_an_h5_link_leads_to_the_cashier_for_five_minutes(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        made = await create(rig, "h5", scene_info=SCENE)
        url = made.json["h5_url"] + "&redirect_url=https%3A%2F%2Fwy.example.com%2Fdone%3Fa%3D1"
        status, text = await h5_page(rig, url)
        assert status == 200 and "/cashier/wx" in text
        assert (await h5_page(rig, url, **{"User-Agent": "MicroMessenger/8.0"}))[0] == 403
        cashier = rig.url + "/cashier/" + text.split("/cashier/")[1].split('"')[0]
        async with rig.http.post(cashier.replace("?", "/pay?")) as paid:
            assert paid.status == 200 and "https://wy.example.com/done?a=1" in await paid.text()
        assert (await rig.query()).json["trade_type"] == "MWEB"
        other = await create(rig, "h5", scene_info=SCENE, out_trade_no="WYh5late")
        rig.advance(301)
        assert (await h5_page(rig, other.json["h5_url"]))[0] == 403
        fresh = await create(rig, "h5", scene_info=SCENE, out_trade_no="WYh5late")
        assert (await h5_page(rig, fresh.json["h5_url"]))[0] == 200

    play(tmp_path, scene)


def test_h5_needs_a_scene_and_a_registered_domain(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        for wrong in ({}, {"payer_client_ip": "1.2.3.4"}, {"payer_client_ip": "here", "h5_info": {"type": "Wap"}}):
            answer = await create(rig, "h5", scene_info=wrong)
            assert (answer.status, answer.json["code"]) == (400, "PARAM_ERROR"), wrong
        await rig.control("PUT", f"/merchants/{vectors.MCHID}", rig.merchant() | {"h5_domains": ["wy.example.com"]})
        url = (await create(rig, "h5", scene_info=SCENE)).json["h5_url"]
        assert (await h5_page(rig, url, Referer="https://elsewhere.example.com/"))[0] == 403
        assert (await h5_page(rig, url, Referer="https://wy.example.com/bill"))[0] == 200
        foreign = url + "&redirect_url=https%3A%2F%2Felsewhere.example.com%2F"
        assert (await h5_page(rig, foreign, Referer="https://wy.example.com/bill"))[0] == 403

    play(tmp_path, scene)


def partner_body(openid: str, notify_url: str, **changes: Any) -> dict[str, Any]:
    return {
        "sp_appid": MINI_APPID,
        "sp_mchid": vectors.MCHID,
        "sub_mchid": SUB_MCHID,
        "description": "物业费",
        "out_trade_no": NUMBER,
        "notify_url": notify_url,
        "amount": {"total": 12345, "currency": "CNY"},
        "payer": {"sp_openid": openid},
        **changes,
    }


async def partner(rig: Rig, body: dict[str, Any], kind: str = "jsapi") -> Signed:
    return await rig.pay_call("POST", f"/v3/pay/partner/transactions/{kind}", json.dumps(body).encode())


PARTNER_QUERY = f"/v3/pay/partner/transactions/out-trade-no/{NUMBER}?sp_mchid={vectors.MCHID}&sub_mchid={SUB_MCHID}"


async def as_provider(rig: Rig) -> None:
    settings = rig.merchant() | {"sub_merchants": {SUB_MCHID: [OFFICIAL_APPID], "1900000110": []}}
    await rig.control("PUT", f"/merchants/{vectors.MCHID}", settings)


def test_a_service_provider_collects_asks_and_refunds_for_its_sub_merchant(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        await as_provider(rig)
        async with catcher(rig) as merchant:
            _, openid = await rig.user()
            assert (await partner(rig, partner_body(openid, merchant.url))).status == 200
            unpaid = (await rig.pay_call("GET", PARTNER_QUERY)).json
            assert (unpaid["trade_state"], unpaid["sub_mchid"]) == ("NOTPAY", SUB_MCHID)
            await rig.control("POST", f"/orders/{vectors.MCHID}/{NUMBER}/pay")
            await merchant.until(1)
            told = merchant.caught[0].opened()
            assert (told["sp_mchid"], told["sub_mchid"], told["sp_appid"]) == (vectors.MCHID, SUB_MCHID, MINI_APPID)
            assert told["payer"] == {"sp_openid": openid} and "mchid" not in told
            assert told == (await rig.pay_call("GET", PARTNER_QUERY)).json
            assert (await rig.query()).status == 404
            refund = {
                "sub_mchid": SUB_MCHID,
                "transaction_id": told["transaction_id"],
                "out_refund_no": "RF1",
                "notify_url": merchant.url,
                "amount": {"refund": 45, "total": 12345, "currency": "CNY"},
            }
            path = "/v3/refund/domestic/refunds"
            assert (await rig.pay_call("POST", path, json.dumps(refund).encode())).status == 200
            assert (await rig.pay_call("GET", f"{path}/RF1")).status == 404
            assert (await rig.pay_call("GET", f"{path}/RF1?sub_mchid={SUB_MCHID}")).status == 200
            await rig.control("POST", f"/refunds/{vectors.MCHID}/RF1/finish")
            await merchant.until(2)
            given = merchant.caught[1].opened()
            assert (given["sp_mchid"], given["sub_mchid"]) == (vectors.MCHID, SUB_MCHID)

    play(tmp_path, scene)


def test_a_sub_merchants_own_app_and_payer(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        await as_provider(rig)
        user_id, _ = await rig.user()
        own = (await rig.control("GET", f"/users/{user_id}/openid?appid={OFFICIAL_APPID}"))["openid"]
        payer = {"payer": {"sub_openid": own}}
        refused = await partner(rig, partner_body("", NOTIFY, **payer))
        assert (refused.status, refused.json["detail"]["field"]) == (400, "/sub_appid")
        made = await partner(rig, partner_body("", NOTIFY, sub_appid=OFFICIAL_APPID, **payer))
        assert made.status == 200
        await rig.control("POST", f"/orders/{vectors.MCHID}/{NUMBER}/pay")
        paid = (await rig.pay_call("GET", PARTNER_QUERY)).json
        assert (paid["payer"], paid["sub_appid"]) == ({"sub_openid": own}, OFFICIAL_APPID)

    play(tmp_path, scene)


def test_partner_requests_with_wrong_parties_are_refused(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        await as_provider(rig)
        _, openid = await rig.user()
        for changes, status, number in (
            ({"sub_mchid": "1900000999"}, 403, "268443701"),
            ({"sub_mchid": vectors.MCHID}, 400, "268443705"),
            ({"sub_appid": MINI_APPID}, 400, "268445527"),
            ({"payer": {"sp_openid": openid, "sub_openid": openid}}, 400, "268435461"),
        ):
            answer = await partner(rig, partner_body(openid, NOTIFY, **changes))
            assert answer.status == status and answer.headers["Request-ID"].endswith(f"-{number}"), changes
        body = partner_body(openid, NOTIFY)
        assert (await partner(rig, body)).status == 200
        other = PARTNER_QUERY.replace(SUB_MCHID, "1900000110")
        assert (await rig.pay_call("GET", other)).json["code"] == "ORDER_NOT_EXIST"
        path = f"/v3/pay/partner/transactions/out-trade-no/{NUMBER}/close"
        close = json.dumps({"sp_mchid": vectors.MCHID, "sub_mchid": SUB_MCHID}).encode()
        assert (await rig.pay_call("POST", path, close)).status == 204
        assert (await rig.pay_call("GET", PARTNER_QUERY)).json["trade_state"] == "CLOSED"
        native = {name: value for name, value in body.items() if name != "payer"} | {"out_trade_no": "WYnative"}
        assert "code_url" in (await partner(rig, native, "native")).json

    play(tmp_path, scene)


async def certificates(rig: Rig) -> dict[str, str]:
    """Serial to public key, from GET /v3/certificates."""
    found = {}
    for entry in (await rig.pay_call("GET", "/v3/certificates")).json["data"]:
        certificate = x509.load_pem_x509_certificate(unseal(entry["encrypt_certificate"]))
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        pem = certificate.public_key().public_bytes(serialization.Encoding.PEM, form).decode()
        found[entry["serial_no"]] = pem
    return found


def test_a_platform_certificate_is_renewed_while_traffic_flows(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        async with catcher(rig) as merchant:
            merchant.statuses = [500] * 3
            (old,) = await certificates(rig)
            await rig.control("POST", "/keys/certificate/renew")
            both = await certificates(rig)
            assert len(both) == 2 and old in both
            answers = [await rig.query() for _ in range(4)]
            assert {answer.serial for answer in answers} == set(both)
            assert all(answer.is_genuine(both[answer.serial]) for answer in answers)
            _, openid = await rig.user()
            await rig.order(openid, merchant.url)
            await rig.control("POST", f"/orders/{vectors.MCHID}/{NUMBER}/pay")
            await merchant.until(1)
            for count in (2, 3):
                rig.advance(20)
                await merchant.until(count)
            assert {told.serial for told in merchant.caught} == set(both)
            assert all(told.is_genuine(both[told.serial]) for told in merchant.caught)
            rig.stop()
            rig.start()
            assert await certificates(rig) == both
            await rig.control("POST", "/keys/certificate/retire")
            (new,) = await certificates(rig)
            assert new != old and {(await rig.query()).serial for _ in range(3)} == {new}
            rig.stop()
            rig.start()
            assert set(await certificates(rig)) == {new}

    play(tmp_path, scene, mode="certificate", fresh=True)


def test_a_platform_public_key_is_renewed_and_the_asked_one_signs(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        old = rig.public_key_id
        answer = await rig.control("POST", "/keys/public_key/renew")
        pems = {entry["id"]: entry["pem"] for entry in answer["public_keys"]}
        assert len(pems) == 2 and old in pems
        for serial, pem in pems.items():
            asked = await rig.query(headers={"Wechatpay-Serial": serial})
            assert asked.serial == serial and asked.is_genuine(pem)
        await rig.control("POST", "/keys/public_key/retire")
        after = await rig.query(headers={"Wechatpay-Serial": old})
        assert after.serial != old and after.is_genuine(pems[after.serial])
        await rig.control("POST", "/keys/other/renew", status=404)

    play(tmp_path, scene, fresh=True)


def test_old_and_new_public_key_sign_callbacks_by_turns_and_a_reset_leaves_the_newest(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        async with catcher(rig) as merchant:
            answer = await rig.control("POST", "/keys/public_key/renew")
            old, new = (entry["id"] for entry in answer["public_keys"])
            _, openid = await rig.user()
            for count in range(4):
                number = f"{NUMBER}{count}"
                await rig.order(openid, merchant.url, out_trade_no=number)
                await rig.control("POST", f"/orders/{vectors.MCHID}/{number}/pay")
                await merchant.until(count + 1)
            assert sorted(told.serial for told in merchant.caught) == sorted([old, old, new, new])
            await rig.control("POST", "/reset")
            assert [entry["id"] for entry in (await rig.control("GET", "/keys"))["public_keys"]] == [new]

    play(tmp_path, scene, fresh=True)


def test_a_merchant_renews_its_api_certificate(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        path = f"/merchants/{vectors.MCHID}"
        pem = vectors.public_pem(vectors.key_m())
        added = await rig.control("POST", f"{path}/keys", {"serial_no": "NEW1", "public_key_pem": pem})
        assert added["serial_nos"] == [vectors.MERCHANT_SERIAL, "NEW1"]
        for serial in (vectors.MERCHANT_SERIAL, "NEW1"):
            assert (await rig.query(values={"serial_no": serial})).status == 404
        await rig.control("POST", f"{path}/keys", {"serial_no": "NEW2", "public_key_pem": pem})
        await rig.control("POST", f"{path}/keys", {"serial_no": "NEW3", "public_key_pem": pem}, status=409)
        await rig.control("DELETE", f"{path}/keys/{vectors.MERCHANT_SERIAL}")
        assert (await rig.query()).json["code"] == "SIGN_ERROR"
        assert (await rig.query(values={"serial_no": "NEW1"})).status == 404
        await rig.control("DELETE", f"{path}/keys/NEW1")
        await rig.control("DELETE", f"{path}/keys/NEW2", status=409)
        await rig.control("PUT", f"{path}/apiv3-key", {"apiv3_key": "short"}, status=400)
        await rig.control("PUT", f"{path}/apiv3-key", {"apiv3_key": "f" * 32})

    play(tmp_path, scene)
