"""Paid repairs on real rows: prices, quotes, warranty, parts, money owed and let off, costs (D9, D6)."""

from datetime import date
from uuid import uuid4

import asyncpg
import pytest

from backend.kernel.approvals import Stale
from backend.kernel.auth import HouseScope
from backend.kernel.errors import AppError
from backend.kernel.resources import Resources
from backend.tickets import sweeping
from backend.tickets.moves import Move
from backend.tickets.paid import costs, payable, price_list, signatures
from backend.tickets.paid.lines import Free, LineWish
from backend.tickets.paid.price_list import Terms
from backend.tickets.paid.states import Sort
from backend.tickets.step import Who
from payments.channels.base import Method
from payments.counter import takings
from payments.counter.takings import Paper
from payments.payables import Kind, Wish
from tests import factories_counter, factories_payments, factories_repairs, factories_tickets
from tests.conftest import Run, Sandbox
from tests.factories_counter import voucher_no
from tests.factories_repairs import LABOUR_FEN, VALVE_FEN, Workshop
from tests.factories_tickets import GRABBED, STARS, Desk

QUOTED_FEN = LABOUR_FEN + 2 * VALVE_FEN


@pytest.fixture
def shop(desk: Desk, run: Run) -> Workshop:
    return run(factories_repairs.workshop(desk))


async def refusal(code: str, made: object) -> AppError:
    with pytest.raises(AppError) as caught:
        await made  # type: ignore[misc]
    assert caught.value.code == code, caught.value
    return caught.value


async def test_d9_a_changed_quote_needs_a_new_agreement_and_parts_leave_with_the_work(shop: Workshop) -> None:
    desk = shop.desk
    ticket = await shop.on_site()
    quote = lambda lines: desk.move(desk.worker(), ticket, Move.QUOTE, lines=lines)  # noqa: E731
    agree = lambda version: desk.move(desk.resident(), ticket, Move.AGREE, version=version)  # noqa: E731
    await refusal("lines_required", quote(()))
    await refusal("no_price", quote((LineWish(1, uuid4()),)))
    await quote(shop.lines())
    first = await shop.quote(ticket)
    assert (first["version"], first["total_fen"], first["state"]) == (1, QUOTED_FEN, "OPEN")
    assert [line["priced_from"] for line in first["lines"]] == ["2026-09-01"] * 2, "a line says where its price is from"
    await agree(1)
    await quote((*shop.lines(3), LineWish(1, free=Free(Sort.PART, "进口花洒", "个", 12_800, "住户指定品牌"))))
    assert await desk.state(ticket) == "QUOTED"
    assert "已经更改" in (await refusal("quote_changed", agree(1))).message
    await refusal("ticket_moved", desk.move(desk.worker(), ticket, Move.FINISH))
    await agree(2)
    await shop.receive(5)
    await shop.transfer(2)
    short = await refusal("stock_short", desk.move(desk.worker(), ticket, Move.FINISH))
    assert "需要 3 个，这里只有 2 个" in short.message
    assert (await shop.lying(), await desk.state(ticket)) == (2, "AGREED"), "refused, and nothing has left"
    await shop.transfer(2)
    await desk.move(desk.worker(), ticket, Move.FINISH)
    assert (await shop.lying(), await shop.lying(shop.store)) == (1, 1)
    await refusal("not_used", shop.put_back(ticket, 4))
    assert await shop.put_back(ticket, 1) == 2
    await desk.sound()


async def test_d9_what_is_accepted_is_owed_and_closes_once_it_is_let_off_by_two(shop: Workshop) -> None:
    """A paid repair is signed for; the debt is in the books; two people let it off; only then does it close."""
    desk = shop.desk
    await shop.receive(10, shop.bag)
    ticket = await shop.agreed()
    await refusal("nothing_due", shop.ask_waiver(ticket))
    await desk.move(desk.worker(), ticket, Move.FINISH)
    await refusal("signature_required", desk.move(desk.resident(), ticket, Move.SIGN_OFF))
    await shop.sign(ticket)
    kept = await desk.res.db.fetchrow("SELECT id, signature_sealed FROM ticket_signature")
    assert kept is not None and b"iVBOR" not in kept["signature_sealed"], "sealed at rest (I-24)"
    await desk.move(desk.resident(), ticket, Move.SIGN_OFF)
    owed = await shop.quote(ticket)
    assert (owed["state"], owed["warranty_until"]) == ("DUE", date(2026, 11, 30))
    assert [await shop.booked_fen(f"ticket_{name}") for name in ("receivable", "income")] == [QUOTED_FEN, -QUOTED_FEN]
    await desk.move(desk.resident(), ticket, Move.RATE, stars=STARS)
    await desk.later(days=8)
    await refusal("ticket_unpaid", desk.move(desk.desk(), ticket, Move.CLOSE))
    await sweeping.sweep(desk.res, "")
    assert await desk.state(ticket) == "RATED"
    asked = await shop.ask_waiver(ticket)
    await refusal("approval_pending", shop.ask_waiver(ticket))
    await factories_repairs.decide(desk.res, asked)
    assert [await shop.booked_fen(f"ticket_{name}") for name in ("receivable", "income")] == [0, 0]
    await sweeping.sweep(desk.res, "")
    assert ((await shop.quote(ticket))["state"], await desk.state(ticket)) == ("WAIVED", "CLOSED")

    # Under warranty of the same kind in the same house: free, and nothing to pay.
    again = await shop.agreed(valves=1)
    free = await shop.quote(again)
    assert (free["warranty_fen"], free["total_fen"], free["covered_until"]) == (
        LABOUR_FEN + VALVE_FEN, 0, date(2026, 11, 30),
    )  # fmt: skip
    await desk.move(desk.worker(), again, Move.FINISH)
    await desk.later(days=8)
    await sweeping.sweep(desk.res, "")
    await desk.later(days=8)
    await sweeping.sweep(desk.res, "")
    assert ((await shop.quote(again))["state"], await desk.state(again)) == ("FREE", "CLOSED")
    await desk.later(days=90)  # two days after the free repair's own warranty
    late = await shop.on_site()
    await desk.move(desk.worker(), late, Move.QUOTE, lines=shop.lines(1))
    assert (await shop.quote(late))["total_fen"] == LABOUR_FEN + VALVE_FEN
    # Another worker makes another quote, and what was reopened before it was accepted owes nothing.
    await desk.move(desk.desk(), late, Move.TRANSFER, staff_id=desk.colleague.id, reason="赵师傅休假")
    assert (await shop.quote(late))["state"] == "WITHDRAWN"
    undone = await shop.agreed(valves=1)
    await desk.move(desk.worker(), undone, Move.FINISH)
    await desk.move(desk.resident(), undone, Move.REOPEN, reason="还在漏水")
    assert (await shop.quote(undone))["state"] == "WITHDRAWN"
    await desk.sound()


async def test_d9_prices_count_from_their_day_and_take_two_people(shop: Workshop) -> None:
    desk, res = shop.desk, shop.res
    name = await res.db.fetchval("SELECT name FROM ticket_item WHERE id = $1", shop.valve)
    assert await factories_repairs.priced(res, desk.place, name=name, price_fen=4_000, starts_on=date(2026, 10, 1)) == (
        shop.valve
    ), "the same item, from another day on"
    priced = factories_repairs.priced
    await refusal("price_set", priced(res, desk.place, name=name, starts_on=date(2026, 10, 1)))
    await refusal("other_item", priced(res, desk.place, name=name, sort=Sort.LABOUR, starts_on=date(2026, 11, 1)))
    await refusal("day_passed", priced(res, desk.place, starts_on=date(2026, 8, 31)))
    ticket = await shop.on_site()
    for days, unit_fen in ((29, VALVE_FEN), (1, 4_000)):
        await desk.later(days=days)
        await desk.move(desk.worker(), ticket, Move.QUOTE, lines=shop.lines(1))
        assert (await shop.quote(ticket))["lines"][1]["unit_price_fen"] == unit_fen
    terms = Terms(Sort.PART, "软管", "根", 2_000, date(2026, 10, 2))
    asked = await res.db.transact(
        lambda tx: price_list.propose(
            tx, desk.desk().actor, company_id=desk.place.company_id, community_id=None, terms=terms, reason="新增"
        )
    )  # fmt: skip
    await desk.later(days=2)
    with pytest.raises(Stale):
        await factories_repairs.decide(res, asked.id)
    with pytest.raises(asyncpg.PostgresError):
        await res.db.execute("UPDATE ticket_price SET price_fen = 1")
    await res.db.transact(
        lambda tx: price_list.withdraw(
            tx, desk.desk().actor, item_id=shop.valve, company_id=desk.place.company_id, reason="停售"
        )
    )
    await refusal("no_price", desk.move(desk.worker(), ticket, Move.QUOTE, lines=shop.lines(1)))
    await desk.sound()


async def test_d9_what_is_counted_by_two_becomes_the_books_unless_they_have_moved(shop: Workshop) -> None:
    await shop.receive(10)
    await refusal("nothing_differs", shop.counted(10))
    first = await shop.counted(9)
    await refusal("approval_pending", shop.counted(8))
    await shop.transfer(1)
    with pytest.raises(Stale):
        await factories_repairs.decide(shop.res, first)
    await factories_repairs.decide(shop.res, first, approve=False)
    await factories_repairs.decide(shop.res, await shop.counted(7))
    assert (await shop.lying(shop.store), await shop.lying()) == (7, 1)
    for broken in (
        "UPDATE ticket_stock SET count = -1",
        "UPDATE ticket_stock_movement SET change = 2",
        "DELETE FROM ticket_stock_movement",
    ):
        with pytest.raises(asyncpg.PostgresError):
            await shop.res.db.execute(broken)
    await refusal("same_place", shop.transfer(1, shop.store, shop.store))
    await refusal("not_found", shop.transfer(1, shop.store, uuid4()))
    await shop.desk.sound()


async def test_d9_work_on_a_public_area_is_charged_to_a_pool_by_two_people_only(shop: Workshop) -> None:
    desk, res = shop.desk, shop.res
    await shop.receive(4, shop.bag)
    lights = await factories_tickets.category(res, desk.place, GRABBED)
    ticket = await desk.submit(lights, place="3栋2单元电梯口")
    await desk.move(desk.desk(), ticket, Move.TRIAGE)
    await desk.move(desk.worker(), ticket, Move.GRAB)

    async def cost(who: Who, wishes: tuple[LineWish, ...], of: object = ticket) -> str:
        return await res.db.transact(
            lambda tx: costs.record(tx, who, ticket_id=of, wishes=wishes, reason="更换灯管")  # type: ignore[arg-type]
        )

    await refusal("not_on_site", cost(desk.worker(), shop.lines(1)))
    await desk.move(desk.worker(), ticket, Move.ARRIVE)
    await refusal("not_yours", cost(desk.worker(desk.colleague), shop.lines(1)))
    for approve, state in ((True, "CHARGEABLE"), (False, "REFUSED")):
        assert await cost(desk.worker(), shop.lines(1)) == "PROPOSED"
        asked = await res.db.fetchval("SELECT id FROM approval WHERE kind = 'ticket.cost' AND state = 'PENDING'")
        await factories_repairs.decide(res, asked, approve=approve)
        row = await res.db.fetchrow("SELECT state, total_fen FROM ticket_cost WHERE approval_id = $1", asked)
        assert row is not None and (row["state"], row["total_fen"]) == (state, LABOUR_FEN + VALVE_FEN)
    home = await shop.on_site(desk.category_id)
    assert await cost(desk.worker(), shop.lines(1), home) == "BORNE", "free work in a home is the company's"
    await refusal("stock_short", cost(desk.worker(), shop.lines(2), home))
    paid = await shop.on_site()
    await refusal("paid_work", cost(desk.worker(), shop.lines(1), paid))
    assert await shop.lying() == 1
    await desk.sound()


@pytest.mark.parametrize(
    "text",
    ["not base64!", "aGVsbG8=", factories_repairs.drawn(2000), "R0lGODlhAQABAAAAACw="],
    ids=["letters", "no picture", "too large", "a gif"],
)
def test_d9_only_a_drawn_png_is_a_signature(text: str) -> None:
    with pytest.raises(AppError) as caught:
        signatures.cleaned(text)
    assert caught.value.code == "bad_signature"


def test_d9_an_empty_sheet_is_no_signature_and_a_drawn_one_is_kept_small() -> None:
    with pytest.raises(AppError):
        signatures.cleaned(factories_repairs.sheet())
    assert len(signatures.cleaned(factories_repairs.drawn(1200))) < 8_000


async def test_d6_the_counter_takes_the_money_for_a_repair_of_its_community(
    sandbox_res: Resources, sandbox: Sandbox
) -> None:
    play = await factories_payments.stage(sandbox_res, sandbox)
    shop = await factories_repairs.workshop(await factories_repairs.desk_on(play))
    await shop.receive(4, shop.bag)
    ticket, quote = await shop.due()
    counter = await factories_counter.counter(play)

    async def take(amount_fen: int, wish: Wish) -> None:
        paper = Paper(voucher_no(), Method.CASH, amount_fen, amount_fen)
        await sandbox_res.db.transact(
            lambda tx: takings.take(
                tx, counter.actor, res=sandbox_res, communities=counter.communities, wishes=[wish], paper=paper
            )
        )

    await refusal("amount_out_of_bounds", take(100, Wish(Kind.TICKET, quote, 100)))
    await refusal("not_found", take(100, Wish(Kind.TICKET, uuid4())))
    await take(QUOTED_FEN, Wish(Kind.TICKET, quote))
    assert (await shop.desk.state(ticket), (await shop.quote(ticket))["state"]) == ("PAID", "PAID")
    assert [await shop.booked_fen(code) for code in ("cash", "ticket_receivable")] == [QUOTED_FEN, 0]
    await refusal("already_paid", take(QUOTED_FEN, Wish(Kind.TICKET, quote)))
    await play.balanced()


async def test_d6_money_for_what_is_no_longer_owed_goes_back_and_a_paid_repair_is_not_let_off(
    sandbox_res: Resources, sandbox: Sandbox, sandbox_client: object
) -> None:
    play = await factories_payments.stage(sandbox_res, sandbox)
    shop = await factories_repairs.workshop(await factories_repairs.desk_on(play))
    await shop.receive(10, shop.bag)
    ticket, quote = await shop.due()
    stranger = HouseScope(uuid4(), (uuid4(),), (), ())
    tenant = HouseScope(play.owner.id, (), (), (play.house_id,))
    await refusal("not_found", sandbox_res.db.transact(lambda tx: payable.lock_and_price(tx, stranger, {quote: None})))
    (mine,) = await sandbox_res.db.transact(lambda tx: payable.lock_and_price(tx, tenant, {quote: None}))
    assert (mine.principal_fen, mine.house_id) == (QUOTED_FEN, play.house_id), "a tenant pays for what he reported"

    # Let off while the resident pays: the money goes back by itself, and nothing is posted for the repair.
    order_id = await factories_repairs.order(play, quote)
    await factories_repairs.decide(sandbox_res, await shop.ask_waiver(ticket))
    await play.user_pays(order_id)
    await play.deliver()
    assert [each[:2] for each in await play.differences()] == [("second_payment", "OPEN")]
    assert ((await shop.quote(ticket))["state"], await shop.desk.state(ticket)) == ("WAIVED", "SIGNED_OFF")
    await refusal("not_due", factories_repairs.order(play, quote))

    # Paid while somebody asks to let it off: it stays paid. A rated ticket is paid for as well, and stays where it is.
    await play.later(days=100)  # past the warranty
    second, owed = await shop.due(valves=1)
    asked = await shop.ask_waiver(second)
    await shop.desk.move(shop.desk.resident(), second, Move.RATE, stars=STARS)
    await play.user_pays(await factories_repairs.order(play, owed))
    await play.deliver()
    assert ((await shop.quote(second))["state"], await shop.desk.state(second)) == ("PAID", "RATED")
    with pytest.raises(Stale):
        await factories_repairs.decide(sandbox_res, asked)
    assert await shop.booked_fen("ticket_receivable") == 0
    await play.balanced()
