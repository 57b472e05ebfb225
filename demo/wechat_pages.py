"""Act 22: a page of the official account, a house's mini-program code, words that WeChat finds risky."""

import urllib.error
import urllib.request
from email.message import Message
from typing import IO
from urllib.parse import urlencode

from demo import people
from demo.people import Resident
from demo.stage import Stage
from demo.web import Answer, Unexpected, json_bytes

WECHAT = "Mozilla/5.0 (iPhone) MicroMessenger/8.0.50"
CATEGORY = "建议"
# Neighbours up to this number play elsewhere.
BUSY = 30
RISKY, MASK = "加我微信领红包，进群日赚三千", "内容正在核实，暂不显示。"


class _Stay(urllib.request.HTTPRedirectHandler):
    """A browser that says where it is sent, and does not go there."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        return None


def play(stage: Stage) -> None:
    """All three, with a neighbour who follows the official account."""
    stage.chapter("公众号网页")
    who = _follower(stage)
    _page(stage, who)
    house_id = _code(stage, who)
    _content(stage, who, house_id)


def _follower(stage: Stage) -> Resident:
    owners = [one for one in stage.data["residents"] if one["role"] == "owner" and "单元" in one["house"]]
    number = next(n for n, one in enumerate(owners) if n > BUSY and one["hears"] == "template")
    return people.neighbour(stage, number)


def _hop(url: str, cookie: str) -> tuple[str, str]:
    """Where WeChat's browser is sent from `url`, and the cookie that it is given."""
    request = urllib.request.Request(url, headers={"User-Agent": WECHAT, "Cookie": cookie})
    try:
        with urllib.request.build_opener(_Stay).open(request, timeout=20) as answer:
            raise Unexpected(f"{url} 应当转向别处，却得到 {answer.status}")
    except urllib.error.HTTPError as sent:
        with sent:
            if sent.code != 302:
                raise Unexpected(f"{url} 应当转向别处，却得到 {sent.code}") from sent
            return str(sent.headers["Location"]), (sent.headers["Set-Cookie"] or "").split(";")[0]


def _ask(stage: Stage, method: str, path: str, cookie: str, body: bytes | None, origin: str) -> Answer:
    """A call as the page makes it, or another site's page."""
    headers = {"Cookie": cookie, "Content-Type": "application/json", "Origin": origin}
    request = urllib.request.Request(stage.api.url + path, body, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return Answer(answer.status, answer.read())
    except urllib.error.HTTPError as refused:
        with refused:
            return Answer(refused.code, refused.read())


def _page(stage: Stage, who: Resident) -> None:
    appid, site = stage.data["official"], stage.api.url
    to_wechat, kept = _hop(f"{site}/p/login/{appid}?{urlencode({'back': '/h5/bills'})}", "")
    back, _ = _hop(to_wechat, f"sandbox_user={who.user_id}")
    page, cookie = _hop(back, kept)
    stage.expect("登录后回到的页面", page, f"{site}/h5/bills")
    again, _ = _hop(back, kept)
    stage.expect("连点两次回到的页面", again, page)
    me = stage.api.ask("GET", "/api/v1/me", cookie=cookie).json
    stage.expect("网页登录的住户", me["person_id"], who.web.get("/api/v1/me")["person_id"])
    url = f"{site}/h5/bills?month=9"
    asked = json_bytes({"url": url})
    foreign = _ask(stage, "POST", "/api/v1/js-sdk/signature", cookie, asked, "https://evil.example")
    stage.expect("别的网站冒用登录", (foreign.status, foreign.code), (403, "foreign_page"))
    signed = _ask(stage, "POST", "/api/v1/js-sdk/signature", cookie, asked, site).json
    config = {
        "nonceStr": signed["nonce_str"], "timestamp": signed["timestamp"], "signature": signed["signature"], "url": url,
    }  # fmt: skip
    taken = stage.control("POST", f"/apps/{appid}/js-config", config)["ok"]
    stage.expect("手机接受 JS-SDK 签名", taken, True)
    stage.tell(f"{who.name}从公众号菜单打开网页，静默登录成功，连点两次也一样；JS-SDK 签名手机认可。")
    stage.tell("别的网站拿着同一个登录发请求，被拒绝。")


def _code(stage: Stage, who: Resident) -> str:
    house = who.web.get("/api/v1/houses")["items"][0]
    made = stage.staff["service"].post(f"/admin/v1/houses/{house['house_id']}/mini-code")
    picture = stage.api.ask("GET", made["url"].removeprefix(stage.api.url))
    stage.expect("小程序码图片", (picture.status, picture.body[1:4]), (200, b"PNG"))
    path = f"/api/v1/codes/{made['scene']}"
    stage.expect("户主扫自家的码", who.web.get(path)["house_id"], house["house_id"])
    other = people.neighbour(stage, BUSY).web.get(path)
    stage.expect("邻居扫到的房屋编号", other["house_id"], None)
    stage.expect("邻居扫到的房号是打码的", other["name"] != house["label"], True)
    stage.tell(f"客服为{house['label']}生成小程序码，场景值是 {len(made['scene'])} 位短票；邻居扫到的房号是打码的。")
    return str(house["house_id"])


def _content(stage: Stage, who: Resident, house_id: str) -> None:
    stage.control("PUT", "/hostile", {"text_verdicts": ["risky"]})
    choices = who.web.get(f"/api/v1/houses/{house_id}/ticket-categories")["items"]
    category = next(each["id"] for each in choices if each["name"] == CATEGORY)
    body = {"category_id": category, "nature": "other", "description": RISKY}
    made = who.web.post(f"/api/v1/houses/{house_id}/complaints", body)
    path = f"/tickets/{made['id']}"
    stage.wait("微信判定有风险的内容对住户隐藏", lambda: _shown(who, path) == MASK or None)
    service = stage.staff["service"]
    seen = service.get(f"/admin/v1{path}")
    stage.expect("客服看到的内容和标记", (seen["description"], seen["flag"]), (RISKY, "risky"))
    found = next(
        each for each in service.get("/admin/v1/ticket-checks")["items"] if each["ticket_id"] == made["id"]
    )  # fmt: skip
    decision = {"shown": False, "reason": "广告内容，不予显示"}
    service.post(f"/admin/v1/ticket-checks/{found['id']}/decision", decision)
    stage.expect("核实后仍然隐藏", _shown(who, path), MASK)
    stage.tell("微信的内容检查判定一条建议有风险：住户那边自动隐藏，客服收到提醒，核实后确认隐藏。")


def _shown(who: Resident, path: str) -> str:
    return str(who.web.get(f"/api/v1{path}")["description"])
