"""The requests about the counter: every asker who may works in a fresh shift of a place where the asker works."""

from uuid import UUID

from backend.composition import APPROVALS
from backend.kernel import approvals
from backend.kernel.audit import Actor
from backend.kernel.db import Tx
from backend.ledger import accounts
from backend.ledger.accounts import Code, Key
from payments import refunds
from payments.channels.base import Method
from payments.counter import takings
from payments.counter.takings import Paper, Taken
from payments.payables import Kind, Wish
from payments.refunds import Limit
from tests import factories
from tests.security import fresh
from tests.security.prepared import Prepared, plain, request
from tests.security.world import ROLE_OF, Who, World, open_drawer, place_of

_SHIFT = "/admin/v1/counter/shifts"
plain("GET /admin/v1/counter/shifts", f"{_SHIFT}?limit=100")
plain("GET /admin/v1/counter/shifts/{shift_id}", f"{_SHIFT}/{{shift}}")
plain("GET /admin/v1/counter/shifts/{shift_id}/paper", f"{_SHIFT}/{{shift}}/paper")
plain("GET /admin/v1/counter/shifts/{shift_id}/vouchers", f"{_SHIFT}/{{shift}}/vouchers?limit=100")
plain("GET /admin/v1/counter/due", "/admin/v1/counter/due?house_id={house}")
plain("GET /admin/v1/counter/due #by person", "/admin/v1/counter/due?person_id={owner}")
plain("GET /admin/v1/counter/refunds", "/admin/v1/counter/refunds")
plain("GET /admin/v1/counter/deposits", "/admin/v1/counter/deposits?limit=100")
plain("GET /admin/v1/receipts", "/admin/v1/receipts?limit=100")
plain("GET /admin/v1/receipts/{receipt_id}", "/admin/v1/receipts/{receipt}")
plain("GET /admin/v1/receipts/{receipt_id}/paper", "/admin/v1/receipts/{receipt}/paper?size=241")
plain("GET /api/v1/payments/{payment_id}/receipt", "/api/v1/payments/{order}/receipt")
plain("GET /api/v1/payments/{payment_id}/receipt/paper", "/api/v1/payments/{order}/receipt/paper")


async def at_work(world: World, who: Who) -> None:
    """An open shift of the asker, and of both strangers: what one was refused is asked by the next one again."""
    for name in {who.name, "neighbour", "rival"} & set(ROLE_OF):
        await open_drawer(world, world.ids[f"staff_{name}"], place_of(world, name))


async def taken(world: World) -> tuple[Taken, UUID]:
    """Cash that a fresh colleague took for a bill of the house, and the colleague."""
    cashier = await factories.staff(world.res, world.a, "cashier")
    await open_drawer(world, cashier.id, world.a)
    bill = await fresh.bill(world)
    amount_fen: int = await world.res.db.fetchval("SELECT principal_fen FROM bill WHERE id = $1", bill)

    async def work(tx: Tx) -> Taken:
        return await takings.take(
            tx, Actor("staff", cashier.id), res=world.res, communities=(world.a.id,), wishes=[Wish(Kind.BILL, bill)],
            paper=Paper(number(world), Method.CASH, amount_fen, amount_fen),
        )  # fmt: skip

    return await world.res.db.transact(work), cashier.id


def number(world: World) -> str:
    return f"M{world.next():06d}"


@request("GET /admin/v1/counter/due #by code")
async def due_by_code(world: World, who: Who) -> Prepared:
    code = await world.res.db.fetchval("SELECT pay_code FROM house WHERE id = $1", world.ids["house"])
    return Prepared(f"/admin/v1/counter/due?pay_code={code}")


@request("POST /admin/v1/counter/shifts")
async def open_shift(world: World, who: Who) -> Prepared:
    await at_work(world, who)
    await world.res.db.execute(
        """UPDATE cashier_shift SET state = 'CLOSED', closed_at = opened_at, expected_fen = 0, counted_fen = 0
            WHERE cashier_id = $1 AND state = 'OPEN'""",
        who.id,
    )
    body = {"community_id": str(world.a.id), "float_fen": 50_000}
    return Prepared("/admin/v1/counter/shifts", body, shows=(world.a.id,), touches=(world.a.id,))


@request("POST /admin/v1/counter/shifts/{shift_id}/close")
async def close_shift(world: World, who: Who) -> Prepared:
    cashier = who.id if who.name in ("cashier", "manager", "admin") else world.ids["staff_second"]
    assert cashier is not None
    shift = await open_drawer(world, cashier, world.a)
    return Prepared(f"{_SHIFT}/{shift}/close", {"counted_fen": 10_000_000}, shows=(shift,), touches=(shift,))


@request("POST /admin/v1/counter/shifts/{shift_id}/close #of somebody else")
async def close_shift_of_other(world: World, who: Who) -> Prepared:
    cashier = await factories.staff(world.res, world.a, "cashier")
    shift = await open_drawer(world, cashier.id, world.a)
    return Prepared(f"{_SHIFT}/{shift}/close", {"counted_fen": 10_000_000}, shows=(shift,), touches=(shift,))


@request("POST /admin/v1/counter/takings")
async def take(world: World, who: Who) -> Prepared:
    await at_work(world, who)
    bill, paper = await fresh.bill(world), number(world)
    amount_fen = await world.res.db.fetchval("SELECT principal_fen FROM bill WHERE id = $1", bill)
    body = {"lines": [{"id": str(bill)}], "method": "cash", "voucher_no": paper, "amount_fen": amount_fen}
    return Prepared("/admin/v1/counter/takings", body, touches=(bill, paper))


@request("POST /admin/v1/counter/codes")
async def show_code(world: World, who: Who) -> Prepared:
    await at_work(world, who)
    bill = await fresh.bill(world)
    return Prepared("/admin/v1/counter/codes", {"lines": [{"id": str(bill)}], "channel": "wechat"}, touches=(bill,))


@request("POST /admin/v1/counter/vouchers/{voucher_id}/void")
async def propose_void(world: World, who: Who) -> Prepared:
    made, _ = await taken(world)
    path = f"/admin/v1/counter/vouchers/{made.voucher_id}/void"
    return Prepared(path, {"reason": "收错房号"}, touches=(made.order_id,))


@request("POST /admin/v1/counter/refunds/{refund_id}/pay-out")
async def pay_out(world: World, who: Who) -> Prepared:
    await at_work(world, who)
    made, cashier = await taken(world)

    async def approved(tx: Tx) -> UUID:
        asked = await refunds.request(
            tx, Actor("staff", cashier), order_id=made.order_id, limits={world.a.id: Limit(10_000_000)}, parts=None,
            reason="收错房号",
        )  # fmt: skip
        second = Actor("staff", world.ids["staff_second"])
        await approvals.decide(tx, second, asked.approval_id, approve=True, note="同意", kinds=APPROVALS)
        return asked.refund_id

    refund = await world.res.db.transact(approved)
    path = f"/admin/v1/counter/refunds/{refund}/pay-out"
    return Prepared(path, {"voucher_no": number(world)}, shows=(made.order_id,), touches=(refund,))


@request("POST /admin/v1/counter/deposits")
async def bring_deposit(world: World, who: Who) -> Prepared:
    made, _ = await taken(world)
    await world.res.db.transact(lambda tx: accounts.ensure(tx, Key(world.a.id, Code.BANK, world.a.company_id)))
    slip = f"B{number(world)}"
    body = {"shift_id": str(made.shift_id), "amount_fen": 100, "deposited_on": "2026-09-01", "slip_no": slip}
    return Prepared("/admin/v1/counter/deposits", body, shows=(slip,), touches=(made.shift_id, slip))


@request("POST /admin/v1/orders/{order_id}/receipt")
async def issue_receipt(world: World, who: Who) -> Prepared:
    made, _ = await taken(world)
    return Prepared(f"/admin/v1/orders/{made.order_id}/receipt", shows=(made.order_id,), touches=(made.order_id,))
