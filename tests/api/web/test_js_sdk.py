"""Pages in WeChat get their signature, which the phone takes; one ticket for all processes (R10, pitfalls D10)."""

import asyncio
from datetime import timedelta
from typing import Any

from backend.kernel.resources import Resources
from backend.wechat import apps, js_sdk
from backend.wechat.api import WechatApi
from backend.wechat.tokens import Given, Shared
from tests import factories
from tests.conftest import Client
from tests.factories_messaging import OFFICIAL
from tests.factories_web import Browser, Town
from tests.integration.wechat import rig

FETCH = "GET /cgi-bin/ticket/getticket"
PATH = "/api/v1/js-sdk/signature"


async def taken(town: Town, url: str, told: dict[str, Any]) -> bool:
    """Whether a phone at `url` takes what the page hands to wx.config."""
    body = {"nonceStr": told["nonce_str"], "timestamp": told["timestamp"], "signature": told["signature"], "url": url}
    return bool((await town.sandbox.ask("POST", f"/apps/{told['appid']}/js-config", body))["ok"])


async def test_a_page_gets_a_signature_that_the_phone_takes(town: Town, browser: Browser) -> None:
    await browser.logs_in()
    url = f"{browser.client.url}/h5/?from=menu#/bills"
    answer = await browser.ask(
        "POST", PATH, headers={"Origin": browser.client.url}, raw=f'{{"url": "{url}"}}'.encode()
    )  # fmt: skip
    assert answer.status == 200, answer.body
    assert answer.json["appid"] == OFFICIAL
    assert await taken(town, url, answer.json)
    assert not await taken(town, f"{browser.client.url}/h5/", answer.json)


async def test_from_the_mini_program_it_is_the_account_of_the_same_company(town: Town, sandbox_client: Client) -> None:
    me, url = sandbox_client.of(town.owner.token), f"{sandbox_client.url}/h5/"
    assert (await me.post(PATH, {"url": url})).json["appid"] == OFFICIAL
    assert (await me.post(PATH, {"url": "https://evil.example/"})).code == "foreign_page"
    assert (await sandbox_client.post(PATH, {"url": url})).status == 401
    await town.res.db.execute("DELETE FROM message_template WHERE appid = $1", OFFICIAL)
    await town.res.db.execute("DELETE FROM wechat_app WHERE appid = $1", OFFICIAL)
    assert (await me.post(PATH, {"url": url})).code == "no_official_account"


async def test_d10_one_ticket_is_fetched_for_all_processes_and_a_new_one_when_it_ends(town: Town) -> None:
    res, app = town.res, await apps.app_by_appid(town.res.db, town.res.keyring, OFFICIAL)
    processes = [_process(res) for _ in range(3)]
    tickets = await asyncio.gather(*(processes[n % 3].current(app) for n in range(30)))
    assert len(set(tickets)) == 1
    assert (await town.sandbox.ask("GET", "/stats"))[FETCH] == 1
    town.sandbox.clock.advance(timedelta(hours=2))
    again = await asyncio.gather(*(each.current(app) for each in processes))
    assert len(set(again)) == 1 and again[0] != tickets[0]
    assert (await town.sandbox.ask("GET", "/stats"))[FETCH] == 2


def _process(res: Resources) -> Shared:
    """The tickets as a freshly started process has them."""
    wechat: WechatApi = rig.another_process(res)

    async def fetch(app: apps.App) -> Given:
        return Given.of(await wechat.ask(app, "/cgi-bin/ticket/getticket", {"type": "jsapi"}), "ticket")

    return Shared(res.redis, res.clock, "js-ticket", fetch)


async def test_a_refused_token_is_replaced_once_and_a_refusal_is_said(town: Town, sandbox_client: Client) -> None:
    me, url = sandbox_client.of(town.owner.token), f"{sandbox_client.url}/h5/"
    await town.sandbox.ask("PUT", "/hostile", {"calls": {"/cgi-bin/ticket/getticket": [{"errcode": 40001}]}})
    assert (await me.post(PATH, {"url": url})).status == 200
    await town.res.redis.flushdb()
    town.sandbox.clock.advance(timedelta(hours=2))
    await town.sandbox.ask(
        "PUT", "/hostile", {"calls": {"/cgi-bin/ticket/getticket": [{"errcode": -1}, {"errcode": 45009}]}}
    )
    for _ in range(2):
        assert (await me.post(PATH, {"url": url})).code == "wechat_unavailable"
    assert (await me.post(PATH, {"url": url})).status == 200


async def test_signing_is_limited(town: Town, sandbox_client: Client) -> None:
    me, url = sandbox_client.of(town.owner.token), f"{sandbox_client.url}/h5/"
    answers = [await me.post(PATH, {"url": url}) for _ in range(61)]
    assert [each.status for each in answers] == [200] * 60 + [429]
    neighbour = await factories.person(town.res, "13800000002")
    assert (await sandbox_client.of(neighbour.token).post(PATH, {"url": url})).status == 200


async def test_the_ticket_is_no_access_token(town: Town) -> None:
    app = await apps.app_by_appid(town.res.db, town.res.keyring, OFFICIAL)
    await js_sdk.sign(town.res, app, url=f"{town.res.settings.public_url}/h5/")
    keys = {key.decode() for key in await town.res.redis.keys("wechat:*")}
    assert keys == {f"wechat:token:{OFFICIAL}", f"wechat:js-ticket:{OFFICIAL}"}
