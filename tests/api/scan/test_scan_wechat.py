"""The page behind a paper code inside WeChat: silent login by the official account, then its cashier (D6)."""

import base64
import html
import json
import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from backend.kernel.audit import SYSTEM
from backend.kernel.db import Tx
from backend.wechat import apps
from backend.wechat.apps import AppKind
from tests import factories, vectors
from tests.api.scan.test_scan_page import WECHAT, forms, press
from tests.conftest import Answered, Client, Run
from tests.factories_payments import API_V3_KEY, Stage
from tests.factories_prepaid import bill

OFFICIAL, SECRET = "wx0ff1c1a1acc00047", "o" * 32


@dataclass
class Phone:
    """WeChat's browser of one user, which keeps its cookie and follows nothing by itself."""

    play: Stage
    client: Client
    user_id: str
    openid: str
    cookie: str = ""

    async def get(self, path: str, **headers: str) -> Answered:
        sent = {"User-Agent": WECHAT, "Cookie": self.cookie, **headers}
        async with self.client.session.get(self.client.url + path, headers=sent, allow_redirects=False) as answer:
            if "Set-Cookie" in answer.headers:
                self.cookie = answer.headers["Set-Cookie"].split(";")[0]
            return Answered(answer.status, answer.headers, await answer.read())

    async def at_wechat(self, departed: Answered) -> str:
        """WeChat sends the browser back; where to, without the host."""
        assert departed.status == 302
        headers = {"Cookie": f"sandbox_user={self.user_id}"}
        url = departed.headers["Location"]
        async with self.client.session.get(url, headers=headers, allow_redirects=False) as answer:
            assert answer.status == 302, await answer.text()
            back = urlsplit(answer.headers["Location"])
        assert f"{back.scheme}://{back.netloc}" == self.client.url
        return f"{back.path}?{back.query}"

    async def opens(self, code: str) -> Answered:
        """The code is scanned: through WeChat to the page."""
        return await self.get(await self.at_wechat(await self.get(f"/p/{code}")))


async def official_account(play: Stage) -> None:
    """An official account of the company, bound to its merchant as well."""

    async def work(tx: Tx) -> None:
        await apps.register(
            tx, play.res.keyring, actor=SYSTEM, company_id=play.place.company_id, kind=AppKind.OFFICIAL,
            appid=OFFICIAL, secret=SECRET,
        )  # fmt: skip

    await play.res.db.transact(work)
    await play.sandbox.ask("PUT", f"/apps/{OFFICIAL}", {"secret": SECRET, "kind": "official"})
    await play.sandbox.ask(
        "PUT", f"/merchants/{vectors.MCHID}",
        {
            "appids": [factories.APPID, OFFICIAL], "apiv3_key": API_V3_KEY, "serial_no": vectors.MERCHANT_SERIAL,
            "public_key_pem": vectors.public_pem(vectors.key_m()), "mode": "public_key",
        },
    )  # fmt: skip


async def phone_of(play: Stage, client: Client) -> Phone:
    user_id = (await play.sandbox.ask("POST", "/users", {}))["user_id"]
    told = await play.sandbox.ask("GET", f"/users/{user_id}/openid?appid={OFFICIAL}")
    return Phone(play, client, user_id, told["openid"])


@pytest.fixture
def phone(play: Stage, sandbox_client: Client, run: Run) -> Phone:
    run(official_account(play))
    return run(phone_of(play, sandbox_client))


async def test_a_payer_in_wechat_logs_in_silently_pays_and_the_bill_is_paid(
    play: Stage, phone: Phone, code: str
) -> None:
    owed = await bill(play, 26_805)
    page = await phone.opens(code)
    assert page.status == 200 and phone.openid not in page.body.decode()
    (form,) = forms(page)
    assert form["method"] == "jsapi"
    cashier = await press(phone.client, code, "jsapi", WECHAT, total_fen="26805", payer=form["payer"])
    assert cashier.status == 200 and "sha256-" in cashier.headers["Content-Security-Policy"]
    told = re.search(r'<script type="application/json" id="parameters">(.*?)</script>', cashier.body.decode())
    assert told is not None
    parameters = json.loads(told[1])
    assert set(parameters) == {"appId", "timeStamp", "nonceStr", "package", "signType", "paySign"}
    assert parameters["appId"] == OFFICIAL
    text = "\n".join([OFFICIAL, parameters["timeStamp"], parameters["nonceStr"], parameters["package"], ""]).encode()
    vectors.key_m().public_key().verify(base64.b64decode(parameters["paySign"]), text, PKCS1v15(), SHA256())
    order_id = await play.res.db.fetchval("SELECT id FROM payment_order")
    assert (await play.attempt(order_id))["request"]["payer_openid"] == phone.openid
    await play.user_pays(order_id)
    await play.deliver()
    assert await play.bill_state(owed) == "PAID"
    assert await play.differences() == []
    await play.balanced()


async def test_the_state_is_worth_nothing_in_another_browser_for_another_code_or_too_late(
    play: Stage, phone: Phone, code: str
) -> None:
    await bill(play, 10_000)
    back = await phone.at_wechat(await phone.get(f"/p/{code}"))
    other = await phone_of(play, phone.client)
    await other.get(f"/p/{code}")
    assert (await other.get(back)).status == 403
    assert (await Phone(play, phone.client, phone.user_id, phone.openid).get(back)).status == 403
    query = dict(parse_qsl(urlsplit(back).query))
    for state in ("", query["state"][:-1] + "x", "0" * 40):
        wrong = urlencode({**query, "state": state})
        assert (await phone.get(f"/p/{code}/wechat?{wrong}")).status == 403
    await play.later(minutes=11)
    late = await phone.get(back)
    assert late.status == 403 and "请重新扫码" in late.body.decode()


async def test_a_code_of_wechat_is_used_once_and_a_snapshot_page_never(play: Stage, phone: Phone, code: str) -> None:
    await bill(play, 10_000)
    back = await phone.at_wechat(await phone.get(f"/p/{code}"))
    assert (await phone.get(back)).status == 200
    assert (await phone.get(back)).status == 422
    virtual = await play.sandbox.ask(
        "POST", f"/users/{phone.user_id}/oauth-code", {"appid": OFFICIAL, "snapshot": True}
    )
    query = {**dict(parse_qsl(urlsplit(back).query)), "code": virtual["code"]}
    shown = await phone.get(f"/p/{code}/wechat?{urlencode(query)}")
    assert shown.status == 403 and "使用完整服务" in shown.body.decode()


async def test_the_browser_comes_back_to_a_host_of_ours_alone(play: Stage, phone: Phone, code: str) -> None:
    departed = await phone.get(f"/p/{code}", Host="evil.example")
    query = dict(parse_qsl(urlsplit(departed.headers["Location"]).query))
    assert query["redirect_uri"] == f"{play.res.settings.public_url}/p/{code}/wechat"
    assert "HttpOnly" in departed.headers["Set-Cookie"] and "SameSite=Lax" in departed.headers["Set-Cookie"]


async def test_who_pays_is_what_wechat_said_and_for_this_code_alone(play: Stage, phone: Phone, code: str) -> None:
    await bill(play, 10_000)
    (form,) = forms(await phone.opens(code))
    other = await factories.house(play.res, play.place, "808")
    await play.bill(10_000, house_id=other)
    foreign = await play.res.db.fetchval("SELECT pay_code FROM house WHERE id = $1", other)
    for at, payer in ((foreign, form["payer"]), (code, ""), (code, "x" * 60), (code, form["payer"][:-4] + "AAAA")):
        refused = await press(phone.client, at, "jsapi", WECHAT, total_fen="10000", payer=payer)
        assert refused.status == 403, html.unescape(refused.body.decode())
    await play.later(minutes=31)
    late = await press(phone.client, code, "jsapi", WECHAT, total_fen="10000", payer=form["payer"])
    assert late.status == 403
    assert await play.count("payment_order") == 0


async def test_without_an_official_account_the_page_says_where_to_go(
    play: Stage, sandbox_client: Client, code: str
) -> None:
    await bill(play, 10_000)
    page = await Phone(play, sandbox_client, "", "").get(f"/p/{code}")
    assert page.status == 200 and forms(page)[0]["method"] == ""
    assert "到物业服务中心" in page.body.decode()
