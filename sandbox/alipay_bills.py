"""Bills on the wire: alipay.data.dataservice.bill.downloadurl.query and the file behind its link (section 10).

A day's bill is there at 09:00 of the next day, a month's at 09:00 of the fourth; a link lives thirty seconds. A day
without movements has no bill, and one that is not ready yet answers the same.
"""

import secrets
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from sandbox import alipay_bill_files, alipay_hostile, alipay_lines, alipay_merchants, alipay_plants, clock
from sandbox.alipay_bill_files import ACCOUNT_SUFFIX, Period
from sandbox.alipay_errors import AlipayError
from sandbox.alipay_gateway import Call
from sandbox.alipay_plants import Kind, Statement
from sandbox.world import WORLD, World

READY_HOUR = 9
MONTH_READY_DAY = 4
HISTORY_DAYS = 6 * 365
LINK_LIFE_S = 30
TRADE_BILL, ACCOUNT_BILL = "trade", "signcustomer"
URL_TYPES = {TRADE_BILL: "trade", ACCOUNT_BILL: "fnd"}
STATEMENTS = {TRADE_BILL: Statement.TRADES, ACCOUNT_BILL: Statement.FUND_FLOW}

SAVE_LINK = "INSERT INTO alipay_bill_links (token, app_id, bill_type, bill_date, expires_s) VALUES (?, ?, ?, ?, ?)"


async def download_url(call: Call) -> dict[str, Any]:
    """A link to the bill of a day or a month."""
    world, bill_type, bill_date = call.world, call.content["bill_type"], call.content["bill_date"]
    if bill_type not in URL_TYPES:
        raise AlipayError("40004", "TYPE_NOT_SUPPORTED", "账单类型不支持")
    period, ready_s = _period(world, call.merchant.seller_id, bill_date)
    packed = _packed(world, call.merchant.app_id, bill_type, period) if world.now_s() >= ready_s else None
    if packed is None:
        raise AlipayError("40004", "isp.bill_not_exist", "账单不存在")
    token, now_s = secrets.token_hex(16), world.now_s()
    world.store.run(SAVE_LINK, token, call.merchant.app_id, bill_type, bill_date, now_s + LINK_LIFE_S)
    return {"bill_download_url": _link(call, bill_type, period, token)}


def _link(call: Call, bill_type: str, period: Period, token: str) -> str:
    account, kind = f"{period.seller_id}{ACCOUNT_SUFFIX}", URL_TYPES[bill_type]
    query = {
        "bizType": kind,
        "userId": account,
        "fileType": "csv.zip",
        "bizDates": period.label,
        "downloadFileName": f"{account}_{period.label}.csv.zip",
        "fileId": f"/{kind}/{account}/{period.label}.csv.zip",
        "timestamp": str(int(call.world.now_s())),
        "token": token,
    }
    return f"{call.request.scheme}://{call.request.host}/downloadBillFile.resource?{urlencode(query)}"


async def download(request: web.Request) -> web.Response:
    """GET /downloadBillFile.resource?…&token=: the ZIP, without any signature."""
    world = request.app[WORLD]
    link = world.store.row("SELECT * FROM alipay_bill_links WHERE token = ?", request.query.get("token", ""))
    if link is None or link["expires_s"] < world.now_s():
        return web.Response(status=403, body="<html>下载链接已失效</html>".encode("gbk"), content_type="text/html")
    merchant = alipay_merchants.find(world.store, link["app_id"])
    seller_id = merchant.seller_id if merchant is not None else ""
    period, _ = _period(world, seller_id, link["bill_date"])
    packed = _packed(world, link["app_id"], link["bill_type"], period) or b""
    return web.Response(body=packed, content_type="application/zip")


def _period(world: World, seller_id: str, bill_date: str) -> tuple[Period, float]:
    """The days that are asked for, and when their bill is ready; AlipayError for what cannot be asked for."""
    today = clock.day_of(world.now_s())
    try:
        if len(bill_date) == 7:
            first = clock.parse_day(f"{bill_date}-01")
            following = (first + timedelta(days=31)).replace(day=1)
            period, ready_on = (
                Period(seller_id, first, following - timedelta(days=1)),
                following.replace(day=MONTH_READY_DAY),
            )
        else:
            first = clock.parse_day(bill_date)
            period, ready_on = Period(seller_id, first, first), first + timedelta(days=1)
    except ValueError as error:
        raise _bad_date() from error
    if period.last >= today or first < today - timedelta(days=HISTORY_DAYS):
        raise _bad_date()
    return period, clock.instant_of(ready_on, READY_HOUR)


def _bad_date() -> AlipayError:
    return AlipayError("40004", "isv.invalid_arguments", "参数错误，bill_date不正确")


def _days(period: Period) -> list[date]:
    return [period.first + timedelta(days=number) for number in range((period.last - period.first).days + 1)]


def _packed(world: World, app_id: str, bill_type: str, period: Period) -> bytes | None:
    """The archive; None where there is nothing to tell."""
    statement = STATEMENTS[bill_type]
    plants = [plant for day in _days(period) for plant in alipay_plants.of_day(world, app_id, day, statement)]
    if bill_type == TRADE_BILL:
        traded = [line for day in _days(period) for line in alipay_plants.trade_lines(world, app_id, day)]
        name, summary = "业务明细", alipay_bill_files.trade_summary(period, traded)
        detail, empty = alipay_bill_files.trade_detail(period, traded), not traded
    else:
        moved = [line for day in _days(period) for line in alipay_plants.account_lines(world, app_id, day)]
        name, summary = "账务明细", alipay_bill_files.account_summary(period, moved)
        opening_fen = alipay_lines.opening_balance_fen(world, app_id, period.first)
        new_columns = alipay_hostile.is_on(world, "new_account_columns")
        detail = alipay_bill_files.account_detail(period, moved, opening_fen, new_columns=new_columns)
        empty = not moved
    if empty:
        return None
    packed = alipay_bill_files.archive(period, name, summary=summary, detail=alipay_plants.damaged(detail, plants))
    is_cut = any(plant.kind is Kind.CUT_ON_THE_WAY for plant in plants)
    return packed[: len(packed) // 2] if is_cut else packed
