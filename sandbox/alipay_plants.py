"""Differences and damage planted into Alipay's bills and the bank's lines (control API); the books never change.

A planted difference leaves the file whole and its totals right. Damage leaves the rows and breaks the file.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from sandbox import alipay_bill_files, alipay_books, alipay_lines, clock
from sandbox.alipay_books import Order
from sandbox.alipay_lines import FEE, PAID_IN, PAYMENT, REFUND, REFUNDED, AccountLine, TradeLine
from sandbox.errors import ControlError
from sandbox.store import Row
from sandbox.world import World

OF_A_TRADE = ("missing", "duplicate", "amount", "status", "fee", "refund", "cross_day")
OF_A_DAY = ("extra", "settlement")
DAMAGE = ("cut", "totals", "unknown_column", "unknown_type", "padded_comments", "cut_archive")
KINDS = (*OF_A_TRADE, *OF_A_DAY, *DAMAGE)
REFUND_MODES = ("missing", "amount", "extra")
SETTLEMENT_MODES = ("missing", "amount")
TRADE_BILL, ACCOUNT_BILL = "trade", "signcustomer"
UNKNOWN_KIND = "先享后付"
UNKNOWN_COLUMN = "神秘金额（元）"

ADD = "INSERT INTO alipay_plants (app_id, bill_type, bill_date, kind, details) VALUES (?, ?, ?, ?, ?)"
OF_DAY = "SELECT * FROM alipay_plants WHERE app_id = ? AND bill_type = ? AND bill_date = ? ORDER BY id"


@dataclass(frozen=True, slots=True)
class Plant:
    """One thing that is wrong with the bill of a day."""

    kind: str
    on: date
    details: dict[str, Any]

    def fen(self, default: int) -> int:
        """The amount that was asked for."""
        wanted = self.details.get("amount_fen")
        return default if wanted is None else int(wanted)

    def names(self, out_trade_no: str) -> bool:
        """Whether it is about this trade."""
        return self.details.get("out_trade_no") == out_trade_no


def add(world: World, app_id: str, bill_type: str, kind: str, on: date, details: dict[str, Any]) -> None:
    """Write a plant down."""
    world.store.run(ADD, app_id, bill_type, on.isoformat(), kind, json.dumps(details))


def of_day(world: World, app_id: str, bill_type: str, on: date) -> list[Plant]:
    """The plants of a day's bill."""
    return [_plant(row) for row in world.store.rows(OF_DAY, app_id, bill_type, on.isoformat())]


def _plant(row: Row) -> Plant:
    return Plant(row["kind"], date.fromisoformat(row["bill_date"]), json.loads(row["details"]))


def day_of(world: World, kind: str, order: Order, out_request_no: str | None) -> date:
    """The day whose bill a plant about an order changes; ControlError where the order does not fit the kind."""
    if kind == "status":
        if order.is_paid:
            raise ControlError(409, "is_paid", "status shows an unpaid order as paid; this one is paid")
        return clock.day_of(world.now_s())
    if order.paid_s is None:
        raise ControlError(409, "not_paid", f"{kind} needs a paid order")
    if out_request_no is None:
        return clock.day_of(order.paid_s)
    done = [one for one in alipay_books.refunds_of(world, order) if one.out_request_no == out_request_no]
    if not done:
        raise ControlError(404, "no_such_refund", f"no refund {out_request_no} of {order.out_trade_no}")
    return clock.day_of(done[0].done_s)


def trade_lines(world: World, app_id: str, day: date) -> list[TradeLine]:
    """The rows of a day's 业务明细 with what was planted."""
    lines = alipay_lines.trade_lines(world, app_id, day)
    for plant in of_day(world, app_id, TRADE_BILL, day):
        lines = _changed(world, app_id, lines, plant)
    yesterday = day - timedelta(days=1)
    for plant in of_day(world, app_id, TRADE_BILL, yesterday):
        if plant.kind == "cross_day":
            lines = _of(alipay_lines.trade_lines(world, app_id, yesterday), plant) + lines
    return lines


def _of(lines: Sequence[TradeLine], plant: Plant) -> list[TradeLine]:
    return [line for line in lines if plant.names(line.out_trade_no) and line.kind == PAYMENT]


def _changed(world: World, app_id: str, lines: list[TradeLine], plant: Plant) -> list[TradeLine]:
    chosen = _of(lines, plant)
    match plant.kind:
        case "missing" | "cross_day":
            return [line for line in lines if line not in chosen]
        case "duplicate":
            return [*lines, *chosen]
        case "amount":
            return _replaced(lines, chosen, amount_fen=lambda line: plant.fen(line.amount_fen + 1))
        case "fee":
            return _replaced(lines, chosen, fee_fen=lambda line: -plant.fen(1 - line.fee_fen))
        case "unknown_type":
            return [replace(lines[0], kind=UNKNOWN_KIND), *lines[1:]] if lines else lines
        case "extra":
            return [*lines, _extra(plant)]
        case "status":
            return [*lines, *_as_paid(world, app_id, plant)]
        case "refund":
            return _refund_changed(lines, plant)
    return lines


def _replaced(lines: list[TradeLine], chosen: list[TradeLine], **changes: Any) -> list[TradeLine]:
    return [
        replace(line, **{name: change(line) for name, change in changes.items()}) if line in chosen else line
        for line in lines
    ]


def _extra(plant: Plant) -> TradeLine:
    at_s = clock.instant_of(plant.on, 12)
    stranger = plant.details["stranger"]
    return TradeLine(
        trade_no=f"{plant.on:%Y%m%d}22001{stranger:015d}",
        out_trade_no=plant.details.get("out_trade_no") or f"STRANGER{stranger:015d}",
        kind=PAYMENT,
        subject="物业费",
        created_s=at_s - 10,
        done_s=at_s,
        account="*某(138****0000)",
        amount_fen=plant.fen(8800),
        request_no="",
        fee_fen=-alipay_books.fee_fen(plant.fen(8800)),
    )


def _as_paid(world: World, app_id: str, plant: Plant) -> list[TradeLine]:
    order = alipay_books.find(world, app_id, plant.details["out_trade_no"])
    if order is None or order.is_paid:
        return []
    listed = replace(_extra(plant), out_trade_no=order.out_trade_no, subject=order.subject)
    amount_fen = plant.fen(order.total_fen)
    trade_no = order.trade_no or listed.trade_no
    return [replace(listed, trade_no=trade_no, amount_fen=amount_fen, fee_fen=-alipay_books.fee_fen(amount_fen))]


def _refund_changed(lines: list[TradeLine], plant: Plant) -> list[TradeLine]:
    mode, number = plant.details.get("mode"), plant.details.get("out_request_no")
    if mode == "extra":
        strange = [
            replace(line, kind=REFUND, amount_fen=-plant.fen(1), request_no=number or "STRANGE_REFUND", fee_fen=0)
            for line in _of(lines, plant)
        ]
        return [*lines, *strange]
    chosen = [line for line in lines if line.kind == REFUND and line.request_no == number]
    if mode == "amount":
        return _replaced(lines, chosen, amount_fen=lambda line: -plant.fen(1 - line.amount_fen))
    return [line for line in lines if line not in chosen]


def account_lines(world: World, app_id: str, day: date) -> list[AccountLine]:
    """The rows of a day's 账务明细 with what was planted."""
    lines = alipay_lines.account_lines(world, app_id, day)
    for plant in of_day(world, app_id, ACCOUNT_BILL, day):
        lines = _account_changed(lines, plant)
    return lines


def _account_changed(lines: list[AccountLine], plant: Plant) -> list[AccountLine]:
    wanted = {"fee": (FEE,), "refund": (REFUNDED,)}.get(plant.kind, (PAID_IN,))
    chosen = [line for line in lines if plant.names(line.out_trade_no) and line.kind in wanted]
    match plant.kind:
        case "missing" | "refund":
            return [line for line in lines if line not in chosen]
        case "duplicate":
            return [*lines, *chosen]
        case "amount":
            return [replace(one, change_fen=plant.fen(one.change_fen + 1)) if one in chosen else one for one in lines]
        case "fee":
            return [replace(one, change_fen=-plant.fen(1 - one.change_fen)) if one in chosen else one for one in lines]
        case "unknown_type":
            return [replace(lines[0], kind=UNKNOWN_KIND), *lines[1:]] if lines else lines
        case "extra":
            extra = _extra(plant)
            number = alipay_lines.flow_no(extra.done_s, extra.trade_no)
            return [
                *lines,
                AccountLine(
                    number, extra.trade_no, extra.out_trade_no, extra.subject, extra.done_s, extra.account,
                    extra.amount_fen, PAID_IN, "",
                ),
            ]  # fmt: skip
    return lines


def damaged(text: str, plants: Sequence[Plant]) -> bytes:
    """The detail file as it is handed out."""
    for plant in plants:
        if plant.kind == "totals":
            first, rest = text.split("合计：", 1)
            count, tail = rest.split("笔", 1)
            text = f"{first}合计：{int(count) + 1}笔{tail}"
        elif plant.kind == "unknown_column":
            text = "".join(f"{_wider(line)}\r\n" for line in text.split("\r\n")[:-1])
        elif plant.kind == "padded_comments":
            text = "".join(f"{line}{',' * 24 * line.startswith('#')}\r\n" for line in text.split("\r\n")[:-1])
    content = text.encode(alipay_bill_files.ENCODING)
    is_cut = any(plant.kind == "cut" for plant in plants)
    return content[: len(content) // 2] if is_cut else content


def _wider(line: str) -> str:
    if line.startswith("#"):
        return line
    is_header = line.startswith(("支付宝交易号", "账务流水号", "发生时间"))
    return f"{line},{UNKNOWN_COLUMN if is_header else '0.00'}"


def bank_lines(world: World, app_id: str, first: date, last: date) -> list[dict[str, Any]]:
    """What arrives at the bank on these days, with what was planted."""
    lines = []
    for payout in alipay_lines.payouts(world, app_id, first, last):
        amount_fen: int | None = payout.amount_fen
        for plant in of_day(world, app_id, ACCOUNT_BILL, payout.on):
            if plant.kind == "settlement":
                amount_fen = None if plant.details.get("mode") == "missing" else plant.fen(payout.amount_fen + 1)
        if amount_fen is not None:
            lines.append(
                {
                    "booked_on": payout.on.isoformat(),
                    "amount_fen": amount_fen,
                    "counterparty": "支付宝（中国）网络技术有限公司",
                    "reference": payout.flow_no,
                    "summary": "支付宝提现",
                }
            )
    return lines
