"""The official account's own API: parametric codes, users, menus, JS-SDK tickets, templates, daily quotas."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from sandbox import js_tickets
from tests.sandbox.receiver import Receiver, receiver, told
from tests.sandbox.rig import MINI_APPID, OFFICIAL_APPID, SECRET, Rig, play

TEXT_SCENE = {"action_name": "QR_STR_SCENE", "action_info": {"scene": {"scene_str": "bind-7"}}}
TICKET = "sM4AOVdWfPE4DxkXGEs8VMCPGGVi4C3VM0P37wVUCFvkVAy_90u5h9nbSlYy3-Sl-HhTdfl2fzFy1AOcHKP7qg"
NONCE = "Wm3WZYTPz0wzccnW"


async def call(rig: Rig, path: str, body: object = None, method: str = "POST", **query: str) -> Any:
    return await rig.api(method, path, body, access_token=await rig.token(OFFICIAL_APPID), **query)


async def create(rig: Rig, body: object) -> Any:
    return await call(rig, "/cgi-bin/qrcode/create", body)


async def listening(rig: Rig, server: Receiver) -> None:
    await rig.control("PUT", f"/apps/{OFFICIAL_APPID}/push", server.address())


async def scan(rig: Rig, user_id: str, ticket: str, **changes: Any) -> Any:
    body = {"appid": OFFICIAL_APPID, "ticket": ticket}
    return await rig.control("POST", f"/users/{user_id}/scan", body, **changes)


def test_a_code_has_a_picture_and_its_ticket_alone_shows_it(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        made = await create(rig, {**TEXT_SCENE, "expire_seconds": 3600})
        assert made["expire_seconds"] == 3600 and made["url"].startswith("http://weixin.qq.com/q/")
        for ticket, status in ((made["ticket"], 200), ("gQ-none", 404)):
            address = f"{rig.url}/cgi-bin/showqrcode?ticket={quote(ticket, safe='')}"
            async with rig.http.get(address) as response:
                assert response.status == status
                assert (await response.read()).startswith(b"\x89PNG") is (status == 200)

    play(tmp_path, scene)


REFUSED_CODES: list[tuple[dict[str, Any], int]] = [
    ({"action_name": "QR_TEXT"}, 40052),
    ({"action_info": {}}, 40053),
    ({"action_info": {"scene": {"scene_id": 1}}}, 40053),
    ({"action_info": {"scene": {"scene_str": "x" * 65}}}, 40053),
    ({"expire_seconds": 2_592_001}, 40053),
    ({"action_name": "QR_SCENE", "action_info": {"scene": {"scene_id": 0}}}, 40053),
    ({"action_name": "QR_SCENE", "action_info": {"scene": {"scene_id": 2**32}}}, 40053),
    ({"action_name": "QR_LIMIT_SCENE", "action_info": {"scene": {"scene_id": 100_001}}}, 40053),
]


def test_codes_beyond_the_limits_are_refused(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        for changes, errcode in REFUSED_CODES:
            assert (await create(rig, {**TEXT_SCENE, **changes}))["errcode"] == errcode, changes
        token = await rig.token()
        mini = await rig.api("POST", "/cgi-bin/qrcode/create", TEXT_SCENE, access_token=token)
        assert mini["errcode"] == 48001

    play(tmp_path, scene)


def test_the_first_scan_follows_with_a_prefix_and_the_next_ones_do_not(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        async with receiver() as server:
            await listening(rig, server)
            user_id, openid = await rig.user(OFFICIAL_APPID)
            ticket = (await create(rig, TEXT_SCENE))["ticket"]
            for _ in range(2):
                await scan(rig, user_id, ticket)
                await told(rig)
            first, second = (push.xml for push in server.caught)
            assert (first["Event"], first["EventKey"], first["Ticket"]) == ("subscribe", "qrscene_bind-7", ticket)
            assert (second["Event"], second["EventKey"], second["Ticket"]) == ("SCAN", "bind-7", ticket)
            info = await call(rig, "/cgi-bin/user/info", method="GET", openid=openid)
            assert (info["subscribe"], info["subscribe_scene"]) == (1, "ADD_SCENE_QR_CODE")
            assert (info["qr_scene"], info["qr_scene_str"]) == (0, "bind-7")
            assert abs(info["subscribe_time"] - rig.now_s()) < 60

    play(tmp_path, scene)


def test_a_temporary_code_ends_and_a_permanent_one_stays_the_same(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        user_id, openid = await rig.user(OFFICIAL_APPID)
        brief = (await create(rig, TEXT_SCENE))["ticket"]
        lasting = {"action_name": "QR_LIMIT_SCENE", "action_info": {"scene": {"scene_id": 42}}}
        made = await create(rig, lasting)
        assert "expire_seconds" not in made
        rig.advance(61)
        await scan(rig, user_id, brief, status=409)
        await scan(rig, user_id, "gQ-none", status=404)
        assert await create(rig, lasting) == made
        await scan(rig, user_id, made["ticket"])
        info = await call(rig, "/cgi-bin/user/info", method="GET", openid=openid)
        assert (info["qr_scene"], info["qr_scene_str"]) == (42, "")

    play(tmp_path, scene)


def test_users_are_told_about_as_far_as_they_follow(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        people = [await rig.user(OFFICIAL_APPID) for _ in range(3)]
        for user_id, _ in people[:2]:
            await rig.control("POST", f"/users/{user_id}/follow", {"appid": OFFICIAL_APPID})
        followed, other, stranger = (openid for _, openid in people)
        info = await call(rig, "/cgi-bin/user/info", method="GET", openid=followed)
        union = await rig.control("GET", f"/users/{people[0][0]}/openid?appid={OFFICIAL_APPID}")
        assert (info["subscribe"], info["unionid"], info["nickname"]) == (1, union["unionid"], "")
        assert info["subscribe_scene"] == "ADD_SCENE_SEARCH"
        unknown = await call(rig, "/cgi-bin/user/info", method="GET", openid="oNobody")
        assert unknown["errcode"] == 40003
        asked = {"user_list": [{"openid": stranger}, {"openid": other, "lang": "zh_CN"}]}
        batch = (await call(rig, "/cgi-bin/user/info/batchget", asked))["user_info_list"]
        assert batch[0] == {"subscribe": 0, "openid": stranger} and batch[1]["subscribe"] == 1
        many = {"user_list": [{"openid": other}] * 101}
        assert (await call(rig, "/cgi-bin/user/info/batchget", many))["errcode"] == 40032
        page = await call(rig, "/cgi-bin/user/get", method="GET")
        assert (page["total"], page["count"]) == (2, 2)
        assert page["data"]["openid"] == [followed, other] and page["next_openid"] == other
        rest = await call(rig, "/cgi-bin/user/get", method="GET", next_openid=followed)
        assert (rest["count"], rest["data"]["openid"]) == (1, [other])
        end = await call(rig, "/cgi-bin/user/get", method="GET", next_openid=other)
        assert (end["count"], end["next_openid"], "data" in end) == (0, "", False)

    play(tmp_path, scene)


CLICK = {"name": "账单", "type": "click", "key": "BILL"}
VIEW = {"name": "报修", "type": "view", "url": "https://x/"}
REFUSED_MENUS: list[tuple[list[Any], int]] = [
    ([], 40016),
    ([CLICK] * 4, 40016),
    ([{**CLICK, "type": "poem"}], 40017),
    ([{**CLICK, "name": "我的物业账"}, {**CLICK, "name": "我的物业账单"}], 40018),
    ([{**CLICK, "key": "K" * 129}], 40019),
    ([{**VIEW, "url": "https://x/" + "a" * 1015}], 40020),
    ([{"name": "更多", "sub_button": [{"name": "深", "sub_button": [CLICK]}]}], 40022),
    ([{"name": "更多", "sub_button": [CLICK] * 6}], 40023),
    ([{"name": "更多", "sub_button": [{**CLICK, "type": ""}]}], 40024),
    ([{"name": "更多", "sub_button": [{**CLICK, "name": "长" * 21}]}], 40025),
    ([{"name": "更多", "sub_button": [{**CLICK, "key": ""}]}], 40026),
    ([{"name": "更多", "sub_button": [{**VIEW, "url": "https://x/" + "a" * 1015}]}], 40027),
    ([{**VIEW, "type": "miniprogram", "appid": "wxnobody", "pagepath": "pages/x"}], 40013),
]


@pytest.mark.parametrize(("buttons", "errcode"), REFUSED_MENUS)
def test_menus_are_limited_in_bytes(tmp_path: Path, buttons: list[Any], errcode: int) -> None:
    async def scene(rig: Rig) -> None:
        assert (await call(rig, "/cgi-bin/menu/create", {"button": buttons}))["errcode"] == errcode

    play(tmp_path, scene)


def test_a_menu_is_kept_until_it_is_deleted(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        assert (await call(rig, "/cgi-bin/menu/get", method="GET"))["errcode"] == 46003
        home = {**VIEW, "name": "回家", "type": "miniprogram", "appid": MINI_APPID, "pagepath": "pages/bill/index"}
        buttons = [CLICK, {"name": "更多服务", "sub_button": [VIEW, home]}]
        assert (await call(rig, "/cgi-bin/menu/create", {"button": buttons}))["errcode"] == 0
        kept = (await call(rig, "/cgi-bin/menu/get", method="GET"))["menu"]["button"]
        assert kept == [{**CLICK, "sub_button": []}, buttons[1]]
        assert (await call(rig, "/cgi-bin/menu/delete", method="GET"))["errcode"] == 0
        assert (await call(rig, "/cgi-bin/menu/get", method="GET"))["errcode"] == 46003

    play(tmp_path, scene)


def test_the_official_js_signatures_are_ours() -> None:
    told = js_tickets.signature(TICKET, NONCE, "1414587457", "http://mp.weixin.qq.com?params=value#part")
    assert told == "0f9de62fce790f9a083d5c99e95740ceb90c27ed"
    assert js_tickets.signature(TICKET, NONCE, "1414587457", "http://mp.weixin.qq.com") == (
        "f4d90daf4b3bca3078ab155816175ba34c443a7b"
    )


def test_a_js_ticket_is_the_same_for_two_hours(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        async def ticket(kind: str = "jsapi") -> Any:
            return await call(rig, "/cgi-bin/ticket/getticket", method="GET", type=kind)

        first = await ticket()
        assert first["expires_in"] == 7200
        rig.advance(7000)
        again = await ticket()
        assert again["ticket"] == first["ticket"] and again["expires_in"] <= 200
        config = {"nonceStr": "n", "timestamp": 1, "url": "https://x/a?b=1"}
        config["signature"] = js_tickets.signature(first["ticket"], "n", "1", "https://x/a?b=1")
        path = f"/apps/{OFFICIAL_APPID}/js-config"
        assert (await rig.control("POST", path, config))["ok"]
        assert not (await rig.control("POST", path, {**config, "url": "https://x/a"}))["ok"]
        rig.advance(201)
        assert not (await rig.control("POST", path, config))["ok"]
        assert (await ticket())["ticket"] != first["ticket"]
        assert (await ticket("wx_card"))["errcode"] == 40097

    play(tmp_path, scene)


def test_private_templates_are_listed(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        listed = await call(rig, "/cgi-bin/template/get_all_private_template", method="GET")
        (template,) = listed["template_list"]
        assert (template["template_id"], template["title"]) == ("tpl-1", "缴费提醒")
        assert "{{const5.DATA}}" in template["content"]

    play(tmp_path, scene)


def test_a_days_quota_ends_at_midnight_and_can_be_made_small(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        await rig.control("PUT", "/hostile", {"quotas": {"/cgi-bin/qrcode/create": 1}})
        assert "ticket" in await create(rig, TEXT_SCENE)
        refused = await create(rig, TEXT_SCENE)
        assert refused["errcode"] == 45009
        assert refused["errmsg"].startswith("reach max api daily quota limit rid: ")
        rig.advance(86_400)
        assert "ticket" in await create(rig, TEXT_SCENE)

    play(tmp_path, scene)


def test_calls_of_any_path_go_wrong_as_scripted(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        path = "/cgi-bin/menu/create"
        scripts = {path: [{"errcode": 40164}, {"errcode": -1}], "/cgi-bin/token": [{"errcode": 45009}]}
        await rig.control("PUT", "/hostile", {"calls": scripts})
        answers = [await call(rig, path, {"button": [CLICK]}) for _ in range(3)]
        assert [answer["errcode"] for answer in answers] == [40164, -1, 0]
        assert "not in whitelist" in answers[0]["errmsg"]
        query = {"grant_type": "client_credential", "appid": OFFICIAL_APPID, "secret": SECRET}
        assert (await rig.api("GET", "/cgi-bin/token", **query))["errcode"] == 45009
        before = (await rig.control("GET", "/stats"))["tokens issued"]
        await rig.api("GET", "/cgi-bin/token", **query)
        assert (await rig.control("GET", "/stats"))["tokens issued"] == before + 1
        await rig.control("PUT", "/hostile", {"calls": {path: ["poem"]}}, status=400)
        await rig.control("PUT", "/hostile", {"quotas": {path: "many"}}, status=400)

    play(tmp_path, scene)


def test_a_call_that_is_cut_off_has_acted_where_the_script_says_so(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        path = "/cgi-bin/menu/create"
        for script, errcode in (("cut", 46003), ("act_then_cut", None)):
            await rig.control("PUT", "/hostile", {"calls": {path: [script]}})
            with pytest.raises(Exception, match="disconnected"):
                await call(rig, path, {"button": [CLICK]})
            assert (await call(rig, "/cgi-bin/menu/get", method="GET")).get("errcode") == errcode

    play(tmp_path, scene)
