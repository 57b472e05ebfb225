"""All money at once against a plain-Python model (I-04 to I-12): bills, orders, the counter, refunds, prepaid money.

A story is a list of steps: things happen at the channel, are told, told again, told late or never; people ask for
refunds and others decide; jobs run whenever they run. After each step the rows are what the model says; after each
story all invariants hold, and the clearing account is what the channel owes.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from backend.composition import APPROVALS, CHECKS, HANDLERS
from backend.fees import bills, prepaid_uses
from backend.fees.prepaid import Purpose
from backend.kernel import approvals, checks
from backend.kernel.audit import SYSTEM
from backend.kernel.auth import HouseScope
from backend.kernel.db import Tx
from backend.kernel.errors import AppError
from backend.kernel.leases import Lease
from payments import asking, closing, orders, refund_calls
from payments.channels.base import ChannelRefund, Method, RefundState
from payments.counter import takings, voids
from payments.counter.takings import Paper
from payments.orders import Payer
from payments.payables import Kind, Wish
from payments.refunds import Part
from tests import factories
from tests.conftest import Run, Sandbox
from tests.factories_counter import Counter as Desk
from tests.factories_counter import counter, voucher_no
from tests.factories_payments import sound, stage
from tests.factories_prepaid import account
from tests.factories_refunds import Refunds, actor, rig
from tests.property.money_model import (
    DUE,
    OPENED,
    OVERTAKEN,
    PAID,
    TOPPED_UP,
    Bill,
    Books,
    Line,
    Order,
    Purse,
    Refund,
)
from workers import edge

HOUSES = 2
MONEY = [check for check in CHECKS if check.code <= "I-12"]
MANY_FEN = 10_000_000
KEYS = {OVERTAKEN: "order_id", OPENED: "difference_id", DUE: "refund_id", TOPPED_UP: "house_id"}
STATES = {
    RefundState.PROCESSING: "PROCESSING",
    RefundState.SUCCESS: "SUCCEEDED",
    RefundState.ABNORMAL: "ABNORMAL",
    RefundState.CLOSED: "CLOSED",
}

PURPOSES = ("property", "general")
# 0: all of it; 1000: one fen too much; else so many thousandths.
SHARES = (0, 0, 0, 1, 250, 333, 500, 500, 999, 1000)
SUMS_FEN = (99, 100, 2_001, 9_999, 20_000)
HOW = ("done", "taken", "taken", "taken then silence", "silence", "refused")
DECISIONS = ("approve", "approve", "approve", "approve", "reject", "alone")


def _which(draw: Random) -> int:
    return draw.randrange(12)


def _some(draw: Random) -> tuple[list[int], int, tuple[str, int] | None]:
    """Up to three bills, which share of each, and now and then a top-up."""
    top_up = (draw.choice(PURPOSES), draw.choice(SUMS_FEN)) if draw.random() < 0.3 else None
    return [draw.randrange(6) for _ in range(draw.choice((1, 1, 2, 3)))], draw.choice(SHARES), top_up


# Of each step: how often, among those that find something to do, and what it is given.
STEPS: dict[str, tuple[int, Callable[[Random], tuple[Any, ...]]]] = {
    "bill": (4, lambda draw: (draw.randrange(HOUSES), draw.randrange(2, 20_000))),
    "void": (1, lambda draw: (_which(draw),)),
    "place": (5, lambda draw: (draw.randrange(2), *_some(draw))),
    "counter": (2, lambda draw: (*_some(draw), draw.choice(("cash", "card")))),
    "charge": (3, lambda draw: (_which(draw),)),
    "tell": (5, lambda draw: (_which(draw),)),
    "ask": (1, lambda draw: (_which(draw),)),
    "close": (3, lambda draw: (_which(draw),)),
    "settle": (1, lambda draw: (draw.randrange(HOUSES),)),
    "wait": (1, lambda draw: (draw.randrange(1, 20),)),
    "ask_back": (4, lambda draw: (_which(draw), draw.choice(SHARES), draw.random() < 0.5)),
    "ask_back_astray": (3, lambda draw: (_which(draw), draw.choice(SHARES))),
    "decide": (5, lambda draw: (_which(draw), draw.choice(DECISIONS))),
    "channel_ends": (4, lambda draw: (_which(draw), draw.choice([*STATES][1:]), draw.random() < 0.7)),
    "tell_again": (2, lambda draw: (_which(draw), _which(draw))),
    "ask_refund": (3, lambda draw: (_which(draw), draw.choice(HOW))),
    "pay_out": (2, lambda draw: (_which(draw),)),
    "job": (6, lambda draw: (_which(draw), draw.choice(HOW))),
}

# One row for each thing that the model knows: what, which, a word, three numbers.
ROWS = """
    SELECT 'bill' AS what, id::text AS which, state AS word, paid_fen AS a, refunded_fen AS b, 0 AS c
      FROM bill WHERE id = ANY ($1::uuid[])
     UNION ALL
    SELECT 'order', o.id::text, CASE WHEN o.state IN ('CREATED', 'PAYING') THEN 'LIVE' ELSE o.state END,
           o.amount_fen, a.refunding_fen, 0
      FROM payment_order o JOIN payment_attempt a ON a.order_id = o.id WHERE o.id = ANY ($1::uuid[])
     UNION ALL
    SELECT 'refund', id::text, state, amount_fen, automatic::integer, unapplied::integer
      FROM refund WHERE id = ANY ($1::uuid[])
     UNION ALL
    SELECT class, order_id::text, CASE state WHEN 'OPEN' THEN 'open' ELSE 'done' END,
           booked_fen, refunding_fen, refunded_fen
      FROM difference WHERE order_id = ANY ($1::uuid[])
     UNION ALL
    SELECT 'purse', l.id::text, '', coalesce(figure.fen, 0), coalesce(p.promised_fen, 0), 0
      FROM prepaid_account l
      LEFT JOIN (SELECT subject_id, fen FROM figure WHERE code = 'prepaid') AS figure ON figure.subject_id = l.id
      LEFT JOIN prepaid_promised p ON p.account_id = l.id
     WHERE l.id = ANY ($1::uuid[])
     UNION ALL
    SELECT 'owed', subject_id::text, '', -fen, 0, 0 FROM figure WHERE code = 'receivable' AND fen <> 0
     UNION ALL
    SELECT code, '', '', CASE code WHEN 'suspense' THEN fen ELSE -fen END, 0, 0
      FROM figure WHERE code IN ('clearing', 'cash', 'card', 'suspense') AND fen <> 0
     UNION ALL
    SELECT 'job', key, event, 0, 0, 0 FROM waiting
"""

# Credit less debit; `waiting`: the jobs that the model knows of, by what they are about.
STANDING = f"""
    WITH figure AS MATERIALIZED (
        SELECT a.code, CASE WHEN a.subject_id = ANY ($1::uuid[]) THEN a.subject_id END AS subject_id,
               sum(side.fen)::bigint AS fen
          FROM (SELECT credit_account AS account_id, amount_fen AS fen FROM posting
                 UNION ALL
                SELECT debit_account, -amount_fen FROM posting) AS side
          JOIN account a ON a.id = side.account_id
         WHERE a.code IN ('clearing', 'cash', 'card', 'suspense') OR a.subject_id = ANY ($1::uuid[])
         GROUP BY 1, 2
    ), waiting AS (
        SELECT o.event, named.key
          FROM outbox o
         CROSS JOIN LATERAL (SELECT coalesce(payload ->> 'difference_id', payload ->> 'refund_id',
                                             payload ->> 'house_id', payload ->> 'order_id') AS key) AS named
         WHERE o.state = 'READY' AND o.event = ANY ($2::text[]) AND named.key = ANY ($1::text[])
    )
    {ROWS}
"""
WAITING = """
    SELECT id, event, payload, attempt, failures FROM outbox
     WHERE state = 'READY' AND event = ANY ($1::text[])
       AND (payload ->> 'order_id' = ANY ($2::text[]) OR payload ->> 'difference_id' = ANY ($2::text[])
            OR payload ->> 'refund_id' = ANY ($2::text[]) OR payload ->> 'house_id' = ANY ($2::text[]))
     ORDER BY id
"""
LEASE = """
    UPDATE outbox SET state = 'LEASED', attempt = attempt + 1, lease_until = run_at + interval '1 day'
     WHERE id = $1 RETURNING attempt
"""


class Story:
    """One example: two houses with their purses; what the product does, and beside it what the model does."""

    def __init__(self, refunds: Refunds, desk: Desk, houses: Sequence[UUID]) -> None:
        self.refunds, self.desk, self.play, self.res = refunds, desk, refunds.play, refunds.play.res
        self.channel = refunds.channel
        self.houses = houses
        self.books = Books(len(houses))
        self.ids: dict[Any, UUID] = {}
        self.pending: list[tuple[Bill | Refund, UUID]] = []
        self.told: dict[Refund, list[ChannelRefund]] = {}
        self.before: dict[str, int] = {}
        self.owed_before_fen = self.channel.books_fen

    async def begin(self) -> None:
        for (house, purpose), purse in self.books.purses.items():
            self.ids[purse] = await account(self.play, Purpose(purpose), house_id=self.houses[house])
        self.before = {row["what"]: row["a"] for row in await self._standing() if row["what"] in self.books.money}

    async def step(self, name: str, *arguments: Any) -> None:
        await getattr(self, name)(*arguments)
        self.books.check()
        await self.agrees()

    def possible(self) -> list[str]:
        """The steps that find something to do, each as often as it should come."""
        books = self.books
        none_yet = {
            "bill": len(books.bills) > 7,
            "ask_back_astray": not any(each.booked_fen for each in books.astray),
            "decide": not self.pending,
            "channel_ends": not self._open_at_channel(),
            "tell_again": not self.told,
            "ask_refund": not self._under_way(),
            "pay_out": not self._to_hand_over(),
            "job": not books.jobs,
            **dict.fromkeys(("charge", "tell", "ask", "close"), not self._online()),
            "ask_back": not books.orders,
        }
        return [name for name, (weight, _) in STEPS.items() for _ in range(weight) if not none_yet.get(name)]

    # What happens.

    async def bill(self, house: int, amount_fen: int) -> None:
        bill = Bill(house, amount_fen)
        self.ids[bill] = await self.play.bill(amount_fen, house_id=self.houses[house])
        self.books.bills.append(bill)

    async def void(self, which: int) -> None:
        """Somebody asks for a bill to be voided."""
        if (bill := self._one(self._to_pay(), which)) is None:
            return
        possible = not bill.voided and not bill.kept_fen and all(what is not bill for what, _ in self.pending)
        propose = partial(
            bills.propose_void, actor=actor(self.refunds.asker), bill_id=self.ids[bill], reason="开错了",
            communities=(self.play.place.id,),
        )  # fmt: skip
        asked = await self._try(self.res.db.transact(propose), possible)
        if asked is not None:
            self.pending.append((bill, asked.id))

    async def place(self, payer: int, some: list[int], share: int, top_up: tuple[str, int] | None) -> None:
        wanted, wishes = self._wanted(some, share, top_up)
        if not wanted:
            return
        model = self.books.place(payer, wanted)
        who = (self.play.owner, self.play.family)[payer]
        scope = HouseScope(who.id, tuple(self.houses), tuple(self.houses), ())
        online = Payer(who.id, scope, factories.APPID, who.openid)

        async def work(tx: Tx) -> UUID:
            return (await orders.place(tx, online, res=self.res, actor=SYSTEM, wishes=wishes)).order_id

        placed = await self._try(
            closing.make_room(self.res, SYSTEM, place=lambda: self.res.db.transact(work)), model is not None
        )
        if model is not None:
            assert self.ids.setdefault(model, placed) == placed

    async def counter(self, some: list[int], share: int, top_up: tuple[str, int] | None, account: str) -> None:
        wanted, wishes = self._wanted(some, share, top_up)
        if not wanted:
            return
        model = self.books.place(None, wanted, account)
        amount_fen = model.amount_fen if model else 1
        paper = Paper(voucher_no(), Method(account), amount_fen, amount_fen)

        async def work(tx: Tx) -> UUID:
            taken = await takings.take(
                tx, self.desk.actor, res=self.res, communities=self.desk.communities, wishes=wishes, paper=paper
            )
            return taken.order_id

        place = closing.make_room(self.res, self.desk.actor, place=lambda: self.res.db.transact(work))
        taken = await self._try(place, model is not None)
        if model is not None:
            self.ids[model] = taken
            self.books.take(model)

    async def charge(self, which: int) -> None:
        """The payer pays, even after the order was closed; nobody here is told."""
        if (order := self._one([each for each in self._online() if not each.charged], which)) is not None:
            await self.channel.paid(self.ids[order])
            order.charged = True

    async def tell(self, which: int) -> None:
        """The payer pays, if he has not yet, and the channel tells us, perhaps again."""
        if (order := self._one(self._unpaid_first(), which)) is not None:
            assert (await self.channel.tell_paid(self.ids[order])).value == self.books.hear(order)

    async def ask(self, which: int) -> None:
        if (order := self._one(self._online(), which)) is not None:
            await asking.ask_now(self.res, self.ids[order])
            if order.charged:
                self.books.hear(order)

    async def close(self, which: int) -> None:
        if (order := self._one(self._online(), which)) is not None:
            ended = self.books.close(order)
            found = await self._try(closing.close(self.res, self.ids[order], reason="cancelled"), ended is not None)
            assert found == ended

    async def settle(self, house: int) -> None:
        """The nightly use of prepaid money."""
        found = await self.res.db.transact(partial(prepaid_uses.settle_house, house_id=self.houses[house]))
        assert found.amount_fen == self.books.settle(house)

    async def wait(self, minutes: int) -> None:
        await self.play.later(minutes=minutes)
        self.books.minute += minutes

    # Refunds.

    async def ask_back(self, which: int, share: int, first_only: bool) -> None:
        """Somebody asks for all that is left of an order, or for parts of its lines."""
        if (order := self._one(self._refundable_first(), which)) is None:
            return
        rows = await self.refunds.lines(self.ids[order])
        line_ids = {row["payable_id"]: row["id"] for row in rows}
        chosen: dict[Line, int] | None = None
        if share:
            lines = order.lines[:1] if first_only else [line for line in order.lines if line.left_fen]
            chosen = {line: _share(line.left_fen, share) for line in lines}
            if not chosen:
                return
        model = self.books.ask_back(order, chosen)
        parts = [Part(line_ids[self.ids[line.thing]], fen) for line, fen in (chosen or {}).items()]
        await self._asked(self.refunds.request(self.ids[order], *parts), model)

    async def ask_back_astray(self, which: int, share: int) -> None:
        if (astray := self._one([each for each in self.books.astray if each.booked_fen], which)) is None:
            return
        amount_fen = _share(astray.booked_fen - astray.going_fen, share) if share else None
        model = self.books.ask_back_astray(astray, amount_fen)
        await self._asked(self.refunds.request_of_difference(self.ids[astray], amount_fen), model)

    async def _asked(self, asking_: Any, model: Refund | None) -> None:
        asked = await self._try(asking_, model is not None)
        if model is not None:
            assert asked.amount_fen == model.amount_fen
            self.ids[model] = asked.refund_id
            self.pending.append((model, asked.approval_id))

    async def decide(self, which: int, how: str) -> None:
        """Another person decides, or the same one tries to."""
        if (one := self._one(self.pending, which)) is None:
            return
        what, approval_id = one
        stale = isinstance(what, Bill) and how == "approve" and bool(what.voided or what.kept_fen)
        who = actor(self.refunds.asker if how == "alone" else self.refunds.approver)
        decide = partial(
            approvals.decide, actor=who, approval_id=approval_id, approve=how != "reject", note="", kinds=APPROVALS
        )
        decided = await self._try(self.res.db.transact(decide), how != "alone" and not stale)
        if decided is None:
            return
        self.pending.remove(one)
        if isinstance(what, Bill):
            what.voided = how == "approve"
        elif how == "approve":
            self.books.approve(what)
        else:
            self.books.end(what, "REJECTED")

    async def channel_ends(self, which: int, said: RefundState, told: bool) -> None:
        """The channel comes to an end with a refund, or to a stop, and perhaps tells us."""
        if (refund := self._one(self._open_at_channel(), which)) is None:
            return
        self.told[refund].append(self.channel.end_refund(self.told[refund][-1].out_refund_no, said))
        if told:
            await self._tell_refund(refund, self.told[refund][-1])

    async def tell_again(self, which: int, word: int) -> None:
        """Any word about a refund is told, the newest or an old one."""
        if (refund := self._one(list(self.told), which)) is not None:
            await self._tell_refund(refund, self.told[refund][word % len(self.told[refund])])

    async def _tell_refund(self, refund: Refund, word: ChannelRefund) -> None:
        moves = refund.state not in ("SUCCEEDED", "CLOSED") and refund.state != STATES[word.state]
        outcome = await self.channel.tell_refund(word)
        assert outcome.value == ("applied" if moves else "duplicate")
        self.books.end(refund, STATES[word.state])

    async def ask_refund(self, which: int, how: str) -> None:
        """We ask about a refund that is under way; one that the channel has never heard of is sent again."""
        if (refund := self._one(self._under_way(), which)) is None:
            return
        sent = refund not in self.told
        with _Scripted(self, how):
            await refund_calls.ask_now(self.res, self.ids[refund])
        if sent:
            self._sent(refund, how)
        else:
            self.books.end(refund, STATES[self.told[refund][-1].state])

    async def pay_out(self, which: int) -> None:
        """A cashier hands over a refund, or is refused."""
        if (refund := self._one(self._to_hand_over(), which)) is None:
            return
        hand_over = partial(
            voids.pay_out, actor=self.desk.actor, communities=self.desk.communities, refund_id=self.ids[refund],
            voucher_no=voucher_no(),
        )  # fmt: skip
        paid = await self._try(self.res.db.transact(hand_over), refund.state == "APPROVED")
        if paid is not None:
            assert paid.amount_fen == refund.amount_fen
            self.books.end(refund, "SUCCEEDED")

    # Jobs.

    async def job(self, which: int, how: str) -> None:
        """One of the jobs runs."""
        if (row := self._one(await self._waiting(), which)) is None:
            return
        event, about = row["event"], self._about(row)
        if event == DUE:
            # The channel takes one refund of an order a minute.
            await self.wait(2)
        with _Scripted(self, how):
            attempt = await self.res.db.fetchval(LEASE, row["id"])
            lease = Lease(row["id"], attempt, event, row["payload"], 0, self.res.clock.now())
            await edge.work(self.res, HANDLERS, lease, False)
        if self._ran(event, about, how):
            self.books.jobs.remove((event, about))
        await self._name_automatic(about)

    def _about(self, row: Any) -> Any:
        wanted = UUID(row["payload"][KEYS[row["event"]]])
        found = [job for job in self.books.jobs if job[0] == row["event"] and self._id(job[1]) == wanted]
        assert found, row
        return found[0][1]

    def _id(self, what: Any) -> UUID:
        return self.houses[what] if isinstance(what, int) else self.ids[what]

    def _ran(self, event: str, about: Any, how: str) -> bool:
        """The model does the job; whether it is done with it."""
        if event == OVERTAKEN:
            return self.books.close(about) is not None
        if event == TOPPED_UP:
            self.books.settle(about)
        if event == OPENED:
            self.books.give_back_by_rule(about)
        if event == DUE and not about.at_counter:
            self._sent(about, how)
        return True

    def _sent(self, refund: Refund, how: str) -> None:
        """A refund was sent to the channel, which did this or that."""
        self.books.end(refund, "SUBMITTING")
        number = next((r.out_refund_no for r in reversed(self.channel.requests)), "")
        if how == "refused":
            self.books.end(refund, "FAILED")
        if number in self.channel.refunds:
            self.told[refund] = [self.channel.refunds[number]]
            if how != "taken then silence":
                self.books.end(refund, STATES[self.channel.refunds[number].state])

    async def _name_automatic(self, about: Any) -> None:
        """Learn the ids of what a job has made."""
        for refund in self.books.refunds:
            if refund not in self.ids:
                self.ids[refund] = await self.res.db.fetchval(
                    "SELECT id FROM refund WHERE automatic AND difference_id = $1 ORDER BY id DESC LIMIT 1",
                    self.ids[refund.astray],
                )

    # The end.

    async def ends_well(self) -> None:
        """Everything that was lost is found, and everything that was begun comes to an end."""
        for number in range(len(self._online())):
            await self.step("ask", number)
        for _ in range(4):
            for number in range(len(self.books.jobs)):
                await self.step("job", number, "done")
            for _ in self._open_at_channel():
                await self.step("channel_ends", 0, RefundState.SUCCESS, False)
            for _ in self._under_way():
                await self.step("ask_refund", 0, "done")
        assert not self._under_way() and not self._open_at_channel()
        assert {event for event, _ in self.books.jobs} <= {OVERTAKEN}
        assert self.books.money["clearing"] == self.channel.books_fen - self.owed_before_fen
        findings = await checks.run(self.res.db, MONEY)
        assert [(each.check, each.samples) for each in findings if each.offenders] == []

    async def agrees(self) -> None:
        """The rows are what the model says."""
        for order in self.books.orders:
            for astray in order.astray.values():
                if astray not in self.ids:
                    self.ids[astray] = await self.res.db.fetchval(
                        "SELECT id FROM difference WHERE order_id = $1 AND class = $2", self.ids[order], astray.why
                    )
        found = Counter((tuple(row)[:2], *tuple(row)[2:]) for row in await self._standing())
        assert found == Counter(self._expected())

    def _expected(self) -> Iterator[tuple[tuple[str, str], str, int, int, int]]:
        """The rows that the model makes."""
        books = self.books

        def row(what: str, which: Any, word: str = "", *numbers: int) -> tuple[tuple[str, str], str, int, int, int]:
            a, b, c = (*numbers, 0, 0, 0)[:3]
            return (what, str(which)), word, a, b, c

        for bill in books.bills:
            yield row("bill", self.ids[bill], bill.state, bill.paid_fen, bill.refunded_fen)
        for order in books.orders:
            yield row("order", self.ids[order], order.state, order.amount_fen, order.going_fen)
        for refund in books.refunds:
            yield row("refund", self.ids[refund], refund.state, refund.amount_fen, refund.automatic)
        for each in books.astray:
            word = "open" if each.open else "done"
            yield row(each.why, self.ids[each.order], word, each.booked_fen, each.going_fen, each.returned_fen)
        for purse in books.purses.values():
            yield row("purse", self.ids[purse], "", purse.balance_fen, purse.promised_fen)
        for number, house_id in enumerate(self.houses):
            if owed_fen := sum(bill.due_fen for bill in books.bills if bill.house == number):
                yield row("owed", house_id, "", owed_fen)
        for name, fen in books.money.items():
            if total_fen := self.before.get(name, 0) + fen:
                yield row(name, "", "", total_fen)
        for event, what in books.jobs:
            yield row("job", self._id(what), event)

    async def _standing(self) -> Any:
        ids = [*self.ids.values(), *self.houses]
        return await self.res.db.fetch(STANDING, ids, list(KEYS))

    async def _waiting(self) -> Any:
        ids = [str(each) for each in (*self.ids.values(), *self.houses)]
        return await self.res.db.fetch(WAITING, list(KEYS), ids)

    # Choosing.

    async def _try(self, work: Any, possible: bool) -> Any:
        """What came of it, None where it was refused; both as the model says."""
        try:
            made = await work
        except AppError as refused:
            assert not possible, refused
            return None
        assert possible, made
        return made

    def _wanted(
        self, some: list[int], share: int, top_up: tuple[str, int] | None
    ) -> tuple[list[tuple[Bill | Purse, int | None]], list[Wish]]:
        """What somebody wants to pay, for the model and for the product."""
        wanted: list[tuple[Bill | Purse, int | None]] = []
        bills_ = self._to_pay()
        for bill in {bills_[n % len(bills_)]: None for n in some} if bills_ else ():
            wanted.append((bill, _share(bill.due_fen, share) if share else None))
        if top_up is not None:
            wanted.append((self.books.purses[0, top_up[0]], top_up[1]))
        kinds = [Kind.BILL if isinstance(thing, Bill) else Kind.PREPAID for thing, _ in wanted]
        wishes = [Wish(kind, self.ids[thing], fen) for kind, (thing, fen) in zip(kinds, wanted, strict=True)]
        return wanted, wishes

    def _to_pay(self) -> list[Bill]:
        """Mostly what is due, and something that is not."""
        due = [bill for bill in self.books.bills if bill.due_fen]
        return due + [bill for bill in self.books.bills if not bill.due_fen][:1]

    def _unpaid_first(self) -> list[Order]:
        unpaid = [order for order in self._online() if order.state != PAID]
        return unpaid + [order for order in self._online() if order.state == PAID][-1:]

    def _refundable_first(self) -> list[Order]:
        """Orders of which something is left to give back; where there is none, any."""
        return [each for each in self.books.orders if each.state == PAID and each.going_fen < each.amount_fen] or list(
            self.books.orders
        )

    def _open_at_channel(self) -> list[Refund]:
        under_way = (RefundState.PROCESSING, RefundState.ABNORMAL)
        return [refund for refund, words in self.told.items() if words[-1].state in under_way]

    def _under_way(self) -> list[Refund]:
        return [each for each in self.books.refunds if each.state in ("SUBMITTING", "PROCESSING", "ABNORMAL")]

    def _to_hand_over(self) -> list[Refund]:
        here = [each for each in self.books.refunds if each.at_counter]
        return [each for each in here if each.state == "APPROVED"] + here[-1:]

    def _online(self) -> list[Order]:
        return [order for order in self.books.orders if order.account == "clearing"]

    def _one(self, of: Sequence[Any], which: int) -> Any:
        return of[which % len(of)] if of else None

    def _ids(self, of: Sequence[Any]) -> list[UUID]:
        return [self.ids[each] for each in of]


class _Scripted:
    """What the channel does when a refund is sent, if one is."""

    def __init__(self, story: Story, how: str) -> None:
        self.channel, self.how = story.channel, how

    def __enter__(self) -> None:
        said = {"silence": "silence", "taken then silence": "act_then_silence", "refused": "PARAMERROR"}
        self.channel.next_refund.extend([said[self.how]] if self.how in said else [])
        self.channel.ends_at_once = self.how == "done"

    def __exit__(self, *_: object) -> None:
        self.channel.next_refund.clear()


def _share(left_fen: int, share: int) -> int:
    return left_fen + 1 if share == 1000 else max(1, left_fen * share // 1000)


@pytest.fixture
def refunds(sandbox_res: Any, sandbox: Sandbox, run: Run, monkeypatch: pytest.MonkeyPatch) -> Refunds:
    return run(rig(run(stage(sandbox_res, sandbox)), monkeypatch))


def _tell(refunds: Refunds, run: Run, examples: int) -> None:
    play = refunds.play
    desk = run(counter(play, float_fen=MANY_FEN))
    run(play.res.db.execute("UPDATE merchant SET automatic_refund_fen = $1 WHERE channel = 'wechat'", 10**12))
    run(play.later(days=31))
    told = iter(range(10_000))

    async def story(seeds: list[int]) -> None:
        number = next(told)
        houses = [await factories.house(play.res, play.place, f"{9 - n}{number:04}") for n in range(HOUSES)]
        one = Story(replace(refunds), desk, houses)
        await one.begin()
        for seed in seeds:
            draw = Random(seed)
            name = draw.choice(one.possible())
            arguments = STEPS[name][1](draw)
            note(f"{name}{arguments}")
            await one.step(name, *arguments)
        await one.ends_well()

    @settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
        derandomize=True,
    )
    @given(st.lists(st.integers(0, 2**64), min_size=30, max_size=60))
    def stories(seeds: list[int]) -> None:
        run(story(seeds))

    stories()
    run(sound(play.res))


def test_all_money_is_where_the_model_says(refunds: Refunds, run: Run) -> None:
    _tell(refunds, run, 55)


@pytest.mark.long
@pytest.mark.timeout(3000)
def test_all_money_for_longer(refunds: Refunds, run: Run) -> None:
    _tell(refunds, run, 500)
