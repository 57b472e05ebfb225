"""The price of a stay: units, caps, minimum, earlier entries, coupons, and a line for each (D8).

Promises, for every tariff that can be parsed: the amount never falls with a later leaving; it never exceeds a cap; it
is 0 within the free time; the lines add up to it; the same question has the same answer; paying early and topping up
costs what paying once costs. Pure: the kinds of days are asked of the caller. Instants are aware UTC, money is fen.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from backend.parking.prices import coupons as vouchers
from backend.parking.prices import explaining
from backend.parking.prices.coupons import Coupon, Use
from backend.parking.prices.folding import Fold, Part, fold
from backend.parking.prices.metering import CapKey, Cut, Meter, Run
from backend.parking.prices.stay import Kinds, Presence, date_of, instant, seconds
from backend.parking.prices.tariff import FreeKind, Tariff
from backend.parking.prices.timetable import DAY_S, MINUTE_S

# A run of units, or what a cap took off.
Told = Run | tuple[CapKey, Cut]


@dataclass(frozen=True, slots=True)
class Line:
    """One step of a price. `amount_fen` is negative for what caps, coupons and earlier payments take off.

    `inputs` is plain JSON for the record; `units` is 0 where no units are counted.
    """

    label: str
    starts_at: datetime
    ends_at: datetime
    units: int
    amount_fen: int
    inputs: dict[str, Any] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Price:
    """What is asked for a stay that ends at the instant that was given.

    `amount_fen` is the sum of the lines, `gross_fen` the same before coupons. `free_until` is the last instant of the
    free time (the entry, where there is none). `steady_until` is the last instant to which the car may stay at the same
    amount; None where the amount never grows again. Looked for a month ahead: a later one is not promised. With coupons
    the amount may stay longer than that.
    """

    amount_fen: int
    gross_fen: int
    lines: tuple[Line, ...]
    coupons_used: tuple[str, ...]
    free_until: datetime
    steady_until: datetime | None

    @property
    def text(self) -> str:
        """All lines and the amount as one Chinese sentence."""
        return explaining.summary([line.label for line in self.lines], self.amount_fen)


@dataclass(frozen=True, slots=True)
class Visit:
    """An earlier stay of the same plate; `settled_fen` is what was paid for it and what coupons took off."""

    entered_at: datetime
    left_at: datetime
    settled_fen: int


def price(
    tariff: Tariff,
    *,
    entered_at: datetime,
    left_at: datetime,
    day_kind: Kinds,
    coupons: Sequence[Coupon] = (),
    earlier: Sequence[Visit] = (),
) -> Price:
    """The price of the stay [entered_at, left_at), less what visits that count as one with it have settled.

    `earlier` may hold any stays of the plate, see `together`. ValueError where the car leaves before it enters.
    """
    if left_at < entered_at:
        raise ValueError("a car does not leave before it enters")
    joined = together(tariff, earlier, entered_at)
    bill = _Bill(tariff, _presence(joined, entered_at, left_at), day_kind)
    settled_fen = min(sum(visit.settled_fen for visit in joined), bill.due_fen)
    gross_fen = bill.due_fen - settled_fen
    uses = vouchers.choose(coupons, gross_fen, bill.worth_fen)
    return Price(
        amount_fen=gross_fen - sum(use.off_fen for use in uses),
        gross_fen=gross_fen,
        lines=(*bill.lines(), *bill.deductions(settled_fen, uses)),
        coupons_used=tuple(use.coupon.id for use in uses),
        free_until=instant(bill.free_until_s),
        steady_until=bill.steady_until(),
    )


def amount_fen(tariff: Tariff, *, entered_at: datetime, left_at: datetime, day_kind: Kinds) -> int:
    """The amount of `price`, without coupons and earlier visits, and without its explanation: for many stays."""
    return _Bill(tariff, _presence((), entered_at, left_at), day_kind).due_fen


def top_up(whole: Price, paid_fen: int) -> int:
    """What is still to be paid after the grace has passed: the price of the whole stay less what was paid, in fen.

    The price is asked with the coupons that were used for the first payment, so that they count again.
    """
    return max(0, whole.amount_fen - paid_fen)


def together(tariff: Tariff, earlier: Sequence[Visit], entered_at: datetime) -> tuple[Visit, ...]:
    """The earlier visits that count as one stay with an entry at `entered_at` (多次进出按一次计), in order.

    A visit opens a group, and entries within the tariff's time after that entry belong to it; the next entry opens
    another. `earlier` should therefore reach back to an entry that followed on none within that time.
    """
    if tariff.reentry is None:
        return ()
    within_s = tariff.reentry.within_min * MINUTE_S
    group: list[Visit] = []
    for visit in sorted((each for each in earlier if each.entered_at < entered_at), key=lambda each: each.entered_at):
        if group and seconds(visit.entered_at) - seconds(group[0].entered_at) > within_s:
            group = []
        group.append(visit)
    if group and seconds(entered_at) - seconds(group[0].entered_at) > within_s:
        return ()
    return tuple(group)


def _presence(visits: Sequence[Visit], entered_at: datetime, left_at: datetime) -> Presence:
    """Visits that overlap, as after an exit seen late, are cut: no second is charged twice."""
    spans: list[tuple[int, int]] = []
    starts = [*(seconds(visit.entered_at) for visit in visits), seconds(entered_at)]
    for number, visit in enumerate(visits):
        spans.append((starts[number], max(starts[number], min(seconds(visit.left_at), starts[number + 1]))))
    return Presence((*spans, (starts[-1], seconds(left_at))))


class _Bill:
    """One reading of a presence and what follows from it."""

    def __init__(self, tariff: Tariff, presence: Presence, day_kind: Kinds) -> None:
        self.tariff = tariff
        self.presence = presence
        self.day_kind = day_kind
        free = tariff.free
        self.free_s = free.minutes * MINUTE_S if free else 0
        self.deducted_s = self.free_s if free and free.kind is FreeKind.DEDUCTED else 0
        self.entered_s, self.left_s = presence.spans[-1]
        self.free_until_s = self.entered_s + max(0, self.free_s - presence.before_s)
        self.within = presence.total_s <= self.free_s
        self.meter = self._meter(presence)
        self.due_fen = 0 if self.within else self.meter.shown_fen

    def _meter(self, presence: Presence) -> Meter:
        meter = Meter(self.tariff)
        meter.read(presence.after(self.deducted_s), entered_s=presence.spans[0][0], day_kind=self.day_kind)
        return meter

    def worth_fen(self, minutes: int) -> int:
        """What the first minutes of this stay that are charged cost, without the price of the entry."""
        before_s = max(self.presence.before_s, self.deducted_s)
        before_fen = self._meter(self.presence.first(before_s)).shown_fen
        entry_fen = self.meter.entry_fen
        until = self._meter(self.presence.first(before_s + minutes * MINUTE_S))
        return until.shown_fen - max(before_fen, entry_fen)

    def steady_until(self) -> datetime | None:
        if self.within and self.meter.shown_fen:
            return instant(self.free_until_s)
        at_s = self.meter.ahead()
        if at_s is None:
            return None
        return instant(max(at_s, self.free_until_s) if self.within else at_s)

    def lines(self) -> list[Line]:
        """Free time, entry, units, caps and minimum, in order of time."""
        lines, free, meter = [], self.tariff.free, self.meter
        if free and (self.within or self.deducted_s):
            label = explaining.free(free.minutes, within=self.within)
            lines.append(self._line(label, 0, {"kind": "free", "minutes": free.minutes}))
        if self.within:
            return lines
        dated = date_of(self.presence.spans[0][0]) != date_of(max(self.left_s - 1, self.entered_s))
        lines += [self._told(each, dated=dated) for each in fold(self._parts())]
        added_fen = self.due_fen - meter.total_fen
        if added_fen:
            label = explaining.minimum(self.tariff.minimum_fen, added_fen)
            lines.append(self._line(label, added_fen, {"kind": "minimum", "minimum_fen": self.tariff.minimum_fen}))
        return lines

    def _parts(self) -> list[Part[Told]]:
        """What is told of each day, in order of time: runs, and each cap after the last run that it cut."""
        meter = self.meter
        cuts: dict[int, list[tuple[CapKey, Cut]]] = {}
        for key, cut in meter.cuts.items():
            cuts.setdefault(cut.after, []).append((key, cut))
        parts: list[Part[Told]] = []
        for number, run in enumerate(meter.runs):
            day = run.starts_s // DAY_S
            parts.append(Part(day, self._sign(run, day, run.units, run.raw_fen, run.rest_s), run))
            for key, cut in cuts.get(number, ()):
                parts.append(Part(day, self._sign(cut.run, day, key[0], cut.cap_fen, cut.off_fen), (key, cut)))
        return parts

    def _sign(self, run: Run, day: int, *more: int | str) -> tuple[object, ...]:
        """Equal where the same is told of another day."""
        since_s, until_s = run.starts_s - day * DAY_S, min(run.ends_s, self.left_s) - day * DAY_S
        return (run.band, run.step, since_s, until_s, *more)

    def _told(self, told: Fold[Told], *, dated: bool) -> Line:
        """The line of what is told of one day, or of many that are equal."""
        days = told.days
        first = self._single(told.first.what, dated=dated and days == 1, each=days > 1)
        if days == 1:
            return first
        last, amount_fen = self._single(told.last.what, dated=False, each=True), first.amount_fen * days
        label = explaining.folded(
            first.label, days, span=(told.first.day * DAY_S, told.last.day * DAY_S), amount_fen=amount_fen
        )
        inputs = first.inputs | {"days": days}
        return Line(label, first.starts_at, last.ends_at, first.units * days, amount_fen, inputs)

    def _single(self, what: Told, *, dated: bool, each: bool) -> Line:
        return self._run(what, dated=dated) if isinstance(what, Run) else self._cut(*what, dated=dated, each=each)

    def deductions(self, settled_fen: int, uses: Sequence[Use]) -> list[Line]:
        """What earlier entries settled, and what coupons take off."""
        lines = []
        if settled_fen:
            label = explaining.settled(settled_fen)
            lines.append(self._line(label, -settled_fen, {"kind": "settled", "settled_fen": settled_fen}))
        for use in uses:
            coupon = use.coupon
            inputs = {"kind": "coupon", "id": coupon.id, "coupon": coupon.kind.value, "value": coupon.value}
            lines.append(self._line(explaining.use(use), -use.off_fen, inputs))
        return lines

    def _line(self, label: str, amount_fen: int, inputs: dict[str, Any]) -> Line:
        return Line(label, instant(self.presence.spans[0][0]), instant(self.left_s), 0, amount_fen, inputs)

    def _run(self, run: Run, *, dated: bool) -> Line:
        step = run.step
        inputs: dict[str, Any] = {"kind": "entry" if step is None else "time", "window": run.band.text}
        if step is not None:
            inputs |= {
                "from_min": step.starts_s // MINUTE_S,
                "to_min": None if step.ends_s is None else step.ends_s // MINUTE_S,
                "increment_min": step.unit_s // MINUTE_S,
                "price_fen": step.price_fen,
                "units": run.units,
                "rest_s": run.rest_s,
            }
        label = explaining.run(run, dated=dated)
        units = run.units if step is not None else 0
        # A begun unit may reach beyond the stay.
        ends_at = instant(min(run.ends_s, self.left_s))
        return Line(label, instant(run.starts_s), ends_at, units, run.raw_fen, inputs)

    def _cut(self, key: CapKey, cut: Cut, *, dated: bool, each: bool) -> Line:
        kind, number = key[0], key[1]
        label = explaining.cut(kind, number, cut, self.tariff, dated=dated, each=each)
        inputs = {"kind": f"{kind}_cap", "cap_fen": cut.cap_fen, "off_fen": cut.off_fen}
        ends_at = instant(min(cut.run.ends_s, self.left_s))
        return Line(label, instant(cut.run.starts_s), ends_at, 0, -cut.off_fen, inputs)
