"""The start page `/`, in sandbox mode only: what runs, who can log in, where to pay, what to try next.

Everything that is shown is escaped. Nothing on it is needed by the product: a part that is away is shown as away.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from html import escape
from pathlib import Path
from string import Template
from typing import Any

import orjson

from backend.kernel import clock, passwords, vitals
from backend.kernel.auth import PUBLIC
from backend.kernel.clock import SHANGHAI
from backend.kernel.config import Mode
from backend.kernel.errors import AppError, NotFound
from backend.kernel.http import Call, Reply, Route
from backend.kernel.money import yuan_text
from backend.kernel.resources import Resources
from backend.seeding import demo_file
from backend.seeding.demo_file import Demo, ResidentLogin

PAGE = Template((Path(__file__).parent / "start_page.html").read_text(encoding="utf-8"))
SHOWN_RESIDENTS = 8
SHOWN_ORDERS = 10
ROLES = {"owner": "业主", "family": "家人", "tenant": "租客"}

STAFF_COMMANDS = Template("""\
value() { sed "s/.*\\"$$1\\": *\\"\\([^\\"]*\\)\\".*/\\1/"; }
# 把 PASSWORD 和 CODE 换成上面表里项目经理的密码和动态验证码
token=$$(curl -s $api/admin/v1/login -H 'Content-Type: application/json' \\
  -d '{"login":"manager","password":"PASSWORD","totp":"CODE"}' | value token)
curl -s $api/admin/v1/billing-runs -H "Authorization: Bearer $$token"
""")

RESIDENT_COMMANDS = Template("""\
value() { sed "s/.*\\"$$1\\": *\\"\\([^\\"]*\\)\\".*/\\1/"; }
# 1. 打开小程序（wx.login）并登录；u_… 是上面表里的沙箱用户
code=$$(curl -s -X POST $sandbox/control/users/$user/login-code -d '{"appid":"$appid"}' | value code)
token=$$(curl -s $api/api/v1/login -H 'Content-Type: application/json' \\
  -d "{\\"appid\\":\\"$appid\\",\\"code\\":\\"$$code\\"}" | value token)
# 2. 我的账单
curl -s $api/api/v1/bills -H "Authorization: Bearer $$token"
# 3. 支付：把 BILL 换成账单的 id；下单后刷新本页，在“去支付”里打开收银台
curl -s $api/api/v1/payments -H "Authorization: Bearer $$token" -H "Idempotency-Key: $$(date +%s%N)" \\
  -H 'Content-Type: application/json' -d '{"bill_ids":["BILL"]}'
""")

PARKING_COMMANDS = Template("""\
# 1. 一辆外来车到了南门入口：抬杆，屏幕显示“欢迎光临”
linli camera --vendor zhenshi --plate 粤B12345 --url $api$entry
# 2. 两小时后它到了出口：不抬杆，屏幕显示应缴的停车费
linli clock advance 2h
linli camera --vendor zhenshi --plate 粤B12345 --out --url $api$exit
# 3. 任何登录的住户（token 见“住户登录”）按车牌查费并下单；刷新本页，在“去支付”里打开收银台付款
quote=$$(curl -s $api/api/v1/parking-quotes -H "Authorization: Bearer $$token" \\
  -H 'Content-Type: application/json' -d '{"lot_id":"$lot","plate":"粤B12345"}' \\
  | sed 's/.*"quote": *{"id": *"\\([^"]*\\)".*/\\1/')
curl -s $api/api/v1/parking-quotes/$$quote/payments -H "Authorization: Bearer $$token" \\
  -H "Idempotency-Key: $$(date +%s%N)" -H 'Content-Type: application/json' -d '{}'
# 4. 付款后 30 秒内，出口相机的心跳取到开闸指令；晚了就让车再到一次出口，15 分钟内直接抬杆
linli camera --vendor zhenshi --out --url $api$exit
""")


async def show(call: Call[None, None]) -> Reply:
    """The page; NotFound in live mode."""
    res = call.res
    if res.settings.mode is Mode.LIVE:
        raise NotFound("没有这个地址。", code="no_such_route")
    demo = demo_file.read(res.settings.data_dir)
    now = res.clock.now()
    parts, orders = await asyncio.gather(_parts(res), _open_orders(res, demo))
    text = PAGE.substitute(
        community=escape(demo.community if demo and demo.community else "还没有示例数据"),
        parts="".join(f'<li class="{"ok" if up else "bad"}">{name}：{escape(said)}</li>' for name, up, said in parts),
        now=f"{now.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}",
        moved=_moved(res),
        staff=_staff(demo, now),
        residents=_residents(demo),
        orders=orders,
        paper=_paper(demo),
        staff_commands=escape(STAFF_COMMANDS.substitute(api=res.settings.public_url)),
        resident_commands=escape(_resident_commands(res, demo)),
        parking_commands=escape(_parking_commands(res, demo)),
    )
    policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    return Reply(
        body=text.encode(), content_type="text/html; charset=utf-8", headers={"Content-Security-Policy": policy}
    )


def _moved(res: Resources) -> str:
    step = timedelta(seconds=clock.read_offset_s(res.settings.data_dir))
    return f"，比实际时间快 {step.days} 天 {step.seconds // 3600} 小时" if step else ""


async def _parts(res: Resources) -> list[tuple[str, bool, str]]:
    """Name, whether it answers, and what it says, of every part."""
    asked = (
        ("PostgreSQL", vitals.postgres(res)),
        ("Redis", vitals.redis(res)),
        ("沙箱", _sandbox(res)),
        ("后台任务", vitals.worker(res)),
    )
    said = await asyncio.gather(*(vitals.said(answer) for _, answer in asked))
    return [(name, up, text) for (name, _), (up, text) in zip(asked, said, strict=True)]


async def _sandbox(res: Resources) -> str:
    await _control(res, "/health")
    return "正常"


async def _control(res: Resources, path: str) -> Any:
    url = f"{res.settings.wechat_pay_url.rstrip('/')}/control{path}"
    answer = await res.egress.request("GET", url, total_s=vitals.WITHIN_S)
    if answer.status != 200:
        raise TimeoutError
    return orjson.loads(answer.body)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of cells that are HTML already."""
    head = "".join(f"<th>{name}</th>" for name in heads)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _code(text: str) -> str:
    return f"<code>{escape(text)}</code>"


def _staff(demo: Demo | None, now: datetime) -> str:
    if demo is None:
        return '<p class="note">没有示例员工。</p>'
    rows = [
        (
            escape(login.title),
            escape(login.name),
            _code(login.login),
            _code(login.password),
            _code(passwords.totp_code(login.totp_secret, at=now)) if login.totp_secret else "不需要",
        )
        for login in demo.staff
    ]
    return _table(("角色", "姓名", "登录名", "密码", "动态验证码"), rows)


def _chosen(demo: Demo) -> list[ResidentLogin]:
    """Some owners, and everybody else: family and tenants see less."""
    owners = [one for one in demo.residents if one.role == "owner"]
    others = [one for one in demo.residents if one.role != "owner"]
    return [*owners[: SHOWN_RESIDENTS // 2], *others[: SHOWN_RESIDENTS // 2]]


def _residents(demo: Demo | None) -> str:
    if demo is None or not demo.residents:
        return '<p class="note">没有示例住户。</p>'
    rows = [
        (escape(one.name), escape(one.house), ROLES.get(one.role, ""), _code(one.phone), _code(one.user_id))
        for one in _chosen(demo)
    ]
    return _table(("姓名", "房屋", "身份", "手机号", "沙箱用户"), rows)


def _resident_commands(res: Resources, demo: Demo | None) -> str:
    user_id = _chosen(demo)[0].user_id if demo and demo.residents else "u_…"
    return RESIDENT_COMMANDS.substitute(
        api=res.settings.public_url,
        sandbox=res.settings.wechat_api_url,
        appid=demo.miniprogram if demo else "wx…",
        user=user_id,
    )


def _parking_commands(res: Resources, demo: Demo | None) -> str:
    cameras = demo.cameras if demo else {}
    return PARKING_COMMANDS.substitute(
        api=res.settings.public_url,
        lot=demo.lot_id if demo and demo.lot_id else "…",
        entry=cameras.get("in", "/…"),
        exit=cameras.get("out", "/…"),
    )


async def _open_orders(res: Resources, demo: Demo | None) -> str:
    """Orders that wait for their money, with their cashier."""
    if demo is None or not demo.mchid:
        return '<p class="note">还没有登记收款商户。</p>'
    try:
        by_wechat = (await _control(res, f"/orders?mchid={demo.mchid}"))["orders"]
        app_id = demo.alipay_app_id
        by_alipay = (await _control(res, f"/alipay/orders?app_id={app_id}"))["orders"] if app_id else []
    except (AppError, TimeoutError):
        return '<p class="note">沙箱没有响应，暂时看不到待支付的订单。</p>'
    waiting = [
        (order["created_at"], "微信支付", order["description"], order["total_fen"], f"/cashier/{order['prepay_id']}")
        for order in by_wechat
        if order["state"] == "NOTPAY"
    ]
    waiting += [
        (order["asked_at"], "支付宝", order["subject"], order["total_fen"], order["cashier_path"])
        for order in by_alipay
        if order["paid_at"] is None and order["closed_at"] is None
    ]
    if not waiting:
        return '<p class="note">现在没有待支付的订单。用上面的命令以住户身份下单，再刷新本页。</p>'
    rows = [
        (name, escape(what), f"{yuan_text(fen)} 元", _cashier(res, path))
        for _, name, what, fen, path in sorted(waiting, reverse=True)[:SHOWN_ORDERS]
    ]
    return _table(("渠道", "内容", "金额", ""), rows)


def _cashier(res: Resources, path: str) -> str:
    url = f"{res.settings.wechat_pay_url.rstrip('/')}{path}"
    return f'<a class="pay" href="{escape(url)}" target="_blank" rel="noopener">打开收银台</a>'


def _paper(demo: Demo | None) -> str:
    """The page behind the paper code of a house that owes."""
    if demo is None or not demo.pay_code:
        return ""
    link = f'<a href="/p/{escape(demo.pay_code)}" target="_blank" rel="noopener">门口的缴费码</a>'
    return f"<p>代缴不用登录：打开一张{link}，在手机浏览器里用微信或支付宝付款。</p>"


ROUTES: tuple[Route, ...] = (Route("GET", "/", show, PUBLIC, "Start page; off in live mode."),)
