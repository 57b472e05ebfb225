"""Logging in on a page of the official account, and what its cookie opens (R10; pitfalls E16, E17)."""

import asyncio
from datetime import timedelta
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from backend.identity import handlers, web_logins
from backend.identity.web_logins import Ended
from backend.kernel import cookies
from backend.kernel.config import Settings
from backend.kernel.cookies import SESSION_COOKIE
from backend.kernel.db import Tx
from backend.wechat import api, apps, official
from tests.conftest import Answered, Client
from tests.factories_messaging import MINI, OFFICIAL
from tests.factories_web import Browser, Town

TOKEN = "GET /sns/oauth2/access_token"


def query_of(address: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(address).query))


def changed(address: str, **over: str) -> str:
    return f"{urlsplit(address).path}?{urlencode({**query_of(address), **over})}"


def told(page: Answered) -> str:
    return page.body.decode()


async def test_r10_a_resident_opens_a_page_and_is_logged_in(town: Town, browser: Browser) -> None:
    page = await browser.logs_in("/h5/bills?month=9#list")
    assert page.status == 302
    assert page.headers["Location"] == f"{browser.client.url}/h5/bills?month=9#list"
    kept = page.headers["Set-Cookie"]
    assert kept.startswith(f"{SESSION_COOKIE}=r_") and "Path=/api/v1/;" in kept
    assert "HttpOnly" in kept and "SameSite=Lax" in kept and "Secure" not in kept, "the sandbox has no https"
    me = (await browser.get("/api/v1/me")).json
    assert me["person_id"] == str(town.owner.id)
    assert [each["house_id"] for each in me["houses"]] == [str(town.house_id)]


async def test_an_address_of_ours_is_taken_as_well_as_a_path_and_no_other(town: Town, browser: Browser) -> None:
    site = browser.client.url
    assert (await browser.logs_in(f"{site}/h5/")).headers["Location"] == f"{site}/h5/"
    for back in (
        "https://evil.example/", "//evil.example/", f"{site}.evil.example/", f"{site}@evil.example/", "/\\evil.example",
        "javascript:alert(1)", "h5/", "/h5/\r\nSet-Cookie: a=b", "/h5/ x", "/首页",
    ):  # fmt: skip
        assert (await browser.get(f"/p/login/{OFFICIAL}?{urlencode({'back': back})}")).status == 400, back
    assert (await browser.get(f"/p/login/{MINI}")).status == 404
    assert (await browser.get("/p/login/wx0000000000000000")).status == 404


async def test_outside_of_wechat_it_is_said_where_to_open_the_page(town: Town, browser: Browser) -> None:
    page = await browser.get(f"/p/login/{OFFICIAL}", **{"User-Agent": "Mozilla/5.0"})
    assert page.status == 403 and "在微信里打开" in told(page)


async def test_a_state_is_good_for_its_browser_its_account_and_its_page_and_for_minutes(
    town: Town, browser: Browser
) -> None:
    back = await browser.leaves()
    stranger = Browser(browser.client, browser.user_id, browser.openid)
    assert (await stranger.get(back)).status == 403
    await stranger.leaves()
    assert (await stranger.get(back)).status == 403
    for wrong in (changed(back, back="/h5/other"), changed(back, state="0" * 40), changed(back, state="")):
        assert (await browser.get(wrong)).status == 403
    town.sandbox.clock.advance(timedelta(minutes=11))
    assert (await browser.get(back)).status == 403
    assert await town.count("web_login") == 0


async def test_e17_two_at_once_end_in_the_same_place(town: Town, browser: Browser) -> None:
    back = await browser.leaves()
    first, second = await asyncio.gather(browser.get(back), browser.get(back))
    assert (first.status, second.status) == (302, 302)
    assert await town.count("web_login") == 1
    assert (await browser.get("/api/v1/me")).json["person_id"] == str(town.owner.id)


async def test_e17_who_comes_while_the_first_is_under_way_waits_for_it(town: Town, browser: Browser) -> None:
    """The first request has used the code (40163) and not yet stored who it is."""
    back, res = await browser.leaves(), town.res
    given, app = query_of(back), await apps.app_by_appid(res.db, res.keyring, OFFICIAL)
    who = await official.visitor_of(api.of(res), app, code=given["code"])
    second = asyncio.create_task(browser.get(back))
    while (await town.sandbox.ask("GET", "/stats"))[TOKEN] < 2:
        await asyncio.sleep(0.01)
    await res.db.transact(
        lambda tx: web_logins.finish(
            tx, state=given["state"], appid=OFFICIAL, openid=who.openid, unionid=who.unionid
        )
    )  # fmt: skip
    assert (await second).status == 302
    assert (await browser.get("/api/v1/me")).json["person_id"] == str(town.owner.id)


async def test_e17_what_a_prefetch_has_used_still_logs_in_and_wechat_is_asked_no_more(
    town: Town, browser: Browser
) -> None:
    back = await browser.leaves()
    prefetch = Browser(browser.client, browser.user_id, browser.openid, dict(browser.jar))
    assert (await prefetch.get(back)).status == 302
    assert (await browser.get(back)).status == 302
    assert (await town.sandbox.ask("GET", "/stats"))[TOKEN] == 1
    assert (await browser.get("/api/v1/me")).status == 200


async def test_e17_a_state_stays_with_whom_it_brought_first(town: Town, browser: Browser) -> None:
    back = await browser.leaves()
    assert (await browser.get(back)).status == 302
    other = (await town.sandbox.ask("POST", "/users", {}))["user_id"]
    code = (await town.sandbox.ask("POST", f"/users/{other}/oauth-code", {"appid": OFFICIAL}))["code"]
    assert (await browser.get(changed(back, code=code))).status == 302
    assert (await browser.get("/api/v1/me")).json["person_id"] == str(town.owner.id)


async def test_e17_of_two_answers_for_one_state_the_first_stands(town: Town, browser: Browser) -> None:
    async def finish(openid: str) -> Ended:
        async def work(tx: Tx) -> Ended:
            return await web_logins.finish(tx, state="s", appid=OFFICIAL, openid=openid, unionid=None)

        return await town.res.db.transact(work)

    assert (await finish(browser.openid)).session is not None
    assert (await finish("oSomebodyElse")).session is not None
    whose = await town.res.db.fetchval("SELECT u.openid FROM web_login w JOIN wechat_user u ON u.id = w.wechat_user_id")
    assert whose == browser.openid


async def test_a_code_that_nobody_of_ours_has_used_is_refused(town: Town, browser: Browser) -> None:
    back = await browser.leaves()
    for code in ("", "made-up"):
        assert (await browser.get(changed(back, code=code))).status == 422
    assert SESSION_COOKIE not in browser.jar


async def test_e16_a_snapshot_page_logs_nobody_in(town: Town, browser: Browser) -> None:
    back = await browser.leaves()
    before = await town.count("wechat_user")
    body = {"appid": OFFICIAL, "snapshot": True}
    code = (await town.sandbox.ask("POST", f"/users/{browser.user_id}/oauth-code", body))["code"]
    page = await browser.get(changed(back, code=code))
    assert page.status == 403 and "使用完整服务" in told(page)
    assert SESSION_COOKIE not in browser.jar
    assert await town.count("wechat_user") == before and await town.count("web_login") == 0


async def test_who_is_linked_to_nobody_is_told_how_to_bind_and_gets_no_session(
    town: Town, sandbox_client: Client
) -> None:
    browser = await town.browser(sandbox_client)
    sessions = await town.count("session")
    page = await browser.logs_in()
    assert page.status == 403 and "绑定手机号" in told(page) and "重新登录" in told(page)
    assert browser.openid not in told(page)
    assert await town.count("session") == sessions
    await town.res.db.execute(
        "UPDATE wechat_user SET person_id = $2 WHERE openid = $1", browser.openid, town.owner.id
    )  # fmt: skip
    assert (await browser.logs_in()).status == 302


async def test_the_union_id_links_where_wechat_tells_it(town: Town, sandbox_client: Client) -> None:
    told_ids = await town.sandbox.ask("GET", f"/users/{town.user_id}/openid?appid={MINI}")
    await town.res.db.execute(
        "UPDATE wechat_user SET unionid = $2 WHERE person_id = $1", town.owner.id, told_ids["unionid"]
    )
    browser = await town.browser(sandbox_client)
    back = await browser.leaves()
    body = {"appid": OFFICIAL, "scope": "snsapi_userinfo"}
    code = (await town.sandbox.ask("POST", f"/users/{town.user_id}/oauth-code", body))["code"]
    assert (await browser.get(changed(back, code=code))).status == 302
    assert (await browser.get("/api/v1/me")).json["person_id"] == str(town.owner.id)


@pytest.mark.parametrize("origin", [None, "null", "https://evil.example", "{site}.evil.example", "{site}/"])
async def test_a_foreign_page_changes_nothing_with_the_cookie(town: Town, browser: Browser, origin: str | None) -> None:
    await browser.logs_in()
    headers = {} if origin is None else {"Origin": origin.format(site=browser.client.url)}
    answer = await browser.ask("PUT", "/api/v1/me/name", headers=headers, raw=b'{"name": "xx"}')
    assert (answer.status, answer.code) == (403, "foreign_page")
    logout = await browser.ask("POST", "/api/v1/logout", headers=headers)
    assert logout.status == 403
    assert (await browser.get("/api/v1/me")).status == 200


async def test_a_page_of_ours_changes_what_the_resident_may(town: Town, browser: Browser) -> None:
    await browser.logs_in()
    ours = {"Origin": browser.client.url}
    answer = await browser.ask("PUT", "/api/v1/me/name", headers=ours, raw='{"name": "张四"}'.encode())
    assert answer.status == 200, answer.body
    assert (await browser.get("/api/v1/me")).json["name"] == "张*"


async def test_the_cookie_opens_residents_routes_alone_and_a_token_in_the_header_comes_first(
    town: Town, browser: Browser
) -> None:
    await browser.logs_in()
    assert (await browser.get("/admin/v1/me")).status == 401
    assert (await browser.get("/api/v1/me", Authorization="Bearer r_wrong")).status == 401
    assert (await browser.get("/api/v1/me", Authorization=f"Bearer {town.owner.token}")).status == 200
    browser.jar[SESSION_COOKIE] = "r_ended"
    assert (await browser.get("/api/v1/me")).status == 401
    assert (await browser.logs_in()).status == 302, "a cookie that has ended does not stand in the way of a login"


async def test_logging_out_ends_the_session_and_takes_the_cookie_back(town: Town, browser: Browser) -> None:
    await browser.logs_in()
    stolen = browser.jar[SESSION_COOKIE]
    answer = await browser.ask("POST", "/api/v1/logout", headers={"Origin": browser.client.url})
    assert answer.status == 200 and "Max-Age=0" in answer.headers["Set-Cookie"]
    browser.jar[SESSION_COOKIE] = stolen
    assert (await browser.get("/api/v1/me")).status == 401


async def test_states_are_forgotten_the_day_after(town: Town, browser: Browser) -> None:
    await browser.logs_in()
    await handlers.purge(town.res, "")
    assert await town.count("web_login") == 1
    town.sandbox.clock.advance(timedelta(days=1, minutes=1))
    await handlers.purge(town.res, "")
    assert await town.count("web_login") == 0


def test_outside_of_the_sandbox_a_cookie_goes_over_https_alone() -> None:
    settings = Settings(public_url="https://wy.example.com")
    for host in ("wy.example.com", "evil.example"):
        text = cookies.setting(settings, {"host": host}, "a", "b", path="/", max_age_s=60)
        assert text == "a=b; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure"
