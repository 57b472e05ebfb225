"""Web login of an official account: the redirect, codes that work once for five minutes, snapshot visitors."""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.sandbox.rig import MINI_APPID, OFFICIAL_APPID, SECRET, Rig, play

BACK = "http://127.0.0.1:8000/p/abc/wechat"


def address(rig: Rig, **changes: str) -> str:
    query = {
        "appid": OFFICIAL_APPID,
        "redirect_uri": BACK,
        "response_type": "code",
        "scope": "snsapi_base",
        "state": "s1",
        **changes,
    }
    return f"{rig.url}/connect/oauth2/authorize?{urlencode(query)}"


async def visit(rig: Rig, url: str, user_id: str = "") -> tuple[int, str]:
    """Status and the address of a redirect, or the page."""
    cookies = {"Cookie": f"sandbox_user={user_id}"} if user_id else {}
    async with rig.http.get(url, headers=cookies, allow_redirects=False) as answer:
        return answer.status, answer.headers.get("Location", "") or await answer.text()


async def exchange(rig: Rig, code: str, **changes: str) -> Any:
    query = {"appid": OFFICIAL_APPID, "secret": SECRET, "code": code, "grant_type": "authorization_code", **changes}
    return await rig.api("GET", "/sns/oauth2/access_token", **query)


def test_a_browser_comes_back_with_code_and_state_and_the_code_works_once(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        user_id, openid = await rig.user(OFFICIAL_APPID)
        status, location = await visit(rig, address(rig), user_id)
        query = parse_qs(urlsplit(location).query)
        assert status == 302 and location.startswith(BACK + "?") and query["state"] == ["s1"]
        told = await exchange(rig, query["code"][0])
        assert (told["openid"], told["scope"], told["expires_in"]) == (openid, "snsapi_base", 7200)
        assert "unionid" not in told and "is_snapshotuser" not in told
        assert (await exchange(rig, query["code"][0]))["errcode"] == 40163
        _, again = await visit(rig, address(rig, redirect_uri=BACK + "?a=1"), user_id)
        assert again.startswith(BACK + "?a=1&code=")

    play(tmp_path, scene)


def test_a_browser_that_nobody_holds_asks_whose_it_is(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        user_id, _ = await rig.user(OFFICIAL_APPID)
        status, text = await visit(rig, address(rig))
        assert status == 200 and f"user_id={user_id}" in text and "张三" in text
        link = text.split('href="')[1].split('"')[0].replace("&amp;", "&")
        async with rig.http.get(rig.url + link, allow_redirects=False) as chosen:
            assert chosen.status == 302 and chosen.headers["Location"].startswith("/connect/oauth2/authorize?")
            assert chosen.cookies["sandbox_user"].value == user_id

    play(tmp_path, scene)


def test_an_address_elsewhere_and_a_wrong_request_are_refused(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        user_id, _ = await rig.user(OFFICIAL_APPID)
        for changes in (
            {"redirect_uri": "https://evil.example.com/"},
            {"redirect_uri": "javascript:alert(1)"},
            {"appid": MINI_APPID},
            {"scope": "snsapi_all"},
            {"response_type": "token"},
        ):
            assert (await visit(rig, address(rig, **changes), user_id))[0] == 400, changes
        mixed = f"{rig.url}/connect/oauth2/authorize?" + urlencode(
            {"redirect_uri": BACK, "appid": OFFICIAL_APPID, "response_type": "code", "scope": "snsapi_base"}
        )
        assert (await visit(rig, mixed, user_id))[0] == 400
        account = {"secret": SECRET, "kind": "official", "web_domain": "wy.example.com"}
        await rig.control("PUT", f"/apps/{OFFICIAL_APPID}", account)
        assert (await visit(rig, address(rig), user_id))[0] == 400
        assert (await visit(rig, address(rig, redirect_uri="https://wy.example.com/p"), user_id))[0] == 302

    play(tmp_path, scene)


def test_codes_are_refused_with_the_right_number(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        user_id, _ = await rig.user(OFFICIAL_APPID)

        async def code(**more: Any) -> str:
            body = {"appid": OFFICIAL_APPID, **more}
            return str((await rig.control("POST", f"/users/{user_id}/oauth-code", body))["code"])

        assert (await exchange(rig, ""))["errcode"] == 41008
        assert (await exchange(rig, "nothing"))["errcode"] == 40029
        assert (await exchange(rig, await code(), secret="x"))["errcode"] == 40125
        assert (await exchange(rig, await code(), grant_type="x"))["errcode"] == 40002
        assert (await exchange(rig, await code(), appid=MINI_APPID))["errcode"] == 40029
        login = await rig.control("POST", f"/users/{user_id}/login-code", {"appid": OFFICIAL_APPID})
        assert (await exchange(rig, login["code"]))["errcode"] == 40029
        full = await exchange(rig, await code(scope="snsapi_userinfo"))
        assert full["unionid"].startswith("o")
        anonymous = await exchange(rig, await code(snapshot=True))
        assert anonymous["is_snapshotuser"] == 1 and anonymous["openid"] != full["openid"]
        stale = await code()
        rig.advance(301)
        assert (await exchange(rig, stale))["errcode"] == 42003

    play(tmp_path, scene)
