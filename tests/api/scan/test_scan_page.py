"""The pages behind a paper code, as a phone's browser sees them (D6)."""

import html
import re
from urllib.parse import urlencode
from uuid import UUID

import pytest

from miniprogram_api.scanning import Browser, browser_of
from tests import factories
from tests.conftest import Answered, Client
from tests.factories_alipay import Alipay
from tests.factories_payments import Stage
from tests.factories_prepaid import bill, item_of_type

WECHAT = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605 MicroMessenger/8.0.50 Language/zh_CN"
ALIPAY = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537 AlipayClient/10.6.20 Language/zh-Hans"
SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605 Version/18.0 Safari/604"


async def look(client: Client, path: str, agent: str = SAFARI) -> Answered:
    return await client.get(path, headers={"User-Agent": agent})


def forms(page: Answered) -> list[dict[str, str]]:
    """The fields of each form on a page, and the methods that its buttons offer."""
    found = []
    for form in re.findall(r"<form .*?</form>", page.body.decode(), re.S):
        fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form))
        fields["method"] = " ".join(re.findall(r'name="method" value="(\w+)"', form))
        found.append({name: html.unescape(value) for name, value in fields.items()})
    return found


async def press(client: Client, code: str, method: str, agent: str = SAFARI, **fields: str) -> Answered:
    raw = urlencode({"item": "", "payer": "", **fields, "method": method}).encode()
    headers = {"User-Agent": agent, "Content-Type": "application/x-www-form-urlencoded"}
    return await client.call("POST", f"/p/{code}/orders", raw=raw, headers=headers)


@pytest.mark.parametrize(
    ("agent", "browser"),
    [(WECHAT, Browser.WECHAT), (ALIPAY, Browser.ALIPAY), (SAFARI, Browser.OTHER), ("", Browser.OTHER)],
)
def test_the_browser_is_told_by_its_user_agent(agent: str, browser: Browser) -> None:
    assert browser_of(agent) is browser


async def test_the_page_shows_a_masked_label_and_what_is_due_and_nothing_of_people(
    play: Stage, sandbox_client: Client, with_alipay: Alipay, code: str
) -> None:
    await bill(play, 26_805)
    page = await look(sandbox_client, f"/p/{code}")
    text = page.body.decode()
    assert page.status == 200 and page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "LL01小区 1栋1单元**1" in text and "268.05 元" in text
    for secret in ("1单元101", "张三", "李四", "张*", "13800000001", str(play.owner.id), str(play.house_id)):
        assert secret not in text
    assert re.search(r"\s(?:src|href)=\"https?:", text) is None
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none';") and "unsafe" not in policy and "form-action 'self'" in policy
    assert [form["method"] for form in forms(page)] == ["h5 wap"]


async def test_alipay_s_browser_is_led_to_alipay_and_its_payment_settles(
    play: Stage, sandbox_client: Client, with_alipay: Alipay, code: str
) -> None:
    owed = await bill(play, 26_805)
    (form,) = forms(await look(sandbox_client, f"/p/{code}", ALIPAY))
    assert form["method"] == "wap"
    page = await press(sandbox_client, code, "wap", ALIPAY, total_fen=form["total_fen"])
    assert page.status == 200
    url = html.unescape(re.search(r'href="(http[^"]*gateway[^"]*)"', page.body.decode())[1])  # type: ignore[index]
    assert await with_alipay.visit(url) in (200, 302)
    order_id = await play.res.db.fetchval("SELECT id FROM payment_order")
    await with_alipay.pays(order_id)
    await with_alipay.deliver()
    assert await play.bill_state(owed) == "PAID"
    assert await play.count("payment_order WHERE payer_person_id IS NULL") == 1
    assert "没有待缴的账单" in (await look(sandbox_client, f"/p/{code}")).body.decode()


async def test_any_other_browser_pays_by_wechat_s_h5_page(play: Stage, sandbox_client: Client, code: str) -> None:
    owed = await bill(play, 26_805)
    (form,) = forms(await look(sandbox_client, f"/p/{code}"))
    page = await press(sandbox_client, code, "h5", total_fen=form["total_fen"])
    url = html.unescape(re.search(r'class="go " href="([^"]*)"', page.body.decode())[1])  # type: ignore[index]
    assert "prepay_id=" in url and "redirect_url=" in url
    assert page.headers["Referrer-Policy"] == "origin"
    order_id = await play.res.db.fetchval("SELECT id FROM payment_order")
    assert (await play.attempt(order_id))["method"] == "h5"
    await play.user_pays(order_id)
    await play.deliver()
    assert await play.bill_state(owed) == "PAID"
    await play.balanced()


async def test_several_items_are_paid_together_or_one_by_one(play: Stage, sandbox_client: Client, code: str) -> None:
    water = await bill(play, 5_000, item_id=await item_of_type(play, "water"))
    await bill(play, 10_000)
    together, *single = forms(await look(sandbox_client, f"/p/{code}"))
    assert (together["item"], together["total_fen"]) == ("", "15000") and len(single) == 2
    of_water = next(form for form in single if form["total_fen"] == "5000")
    assert (await press(sandbox_client, code, "h5", item=of_water["item"], total_fen="5000")).status == 200
    lines = await play.res.db.fetch("SELECT payable_id FROM payment_line")
    assert [line["payable_id"] for line in lines] == [water]


async def test_only_what_the_page_showed_is_paid(play: Stage, sandbox_client: Client, code: str) -> None:
    await bill(play, 10_000)
    (form,) = forms(await look(sandbox_client, f"/p/{code}"))
    await bill(play, 5_000)
    changed = await press(sandbox_client, code, "h5", total_fen=form["total_fen"])
    assert changed.status == 409 and "账单有变化" in changed.body.decode()
    for fields in ({"total_fen": "15001"}, {"total_fen": "0", "item": "x"}, {}):
        assert (await press(sandbox_client, code, "h5", **fields)).status == 409
    for method in ("cash", "native", "", "jsapi<"):
        assert (await press(sandbox_client, code, method, total_fen="15000")).status == 400
    assert await play.count("payment_order") == 0


async def test_unknown_replaced_and_malformed_codes_get_one_and_the_same_page(
    play: Stage, sandbox_client: Client, code: str
) -> None:
    desk = sandbox_client.of((await factories.staff(play.res, play.place, "customer_service")).token)
    await bill(play, 10_000)
    replaced = await desk.post(f"/admin/v1/houses/{play.house_id}/pay-code", {"reason": "缴费码被撕下"})
    assert replaced.status == 200 and replaced.json["pay_code"] != code
    pages = [await look(sandbox_client, f"/p/{each}") for each in (code, "7QK2M9XRPA", "x", "%00", "a%27b", "0" * 40)]
    pages += [
        await press(sandbox_client, code, "h5", total_fen="10000"),
        await look(sandbox_client, f"/p/{code}/wechat"),
    ]
    assert {page.status for page in pages} == {404} and len({page.body for page in pages}) == 1
    assert "缴费码已失效" in pages[0].body.decode()
    assert (await look(sandbox_client, f"/p/{replaced.json['pay_code']}")).status == 200


async def test_bills_that_are_paid_at_the_counter_alone_are_not_offered(
    play: Stage, sandbox_client: Client, code: str
) -> None:
    await bill(play, 10_000)
    await play.res.db.execute("UPDATE fee_item SET payable_online = false")
    assert forms(await look(sandbox_client, f"/p/{code}")) == []
    assert (await press(sandbox_client, code, "h5", total_fen="10000")).status == 409
    assert await play.count("payment_order") == 0


async def test_a_resident_s_live_order_is_respected_and_his_name_is_not_told(
    play: Stage, sandbox_client: Client, code: str
) -> None:
    owed = await bill(play, 10_000)
    await play.order(owed)
    page = await look(sandbox_client, f"/p/{code}")
    assert "有一笔付款正在进行" in page.body.decode()
    busy = await press(sandbox_client, code, "h5", total_fen="10000")
    assert busy.status == 409 and "张" not in busy.body.decode()
    assert await play.count("payment_order") == 1


async def test_pressing_twice_never_leaves_two_live_orders(play: Stage, sandbox_client: Client, code: str) -> None:
    await bill(play, 10_000)
    for _ in range(2):
        assert (await press(sandbox_client, code, "h5", total_fen="10000")).status == 200
    assert await play.count("payment_order WHERE state = 'PAYING'") == 1
    assert await play.count("payment_order WHERE state = 'CLOSED'") == 1
    await play.balanced()


async def test_one_address_asks_only_so_often(play: Stage, sandbox_client: Client, code: str) -> None:
    statuses = [(await look(sandbox_client, f"/p/{'0' * 9}{n % 10}")).status for n in range(70)]
    assert set(statuses) == {404, 429} and statuses[:50] == [404] * 50


async def test_staff_print_codes_that_lead_to_the_page(play: Stage, sandbox_client: Client, code: str) -> None:
    desk = sandbox_client.of((await factories.staff(play.res, play.place, "customer_service")).token)
    shown = await desk.get(f"/admin/v1/houses/{play.house_id}/pay-code")
    assert shown.json["pay_code"] == code and shown.json["url"] == f"{play.res.settings.public_url}/p/{code}"
    drawn = await desk.get(f"/admin/v1/houses/{play.house_id}/pay-code.svg")
    assert drawn.headers["Content-Type"].startswith("image/svg+xml") and drawn.body.startswith(b"<svg")
    await factories.house(play.res, play.place, "102")
    first = await desk.get(f"/admin/v1/communities/{play.place.id}/pay-code-sheet?limit=1")
    assert code in first.body.decode() and first.body.count(b"<svg") == 1
    cursor = first.headers["X-Next-Cursor"]
    second = await desk.get(f"/admin/v1/communities/{play.place.id}/pay-code-sheet?cursor={cursor}")
    assert code not in second.body.decode() and second.body.count(b"<svg") == 1
    assert "X-Next-Cursor" not in second.headers
    nobody = await desk.get(f"/admin/v1/communities/{UUID(int=5)}/pay-code-sheet")
    assert nobody.status == 404


async def test_a_replaced_code_is_audited_with_its_reason(play: Stage, sandbox_client: Client) -> None:
    desk = sandbox_client.of((await factories.staff(play.res, play.place, "customer_service")).token)
    await desk.post(f"/admin/v1/houses/{play.house_id}/pay-code", {"reason": "缴费码被撕下"})
    row = await play.res.db.fetchrow("SELECT * FROM audit_entry WHERE action = 'house.pay_code_replaced'")
    assert row is not None and (row["reason"], row["target"]) == ("缴费码被撕下", f"house:{play.house_id}")
