"""Differences and damage planted into Alipay's bills and the bank's lines (control API); the books never change.

A plant is chosen once among the lines of a day, by a seed or by a trade's number, and remembered; every download of
that day's bill shows it. Kinds that change lines keep the totals true to the lines; damage leaves the lines alone.
"""

import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from typing import Any, TypeVar

from sandbox import alipay_bill_files, alipay_books, alipay_lines, clock
from sandbox.alipay_lines import FEE, PAID_IN, PAYMENT, REFUND, REFUNDED, AccountLine, TradeLine
from sandbox.errors import ControlError
from sandbox.store import Row
from sandbox.world import World

UNKNOWN_TYPE = "先享后付"
UNKNOWN_COLUMN = "神秘金额（元）"

ADD = """
INSERT INTO alipay_plants (app_id, bill_date, statement, kind, subject, detail) VALUES (?, ?, ?, ?, ?, ?) RETURNING id
"""
OF_DAY = "SELECT * FROM alipay_plants WHERE app_id = ? AND bill_date = ? AND statement = ? ORDER BY id"
OF_MERCHANT = "SELECT * FROM alipay_plants WHERE app_id = ? ORDER BY id"
UNPAID = """
SELECT * FROM alipay_orders
WHERE app_id = ? AND paid_s IS NULL AND asked_s >= ? AND asked_s < ? ORDER BY asked_s, out_trade_no
"""


class Statement(StrEnum):
    """Which file a plant is in."""

    TRADES = "trades"
    FUND_FLOW = "fund_flow"
    BANK = "bank"


class Kind(StrEnum):
    """What is wrong. CHANGED_STATUS shows an unpaid order as paid: Alipay's bill has no column of states."""

    MISSING_LINE = "missing_line"
    EXTRA_LINE = "extra_line"
    DUPLICATE_LINE = "duplicate_line"
    CHANGED_AMOUNT = "changed_amount"
    CHANGED_STATUS = "changed_status"
    CHANGED_FEE = "changed_fee"
    REFUND_MISSING = "refund_missing"
    REFUND_EXTRA = "refund_extra"
    REFUND_CHANGED = "refund_changed"
    CROSS_DAY = "cross_day"
    UNKNOWN_TYPE = "unknown_type"
    SETTLEMENT_OFF = "settlement_off"
    SETTLEMENT_MISSING = "settlement_missing"
    CUT_IN_HALF = "cut_in_half"
    CUT_ON_THE_WAY = "cut_on_the_way"
    TOTALS_DISAGREE = "totals_disagree"
    UNKNOWN_COLUMN = "unknown_column"
    PADDED_COMMENTS = "padded_comments"


DAMAGE = frozenset(
    {Kind.CUT_IN_HALF, Kind.CUT_ON_THE_WAY, Kind.TOTALS_DISAGREE, Kind.UNKNOWN_COLUMN, Kind.PADDED_COMMENTS}
)
ABOUT_BANK = frozenset({Kind.SETTLEMENT_OFF, Kind.SETTLEMENT_MISSING})
ABOUT_REFUNDS = frozenset({Kind.REFUND_MISSING, Kind.REFUND_CHANGED})
ALLOWED = {
    Statement.TRADES: frozenset(Kind) - ABOUT_BANK,
    Statement.FUND_FLOW: frozenset(Kind) - ABOUT_BANK - {Kind.CHANGED_STATUS, Kind.CROSS_DAY, Kind.REFUND_EXTRA},
    Statement.BANK: ABOUT_BANK,
}
FLOW_KINDS = {Kind.CHANGED_FEE: FEE, Kind.REFUND_MISSING: REFUNDED, Kind.REFUND_CHANGED: REFUNDED}
BY_SOME_FEN = frozenset({Kind.CHANGED_AMOUNT, Kind.CHANGED_FEE, Kind.REFUND_CHANGED})


@dataclass(frozen=True, slots=True)
class Plant:
    """One planted difference. `detail` holds what is told and what it is about."""

    id: int
    app_id: str
    bill_date: str
    statement: Statement
    kind: Kind
    subject: str
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Choice:
    """How a line is chosen: by a draw from the seed, among those of one trade where `out_trade_no` names it."""

    draw: random.Random
    taken: frozenset[str]
    out_trade_no: str | None


Line = TypeVar("Line", TradeLine, AccountLine)


def _plant(row: Row) -> Plant:
    kinds = {"statement": Statement(row["statement"]), "kind": Kind(row["kind"])}
    return Plant(**{**dict(row), **kinds, "detail": json.loads(row["detail"])})


def of_day(world: World, app_id: str, day: date, statement: Statement) -> list[Plant]:
    """The plants in one file of a day."""
    return [_plant(row) for row in world.store.rows(OF_DAY, app_id, day.isoformat(), str(statement))]


def of_merchant(world: World, app_id: str) -> list[Plant]:
    """All plants of a merchant."""
    return [_plant(row) for row in world.store.rows(OF_MERCHANT, app_id)]


def forget(world: World, app_id: str) -> int:
    """The merchant's bills tell the truth again."""
    return world.store.run("DELETE FROM alipay_plants WHERE app_id = ?", app_id)


def plant(
    world: World, app_id: str, day: date, *, statement: Statement, kind: Kind, seed: int, out_trade_no: str | None
) -> Plant:
    """Choose what is wrong and remember it; ControlError 409 where the day has nothing that it could be done to."""
    if kind not in ALLOWED[statement]:
        raise ControlError(400, "wrong_value", f"{statement} takes {sorted(map(str, ALLOWED[statement]))}")
    earlier = of_day(world, app_id, day, statement)
    draw = random.Random(f"{seed}:{day}:{statement}:{kind}:{len(earlier)}")
    how = Choice(draw, frozenset(one.subject for one in earlier), out_trade_no)
    if kind in DAMAGE:
        subject, detail = "file", dict[str, Any]()
    elif statement is Statement.TRADES:
        subject, detail = _trade_plant(world, app_id, day, kind, how)
    elif statement is Statement.FUND_FLOW:
        subject, detail = _account_plant(world, app_id, day, kind, how)
    else:
        subject, detail = "payout", {"by_fen": -draw.randint(1, 99)}
    text = json.dumps(detail, ensure_ascii=False)
    row = world.store.rows(ADD, app_id, day.isoformat(), str(statement), str(kind), subject, text)[0]
    return Plant(row["id"], app_id, day.isoformat(), statement, kind, subject, detail)


def _trade_plant(world: World, app_id: str, day: date, kind: Kind, how: Choice) -> tuple[str, dict[str, Any]]:
    draw = how.draw
    if kind is Kind.CHANGED_STATUS:
        return _paid_after_all(world, app_id, day, how)
    wanted = REFUND if kind in ABOUT_REFUNDS else PAYMENT
    lines = [line for line in alipay_lines.trade_lines(world, app_id, day) if line.kind == wanted]
    chosen = _chosen(lines, how, kind)
    detail: dict[str, Any] = {"out_trade_no": chosen.out_trade_no, "trade_no": chosen.trade_no}
    if kind is Kind.EXTRA_LINE:
        extra = _stranger(chosen, draw)
        about = {"out_trade_no": extra.out_trade_no, "trade_no": extra.trade_no, "amount_fen": extra.amount_fen}
        return extra.subject_key, {**about, "line": asdict(extra)}
    if kind is Kind.REFUND_EXTRA:
        number, fen = f"EXTRA{draw.randrange(10**12):012d}", draw.randint(1, chosen.amount_fen)
        extra = replace(chosen, kind=REFUND, amount_fen=-fen, request_no=number, fee_fen=0)
        return extra.subject_key, {**detail, "line": asdict(extra), "out_request_no": number, "amount_fen": fen}
    if chosen.request_no:
        detail["out_request_no"] = chosen.request_no
    if kind in BY_SOME_FEN:
        detail["by_fen"] = draw.randint(1, 99)
    return chosen.subject_key, detail


def _stranger(like: TradeLine, draw: random.Random) -> TradeLine:
    amount_fen = draw.randint(100, 99_999)
    return replace(
        like,
        trade_no=f"{like.trade_no[:13]}{draw.randrange(10**15):015d}",
        out_trade_no=f"EXTRA{draw.randrange(10**12):012d}",
        amount_fen=amount_fen,
        fee_fen=-alipay_books.fee_fen(amount_fen),
    )


def _paid_after_all(world: World, app_id: str, day: date, how: Choice) -> tuple[str, dict[str, Any]]:
    start_s, end_s = clock.instant_of(day), clock.instant_of(day + timedelta(days=1))
    rows = world.store.rows(UNPAID, app_id, start_s, end_s)
    lines = [_as_paid(row, how.draw) for row in rows]
    chosen = _chosen(lines, how, Kind.CHANGED_STATUS)
    about = {"out_trade_no": chosen.out_trade_no, "trade_no": chosen.trade_no, "amount_fen": chosen.amount_fen}
    return chosen.subject_key, {**about, "line": asdict(chosen)}


def _as_paid(row: Row, draw: random.Random) -> TradeLine:
    trade_no = row["trade_no"] or f"{clock.local(row['asked_s']):%Y%m%d}22001{draw.randrange(10**15):015d}"
    return TradeLine(
        trade_no=trade_no,
        out_trade_no=row["out_trade_no"],
        kind=PAYMENT,
        subject=row["subject"],
        created_s=row["asked_s"],
        done_s=row["asked_s"] + 1,
        account="*某(138****0000)",
        amount_fen=row["total_fen"],
        request_no="",
        fee_fen=-alipay_books.fee_fen(row["total_fen"]),
    )


def _account_plant(world: World, app_id: str, day: date, kind: Kind, how: Choice) -> tuple[str, dict[str, Any]]:
    wanted = FLOW_KINDS.get(kind, PAID_IN)
    lines = [line for line in alipay_lines.account_lines(world, app_id, day) if line.kind == wanted]
    chosen = _chosen(lines, how, kind)
    detail: dict[str, Any] = {
        "out_trade_no": chosen.out_trade_no,
        "trade_no": chosen.business_no,
        "flow_no": chosen.flow_no,
    }
    if kind is Kind.EXTRA_LINE:
        number = f"{chosen.business_no[:13]}{how.draw.randrange(10**15):015d}"
        extra = replace(
            chosen, business_no=number, out_trade_no=f"EXTRA{how.draw.randrange(10**12):012d}",
            flow_no=f"{day:%Y%m%d}{how.draw.randrange(10**16):016d}", change_fen=how.draw.randint(100, 99_999),
        )  # fmt: skip
        about = {"out_trade_no": extra.out_trade_no, "trade_no": number, "flow_no": extra.flow_no}
        return extra.subject_key, {**about, "line": asdict(extra), "amount_fen": extra.change_fen}
    if kind in BY_SOME_FEN:
        detail["by_fen"] = how.draw.randint(1, 99)
    return chosen.subject_key, detail


def _chosen(lines: Sequence[Line], how: Choice, kind: Kind) -> Line:
    named = [line for line in lines if how.out_trade_no in (None, line.out_trade_no)]
    free = [line for line in named if line.subject_key not in how.taken]
    if not free:
        raise ControlError(409, "nothing_to_plant", f"there is no line left that {kind} could be done to")
    return how.draw.choice(free)


def trade_lines(world: World, app_id: str, day: date) -> list[TradeLine]:
    """The lines that a day's 业务明细 tells, true or not."""
    lines = alipay_lines.trade_lines(world, app_id, day)
    for one in of_day(world, app_id, day, Statement.TRADES):
        lines = _told(lines, one, TradeLine)
    yesterday = day - timedelta(days=1)
    moved = {one.subject for one in of_day(world, app_id, yesterday, Statement.TRADES) if one.kind is Kind.CROSS_DAY}
    late = alipay_lines.trade_lines(world, app_id, yesterday) if moved else []
    return [line for line in late if line.subject_key in moved] + lines


def account_lines(world: World, app_id: str, day: date) -> list[AccountLine]:
    """The lines that a day's 账务明细 tells, true or not."""
    lines = alipay_lines.account_lines(world, app_id, day)
    for one in of_day(world, app_id, day, Statement.FUND_FLOW):
        lines = _told(lines, one, AccountLine)
    return lines


def _told(lines: list[Line], one: Plant, shape: type[Line]) -> list[Line]:
    told: list[Line] = []
    for line in lines:
        told.extend(_changed(line, one))
    if "line" in one.detail:
        told.append(shape(**one.detail["line"]))
    return told


def _changed(line: Line, one: Plant) -> list[Line]:
    if line.subject_key != one.subject:
        return [line]
    by_fen = one.detail.get("by_fen", 0)
    match one.kind:
        case Kind.MISSING_LINE | Kind.REFUND_MISSING | Kind.CROSS_DAY:
            return []
        case Kind.DUPLICATE_LINE:
            return [line, line]
        case Kind.CHANGED_AMOUNT:
            return [line.moved(by_fen)]
        case Kind.REFUND_CHANGED:
            return [line.moved(-by_fen)]
        case Kind.CHANGED_FEE:
            return [line.charged(by_fen)]
        case Kind.UNKNOWN_TYPE:
            return [replace(line, kind=UNKNOWN_TYPE)]
        case _:
            return [line]


def damaged(text: str, plants: Sequence[Plant]) -> bytes:
    """The detail file as it is handed out."""
    kinds = {one.kind for one in plants}
    if Kind.TOTALS_DISAGREE in kinds:
        first, rest = text.split("合计：", 1)
        count, tail = rest.split("笔", 1)
        text = f"{first}合计：{int(count) + 1}笔{tail}"
    lines = text.split("\r\n")[:-1]
    if Kind.UNKNOWN_COLUMN in kinds:
        lines = [_wider(line) for line in lines]
    if Kind.PADDED_COMMENTS in kinds:
        lines = [f"{line}{',' * 24}" if line.startswith("#") else line for line in lines]
    content = "".join(f"{line}\r\n" for line in lines).encode(alipay_bill_files.ENCODING)
    return content[: len(content) // 2] if Kind.CUT_IN_HALF in kinds else content


def _wider(line: str) -> str:
    if line.startswith("#"):
        return line
    is_header = line.startswith(("支付宝交易号", "账务流水号", "发生时间"))
    return f"{line},{UNKNOWN_COLUMN if is_header else '0.00'}"
