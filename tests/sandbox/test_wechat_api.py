"""api.weixin.qq.com as the sandbox plays it: login, phone, tokens, messages, shipping reports."""

import base64
import hashlib
import hmac
from pathlib import Path
from typing import Any

from tests import vectors
from tests.sandbox.rig import MINI_APPID, OFFICIAL_APPID, SECRET, Rig, play

GOOD = {
    key: {"value": value} for key, value in {"thing1": "1栋101", "amount2": "￥123.45", "time3": "2026年9月"}.items()
}
GOOD["phrase4"] = {"value": "待缴"}


async def login(rig: Rig, code: str, **changes: str) -> Any:
    query = {"appid": MINI_APPID, "secret": SECRET, "js_code": code, "grant_type": "authorization_code", **changes}
    return await rig.api("GET", "/sns/jscode2session", **query)


async def code(rig: Rig, user_id: str, kind: str = "login", appid: str = MINI_APPID) -> str:
    return str((await rig.control("POST", f"/users/{user_id}/{kind}-code", {"appid": appid}))["code"])


def test_a_login_code_works_once_within_five_minutes(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        user_id, openid = await rig.user()
        first = await code(rig, user_id)
        session = await login(rig, first)
        assert session["openid"] == openid and len(openid) == 28
        assert len(base64.b64decode(session["session_key"])) == 16
        again = await login(rig, first)
        assert again["errcode"] == 40163 and " rid: " in again["errmsg"]
        assert (await login(rig, "0unknown"))["errcode"] == 40029
        late = await code(rig, user_id)
        rig.advance(301)
        assert (await login(rig, late))["errcode"] == 40029
        assert (await login(rig, await code(rig, user_id, "phone")))["errcode"] == 40029
        assert (await login(rig, await code(rig, user_id, appid=OFFICIAL_APPID)))["errcode"] == 40029
        assert (await login(rig, "x", appid="wxnobody"))["errcode"] == 40013
        assert (await login(rig, "x", secret="wrong"))["errcode"] == 40125

    play(tmp_path, scene)


def test_each_login_rotates_the_session_key_and_the_unionid_spans_apps(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        user_id, openid = await rig.user()
        old = await login(rig, await code(rig, user_id))
        new = await login(rig, await code(rig, user_id))
        assert old["openid"] == new["openid"] and old["session_key"] != new["session_key"]
        token = await rig.token()
        for session, errcode in ((old, 87009), (new, 0)):
            signature = hmac.new(session["session_key"].encode(), b"", hashlib.sha256).hexdigest()
            query = {"access_token": token, "openid": openid, "signature": signature, "sig_method": "hmac_sha256"}
            assert (await rig.api("GET", "/wxa/checksession", **query))["errcode"] == errcode
        official = await rig.control("GET", f"/users/{user_id}/openid?appid={OFFICIAL_APPID}")
        assert official["unionid"] == new["unionid"] and official["openid"] != openid

    play(tmp_path, scene)


def test_a_phone_code_works_once_and_only_in_its_app(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        user_id, _ = await rig.user()
        token = await rig.token()

        async def phone(given: str) -> Any:
            path = "/wxa/business/getuserphonenumber"
            return await rig.api("POST", path, {"code": given}, access_token=token)

        first = await code(rig, user_id, "phone")
        told = (await phone(first))["phone_info"]
        assert (told["purePhoneNumber"], told["countryCode"]) == ("13580006666", "86")
        assert told["watermark"]["appid"] == MINI_APPID
        assert (await phone(first))["errcode"] == 40029
        assert (await phone(await code(rig, user_id)))["errcode"] == 40029
        assert (await phone(await code(rig, user_id, "phone", OFFICIAL_APPID)))["errcode"] == 40013

    play(tmp_path, scene)


async def stable(rig: Rig, **changes: Any) -> Any:
    body = {"grant_type": "client_credential", "appid": MINI_APPID, "secret": SECRET, **changes}
    return await rig.api("POST", "/cgi-bin/stable_token", body)


async def token_error(rig: Rig, token: str) -> int:
    answer = await rig.api("GET", "/wxaapi/newtmpl/gettemplate", access_token=token)
    return int(answer["errcode"])


def test_stable_tokens_are_shared_and_renewed_five_minutes_before_their_end(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        first = await stable(rig)
        assert first["expires_in"] == 7200
        rig.advance(3600)
        second = await stable(rig)
        assert second["access_token"] == first["access_token"] and 3590 <= second["expires_in"] <= 3600
        rig.advance(3400)
        renewed = await stable(rig)
        assert renewed["access_token"] != first["access_token"]
        assert await token_error(rig, first["access_token"]) == 0
        rig.advance(300)
        assert await token_error(rig, first["access_token"]) == 42001
        assert await token_error(rig, renewed["access_token"]) == 0

    play(tmp_path, scene)


def test_force_refresh_kills_the_token_before_within_its_limits(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        before = (await stable(rig))["access_token"]
        assert (await stable(rig, force_refresh=True))["access_token"] == before
        for _ in range(20):
            rig.advance(31)
            after = (await stable(rig, force_refresh=True))["access_token"]
            assert after != before and await token_error(rig, before) == 40001
            before = after
        rig.advance(31)
        assert (await stable(rig, force_refresh=True))["errcode"] == 45009
        assert (await stable(rig))["access_token"] == before

    play(tmp_path, scene)


def test_classic_tokens_replace_each_other_with_five_minutes_of_overlap(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        query = {"grant_type": "client_credential", "appid": MINI_APPID, "secret": SECRET}
        first = (await rig.api("GET", "/cgi-bin/token", **query))["access_token"]
        second = (await rig.api("GET", "/cgi-bin/token", **query))["access_token"]
        shared = (await stable(rig))["access_token"]
        assert [await token_error(rig, token) for token in (first, second, shared)] == [0, 0, 0]
        rig.advance(301)
        assert [await token_error(rig, token) for token in (first, second, shared)] == [40001, 0, 0]

    play(tmp_path, scene)


def test_tokens_are_refused_with_the_right_number(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        token = (await stable(rig))["access_token"]
        assert await token_error(rig, "") == 41001
        assert await token_error(rig, "short") == 40014
        assert await token_error(rig, "x" * 100) == 40001
        assert await token_error(rig, await rig.token(OFFICIAL_APPID)) == 48001
        await rig.control("POST", "/tokens/invalidate", {"appid": MINI_APPID})
        assert await token_error(rig, token) == 40001
        assert (await stable(rig))["access_token"] != token
        assert (await stable(rig, secret="wrong"))["errcode"] == 40125
        assert (await stable(rig, grant_type="x"))["errcode"] == 40002
        assert (await rig.api("GET", "/cgi-bin/stable_token"))["errcode"] == 43002

    play(tmp_path, scene)


async def send_subscribe(rig: Rig, token: str, openid: str, **changes: Any) -> Any:
    body = {"touser": openid, "template_id": "sub-1", "page": "pages/bill/index?id=1", "data": GOOD, **changes}
    return await rig.api("POST", "/cgi-bin/message/subscribe/send", body, access_token=token)


def test_a_subscription_message_uses_up_one_consent(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        user_id, openid = await rig.user()
        token = await rig.token()
        assert (await send_subscribe(rig, token, openid))["errcode"] == 43101
        for answer in ("accept", "accept", "reject"):
            consent = {"appid": MINI_APPID, "template_id": "sub-1", "answer": answer}
            await rig.control("POST", f"/users/{user_id}/consent", consent)
        sent = [await send_subscribe(rig, token, openid) for _ in range(3)]
        assert [answer["errcode"] for answer in sent] == [0, 0, 43101]
        assert sent[0]["msgid"] != sent[1]["msgid"] > 2**32
        found = (await rig.control("GET", f"/messages?appid={MINI_APPID}&openid={openid}"))["messages"]
        assert [message["data"] for message in found] == [GOOD, GOOD]
        assert (await send_subscribe(rig, token, "nobody"))["errcode"] == 40003
        assert (await send_subscribe(rig, token, openid, template_id="tpl-1"))["errcode"] == 40037
        assert (await send_subscribe(rig, token, openid, page="pages/none"))["errcode"] == 41030

    play(tmp_path, scene)


REFUSED_VALUES = {
    "thing1": ["", "一" * 21, "两\n行", None],
    "amount2": ["12345678901", "一百元", "1,000.00"],
    "time3": ["昨天", "25:00", "2026/9/1 24:30"],
    "phrase4": ["六个汉字不行", "abc"],
}
ACCEPTED_VALUES = {
    "thing1": ["a" * 20, "一" * 20],
    "amount2": ["0.01", "￥1234567890.12", "$5", "100元"],
    "time3": ["15:01", "2026年9月1日 15:01", "2026-09-01 15:01~2026-09-02 16:00", "2026-09"],
    "phrase4": ["已缴"],
}


def test_47003_names_the_key_whose_value_is_wrong(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        _, openid = await rig.user()
        token = await rig.token()
        for key, values in REFUSED_VALUES.items():
            for value in values:
                answer = await send_subscribe(rig, token, openid, data=GOOD | {key: {"value": value}})
                assert answer["errcode"] == 47003, value
                ending = "is empty" if not value else "invalid"
                assert answer["errmsg"].startswith(f"argument invalid! data.{key}.value {ending} rid: ")
        for key, values in ACCEPTED_VALUES.items():
            for value in values:
                answer = await send_subscribe(rig, token, openid, data=GOOD | {key: {"value": value}})
                assert answer["errcode"] == 43101, value
        missing = {key: value for key, value in GOOD.items() if key != "time3"}
        assert (await send_subscribe(rig, token, openid, data=missing))["errcode"] == 47003
        assert (await send_subscribe(rig, token, openid, data=GOOD | {"thing9": {"value": "x"}}))["errcode"] == 47003

    play(tmp_path, scene)


def test_template_messages_reach_followers_once_per_client_id(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        user_id, openid = await rig.user(OFFICIAL_APPID)
        token = await rig.token(OFFICIAL_APPID)
        data = GOOD | {"const5": {"value": "已缴"}}

        async def send(**changes: Any) -> Any:
            body = {"touser": openid, "template_id": "tpl-1", "data": data, **changes}
            return await rig.api("POST", "/cgi-bin/message/template/send", body, access_token=token)

        assert (await send())["errcode"] == 43004
        await rig.control("POST", f"/users/{user_id}/follow", {"appid": OFFICIAL_APPID})
        first = await send(client_msg_id="bill-1")
        assert first["errcode"] == 0
        assert (await send(client_msg_id="bill-1"))["msgid"] == first["msgid"]
        rig.advance(601)
        assert (await send(client_msg_id="bill-1"))["msgid"] != first["msgid"]
        wrong = data | {"const5": {"value": "没有这个值"}}
        assert "data.const5.value invalid" in (await send(data=wrong))["errmsg"]
        link = {"appid": MINI_APPID, "pagepath": "pages/bill/index"}
        assert (await send(miniprogram=link))["errcode"] == 0
        assert (await send(miniprogram={"appid": "wxnobody"}))["errcode"] == 40013
        await rig.control("POST", f"/users/{user_id}/unfollow", {"appid": OFFICIAL_APPID})
        assert (await send())["errcode"] == 43004
        found = await rig.control("GET", f"/messages?appid={OFFICIAL_APPID}")
        assert len(found["messages"]) == 3

    play(tmp_path, scene)


def test_templates_are_listed_with_their_keys(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        answer = await rig.api("GET", "/wxaapi/newtmpl/gettemplate", access_token=await rig.token())
        (template,) = answer["data"]
        assert (template["priTmplId"], template["type"]) == ("sub-1", 2)
        assert "{{thing1.DATA}}" in template["content"]

    play(tmp_path, scene)


def test_a_paid_order_takes_one_shipping_report_and_one_correction(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        _, openid = await rig.user()
        await rig.order(openid, "https://pay.example.com/notify")
        token = await rig.token()

        async def report(item: str, **changes: Any) -> int:
            body = {
                "order_key": {"order_number_type": 1, "mchid": vectors.MCHID, "out_trade_no": "WY202609010001"},
                "logistics_type": 3,
                "delivery_mode": 1,
                "shipping_list": [{"item_desc": item}],
                "upload_time": "2026-09-01T00:02:00.000+08:00",
                "payer": {"openid": openid},
                **changes,
            }
            path = "/wxa/sec/order/upload_shipping_info"
            return int((await rig.api("POST", path, body, access_token=token))["errcode"])

        assert await report("物业费") == 10060004
        paid = await rig.control("POST", f"/orders/{vectors.MCHID}/WY202609010001/pay")
        assert await report("物业费", payer={"openid": "else"}) == 10060031
        assert await report("物业费" * 41) == 10060014
        assert await report("物业费", upload_time="2026-09-01") == 10060014
        assert await report("物业费") == 0
        assert await report("物业费") == 10060023
        number = paid["transaction"]["transaction_id"]
        by_id = {"order_number_type": 2, "transaction_id": number}
        assert await report("物业费2026年9月", order_key=by_id) == 0
        assert await report("第三次", order_key=by_id) == 10060003
        assert await report("x", order_key=by_id | {"transaction_id": "42000"}) == 10060001
        uploads = (await rig.control("GET", "/shipping"))["uploads"]
        assert [upload["transaction_id"] for upload in uploads] == [number, number]

    play(tmp_path, scene)
