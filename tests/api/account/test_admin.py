"""Staff's side of the account: accounts and push settings, the menu within WeChat's limits, automatic replies (R10)."""

import asyncio
from typing import Any

import pytest

from backend.composition import CHECKS
from backend.kernel.audit import SYSTEM
from backend.kernel.resources import Resources
from backend.wechat import auto_replies, menus
from backend.wechat.auto_replies import MAX_REPLIES, NewReply, ReplyKind
from tests import factories
from tests.conftest import Client, Sandbox
from tests.factories_account import ENCODING_KEY, GH, MINI, OFFICIAL, SECRET, TOKEN, account, plug_in
from tests.soundness import broken

APPS = "/admin/v1/wechat-apps"
ONE = f"{APPS}/{OFFICIAL}"
SETTINGS = {"original_id": GH, "mode": "safe", "token": TOKEN, "encoding_aes_key": ENCODING_KEY}


async def admin(res: Resources, client: Client, place: factories.Community) -> Client:
    return client.of((await factories.staff(res, place, "administrator", all_communities=True)).token)


async def test_an_account_is_registered_and_set_up_and_its_secrets_are_never_shown(
    res: Resources, client: Client
) -> None:
    boss = await admin(res, client, await factories.community(res))
    registered = await boss.call("PUT", ONE, {"kind": "official", "secret": SECRET})
    assert (registered.json["push_mode"], registered.json["push_url"]) == (None, f"{client.url}/wechat/{OFFICIAL}")
    answers = [registered, await boss.call("PUT", f"{ONE}/push-settings", SETTINGS), await boss.get(APPS)]
    assert answers[-1].json["items"][0]["push_mode"] == "safe"
    for answer in answers:
        assert answer.status == 200
        for secret in (SECRET, TOKEN, ENCODING_KEY):
            assert secret not in answer.body.decode()
    written = await res.db.fetch("SELECT action, before, after FROM audit_entry ORDER BY id")
    assert [row["action"] for row in written] == ["wechat.app_registered", "wechat.push_settings_set"]
    assert not any(secret in str(dict(row.items())) for row in written for secret in (SECRET, TOKEN, ENCODING_KEY))
    for body, status in (
        ({**SETTINGS, "encoding_aes_key": None}, 422), ({**SETTINGS, "encoding_aes_key": ENCODING_KEY[:-1]}, 422),
        ({**SETTINGS, "token": "ab"}, 422), ({**SETTINGS, "original_id": "wx1"}, 422),
        ({"original_id": GH, "mode": "plain", "token": TOKEN}, 200),
    ):  # fmt: skip
        assert (await boss.call("PUT", f"{ONE}/push-settings", body)).status == status, body
    assert await broken(res.db, CHECKS) == []


async def test_the_handshake_of_wechats_console_succeeds(
    sandbox_res: Resources, sandbox_client: Client, sandbox: Sandbox
) -> None:
    await plug_in(sandbox_res, sandbox, await factories.community(sandbox_res))
    for appid in (OFFICIAL, MINI):
        assert (await sandbox.ask("POST", f"/apps/{appid}/verify-url", {}))["verified"] is True
        assert (await sandbox.ask("POST", f"/apps/{appid}/verify-url", {"signature": "wrong"}))["verified"] is False


def click(name: str, key: str = "K", **more: Any) -> dict[str, Any]:
    return {"name": name, "type": "click", "key": key, **more}


def view(url: str, name: str = "页") -> dict[str, Any]:
    return {"name": name, "type": "view", "url": url}


SITE, APPLET = "https://wy.example.com", "wx1234567890abcdef"
GOOD: list[list[dict[str, Any]]] = [
    [click("五个汉字")], [click("a" * 16)], [click("账单", "k" * 128)], [view(SITE)], [view(f"{SITE}/{'x' * 1000}")],
    [{"name": "服务", "sub_button": [click("二十个汉字的子菜单名最长六十字节哦好的")] * 5}] * 3,
    [{"name": "小程序", "type": "miniprogram", "appid": APPLET, "pagepath": "pages/index", "url": f"{SITE}/"}],
]  # fmt: skip
BAD: list[tuple[list[dict[str, Any]], str]] = [
    ([], "buttons"), ([click("a")] * 4, "buttons"), ([click("六个汉字按钮")], "buttons.0.name"),
    ([click("   ")], "buttons.0.name"), ([click("a", "键" * 43)], "buttons.0.key"), ([{"name": "a"}], "buttons.0.type"),
    ([{"name": "a", "type": "click"}], "buttons.0.key"), ([click("a", url=SITE)], "buttons.0.url"),
    ([view("https://evil.example.com/")], "buttons.0.url"), ([view(f"{SITE}.evil.com/")], "buttons.0.url"),
    ([view(f"{SITE}@evil.com/")], "buttons.0.url"), ([view("javascript:alert(1)")], "buttons.0.url"),
    ([view(f"{SITE}/{'x' * 1020}")], "buttons.0.url"),
    ([{"name": "a", "sub_button": []}], "buttons.0.sub_button"),
    ([{"name": "a", "sub_button": [click("b")] * 6}], "buttons.0.sub_button"),
    ([click("a", sub_button=[click("b")])], "buttons.0.type"),
    ([{"name": "a", "sub_button": [click("字" * 21)]}], "buttons.0.sub_button.0.name"),
    ([{"name": "a", "type": "miniprogram", "appid": "wx_other", "pagepath": "p", "url": SITE}], "buttons.0.appid"),
    ([{"name": "a", "type": "miniprogram", "appid": APPLET, "pagepath": "p"}], "buttons.0.url"),
]  # fmt: skip


@pytest.mark.parametrize("buttons", GOOD)
def test_a_menu_within_the_limits_has_no_faults(buttons: list[dict[str, Any]]) -> None:
    assert list(menus.faults(buttons, [SITE], [APPLET])) == []


@pytest.mark.parametrize(("buttons", "field"), BAD)
def test_a_menu_beyond_a_limit_is_refused_at_that_field(buttons: list[dict[str, Any]], field: str) -> None:
    assert field in [at for at, _ in menus.faults(buttons, [SITE], [APPLET])]


async def test_a_menu_is_kept_sent_and_pressed(
    sandbox_res: Resources, sandbox_client: Client, sandbox: Sandbox
) -> None:
    res, place = sandbox_res, await factories.community(sandbox_res)
    await plug_in(res, sandbox, place)
    boss = await admin(res, sandbox_client, place)
    assert (await boss.get(f"{ONE}/menu")).status == 404
    assert (await boss.call("POST", f"{ONE}/menu/push")).status == 404
    buttons = [click("账单", "BILL"), {"name": "更多", "sub_button": [view(f"{sandbox_client.url}/p/", "缴费")]}]
    saved = await boss.call("PUT", f"{ONE}/menu", {"buttons": buttons})
    assert saved.status == 200 and saved.json["pushed_at"] is None
    sent = await boss.call("POST", f"{ONE}/menu/push")
    assert sent.status == 200 and sent.json["pushed_at"] is not None, sent
    assert (await boss.get(f"{ONE}/menu")).json == sent.json
    evil = await boss.call("PUT", f"{ONE}/menu", {"buttons": [view("https://evil.example.com/")]})
    assert (evil.status, evil.code) == (422, "menu")
    assert (await boss.get(f"{ONE}/menu")).json == sent.json
    again = await boss.call("PUT", f"{ONE}/menu", {"buttons": buttons[:1]})
    assert again.json["pushed_at"] is None
    actions = await res.db.fetch("SELECT action FROM audit_entry WHERE action LIKE 'wechat_menu.%' ORDER BY id")
    assert [row["action"] for row in actions] == ["wechat_menu.changed", "wechat_menu.pushed", "wechat_menu.changed"]


async def test_replies_are_made_changed_listed_and_deleted(res: Resources, client: Client) -> None:
    place = await factories.community(res)
    await account(res, place)
    boss, path = await admin(res, client, place), f"{ONE}/replies"
    made = [
        (await boss.post(path, {"kind": kind, "keyword": keyword, "reply": "请致电物业。"})).json["id"]
        for kind, keyword in (("follow", None), ("click", "BILL"), ("exact", " 电话 "), ("contains", "WiFi"))
    ]
    listed = (await boss.get(f"{path}?limit=3")).json
    rest = (await boss.get(f"{path}?limit=3&cursor={listed['next_cursor']}")).json
    items = [*listed["items"], *rest["items"]]
    assert [item["id"] for item in items] == sorted(made) and rest["next_cursor"] is None
    assert {item["kind"]: item["keyword"] for item in items} == {
        "follow": None, "click": "BILL", "exact": "电话", "contains": "wifi"
    }  # fmt: skip
    for kind, keyword, status, code in (
        ("exact", "电话", 409, "keyword_taken"), ("follow", None, 409, "keyword_taken"),
        ("follow", "电话", 422, "keyword"), ("exact", None, 422, "keyword"), ("exact", "  ", 422, "keyword"),
        ("contains", "长" * 31, 422, "keyword"),
    ):  # fmt: skip
        answer = await boss.post(path, {"kind": kind, "keyword": keyword, "reply": "好"})
        assert (answer.status, answer.code) == (status, code), (kind, keyword)
    changed = await boss.call("PUT", f"{path}/{made[2]}", {"kind": "contains", "keyword": "电话", "reply": "改过"})
    assert changed.status == 200
    assert (await boss.call("DELETE", f"{path}/{made[3]}")).status == 200
    assert (await boss.call("DELETE", f"{path}/{made[3]}")).status == 404
    assert await auto_replies.for_text(res.db, OFFICIAL, "电话多少") == "改过"
    assert (await boss.get(f"{APPS}/{MINI}/replies")).status == 404
    assert await res.db.fetchval("SELECT count(*) FROM audit_entry WHERE action LIKE 'wechat_reply.%'") == 6


async def test_an_account_has_a_limited_number_of_replies_also_of_those_added_at_once(
    res: Resources, client: Client
) -> None:
    place = await factories.community(res)
    await account(res, place)
    await res.db.execute(
        """INSERT INTO wechat_reply (id, appid, company_id, kind, keyword, reply, created_at, changed_at)
           SELECT gen_random_uuid(), $1, $2, 'exact', 'k' || n, 'r', $3, $3 FROM generate_series(1, $4::int) n""",
        OFFICIAL, place.company_id, res.clock.now(), MAX_REPLIES - 1,
    )  # fmt: skip

    async def add(word: str) -> object:
        new = NewReply(ReplyKind.EXACT, word, "好")
        return await res.db.transact(
            lambda tx: auto_replies.create(tx, SYSTEM, appid=OFFICIAL, company_id=place.company_id, new=new)
        )

    told = await asyncio.gather(*(add(f"新{n}") for n in range(4)), return_exceptions=True)
    assert sum(isinstance(each, Exception) for each in told) == 3
    assert await res.db.fetchval("SELECT count(*) FROM wechat_reply") == MAX_REPLIES
