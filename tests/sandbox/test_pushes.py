"""Pushes: what comes in each mode and form, the three attempts, passive replies, hostile and forged ones."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from sandbox import push_crypto
from tests.sandbox.receiver import AES_KEY, TOKEN, Caught, Receiver, receiver, sha1, told
from tests.sandbox.rig import MINI_APPID, OFFICIAL_APPID, Rig, play

OUT_OF_SERVICE = {"type": "text", "content": "该公众号暂时无法提供服务，请稍后再试"}


async def follower(rig: Rig, server: Receiver, **changes: str) -> tuple[str, str]:
    """Somebody who followed before the account had an address."""
    user_id, openid = await rig.user(OFFICIAL_APPID)
    await rig.control("POST", f"/users/{user_id}/follow", {"appid": OFFICIAL_APPID})
    await rig.control("PUT", f"/apps/{OFFICIAL_APPID}/push", server.address(**changes))
    return user_id, openid


async def say(rig: Rig, user_id: str, text: str = "账单") -> None:
    await rig.control("POST", f"/users/{user_id}/say", {"appid": OFFICIAL_APPID, "text": text})


def reply(push: Caught, openid: str, inside: str = "", **changes: str) -> str:
    values = {"ToUserName": openid, "FromUserName": "gh_1", "CreateTime": "1788230400", "MsgType": "text", **changes}
    nodes = "".join(f"<{name}><![CDATA[{value}]]></{name}>" for name, value in values.items())
    return f"<xml>{nodes}{inside or '<Content>您好</Content>'}</xml>"


def sealed(text: str, appid: str = OFFICIAL_APPID, token: str = TOKEN) -> str:
    encrypted = push_crypto.seal(AES_KEY, appid, text.encode(), b"0123456789abcdef")
    signature = sha1(token, "1788230400", "77", encrypted)
    return (
        f"<xml><Encrypt><![CDATA[{encrypted}]]></Encrypt><MsgSignature><![CDATA[{signature}]]></MsgSignature>"
        "<TimeStamp>1788230400</TimeStamp><Nonce><![CDATA[77]]></Nonce></xml>"
    )


def test_a_text_and_a_click_are_told_in_plain_xml(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        async with receiver() as server:
            user_id, openid = await follower(rig, server)
            await say(rig, user_id, "我要 ]]> 报修")
            await rig.control("POST", f"/users/{user_id}/click", {"appid": OFFICIAL_APPID, "key": "BILL"})
            pushes = await told(rig)
            text, click = sorted(server.caught, key=lambda push: push.xml["MsgType"], reverse=True)
            assert text.is_signed() and text.query["openid"] == openid and "encrypt_type" not in text.query
            assert text.headers["Content-Type"] == "text/xml"
            assert text.xml["Content"] == "我要 ]]> 报修" and int(text.xml["MsgId"]) > 2**32
            assert (text.xml["ToUserName"], text.xml["FromUserName"]) == ("gh_1", openid)
            assert abs(int(text.xml["CreateTime"]) - rig.now_s()) < 60
            assert (click.xml["Event"], click.xml["EventKey"]) == ("CLICK", "BILL") and "MsgId" not in click.xml
            assert [(push["state"], push["reply"], push["seen"]) for push in pushes] == [("delivered", None, None)] * 2

    play(tmp_path, scene)


def test_following_and_leaving_are_told_once(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        async with receiver() as server:
            user_id, _ = await rig.user(OFFICIAL_APPID)
            await rig.control("PUT", f"/apps/{OFFICIAL_APPID}/push", server.address())
            await rig.control("POST", f"/users/{user_id}/say", {"appid": OFFICIAL_APPID, "text": "x"}, status=409)
            for path in ("follow", "follow", "unfollow", "unfollow"):
                await rig.control("POST", f"/users/{user_id}/{path}", {"appid": OFFICIAL_APPID})
                await told(rig)
            assert [push.xml["Event"] for push in server.caught] == ["subscribe", "unsubscribe"]

    play(tmp_path, scene)


@pytest.mark.parametrize("mode", ["compatible", "safe"])
def test_a_sealed_push_carries_what_the_mode_says(tmp_path: Path, mode: str) -> None:
    async def scene(rig: Rig) -> None:
        async with receiver() as server:
            user_id, openid = await follower(rig, server, mode=mode)
            await say(rig, user_id)
            await told(rig)
            (push,) = server.caught
            assert push.is_signed() and push.query["encrypt_type"] == "aes"
            assert ("Content" in push.xml) is (mode == "compatible")
            assert set(push.xml) >= {"ToUserName", "Encrypt"}
            message, appid = push_crypto.unseal(AES_KEY, push.xml["Encrypt"])
            opened = Caught({}, {}, message).xml
            assert (appid, opened["Content"], opened["FromUserName"]) == (OFFICIAL_APPID, "账单", openid)

    play(tmp_path, scene)


def test_a_mini_program_is_told_in_json(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        async with receiver() as server:
            user_id, openid = await rig.user()
            await rig.control("PUT", f"/apps/{MINI_APPID}/push", server.address(mode="safe", format="json"))
            await rig.control("POST", f"/users/{user_id}/say", {"appid": MINI_APPID, "text": "在吗"})
            await told(rig)
            (push,) = server.caught
            assert push.is_signed() and set(push.json) == {"ToUserName", "Encrypt"}
            message, appid = push_crypto.unseal(AES_KEY, push.json["Encrypt"])
            opened = json.loads(message)
            assert (appid, opened["Content"], opened["FromUserName"]) == (MINI_APPID, "在吗", openid)
            assert isinstance(opened["CreateTime"], int) and isinstance(opened["MsgId"], int)

    play(tmp_path, scene)


def test_three_identical_attempts_and_then_the_follower_sees_the_sentence(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        async with receiver() as server:
            user_id, _ = await follower(rig, server, mode="safe")
            server.answers = [500, "fail", "<xml><Content>您好</Content></xml>"]
            await say(rig, user_id)
            for count in (1, 2, 3):
                (push,) = await told(rig)
                assert (len(push["attempts"]), push["state"]) == (count, "given_up" if count == 3 else "waiting")
                rig.advance(5)
            (push,) = await told(rig)
            assert len(push["attempts"]) == 3 and push["seen"] == OUT_OF_SERVICE and push["next_at"] is None
            assert push["attempts"][0]["outcome"] == "refused"
            assert push["attempts"][1]["outcome"].startswith("unfit: neither success nor XML")
            assert push["attempts"][2]["outcome"] == "unfit: a plain reply in safe mode"
            assert len({caught.body for caught in server.caught}) == 1
            assert len({caught.query["nonce"] for caught in server.caught}) == 3

    play(tmp_path, scene)


def test_nothing_is_seen_of_an_event_that_nobody_waits_for(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        async with receiver() as server:
            user_id, _ = await follower(rig, server)
            server.answers = [500, 500, 500]
            await rig.control("POST", f"/users/{user_id}/unfollow", {"appid": OFFICIAL_APPID})
            for _ in range(3):
                (push,) = await told(rig)
                rig.advance(5)
            assert (push["state"], push["seen"]) == ("given_up", None)

    play(tmp_path, scene)


NEWS = (
    "<ArticleCount>1</ArticleCount><Articles><item><Title>九月账单</Title><Description>请缴费</Description>"
    "<PicUrl>https://x/p</PicUrl><Url>https://x/</Url></item></Articles>"
)
ARTICLE = {"title": "九月账单", "description": "请缴费", "pic_url": "https://x/p", "url": "https://x/"}
FIT = {
    "text": ("", {"type": "text", "content": "您好"}),
    "image": ("<Image><MediaId>m1</MediaId></Image>", {"type": "image", "media_id": "m1"}),
    "news": (NEWS, {"type": "news", "articles": [ARTICLE]}),
}


@pytest.mark.parametrize("kind", FIT)
@pytest.mark.parametrize("mode", ["plain", "safe"])
def test_the_follower_sees_a_passive_reply(tmp_path: Path, mode: str, kind: str) -> None:
    async def scene(rig: Rig) -> None:
        async with receiver() as server:
            user_id, openid = await follower(rig, server, mode=mode)
            inside, parsed = FIT[kind]

            def answer(push: Caught) -> str:
                text = reply(push, openid, inside, MsgType=kind)
                return sealed(text) if mode == "safe" else text

            server.answers = [answer]
            await say(rig, user_id)
            (push,) = await told(rig)
            assert (push["state"], push["reply"], push["seen"]) == ("delivered", parsed, parsed)

    play(tmp_path, scene)


def test_replies_that_wechat_would_not_show_are_failures(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        async with receiver() as server:
            user_id, openid = await follower(rig, server, mode="compatible")
            good = reply(Caught({}, {}, b""), openid)
            blank = Caught({}, {}, b"")
            unfit: dict[str, str] = {
                "ToUserName or FromUserName is wrong": reply(blank, openid, FromUserName="gh_2"),
                "CreateTime is no number": reply(blank, openid, CreateTime="now"),
                "MsgType is 'poem'": reply(blank, openid, MsgType="poem"),
                "Content is missing": reply(blank, openid, "<Content></Content>"),
                "Content is longer than 2048 bytes": reply(blank, openid, f"<Content>{'长' * 683}</Content>"),
                "ArticleCount is not the number of articles": reply(
                    blank, openid, NEWS.replace(">1<", ">2<"), MsgType="news"
                ),
                "MsgSignature is wrong": sealed(good, token="other"),
                "sealed for the appid 'wxother'": sealed(good, appid="wxother"),
                "the root is html": "<html></html>",
            }
            for why, answer in unfit.items():
                server.answers = [answer]
                await say(rig, user_id)
                push = (await told(rig))[-1]
                assert push["attempts"][0]["outcome"] == f"unfit: {why}"

    play(tmp_path, scene)


def test_the_handshake_of_an_address(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        async with receiver() as server:
            path = f"/apps/{OFFICIAL_APPID}/verify-url"
            await rig.control("POST", path, {}, status=409)
            await follower(rig, server)
            right = await rig.control("POST", path, {})
            assert right["verified"] and right["answer"] == right["echostr"]
            wrong = await rig.control("POST", path, {"signature": "wrong"})
            assert (wrong["verified"], wrong["status"]) == (False, 403)
        assert not (await rig.control("POST", path, {}))["verified"]

    play(tmp_path, scene)


def test_pushes_come_twice_again_late_or_never(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        async with receiver() as server:
            user_id, _ = await follower(rig, server)
            await rig.control("PUT", "/hostile", {"duplicate_pushes": 1})
            await say(rig, user_id)
            await told(rig)
            assert len(server.caught) == 2 and len({push.body for push in server.caught}) == 1
            await rig.control("PUT", "/hostile", {"repeat_pushes": 1})
            await say(rig, user_id)
            await told(rig)
            assert len(server.caught) == 3
            rig.advance(5)
            (_, repeated) = await told(rig)
            assert server.caught[2].body == server.caught[3].body
            assert (repeated["state"], len(repeated["attempts"]), repeated["next_at"]) == ("delivered", 2, None)
            await rig.control("PUT", "/hostile", {"delay_pushes_s": 60})
            await say(rig, user_id)
            await told(rig)
            assert len(server.caught) == 4
            rig.advance(61)
            await told(rig)
            assert len(server.caught) == 5
            await rig.control("PUT", "/hostile", {"delay_pushes_s": 0, "lose_pushes": 1})
            await say(rig, user_id)
            lost = (await told(rig))[-1]
            assert len(server.caught) == 5 and lost["attempts"][0]["outcome"] == "lost"
            again = await rig.control("POST", f"/pushes/{lost['id']}/repeat")
            assert again["outcome"] == "delivered" and len(server.caught) == 6

    play(tmp_path, scene)


def test_forged_pushes_are_wrong_in_one_way_each(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        async with receiver() as server:
            _, openid = await follower(rig, server, mode="safe")

            async def forge(kind: str) -> Caught:
                body = {"appid": OFFICIAL_APPID, "openid": openid, "kind": kind}
                assert (await rig.control("POST", "/pushes/forge", body))["status"] == 200
                return server.caught[-1]

            assert not (await forge("bad_signature")).is_signed()
            assert "signature" not in (await forge("unsigned")).query
            wrong_token = await forge("wrong_token")
            assert not wrong_token.is_signed() and wrong_token.is_signed("SomebodyElses")
            truncated = await forge("truncated")
            assert not truncated.body.endswith(b"</xml>")
            account = await forge("other_account")
            assert account.is_signed() and account.xml["ToUserName"] != "gh_1"
            appid = await forge("other_appid")
            assert appid.is_signed()
            assert push_crypto.unseal(AES_KEY, appid.xml["Encrypt"])[1] != OFFICIAL_APPID
            key = await forge("other_key")
            assert key.is_signed()
            with pytest.raises(ValueError):
                push_crypto.unseal(AES_KEY, key.xml["Encrypt"])
            plain = await forge("plain_body")
            assert plain.is_signed() and "msg_signature" not in plain.query and "Content" in plain.xml
            body = {"appid": OFFICIAL_APPID, "openid": openid, "kind": "x"}
            await rig.control("POST", "/pushes/forge", body, status=400)
            assert (await told(rig)) == []

    play(tmp_path, scene)


WRONG_ADDRESSES: list[dict[str, Any]] = [
    {"format": "json"},
    {"mode": "secret"},
    {"mode": "safe", "aes_key": "short"},
    {"token": "x"},
    {"url": "ftp://x"},
]


def test_an_address_that_the_console_would_not_take_is_refused(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        for changes in WRONG_ADDRESSES:
            address = {"url": "http://127.0.0.1:1/", "token": TOKEN, **changes}
            await rig.control("PUT", f"/apps/{OFFICIAL_APPID}/push", address, status=400)
        await rig.control("PUT", f"/apps/{MINI_APPID}/push", {"url": "http://127.0.0.1:1/", "token": TOKEN})

    play(tmp_path, scene)


def test_a_killed_sandbox_tells_what_it_had_not_told(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        async with receiver() as server:
            user_id, _ = await follower(rig, server)
            await rig.control("PUT", "/hostile", {"delay_pushes_s": 60})
            await say(rig, user_id)
            rig.stop(signal.SIGKILL)
            rig.advance(61)
            rig.start()
            await told(rig)
            (push,) = server.caught
            assert push.xml["Content"] == "账单"

    play(tmp_path, scene, fresh=True)
