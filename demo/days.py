"""Days pass on the shared clock; at ten each morning the day before is compared with both channels' statements."""

from datetime import date, datetime, time, timedelta
from typing import Any

from demo import people
from demo.stage import Stage

MORNING = time(9, 0)
STATEMENTS_AT = time(10, 0)
TOO_LATE = time(22, 0)
A_DAY = timedelta(days=1)
CHANNELS, KINDS = 2, 3
NUDGE_LOOKS = 20


def pass_to(stage: Stage, on: date, at: time) -> None:
    """It becomes that time of that day; statements that are there by then are compared, and booked."""
    move(stage, on, at)
    due, runs = caught_up(stage)
    stage.expect("平常日子的对账发现的差异", sum(run["found"] for run in runs), sum(map(stage.mishaps.count, due)))
    book(stage, due, runs)


def move(stage: Stage, on: date, at: time) -> None:
    """It becomes that time of that day, and nothing is waited for."""
    now = stage.now()
    people.pass_time(stage, f"{int((datetime.combine(on, at, now.tzinfo) - now).total_seconds())}s")


def caught_up(stage: Stage) -> tuple[list[date], list[dict[str, Any]]]:
    """The days whose statements came since the last look, and their runs once all of them are done."""
    due = _due(stage)
    return due, [run for day in due for run in compared(stage, day)]


def _due(stage: Stage) -> list[date]:
    """The days whose statements are there by now, and that nobody has looked at."""
    now, day, due = stage.now(), stage.reconciled, []
    last = now.date() - A_DAY if now.time() >= STATEMENTS_AT else now.date() - 2 * A_DAY
    while day < last:
        day += A_DAY
        due.append(day)
    return due


def compared(stage: Stage, day: date) -> list[dict[str, Any]]:
    """The runs of a day once all of them are done: trades, refunds and fund flow of both channels."""
    looks = 0

    def look() -> list[dict[str, Any]] | None:
        nonlocal looks
        looks += 1
        path = f"/admin/v1/reconciliation-runs?day={day}&limit=100&state=DONE"
        found: list[dict[str, Any]] = stage.staff["cashier"].get(path)["items"]
        if len(found) < CHANNELS * KINDS and looks % NUDGE_LOOKS == 0:
            # A fund flow that came before its trades is tried again a minute later.
            stage.advance("2m")
        return found if len(found) == CHANNELS * KINDS else None

    return stage.wait(f"{day} 的对账完成", look)


def book(stage: Stage, due: list[date], runs: list[dict[str, Any]]) -> None:
    """The fees of these days, and what left for the bank on them, are in the books."""
    fees_fen = sum(run["fee_fen"] or 0 for run in runs) - sum(elsewhere(stage, day, "fee_fen") for day in due)
    paid_out_fen = sum(line["amount_fen"] for day in due for line in arrived(stage, day))
    paid_out_fen -= sum(elsewhere(stage, day, "settled_fen") for day in due)
    clearing_fen = -fees_fen - paid_out_fen
    stage.moved("对账之后", channel_fee=fees_fen, in_transit=paid_out_fen, clearing=clearing_fen)
    stage.reconciled = max([stage.reconciled, *due])


def elsewhere(stage: Stage, day: date, what: str) -> int:
    """What of a day stands in the company's books: lines and payouts that no payment of the community explains."""
    told = stage.staff["cashier"].get(f"/admin/v1/closing-day?day={day}")
    return sum(side[what] for side in told["sides"] if side["community_id"] != stage.community)


def arrived(stage: Stage, day: date) -> list[dict[str, Any]]:
    """What both channels paid out to the bank on a day."""
    wechat = stage.control("GET", f"/bank?mchid={stage.data['mchid']}&from={day}&to={day}")
    alipay = stage.control("GET", f"/alipay/bank?app_id={stage.data['alipay_app_id']}&from={day}&to={day}")
    return [*wechat["lines"], *alipay["lines"]]
