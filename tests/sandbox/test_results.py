"""What the sandbox's WeChat reports later: results of sends, consents, checks of content; and mini-program codes."""

import json
from pathlib import Path
from typing import Any

from tests.sandbox.receiver import Receiver, receiver, told
from tests.sandbox.rig import MINI_APPID, OFFICIAL_APPID, Rig, play
from tests.sandbox.test_wechat_api import GOOD, send_subscribe


async def listening(rig: Rig, server: Receiver, appid: str = MINI_APPID) -> None:
    form = "json" if appid == MINI_APPID else "xml"
    await rig.control("PUT", f"/apps/{appid}/push", server.address(format=form))


def test_the_fate_of_a_template_message_is_told(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        async with receiver() as server:
            user_id, openid = await rig.user(OFFICIAL_APPID)
            await rig.control("POST", f"/users/{user_id}/follow", {"appid": OFFICIAL_APPID})
            data = {**GOOD, "const5": {"value": "已缴"}}
            body = {"touser": openid, "template_id": "tpl-1", "data": data}

            async def send() -> int:
                path, token = "/cgi-bin/message/template/send", await rig.token(OFFICIAL_APPID)
                return int((await rig.api("POST", path, body, access_token=token))["msgid"])

            await send()
            assert await told(rig) == []
            await listening(rig, server, OFFICIAL_APPID)
            results = ["success", "failed:user block", "failed: system failed"]
            await rig.control("PUT", "/hostile", {"send_results": results})
            msgids = []
            for _ in results:
                msgids.append(await send())
                await told(rig)
            heard = [push.xml for push in server.caught]
            assert [(push["Event"], push["MsgID"], push["Status"]) for push in heard] == [
                ("TEMPLATESENDJOBFINISH", str(msgid), result) for msgid, result in zip(msgids, results, strict=True)
            ]
            assert {push["FromUserName"] for push in heard} == {openid}

    play(tmp_path, scene)


def test_the_fate_of_a_subscription_message_is_told(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        async with receiver() as server:
            user_id, openid = await rig.user()
            consent = {"appid": MINI_APPID, "template_id": "sub-1", "answer": "accept"}
            await rig.control("POST", f"/users/{user_id}/consent", consent)
            await listening(rig, server)
            sent = await send_subscribe(rig, await rig.token(), openid)
            await told(rig)
            (push,) = server.caught
            item = {"TemplateId": "sub-1", "MsgID": str(sent["msgid"]), "ErrorCode": "0", "ErrorStatus": "success"}
            assert push.json["Event"] == "subscribe_msg_sent_event"
            assert push.json["SubscribeMsgSentEvent"] == {"List": item}
            assert push.headers["Content-Type"] == "application/json"

    play(tmp_path, scene)


def test_consents_are_told_one_as_an_object_and_several_as_an_array(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        async with receiver() as server:
            user_id, openid = await rig.user()
            await listening(rig, server)

            async def consent(**answer: Any) -> Any:
                told_back = await rig.control("POST", f"/users/{user_id}/consent", {"appid": MINI_APPID, **answer})
                await told(rig)
                return told_back

            await consent(template_id="sub-1", answer="accept")
            both = await consent(answers={"sub-1": "accept", "sub-2": "reject"})
            assert both["credits"] == {"sub-1": 2, "sub-2": 0}
            gone = await consent(template_id="sub-1", answer="revoke")
            assert gone["credits"] == 0
            one, two, change = (push.json for push in server.caught)
            item = {"TemplateId": "sub-1", "SubscribeStatusString": "accept", "PopupScene": "0"}
            assert one["SubscribeMsgPopupEvent"] == {"List": item}
            reject = {**item, "TemplateId": "sub-2", "SubscribeStatusString": "reject"}
            assert two["SubscribeMsgPopupEvent"] == {"List": [item, reject]}
            assert change["Event"] == "subscribe_msg_change_event"
            revoked = {"TemplateId": "sub-1", "SubscribeStatusString": "reject"}
            assert change["SubscribeMsgChangeEvent"] == {"List": revoked}
            assert (await send_subscribe(rig, await rig.token(), openid))["errcode"] == 43101
            for wrong in ({"template_id": "sub-1", "answer": "maybe"}, {"answers": {}}):
                body = {"appid": MINI_APPID, **wrong}
                await rig.control("POST", f"/users/{user_id}/consent", body, status=400)

    play(tmp_path, scene)


CODE = {"scene": "k=7f3a", "page": "pages/bill/index"}
REFUSED_CODES: list[tuple[dict[str, Any], int]] = [
    ({"scene": ""}, 40169),
    ({"scene": "x" * 33}, 40169),
    ({"scene": "栋=1"}, 40129),
    ({"scene": "a%20b"}, 40129),
    ({"scene": "scancode_time=1"}, 85096),
    ({"page": "/pages/bill/index"}, 41030),
    ({"page": "pages/bill/index?id=1"}, 41030),
    ({"page": "pages/none"}, 41030),
    ({"width": 279}, 40097),
    ({"width": 1281}, 40097),
    ({"width": "430"}, 40097),
    ({"env_version": "beta"}, 40097),
]


def test_a_mini_program_code_is_a_picture_or_a_json_error(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        token = await rig.token()
        for body in (CODE, {**CODE, "page": "pages/none", "check_path": False, "width": 280}):
            url = f"{rig.url}/wxa/getwxacodeunlimit?access_token={token}"
            async with rig.http.post(url, data=json.dumps(body)) as response:
                assert response.content_type == "image/png"
                assert (await response.read()).startswith(b"\x89PNG")
        for changes, errcode in REFUSED_CODES:
            answer = await rig.api("POST", "/wxa/getwxacodeunlimit", {**CODE, **changes}, access_token=token)
            assert answer["errcode"] == errcode, changes

    play(tmp_path, scene)


def test_texts_are_checked_for_people_who_were_here_lately(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        user_id, openid = await rig.user()
        _, elsewhere = await rig.user(OFFICIAL_APPID)
        token = await rig.token()
        text = {"content": "电梯坏了", "version": 2, "scene": 2, "openid": openid}

        async def check(**changes: Any) -> Any:
            return await rig.api("POST", "/wxa/msg_sec_check", {**text, **changes}, access_token=token)

        assert (await check())["errcode"] == 61010
        await rig.control("POST", f"/users/{user_id}/open", {"appid": MINI_APPID})
        good = await check()
        assert (good["errcode"], good["result"]) == (0, {"suggest": "pass", "label": 100})
        await rig.control("PUT", "/hostile", {"text_verdicts": ["risky", "review"]})
        answers = [await check() for _ in range(3)]
        assert [answer["result"]["suggest"] for answer in answers] == ["risky", "review", "pass"]
        assert len({answer["trace_id"] for answer in answers}) == 3
        refused = {40097: {"version": 1}, 40129: {"scene": 5}, 40003: {"openid": "oNobody"}}
        refused |= {43104: {"openid": elsewhere}, 45002: {"content": "长" * 2501}, 44004: {"content": ""}}
        for errcode, changes in refused.items():
            assert (await check(**changes))["errcode"] == errcode
        rig.advance(7201)
        assert (await rig.token()) and (await check())["errcode"] in (42001, 61010)

    play(tmp_path, scene)


def test_the_verdict_on_a_picture_is_pushed_later(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        async with receiver() as server:
            user_id, openid = await rig.user()
            await rig.control("POST", f"/users/{user_id}/open", {"appid": MINI_APPID})
            await listening(rig, server)
            token = await rig.token()

            async def check(number: int, **changes: Any) -> Any:
                url = f"https://x/{number}.jpg"
                body = {"media_url": url, "media_type": 2, "version": 2, "scene": 3, "openid": openid, **changes}
                return await rig.api("POST", "/wxa/media_check_async", body, access_token=token)

            verdicts = ["risky", "pass", "download_failed"]
            await rig.control("PUT", "/hostile", {"media_verdicts": verdicts, "media_check_delay_s": 600})
            asked = [(await check(number))["trace_id"] for number in range(3)]
            assert (await check(0))["errcode"] == 87020
            assert (await check(9, media_type=3))["errcode"] == 40097
            await told(rig)
            assert server.caught == []
            rig.advance(601)
            await told(rig)
            heard = {push.json["trace_id"]: push.json for push in server.caught}
            risky, fine, failed = (heard[trace_id] for trace_id in asked)
            assert risky["Event"] == "wxa_media_check" and risky["appid"] == MINI_APPID
            assert (risky["result"]["suggest"], risky["detail"][0]["label"]) == ("risky", 10001)
            assert (fine["result"], fine["errcode"]) == ({"suggest": "pass", "label": 100}, 0)
            assert failed["errcode"] == -1008 and "result" not in failed

    play(tmp_path, scene)
