"""How people pay. A habit is what a household does at one of the month's moments; four in five pay all they owe."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

from tests import factories, vectors
from tests.factories_alipay import APP_ID
from tests.simulation.town import Household, Town

Habit = Callable[[Town, Household], Awaitable[None]]
PAST_EXPIRY = timedelta(minutes=40)


async def due(town: Town, who: factories.Person) -> list[dict[str, Any]]:
    """The bills that this person may pay, oldest first; none where we failed to tell."""
    bills: list[dict[str, Any]] = (await town.get(who, "/api/v1/bills?state=open&limit=50")).get("items", [])
    return bills[::-1]


async def owed(town: Town, who: factories.Person) -> list[str]:
    """Their ids."""
    return [bill["id"] for bill in await due(town, who)]


async def place(town: Town, home: Household, who: factories.Person, bill_ids: list[str], **way: str) -> str | None:
    """An order for these bills; None where it was refused or the channel did not answer."""
    answer = await town.post(who, "/api/v1/payments", {"bill_ids": bill_ids, **way})
    if answer.status != 201:
        return None
    home.orders.append(answer.json["payment_id"])
    return home.orders[-1]


async def tap_pay(town: Town, order_id: str, *, however: bool = False) -> bool:
    """Press "pay" in WeChat's cashier; `however`: even after the order was closed. False where WeChat refused."""
    attempt = await town.host.res.db.fetchrow(
        "SELECT channel, out_trade_no FROM payment_attempt WHERE order_id = $1::uuid ORDER BY id DESC LIMIT 1", order_id
    )
    assert attempt is not None
    at = f"/alipay/orders/{APP_ID}" if attempt["channel"] == "alipay" else f"/orders/{vectors.MCHID}"
    if however:
        await town.control("PUT", "/hostile", {"pay_after_close": 1})
    try:
        await town.control("POST", f"{at}/{attempt['out_trade_no']}/pay", {})
    except OSError:
        return False
    finally:
        if however:
            await town.control("PUT", "/hostile", {"pay_after_close": 0})
    town.told["paid"] += 1
    return True


async def pay_all(town: Town, home: Household) -> None:
    """All at once, in one go."""
    who = home.who(town.dice)
    bills = await owed(town, who)
    if bills and (order_id := await place(town, home, who, bills)):
        await tap_pay(town, order_id)


async def pay_one_by_one(town: Town, home: Household) -> None:
    """A tab for each bill."""
    who = home.who(town.dice)
    for bill in await owed(town, who):
        if order_id := await place(town, home, who, [bill]):
            await tap_pay(town, order_id)


async def change_mind(town: Town, home: Household) -> None:
    """Opens the cashier, cancels, and pays only sometimes."""
    who = home.who(town.dice)
    bills = await owed(town, who)
    if not bills or (order_id := await place(town, home, who, bills)) is None:
        return
    await town.post(who, f"/api/v1/payments/{order_id}/cancel")
    if town.dice.random() < 0.5:
        await pay_all(town, home)


async def pay_late(town: Town, home: Household) -> None:
    """Leaves the cashier open until the order has expired, then pays in it after all (see `come_back`)."""
    who = home.who(town.dice)
    bills = await owed(town, who)
    if bills and (order_id := await place(town, home, who, bills)):
        town.open_cashiers.append(order_id)


async def come_back(town: Town) -> None:
    """Whoever has left a cashier open pays in it once its order has expired."""
    if town.open_cashiers:
        await town.pass_time(PAST_EXPIRY)
    while town.open_cashiers:
        await tap_pay(town, town.open_cashiers.pop(), however=True)


async def pay_twice(town: Town, home: Household) -> None:
    """Two of the family, two cashiers, the same bills: the older cashier takes the money once more."""
    bills = await owed(town, home.owner)
    if not bills or (first := await place(town, home, home.owner, bills)) is None:
        return
    await town.post(home.owner, f"/api/v1/payments/{first}/cancel")
    second = await place(town, home, home.family or home.owner, bills)
    if second is not None:
        await tap_pay(town, second)
    await tap_pay(town, first, however=True)


async def forget(town: Town, home: Household) -> None:
    """Opens the cashier and never pays."""
    who = home.who(town.dice)
    bills = await owed(town, who)
    if bills:
        await place(town, home, who, bills[:1])


async def watch_closely(town: Town, home: Household) -> None:
    """Pays, then asks again and again, as a page does that was told "ok"."""
    who = home.who(town.dice)
    bills = await owed(town, who)
    if not bills or (order_id := await place(town, home, who, bills)) is None:
        return
    await tap_pay(town, order_id)
    for _ in range(3):
        await town.get(who, f"/api/v1/payments/{order_id}?client_says=ok")


async def pay_by_alipay(town: Town, home: Household) -> None:
    """Scans a code with the other app; now and then changes the app in the middle."""
    who = home.who(town.dice)
    bills = await owed(town, who)
    if not bills or (order_id := await place(town, home, who, bills, channel="alipay", method="precreate")) is None:
        return
    if town.dice.random() < 0.3:
        await pay_all(town, home)
    await tap_pay(town, order_id)


async def want_it_back(town: Town, home: Household) -> None:
    """Pays, and comes to the counter later: the cashier asks for a refund, the manager approves it or not."""
    await pay_all(town, home)
    for order_id in home.orders[-3:]:
        if town.dice.random() < 0.5:
            continue
        asked = await town.post(
            town.staff["cashier"], f"/admin/v1/orders/{order_id}/refunds", {"reason": "业主要求退款"}
        )
        if asked.status in (200, 201):
            town.told["refund asked for"] += 1
            decision = {"approve": town.dice.random() < 0.8, "note": "已核对"}
            path = f"/admin/v1/approvals/{asked.json['approval_id']}/decision"
            await town.post(town.staff["manager"], path, decision)


async def pay_ahead(town: Town, home: Household) -> None:
    """Puts money aside for months to come; bills settle from it by themselves."""
    who = home.who(town.dice)
    body = {"house_id": str(home.house_id), "purpose": "general", "amount_fen": town.dice.randrange(10_000, 200_000)}
    answer = await town.post(who, "/api/v1/prepaid/top-ups", body)
    if answer.status == 201:
        home.orders.append(answer.json["payment_id"])
        await tap_pay(town, home.orders[-1])


async def go_to_the_counter(town: Town, home: Household) -> None:
    """Pays at the counter: all of it or a part, in cash or by card; the cashier may type a voucher number twice."""
    cashier = town.staff["cashier"]
    if not town.shift_open:
        body: dict[str, Any] = {"community_id": str(town.place.id), "float_fen": 50_000}
        town.shift_open = (await town.post(cashier, "/admin/v1/counter/shifts", body)).status == 201
    bills = await due(town, home.owner)
    if not bills:
        return
    lines: list[dict[str, Any]] = [{"id": bill["id"]} for bill in bills]
    amount_fen = sum(bill["due_fen"] for bill in bills)
    if town.dice.random() < 0.4:
        amount_fen = town.dice.randrange(1, bills[0]["due_fen"] + 1)
        lines = [{"id": bills[0]["id"], "amount_fen": amount_fen}]
    town.vouchers += town.dice.random() < 0.95
    body = {
        "lines": lines, "method": town.dice.choice(["cash", "card", "transfer"]), "amount_fen": amount_fen,
        "voucher_no": f"V{town.vouchers:06}",
    }  # fmt: skip
    answer = await town.post(cashier, "/admin/v1/counter/takings", body)
    town.told["taken at the counter"] += answer.status == 201


async def ignore(town: Town, home: Household) -> None:
    """Never pays."""


USUAL = "pays all"
HABITS: Mapping[str, Habit] = {
    USUAL: pay_all,
    "one by one": pay_one_by_one,
    "changes mind": change_mind,
    "pays late": pay_late,
    "pays twice": pay_twice,
    "forgets": forget,
    "watches": watch_closely,
    "by alipay": pay_by_alipay,
    "wants it back": want_it_back,
    "pays ahead": pay_ahead,
    "at the counter": go_to_the_counter,
    "ignores": ignore,
}
SHARES: dict[str, int] = {USUAL: 80, **{name: 2 for name in HABITS if name != USUAL}}


async def lie(town: Town, home: Household) -> None:
    """The channel says, signed and sealed, that one of this household's orders was paid with another amount."""
    if not home.orders:
        return
    number = await town.host.res.db.fetchval(
        "SELECT out_trade_no FROM payment_attempt WHERE order_id = $1::uuid", town.dice.choice(home.orders)
    )
    kind = town.dice.choice(["wrong_amount", "bad_signature"])
    body: dict[str, Any] = {"kind": kind, "mchid": vectors.MCHID, "out_trade_no": number, "amount_fen": 3}
    try:
        await town.control("POST", "/forge", body)
    except OSError:
        return
    town.told[f"forged {kind}"] += 1
