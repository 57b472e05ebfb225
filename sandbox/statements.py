"""Statements on the wire: trades and fund flow of a day, a link for five minutes, the file (section 11).

The hash is SHA-1 over the uncompressed file. A day is ready at 10:00 of the next; a day without lines has no statement.
What a file tells comes from the books, changed where differences were planted.
"""

import gzip
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from aiohttp import web

from sandbox import clock, fund_flow, plants, settlements, statement_lines
from sandbox.errors import PayError
from sandbox.pay_edge import Answer, PayCall
from sandbox.pay_fields import PARAMETER_NUMBER
from sandbox.plants import Kind, Statement
from sandbox.world import World

READY_HOUR = 10
HISTORY_DAYS = 92
LINK_LIFE_S = 300
FUND_FLOW = "FUND_FLOW"
ACCOUNTS = ("BASIC", "OPERATION", "FEES")
FALSE_HASH = hashlib.sha1(b"another file", usedforsecurity=False).hexdigest()

SAVE_LINK = """
INSERT INTO statement_links (token, mchid, sub_mchid, bill_date, bill_type, gzip, expires_s)
VALUES (?, ?, ?, ?, ?, ?, ?)
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One file: whose, of which day, of which type (FUND_FLOW or a type of trade statement)."""

    mchid: str
    sub_mchid: str
    day: date
    bill_type: str


@dataclass(frozen=True, slots=True)
class File:
    """The uncompressed bytes as they arrive, and the hash that is announced for them."""

    content: bytes
    hash_value: str


async def apply_for_trade_bill(call: PayCall) -> Answer:
    """GET /v3/bill/tradebill."""
    query = call.request.query
    bill_type = query.get("bill_type", "ALL")
    day = _day(call, query.get("bill_date", ""))
    if bill_type not in statement_lines.HEADERS:
        raise _parameter("bill_type", bill_type, "账单类型不支持")
    return _applied(call, Wanted(call.merchant.mchid, _sub_mchid(call), day, bill_type))


async def apply_for_fund_flow(call: PayCall) -> Answer:
    """GET /v3/bill/fundflowbill: all movements are on the basic account."""
    query = call.request.query
    account = query.get("account_type", "BASIC")
    day = _day(call, query.get("bill_date", ""))
    if account not in ACCOUNTS:
        raise _parameter("account_type", account, "资金账户类型不支持")
    if account != "BASIC":
        raise _nothing()
    return _applied(call, Wanted(call.merchant.mchid, _sub_mchid(call), day, FUND_FLOW))


def _applied(call: PayCall, wanted: Wanted) -> Answer:
    query, world = call.request.query, call.world
    tar_type = query.get("tar_type")
    if tar_type not in (None, "GZIP"):
        raise _parameter("tar_type", tar_type or "", "压缩类型仅支持GZIP")
    file = _file(world, wanted)
    token, expires_s = secrets.token_urlsafe(48), world.now_s() + LINK_LIFE_S
    place = (wanted.mchid, wanted.sub_mchid, wanted.day.isoformat(), wanted.bill_type)
    world.store.run(SAVE_LINK, token, *place, int(tar_type == "GZIP"), expires_s)
    link = f"{call.request.scheme}://{call.request.host}/v3/billdownload/file?token={token}"
    return Answer(
        {
            "hash_type": "SHA1",
            "hash_value": file.hash_value,
            "download_url": f"{link}&tartype=gzip" if tar_type else link,
        }
    )


async def download(call: PayCall) -> web.Response:
    """GET /v3/billdownload/file?token=: the file itself, without a signature of the platform."""
    token = call.request.query.get("token", "")
    link = call.world.store.row("SELECT * FROM statement_links WHERE token = ?", token)
    if link is None or link["expires_s"] < call.world.now_s():
        raise PayError(400, "INVALID_REQUEST", "账单下载地址已失效，请重新申请")
    if link["mchid"] != call.merchant.mchid:
        raise PayError(403, "NO_AUTH", "无权下载该账单")
    day = clock.parse_day(link["bill_date"])
    content = _file(call.world, Wanted(link["mchid"], link["sub_mchid"], day, link["bill_type"])).content
    body = gzip.compress(content, mtime=0) if link["gzip"] else content
    return web.Response(body=body, content_type="application/octet-stream")


def _sub_mchid(call: PayCall) -> str:
    sub_mchid = call.request.query.get("sub_mchid", "")
    if sub_mchid and sub_mchid not in call.merchant.sub_merchants:
        raise PayError(403, "NO_AUTH", "子商户号与服务商没有绑定关系", number=268443701)
    return sub_mchid


def _day(call: PayCall, bill_date: str) -> date:
    try:
        day = clock.parse_day(bill_date)
    except ValueError as error:
        raise _parameter("bill_date", bill_date, "账单日期格式错误，应为yyyy-MM-dd") from error
    now_s = call.world.now_s()
    today = clock.day_of(now_s)
    if day >= today or day < today - timedelta(days=HISTORY_DAYS):
        raise PayError(400, "INVALID_REQUEST", "账单日期超出可下载的范围")
    if now_s < clock.instant_of(day + timedelta(days=1), READY_HOUR):
        raise PayError(400, "STATEMENT_CREATING", "账单文件正在生成中，请稍后再试")
    return day


def _file(world: World, wanted: Wanted) -> File:
    statement = Statement.FUND_FLOW if wanted.bill_type == FUND_FLOW else Statement.TRADES
    wrong = {one.kind for one in plants.of_day(world, wanted.mchid, wanted.sub_mchid, wanted.day, statement)}
    off_fen = plants.SUMMARY_OFF_FEN if Kind.TOTALS_DISAGREE in wrong else 0
    summary_header, sums, (header, rows) = _parts(world, wanted, off_fen)
    if not rows:
        raise _nothing()
    if Kind.UNKNOWN_COLUMN in wrong:
        header, rows = [*header, plants.UNKNOWN_COLUMN], [[*row, "1"] for row in rows]
    content = statement_lines.render(header, rows, summary_header, sums)
    cut = content[: len(content) // 2]
    if Kind.CUT_ON_THE_WAY in wrong:
        return File(cut, _sha1(content))
    if Kind.CUT_IN_HALF in wrong:
        content = cut
    return File(content, FALSE_HASH if Kind.WRONG_HASH in wrong else _sha1(content))


def _parts(world: World, wanted: Wanted, off_fen: int) -> tuple[str, Sequence[str], tuple[list[str], list[list[str]]]]:
    """The summary's header and values, and the table."""
    mchid, sub_mchid, day = wanted.mchid, wanted.sub_mchid, wanted.day
    if wanted.bill_type == FUND_FLOW:
        movements = plants.funds(world, mchid, sub_mchid, day)
        opening_fen = settlements.opening_balance_fen(world, mchid, sub_mchid, day) if movements else 0
        sums = fund_flow.summary(movements, off_fen=off_fen)
        return fund_flow.SUMMARY_HEADER, sums, fund_flow.table(movements, opening_fen)
    lines = statement_lines.of_type(plants.trades(world, mchid, sub_mchid, day), wanted.bill_type)
    sums = statement_lines.summary(lines, off_fen=off_fen)
    return statement_lines.SUMMARY_HEADER, sums, statement_lines.table(lines, wanted.bill_type)


def _sha1(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


def _nothing() -> PayError:
    return PayError(400, "NO_STATEMENT_EXIST", "账单文件不存在")


def _parameter(field: str, value: str, message: str) -> PayError:
    detail = {"field": field, "value": value, "issue": message, "location": "query"}
    return PayError(400, "PARAM_ERROR", message, number=PARAMETER_NUMBER, detail=detail)
