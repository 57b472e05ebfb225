"""What the pages behind a lane's code look like: at the exit what a car owes, at the entry the way in without plate."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from uuid import UUID

from backend.kernel.clock import SHANGHAI
from backend.kernel.http import Reply
from backend.kernel.money import yuan_text
from miniprogram_api.scan_views import Words, buttons, hidden, reply
from payments.channels.base import Method

WORDS = Words(
    title="停车",
    back="返回停车页面",
    paid="支付完成，请不要重复支付。车停在出口时道闸会自动抬起；没有抬起请联系门岗保安。",
    trouble="暂时不能办理",
    unknown_code="这个车道码已失效或不存在，请联系门岗保安。",
    being_paid="有人正在为这辆车付费，请稍后再看，不要重复支付。",
)
PAUSED = "线上缴费暂停中，请联系门岗保安，到收费窗口付费。"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the code stands: the lane, the path of its page, and what its forms carry about the payer."""

    lot: str
    lane: str
    path: str
    payer: str


@dataclass(frozen=True, slots=True)
class Owing:
    """What is to be paid: the quote, the lines that explain it (label, fen), what was paid before, and the ways."""

    quote_id: UUID
    lines: Sequence[tuple[str, int]]
    paid_before_fen: int
    amount_fen: int
    methods: Sequence[Method]
    paused: bool


@dataclass(frozen=True, slots=True)
class Car:
    """A car inside. `plate`: masked, None for a car without one. `own`: the stay of whoever looks.

    `owing` None: nothing is due; it is paid where `leave_by` says until when it may leave.
    """

    plate: str | None
    own: bool
    entered_at: datetime
    owing: Owing | None
    leave_by: datetime | None


def at_exit(place: Place, car: Car | None) -> Reply:
    """The car at this exit, or the one that was asked for; and a field for another plate."""
    parts = [_heading(place)]
    if car is None:
        parts.append("<section><p>没有查到停在这个出口的车，请输入车牌号查询停车费。</p></section>")
    else:
        parts.append(_car(place, car))
    parts.append(_ask_plate(place, "车牌号" if car is None else "为别的车付费，请输入车牌号"))
    parts.append('<p class="note">付费无需登录。付款后请稍等片刻，不要重复支付。</p>')
    return reply(WORDS.title, "\n".join(parts))


def at_entry(place: Place, *, entered_at: datetime | None) -> Reply:
    """The way in for a car without a plate; `entered_at`: whoever looks has a car inside already."""
    if entered_at is not None:
        return entered(place, entered_at=entered_at)
    body = (
        f"{_heading(place)}<section><h2>无牌车扫码进场</h2><p>请把车开到道闸前停稳，再点“进场”，道闸随后抬起。</p>"
        "<p>出场时请用同一部手机、同一个应用扫出口的车道码付费。</p>"
        f'{_button(place, "enter", "进场")}</section><p class="note">有车牌的车由相机识别，不用扫码。</p>'
    )
    return reply(WORDS.title, body)


def entered(place: Place, *, entered_at: datetime) -> Reply:
    """The car is in."""
    body = (
        f'{_heading(place)}<section role="status"><h2>您的无牌车已进场</h2><p>进场时间：{_moment(entered_at)}</p>'
        "<p>出场时请用同一部手机、同一个应用扫出口的车道码付费。</p></section>"
        '<p class="note">道闸没有抬起请联系门岗保安。</p>'
    )
    return reply(WORDS.title, body)


def left(place: Place) -> Reply:
    """The car may go."""
    body = (
        f'{_heading(place)}<section role="status"><h2>一路平安</h2><p>道闸随后抬起。</p></section>'
        '<p class="note">道闸没有抬起请联系门岗保安。</p>'
    )
    return reply(WORDS.title, body)


def _heading(place: Place) -> str:
    return f"<h1>{escape(place.lot)} {escape(place.lane)}</h1>"


def _car(place: Place, car: Car) -> str:
    name = "无牌车" if car.plate is None else escape(car.plate)
    head = f"<section><h2>{name}</h2><p>进场时间：{_moment(car.entered_at)}</p>"
    if car.owing is not None:
        return f"{head}{_owing(place, car.owing)}</section>"
    if car.leave_by is not None:
        told = f"停车费已支付，请在 {_moment(car.leave_by)} 前出场，不要重复支付。"
    else:
        told = "现在无需付费。"
    if car.own:
        return f'{head}<p role="status">{told}</p>{_button(place, "leave", "出场")}</section>'
    return f'{head}<p role="status">{told}出口识别到车牌后自动抬杆；没有抬起请联系门岗保安。</p></section>'


def _owing(place: Place, owing: Owing) -> str:
    lines = [*owing.lines, ("此前已付", -owing.paid_before_fen)] if owing.paid_before_fen else owing.lines
    shown = "".join(f"<li><span>{escape(label)}</span><span>{yuan_text(fen)} 元</span></li>" for label, fen in lines)
    fields = hidden({"quote_id": str(owing.quote_id), "payer": place.payer})
    ways = f'<p class="note">{PAUSED}</p>' if owing.paused else buttons(owing.methods, owing.amount_fen)
    return (
        f'<p class="sum">{yuan_text(owing.amount_fen)} 元</p><ul>{shown}</ul>'
        f'<form method="post" action="{escape(place.path)}/orders">{fields}{ways}</form>'
    )


def _ask_plate(place: Place, label: str) -> str:
    return (
        f'<section><form method="post" action="{escape(place.path)}/plate">{hidden({"payer": place.payer})}'
        f'<label>{label}<input name="plate" maxlength="10" required autocomplete="off"></label>'
        '<button class="go">查询停车费</button></form></section>'
    )


def _button(place: Place, act: str, text: str) -> str:
    fields = hidden({"payer": place.payer})
    return f'<form method="post" action="{escape(place.path)}/{act}">{fields}<button class="go">{text}</button></form>'


def _moment(instant: datetime) -> str:
    here = instant.astimezone(SHANGHAI)
    return f"{here.month}月{here.day}日 {here:%H:%M}"
