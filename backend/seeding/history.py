"""Two months of history, played on the shared clock: bills issued and paid, messages sent, as if the system had run.

The clock goes back to the first of the month before last and walks to the present, so that our books and the sandbox's
carry the same instants. Each step looks at what is there already: a history that was cut off is carried on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import partial
from http import HTTPStatus
from uuid import UUID

from backend.fees import billing_run, bills, periods, runs
from backend.fees.states import OPEN_BILLS, RunState
from backend.identity import staff
from backend.kernel import clock, leases
from backend.kernel.audit import Actor
from backend.kernel.auth import HouseScope
from backend.kernel.clock import SHANGHAI
from backend.kernel.errors import Unavailable
from backend.kernel.outbox import Handler
from backend.kernel.resources import Resources
from backend.property import occupancy
from backend.seeding import gathering
from backend.seeding.joining import Joined
from payments import asking, closing, orders, prepay
from payments.asking import Said
from payments.orders import Payer
from payments.payables import Kind, Wish
from workers import edge

JOBS_AT_ONCE = 200
LEASE_S = 60
# On these days of a month so many of ten payers have paid: most of the older month, half of the newer one.
PAYDAYS = (((3, 4), (9, 6), (18, 7)), ((3, 2), (8, 4), (15, 5)))


@dataclass(frozen=True, slots=True)
class Traveller:
    """Moves the shared clock; `base_offset_s` is the present that the travel ends at."""

    res: Resources
    base_offset_s: int

    def present(self) -> datetime:
        """The instant that the shared clock shows without the travel."""
        moved_s = clock.read_offset_s(self.res.settings.data_dir) - self.base_offset_s
        return self.res.clock.now() - timedelta(seconds=moved_s)

    def go(self, day: date, hour: int) -> None:
        """Make it `hour` o'clock in Shanghai on `day`."""
        there = datetime.combine(day, time(hour), SHANGHAI)
        step_s = int((there - self.present()).total_seconds())
        clock.write_offset_s(self.res.settings.data_dir, self.base_offset_s + step_s)

    def come_back(self) -> None:
        """Make it the present again."""
        if self.base_offset_s:
            clock.write_offset_s(self.res.settings.data_dir, self.base_offset_s)
        else:
            clock.reset_offset(self.res.settings.data_dir)


def months_before(today: date) -> tuple[date, date]:
    """The firsts of the month before last and of the last month."""
    return periods.add_months(today, -2), periods.add_months(today, -1)


async def manager_of(res: Resources, company_id: UUID, login: str) -> Actor:
    """The member of staff who makes the bills."""
    members = await staff.members(res.db, company_id, limit=100)
    return Actor("staff", next(member.id for member in members if member.login == login), None)


async def bill_month(res: Resources, manager: Actor, community_id: UUID, month: date) -> tuple[int, int]:
    """Run and publish every item for the month that begins on `month`; returns the number of bills and their sum."""
    count = total_fen = 0
    for item in await runs.active_items(res.db):
        run_id = await _run_of(res, manager, community_id, item["id"], month)
        while not (await res.db.transact(partial(billing_run.generate_chunk, run_id=run_id))).done:
            continue
        run = await _published(res, manager, community_id, run_id)
        count, total_fen = count + run.bill_count, total_fen + run.total_fen
    return count, total_fen


async def _run_of(res: Resources, manager: Actor, community_id: UUID, item_id: UUID, month: date) -> UUID:
    """The item's run for the month, made where there is none."""
    found = await runs.in_communities(
        res.db, [community_id], community_id=None, item_id=item_id, state=None, before=None, limit=100
    )
    for row in found:
        if row["period_start"] == month:
            run_id: UUID = row["id"]
            return run_id
    made = await res.db.transact(
        lambda tx: billing_run.create(tx, manager, item_id=item_id, communities=[community_id], day=month)
    )
    return made.id


async def _published(res: Resources, manager: Actor, community_id: UUID, run_id: UUID) -> billing_run.Run:
    row = await runs.row_of(res.db, run_id, communities=[community_id])
    if row["state"] == RunState.PUBLISHED:
        return billing_run.of_row(row)
    return await res.db.transact(lambda tx: billing_run.publish(tx, manager, run_id=run_id, communities=[community_id]))


async def pay_bills(res: Resources, community_id: UUID, payers: Sequence[Joined]) -> tuple[int, int]:
    """Each payer pays all open bills in one order, as a phone would; returns the number of orders and their sum."""
    amounts = await gathering.each(payers, lambda payer: _pay(res, community_id, payer))
    return sum(amount > 0 for amount in amounts), sum(amounts)


async def _pay(res: Resources, community_id: UUID, payer: Joined) -> int:
    placed = await place(res, community_id, payer)
    if placed is None:
        return 0
    order_id, amount_fen, prepay_id = placed
    if not await _tap_pay(res, prepay_id):
        # An order that an earlier seed left behind when it was cut off.
        await closing.close(res, order_id, reason="ended_at_channel")
        return 0
    if await asking.ask_now(res, order_id) is not Said.PAID:
        raise Unavailable(f"沙箱没有确认这笔支付（{order_id}）。", code="sandbox_refused")
    return amount_fen


async def place(res: Resources, community_id: UUID, payer: Joined) -> tuple[UUID, int, str] | None:
    """An order over all open bills that the payer may see: its id, amount in fen, prepay id; None without bills."""
    today = clock.local_date(res.clock.now())
    ties = await occupancy.of_people(res.db, [payer.person_id], community_ids=[community_id], today=today)
    scope = HouseScope(
        person_id=payer.person_id,
        full=tuple(tie.house_id for tie in ties if tie.role != "tenant"),
        owner=tuple(tie.house_id for tie in ties if tie.role == "owner"),
        tenant=tuple(tie.house_id for tie in ties if tie.role == "tenant"),
    )
    owed = await bills.of_resident(res.db, scope, states=OPEN_BILLS, before=None, limit=orders.MAX_LINES)
    if not owed:
        return None
    placed = await res.db.transact(
        lambda tx: orders.place(
            tx, Payer(scope.person_id, scope, payer.appid, payer.openid), res=res,
            actor=Actor("resident", payer.person_id, None), wishes=[Wish(Kind.BILL, bill["id"]) for bill in owed],
        )
    )  # fmt: skip
    parameters = await prepay.pay_parameters(res, placed.order_id)
    return placed.order_id, placed.amount_fen, parameters["package"].removeprefix("prepay_id=")


async def _tap_pay(res: Resources, prepay_id: str) -> bool:
    """Tap 支付 in the sandbox's cashier; False where it takes no money for this order."""
    url = f"{res.settings.wechat_pay_url.rstrip('/')}/cashier/{prepay_id}/pay"
    answer = await res.egress.request("POST", url)
    return answer.status == HTTPStatus.OK


async def do_jobs(res: Resources, handlers: Mapping[str, Handler]) -> None:
    """Do what is due in the outbox, as a worker would: messages, shipping reports."""
    while claimed := await leases.claim(res.db, limit=JOBS_AT_ONCE, lease_s=LEASE_S):
        await gathering.each(claimed, lambda lease: edge.work(res, handlers, lease, False))
