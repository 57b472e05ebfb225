"""`python -m demo --api URL --sandbox URL`: one month of a community, played over HTTP by residents, staff and WeChat.

It needs a freshly seeded system (`linli demo` makes one) and its LINLI_DATA_DIR in the environment. Every figure told
is compared with what the player works out itself; the first one that is off ends it with exit code 1.
"""

import argparse
import sys
import time

from demo import (
    billing,
    binding,
    consenting,
    counter,
    days,
    ending,
    gate_day,
    lot,
    notices,
    official,
    paying,
    people,
    prepaying,
    reconciling,
    refunding,
    roster,
    scanning,
    service_days,
    visiting,
    wechat_pages,
)
from demo.binding import Household
from demo.cashier import Placed
from demo.prepaying import Saver
from demo.stage import Stage, open_stage
from demo.web import Unexpected

# Which neighbour of the demo data plays what.
TWICE, BY_ALIPAY, AT_COUNTER, BY_TRANSFER, SAVER, BY_PAPER = range(1, 7)
IN_THE_EVENING = range(7, 21)
READER = 8
# One of those who never paid in the months of the demo data.
IN_ARREARS = 22
# Two of those who do not follow the official account.
FAN, SUBSCRIBER = 25, 26


def play(stage: Stage) -> None:
    """All acts in order."""
    people.log_in_staff(stage)
    stage.chapter("员工登录")
    stage.expect("项目经理的第二因子", stage.manager.get("/admin/v1/me")["second_factor"], True)
    stage.tell("项目经理、管理员和收费员用密码加动态验证码登录，客服和保安用密码登录。")
    be_told_at_any_hour(stage)
    start = ending.begin(stage)
    billing.play_monthly(stage)
    new_flats = roster.play(stage)
    home = binding.play(stage)
    bills = billing.play_new(stage, home.owner, new_flats)
    orders = paying.play(stage, home, bills)
    mishap = paying.play_mishaps(stage, orders)
    saver = play_money_day(stage, home, orders[0])
    gate_day.play(stage, lot.play(stage, home, people.neighbour(stage, IN_ARREARS)))
    visiting.play(stage)
    service_days.play(stage)
    notices.play(stage, people.neighbour(stage, READER))
    official.play(stage, people.neighbour(stage, FAN))
    wechat_pages.play(stage)
    consenting.play(stage, people.neighbour(stage, SUBSCRIBER))
    ending.play(stage, start, home, orders, mishap)
    prepaying.play_next_month(stage, saver)
    ending.check(stage)


def be_told_at_any_hour(stage: Stage) -> None:
    """Who plays the demo at night would wait for its messages until the morning."""
    never = {"begins": "00:00", "ends": "00:00"}
    stage.staff["admin"].put("/admin/v1/quiet-hours", {"community_id": None, "hours": never})
    stage.tell("管理员关闭了消息的免打扰时段（平时 21:30 到次日 8:00），演示在夜里也看得到消息发出。")


def play_money_day(stage: Stage, home: Household, order: Placed) -> Saver:
    """One day on which money comes and goes by all ways."""
    days.pass_to(stage, stage.today() + days.A_DAY, days.MORNING)
    refunding.play(stage, home, order)
    refunding.play_second_payment(stage, people.neighbour(stage, TWICE))
    scanning.play_alipay(stage, people.neighbour(stage, BY_ALIPAY))
    deposit_fen = counter.play(stage, people.neighbour(stage, AT_COUNTER), people.neighbour(stage, BY_TRANSFER))
    saver = prepaying.play(stage, people.neighbour(stage, SAVER))
    scanning.play_paper(stage, people.neighbour(stage, BY_PAPER))
    reconciling.play(stage, IN_THE_EVENING, deposit_fen, counter.SLIP)
    return saver


def main() -> int:
    """Exit code 0 when every figure was right."""
    parser = argparse.ArgumentParser(prog="demo", description="演示一个月的物业工作，只通过 HTTP。")
    parser.add_argument("--api", required=True, help="接口服务的地址")
    parser.add_argument("--sandbox", required=True, help="沙箱的地址")
    options = parser.parse_args()
    started_s = time.monotonic()
    try:
        stage = open_stage(options.api, options.sandbox)
        play(stage)
    except (Unexpected, OSError) as error:
        print(f"\n演示没有通过：{error}", file=sys.stderr, flush=True)
        return 1
    print(f"\n演示通过：核对了 {stage.checks} 处数字，用时 {time.monotonic() - started_s:.0f} 秒。", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
