"""Differences planted in statements (control API): seeded, named, and never in the channel's own books.

A plant is chosen once among the lines of a day and remembered; every download of that day's statement shows it. Kinds
that change lines keep the summary true to the lines; kinds that break the file leave the lines alone.
"""

import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from typing import Any, TypeVar

from sandbox import clock, fund_flow, pay_books, refund_books, statement_lines
from sandbox.errors import ControlError
from sandbox.fund_flow import FundLine
from sandbox.statement_lines import TradeLine
from sandbox.store import Row
from sandbox.world import World

SCHEMA = """
CREATE TABLE IF NOT EXISTS plants (
    id INTEGER PRIMARY KEY AUTOINCREMENT, mchid TEXT NOT NULL, sub_mchid TEXT NOT NULL, bill_date TEXT NOT NULL,
    statement TEXT NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL, detail TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS plants_by_day ON plants (mchid, bill_date, statement);
"""
INSERT = """
INSERT INTO plants (mchid, sub_mchid, bill_date, statement, kind, subject, detail) VALUES (?, ?, ?, ?, ?, ?, ?)
RETURNING id
"""
OF_DAY = "SELECT * FROM plants WHERE mchid = ? AND sub_mchid = ? AND bill_date = ? AND statement = ? ORDER BY id"
OF_MERCHANT = "SELECT * FROM plants WHERE mchid = ? ORDER BY id"

SUMMARY_OFF_FEN = 1
UNKNOWN_COLUMN = "新增列"
UNKNOWN_TRADE_TYPE = "QUANTUM"
UNKNOWN_FLOW_KIND = "神秘业务"


class Statement(StrEnum):
    """Which file a plant is in."""

    TRADES = "trades"
    FUND_FLOW = "fund_flow"
    BANK = "bank"


class Kind(StrEnum):
    """What is wrong."""

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
    CUT_IN_HALF = "cut_in_half"
    CUT_ON_THE_WAY = "cut_on_the_way"
    WRONG_HASH = "wrong_hash"
    TOTALS_DISAGREE = "totals_disagree"
    UNKNOWN_COLUMN = "unknown_column"


BROKEN = frozenset({Kind.CUT_IN_HALF, Kind.CUT_ON_THE_WAY, Kind.WRONG_HASH, Kind.TOTALS_DISAGREE, Kind.UNKNOWN_COLUMN})
LINES = {Kind.MISSING_LINE, Kind.EXTRA_LINE, Kind.DUPLICATE_LINE, Kind.CHANGED_AMOUNT, Kind.CHANGED_FEE}
ALLOWED = {
    Statement.TRADES: frozenset(Kind) - {Kind.SETTLEMENT_OFF},
    Statement.FUND_FLOW: frozenset(LINES | {Kind.REFUND_MISSING, Kind.REFUND_CHANGED, Kind.UNKNOWN_TYPE}) | BROKEN,
    Statement.BANK: frozenset({Kind.SETTLEMENT_OFF}),
}
ABOUT_FLOW = {
    Kind.CHANGED_FEE: fund_flow.FEE,
    Kind.REFUND_MISSING: fund_flow.REFUND,
    Kind.REFUND_CHANGED: fund_flow.REFUND,
}
ABOUT_REFUNDS = frozenset({Kind.REFUND_MISSING, Kind.REFUND_CHANGED})


@dataclass(frozen=True, slots=True)
class Plant:
    """One planted difference. `detail` holds what is told and what is true."""

    id: int
    mchid: str
    sub_mchid: str
    bill_date: str
    statement: Statement
    kind: Kind
    subject: str
    detail: dict[str, Any]


def _plant(row: Row) -> Plant:
    kinds = {"statement": Statement(row["statement"]), "kind": Kind(row["kind"])}
    return Plant(**{**dict(row), **kinds, "detail": json.loads(row["detail"])})


def of_day(world: World, mchid: str, sub_mchid: str, day: date, statement: Statement) -> list[Plant]:
    """The plants in one file of a day."""
    return [_plant(row) for row in world.store.rows(OF_DAY, mchid, sub_mchid, day.isoformat(), str(statement))]


def of_merchant(world: World, mchid: str) -> list[Plant]:
    """All plants of a merchant."""
    return [_plant(row) for row in world.store.rows(OF_MERCHANT, mchid)]


def forget(world: World, mchid: str) -> int:
    """The merchant's statements tell the truth again."""
    return world.store.run("DELETE FROM plants WHERE mchid = ?", mchid)


Line = TypeVar("Line", TradeLine, FundLine)


def plant(world: World, mchid: str, sub_mchid: str, day: date, *, statement: Statement, kind: Kind, seed: int) -> Plant:
    """Choose what is wrong and remember it; ControlError 409 where the day has nothing that it could be done to."""
    if kind not in ALLOWED[statement]:
        raise ControlError(400, "wrong_value", f"{statement} takes {sorted(map(str, ALLOWED[statement]))}")
    earlier = of_day(world, mchid, sub_mchid, day, statement)
    draw = random.Random(f"{seed}:{day}:{statement}:{kind}:{len(earlier)}")
    taken = {one.subject for one in earlier}
    if statement is Statement.TRADES:
        subject, detail = _trade_plant(world, mchid, sub_mchid, day, kind, draw, taken)
    elif statement is Statement.FUND_FLOW:
        subject, detail = _fund_plant(world, mchid, sub_mchid, day, kind, draw, taken)
    else:
        subject, detail = "payout", {"by_fen": -draw.randint(1, 99)}
    values = (mchid, sub_mchid, day.isoformat(), str(statement), str(kind), subject)
    row = world.store.rows(INSERT, *values, json.dumps(detail, ensure_ascii=False))[0]
    return Plant(row["id"], mchid, sub_mchid, day.isoformat(), statement, kind, subject, detail)


def _trade_plant(
    world: World, mchid: str, sub_mchid: str, day: date, kind: Kind, draw: random.Random, taken: set[str]
) -> tuple[str, dict[str, Any]]:
    lines = [line for line in statement_lines.of_day(world, mchid, day) if sub_mchid in ("", line.sub_mchid)]
    if kind in BROKEN:
        return "file", {}
    free = [line for line in lines if line.subject not in taken and line.is_refund == (kind in ABOUT_REFUNDS)]
    chosen = _choice(draw, free, kind, day)
    detail: dict[str, Any] = {"out_trade_no": chosen.out_trade_no, "transaction_id": chosen.transaction_id}
    if kind is Kind.EXTRA_LINE:
        number = pay_books.new_transaction_id(chosen.at_s)
        out_trade_no, paid_fen = f"EXTRA{draw.randrange(10**12):012d}", draw.randint(100, 99_999)
        extra = replace(chosen, transaction_id=number, out_trade_no=out_trade_no, paid_fen=paid_fen, attach="")
        return number, {"line": asdict(extra), "out_trade_no": out_trade_no, "paid_fen": paid_fen}
    if kind is Kind.REFUND_EXTRA:
        number = refund_books.new_refund_id(chosen.at_s)
        refund_no, refund_fen = f"EXTRA{draw.randrange(10**12):012d}", draw.randint(1, chosen.paid_fen)
        extra = replace(
            chosen, state="REFUND", paid_fen=0, refund_id=number, out_refund_no=refund_no, refund_fen=refund_fen,
            refund_channel="ORIGINAL", refund_state="SUCCESS", refund_success_s=chosen.at_s, fee_fen=0,
        )  # fmt: skip
        return number, {**detail, "line": asdict(extra), "out_refund_no": refund_no, "refund_fen": refund_fen}
    if kind in (Kind.CHANGED_AMOUNT, Kind.CHANGED_FEE, Kind.REFUND_CHANGED):
        detail |= {"by_fen": draw.randint(1, 99)}
    if kind is Kind.REFUND_CHANGED:
        detail |= {"out_refund_no": chosen.out_refund_no}
    return chosen.subject, detail


def _fund_plant(
    world: World, mchid: str, sub_mchid: str, day: date, kind: Kind, draw: random.Random, taken: set[str]
) -> tuple[str, dict[str, Any]]:
    lines = fund_flow.of_day(world, mchid, sub_mchid, day)
    if kind in BROKEN:
        return "file", {}
    free = [line for line in lines if line.subject not in taken and line.kind == ABOUT_FLOW.get(kind, fund_flow.TRADE)]
    chosen = _choice(draw, free, kind, day)
    if kind is Kind.EXTRA_LINE:
        number, change_fen = pay_books.new_transaction_id(chosen.at_s), draw.randint(100, 99_999)
        extra = replace(chosen, business_no=number, change_fen=change_fen, voucher=f"EXTRA{draw.randrange(10**12)}")
        return number, {"line": asdict(extra), "change_fen": change_fen}
    detail: dict[str, Any] = {"voucher": chosen.voucher, "flow_kind": chosen.kind}
    if kind in (Kind.CHANGED_AMOUNT, Kind.CHANGED_FEE, Kind.REFUND_CHANGED):
        detail |= {"by_fen": draw.randint(1, 99)}
    return chosen.subject, detail


def _choice(draw: random.Random, free: Sequence[Line], kind: Kind, day: date) -> Line:
    if not free:
        raise ControlError(409, "nothing_to_plant", f"{day} has no line left that {kind} could be done to")
    return draw.choice(free)


def trades(world: World, mchid: str, sub_mchid: str, day: date) -> list[TradeLine]:
    """The lines that a day's trade statement tells, true or not."""
    lines = [line for line in statement_lines.of_day(world, mchid, day) if sub_mchid in ("", line.sub_mchid)]
    for one in of_day(world, mchid, sub_mchid, day, Statement.TRADES):
        lines = _told_trades(lines, one)
    yesterday = day - timedelta(days=1)
    moved = {
        one.subject
        for one in of_day(world, mchid, sub_mchid, yesterday, Statement.TRADES)
        if one.kind is Kind.CROSS_DAY
    }
    late_s = clock.instant_of(day) - 1
    lines += [
        replace(line, at_s=late_s)
        for line in (statement_lines.of_day(world, mchid, yesterday) if moved else [])
        if line.subject in moved
    ]
    return sorted(lines, key=lambda line: (line.at_s, line.subject))


def _told_trades(lines: list[TradeLine], one: Plant) -> list[TradeLine]:
    if one.kind in (Kind.EXTRA_LINE, Kind.REFUND_EXTRA):
        return [*lines, TradeLine(**one.detail["line"])]
    return [told for line in lines for told in ([line] if line.subject != one.subject else _changed_trade(line, one))]


def _changed_trade(line: TradeLine, one: Plant) -> list[TradeLine]:
    by_fen = one.detail.get("by_fen", 0)
    match one.kind:
        case Kind.MISSING_LINE | Kind.REFUND_MISSING | Kind.CROSS_DAY:
            return []
        case Kind.DUPLICATE_LINE:
            return [line, line]
        case Kind.CHANGED_AMOUNT:
            return [replace(line, paid_fen=line.paid_fen + by_fen)]
        case Kind.REFUND_CHANGED:
            return [replace(line, refund_fen=line.refund_fen + by_fen)]
        case Kind.CHANGED_FEE:
            return [replace(line, fee_fen=line.fee_fen + by_fen)]
        case Kind.CHANGED_STATUS:
            return [replace(line, state="REVOKED")]
        case Kind.UNKNOWN_TYPE:
            return [replace(line, trade_type=UNKNOWN_TRADE_TYPE)]
        case _:
            return [line]


def funds(world: World, mchid: str, sub_mchid: str, day: date) -> list[FundLine]:
    """The movements that a day's fund flow tells, true or not."""
    lines = fund_flow.of_day(world, mchid, sub_mchid, day)
    for one in of_day(world, mchid, sub_mchid, day, Statement.FUND_FLOW):
        if one.kind is Kind.EXTRA_LINE:
            lines = [*lines, FundLine(**one.detail["line"])]
        else:
            lines = [told for line in lines for told in _changed_fund(line, one)]
    return sorted(lines, key=lambda line: line.at_s)


def _changed_fund(line: FundLine, one: Plant) -> list[FundLine]:
    if line.subject != one.subject or line.kind != one.detail.get("flow_kind"):
        return [line]
    by_fen = one.detail.get("by_fen", 0)
    match one.kind:
        case Kind.MISSING_LINE | Kind.REFUND_MISSING:
            return []
        case Kind.DUPLICATE_LINE:
            return [line, line]
        case Kind.CHANGED_AMOUNT:
            return [replace(line, change_fen=line.change_fen + by_fen)]
        case Kind.CHANGED_FEE | Kind.REFUND_CHANGED:
            return [replace(line, change_fen=line.change_fen - by_fen)]
        case Kind.UNKNOWN_TYPE:
            return [replace(line, kind=UNKNOWN_FLOW_KIND, name=UNKNOWN_FLOW_KIND)]
        case _:
            return [line]
