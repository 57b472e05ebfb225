"""The words of a price: one Chinese label for each line, which a driver can check with a watch (design principle 6)."""

from datetime import date

from backend.kernel.money import yuan_text
from backend.parking.prices.coupons import CouponKind, Use
from backend.parking.prices.metering import Cut, Run
from backend.parking.prices.stay import date_of
from backend.parking.prices.tariff import DayBy, Tariff
from backend.parking.prices.timetable import MINUTE_S, Step, span_text


def run(found: Run, *, dated: bool) -> str:
    """`日间 07:00–21:00 首小时内 4 个 15 分钟 × 2.50 元 = 10.00 元`, with its date where a stay has several."""
    step = found.step
    if step is None:
        return f"{_where(found, None, dated=dated)} 按次收费 {yuan_text(found.raw_fen)} 元"
    if not found.units:
        rest = f"余 {_length(found.rest_s)}，不足 {step.unit_text}，不收费"
        return f"{_where(found, None, dated=dated)} {rest}"
    where = _where(found, step, dated=dated)
    if not step.price_fen:
        return f"{where} {found.units} 个 {step.unit_text}，免费"
    price = f"{found.units} 个 {step.unit_text} × {yuan_text(step.price_fen)} 元"
    return f"{where} {price} = {yuan_text(found.raw_fen)} 元"


def cut(kind: str, number: int, found: Cut, tariff: Tariff, *, dated: bool, each: bool = False) -> str:
    """`每日封顶 30.00 元，减 5.00 元`: what a cap took off, of one day or (`each`) of each of many."""
    if kind == "segment":
        what = _where(found.run, found.run.step, dated=dated)
    elif kind == "window":
        what = _where(found.run, None, dated=dated)
    elif kind == "day" and tariff.day is not None and tariff.day.by is DayBy.ROLLING:
        what = f"第 {number + 1} 个 24 小时" if not each else "24 小时内"
    elif kind == "day":
        what = _day(found.run.starts_s) if not each else "当日"
    else:
        what = "本次停车"
    return f"{what} 封顶 {yuan_text(found.cap_fen)} 元，减 {yuan_text(found.off_fen)} 元"


def folded(label: str, days: int, *, span: tuple[int, int], amount_fen: int) -> str:
    """`9月2日至9月30日共 29 天，每天 … = 10.00 元，合计 290.00 元`; `…之间有 21 天` where other days lie between."""
    first, last = date_of(span[0]), date_of(span[1])
    years = first.year != last.year
    words = "至".join(f"{day.year}年{day.month}月{day.day}日" if years else _day_text(day) for day in (first, last))
    among = "共" if (last - first).days + 1 == days else "之间有"
    total = f"，合计 {yuan_text(amount_fen)} 元" if amount_fen > 0 else ""
    total = f"，合计减 {yuan_text(-amount_fen)} 元" if amount_fen < 0 else total
    return f"{words}{among} {days} 天，每天 {label}{total}"


def free(minutes: int, *, within: bool) -> str:
    """What free minutes did: all that there is to pay for, or only the beginning."""
    length = span_text(minutes)
    return f"免费时长 {length}内离场，不收费" if within else f"前 {length}免费，之后开始计费"


def minimum(minimum_fen: int, added_fen: int) -> str:
    """`最低收费 5.00 元，补 2.00 元`."""
    return f"最低收费 {yuan_text(minimum_fen)} 元，补 {yuan_text(added_fen)} 元"


def settled(fen: int) -> str:
    """What earlier entries that count as one with this have settled."""
    return f"多次进出按一次计，此前已结清 {yuan_text(fen)} 元"


def use(found: Use) -> str:
    """What a coupon takes off."""
    coupon, off = found.coupon, yuan_text(found.off_fen)
    if coupon.kind is CouponKind.MINUTES:
        return f"优惠券抵 {span_text(coupon.value)}，减 {off} 元"
    if coupon.kind is CouponKind.MONEY:
        return f"优惠券抵 {yuan_text(coupon.value)} 元，减 {off} 元"
    if coupon.kind is CouponKind.PERCENT:
        return f"优惠券减免 {coupon.value}%，减 {off} 元"
    return f"优惠券免费放行，减 {off} 元"


def summary(labels: list[str], amount_fen: int) -> str:
    """The whole story in one sentence."""
    return "；".join([*labels, f"应付 {yuan_text(amount_fen)} 元"]) + "。"


def _where(found: Run, step: Step | None, *, dated: bool) -> str:
    words = f"{_day(found.starts_s)} {found.band.text}" if dated else found.band.text
    return f"{words} {step.text}" if step is not None and step.text else words


def _day(at_s: int) -> str:
    return _day_text(date_of(at_s))


def _day_text(day: date) -> str:
    return f"{day.month}月{day.day}日"


def _length(seconds: int) -> str:
    minutes, rest = divmod(seconds, MINUTE_S)
    if not rest:
        return span_text(minutes)
    return f"{minutes} 分 {rest} 秒" if minutes else f"{rest} 秒"
