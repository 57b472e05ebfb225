"""What a careful clerk would write down about bills, prepaid money, orders and refunds: no SQL, and no code of ours.

A bill and a purse (a prepaid account) are things that money goes into and comes back from; an order asks for some of
them, whole or in part; what the channel took for an order and nothing could take is astray until it goes back.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

LIVE, PAID, CLOSED = "LIVE", "PAID", "CLOSED"
APPLIED, DUPLICATE, DIFFERENCE = "applied", "duplicate", "difference"
ENDED = ("SUCCEEDED", "CLOSED", "FAILED", "REJECTED")
CAME_TO_NOTHING = ENDED[1:]
SAME_FOR_MIN, EXPIRED_AFTER_MIN = 28, 30
SMALLEST_TOP_UP_FEN = 100


@dataclass(eq=False)
class Bill:
    house: int
    principal_fen: int
    paid_fen: int = 0
    refunded_fen: int = 0
    voided: bool = False

    @property
    def kept_fen(self) -> int:
        return self.paid_fen - self.refunded_fen

    @property
    def due_fen(self) -> int:
        return 0 if self.voided else self.principal_fen - self.kept_fen

    @property
    def state(self) -> str:
        if self.voided:
            return "VOIDED"
        if not self.due_fen:
            return "PAID"
        return "PARTLY_PAID" if self.kept_fen else "ISSUED"


@dataclass(eq=False)
class Purse:
    house: int
    balance_fen: int = 0
    promised_fen: int = 0


@dataclass(eq=False)
class Line:
    """`going_fen`: what went back of it, or may."""

    thing: Bill | Purse
    amount_fen: int
    going_fen: int = 0

    @property
    def left_fen(self) -> int:
        return self.amount_fen - self.going_fen


@dataclass(eq=False)
class Order:
    payer: int | None
    account: str
    lines: list[Line]
    at_min: int
    state: str = LIVE
    charged: bool = False
    astray: "dict[str, Astray]" = field(default_factory=dict)

    @property
    def amount_fen(self) -> int:
        return sum(line.amount_fen for line in self.lines)

    @property
    def going_fen(self) -> int:
        return sum(line.going_fen for line in self.lines)

    def shares(self, things: Iterable[Bill | Purse]) -> bool:
        return any(line.thing in things for line in self.lines)


@dataclass(eq=False)
class Astray:
    """Money of an order that nothing could take: `why` is `second_payment` or `late_payment`."""

    order: Order
    why: str
    booked_fen: int
    going_fen: int = 0
    returned_fen: int = 0
    open: bool = True

    @property
    def decided(self) -> bool:
        return self.booked_fen > 0 and self.returned_fen == self.booked_fen


@dataclass(eq=False)
class Refund:
    """Of an order, line by line, or of money astray. `automatic`: nobody had to approve it."""

    order: Order
    parts: dict[Line, int]
    astray: Astray | None
    amount_fen: int
    state: str
    automatic: bool = False

    @property
    def at_counter(self) -> bool:
        return self.order.account != "clearing"


Job = tuple[str, Order | Astray | Refund | int]
"""What waits to be done: (event, what about)."""
OVERTAKEN, OPENED, DUE, TOPPED_UP = (
    "payments.overtaken", "payments.difference_opened", "payments.refund_due", "fees.prepaid_topped_up",
)  # fmt: skip


class Books:
    """All of it."""

    def __init__(self, houses: int) -> None:
        self.minute = 0
        self.bills: list[Bill] = []
        self.purses = {(house, purpose): Purse(house) for house in range(houses) for purpose in ("property", "general")}
        self.orders: list[Order] = []
        self.refunds: list[Refund] = []
        self.money = dict.fromkeys(("clearing", "cash", "card", "suspense"), 0)
        self.jobs: list[Job] = []

    @property
    def astray(self) -> list[Astray]:
        return [each for order in self.orders for each in order.astray.values()]

    # Orders.

    def place(
        self, payer: int | None, wanted: Sequence[tuple[Bill | Purse, int | None]], account: str = "clearing"
    ) -> Order | None:
        """The order, a new one or the same one again; None where it is refused. Nobody (`payer` None): the counter."""
        things = [thing for thing, _ in wanted]
        while True:
            lines = self._priced(wanted)
            if lines is None:
                return None
            held = [order for order in self.orders if order.state == LIVE and order.shares(things)]
            if payer is not None:
                for order in held:
                    if self._is_same(order, payer, lines):
                        return order
                if any(o.payer != payer and self.minute - o.at_min < EXPIRED_AFTER_MIN for o in held):
                    return None
            if not held:
                order = Order(payer, account, lines, self.minute)
                self.orders.append(order)
                return order
            for order in held:
                if self.close(order) != CLOSED:
                    return None

    def _priced(self, wanted: Sequence[tuple[Bill | Purse, int | None]]) -> list[Line] | None:
        lines = []
        for thing, chosen_fen in wanted:
            if isinstance(thing, Purse):
                if chosen_fen is None or chosen_fen < SMALLEST_TOP_UP_FEN:
                    return None
                lines.append(Line(thing, chosen_fen))
                continue
            amount_fen = thing.due_fen if chosen_fen is None else chosen_fen
            if not 1 <= amount_fen <= thing.due_fen:
                return None
            lines.append(Line(thing, amount_fen))
        return lines

    def _is_same(self, order: Order, payer: int, lines: list[Line]) -> bool:
        same = {(line.thing, line.amount_fen) for line in order.lines} == {(x.thing, x.amount_fen) for x in lines}
        return same and order.payer == payer and self.minute - order.at_min < SAME_FOR_MIN

    def close(self, order: Order) -> str | None:
        """Its state then; None where the channel has money for it that is in dispute."""
        if order.state == LIVE:
            if order.charged and self.hear(order) == DIFFERENCE and not self._decided(order):
                return None
            if order.state == LIVE:
                order.state = CLOSED
        return order.state

    def _decided(self, order: Order) -> bool:
        return any(each.decided for each in order.astray.values())

    def hear(self, order: Order) -> str:
        """The channel's word that it has the money of an order."""
        order.charged = True
        if order.state == PAID:
            return DUPLICATE
        if any(each.going_fen for each in order.astray.values()):
            return DIFFERENCE
        fitting = all(isinstance(x.thing, Purse) or 1 <= x.amount_fen <= x.thing.due_fen for x in order.lines)
        if not fitting:
            self._lead_astray(order, "late_payment" if order.state == CLOSED else "second_payment")
            return DIFFERENCE
        self.take(order)
        self._withdraw(order)
        return APPLIED

    def take(self, order: Order) -> None:
        """The money goes where the order says."""
        for line in order.lines:
            if isinstance(line.thing, Bill):
                line.thing.paid_fen += line.amount_fen
            else:
                line.thing.balance_fen += line.amount_fen
        for house in {line.thing.house for line in order.lines if isinstance(line.thing, Purse)}:
            self.jobs.append((TOPPED_UP, house))
        self.money[order.account] += order.amount_fen
        was, order.state = order.state, PAID
        if was == CLOSED:
            things = [line.thing for line in order.lines]
            self.jobs += [(OVERTAKEN, o) for o in self.orders if o.state == LIVE and o.shares(things)]

    def _lead_astray(self, order: Order, why: str) -> None:
        self._withdraw(order, spare=why)
        if why in order.astray:
            return
        order.astray[why] = Astray(order, why, order.amount_fen)
        self.money["clearing"] += order.amount_fen
        self.money["suspense"] += order.amount_fen
        self.jobs.append((OPENED, order.astray[why]))

    def _withdraw(self, order: Order, spare: str = "") -> None:
        for each in order.astray.values():
            if each.booked_fen and each.why != spare:
                self.money["clearing"] -= each.booked_fen
                self.money["suspense"] -= each.booked_fen
                each.booked_fen, each.open = 0, False

    # Prepaid money.

    def settle(self, house: int) -> int:
        """The oldest bill first, its own purse before the general one; what an order asks for is left to it."""
        held = {line.thing for order in self.orders if order.state == LIVE for line in order.lines}
        used_fen = 0
        for bill in self.bills:
            if bill.house != house or bill in held:
                continue
            for purpose in ("property", "general"):
                purse = self.purses[house, purpose]
                amount_fen = min(bill.due_fen, purse.balance_fen - purse.promised_fen)
                bill.paid_fen += amount_fen
                purse.balance_fen -= amount_fen
                used_fen += amount_fen
        return used_fen

    # Refunds.

    def ask_back(self, order: Order, parts: dict[Line, int] | None) -> Refund | None:
        """A refund that waits for a second person; `parts` None: all that is left. None where it is refused."""
        if order.state != PAID:
            return None
        if parts is None:
            parts = {line: line.left_fen for line in order.lines if line.left_fen}
        if not parts or any(not 1 <= fen <= line.left_fen for line, fen in parts.items()):
            return None
        for line, fen in parts.items():
            if isinstance(line.thing, Purse) and fen > line.thing.balance_fen - line.thing.promised_fen:
                return None
        refund = Refund(order, parts, None, sum(parts.values()), "REQUESTED")
        self._hold(refund, 1)
        self.refunds.append(refund)
        return refund

    def ask_back_astray(self, astray: Astray, amount_fen: int | None) -> Refund | None:
        left_fen = astray.booked_fen - astray.going_fen
        wanted_fen = left_fen if amount_fen is None else amount_fen
        if not 1 <= wanted_fen <= left_fen:
            return None
        refund = Refund(astray.order, {}, astray, wanted_fen, "REQUESTED")
        self._hold(refund, 1)
        self.refunds.append(refund)
        return refund

    def _hold(self, refund: Refund, sign: int) -> None:
        if refund.astray is not None:
            refund.astray.going_fen += sign * refund.amount_fen
        for line, fen in refund.parts.items():
            line.going_fen += sign * fen
            if isinstance(line.thing, Purse):
                line.thing.promised_fen += sign * fen

    def approve(self, refund: Refund) -> None:
        refund.state = "APPROVED"
        self.jobs.append((DUE, refund))

    def give_back_by_rule(self, astray: Astray) -> Refund | None:
        """What came twice or late goes back by itself, unless what it paid for is open again."""
        if not astray.open or not astray.booked_fen or astray.going_fen:
            return None
        if self.hear(astray.order) != DIFFERENCE or not astray.open or not astray.booked_fen:
            return None
        refund = Refund(astray.order, {}, astray, astray.booked_fen, "REQUESTED", automatic=True)
        self._hold(refund, 1)
        self.refunds.append(refund)
        self.approve(refund)
        return refund

    def end(self, refund: Refund, state: str) -> None:
        """What is known about a refund now; what has ended stays so."""
        if refund.state in ENDED:
            return
        refund.state = state
        if state in CAME_TO_NOTHING:
            self._hold(refund, -1)
        if state == "SUCCEEDED":
            self._gone(refund)

    def _gone(self, refund: Refund) -> None:
        """The money has left: a bill is owed again, a purse and suspense hold less."""
        self.money[refund.order.account] -= refund.amount_fen
        for line, fen in refund.parts.items():
            if isinstance(line.thing, Bill):
                line.thing.refunded_fen += fen
            else:
                line.thing.balance_fen -= fen
                line.thing.promised_fen -= fen
        if refund.astray is not None:
            self.money["suspense"] -= refund.amount_fen
            refund.astray.returned_fen += refund.amount_fen
            refund.astray.open &= refund.astray.returned_fen < refund.astray.booked_fen

    def check(self) -> None:
        """What holds at any time, by the clerk's own arithmetic (I-04, I-06, I-09, I-12)."""
        for bill in self.bills:
            assert 0 <= bill.kept_fen <= bill.principal_fen and not (bill.voided and bill.kept_fen)
        for purse in self.purses.values():
            assert 0 <= purse.promised_fen <= purse.balance_fen
        for line in (line for order in self.orders for line in order.lines):
            assert 0 <= line.going_fen <= line.amount_fen
        kept_fen = sum(bill.kept_fen for bill in self.bills) + sum(p.balance_fen for p in self.purses.values())
        assert sum(self.money[name] for name in ("clearing", "cash", "card")) == kept_fen + self.money["suspense"]
