"""`python -m demo --api URL --sandbox URL`: one month of a community, played over HTTP by residents, staff and WeChat.

It needs a freshly seeded system (`linli demo` makes one) and its LINLI_DATA_DIR in the environment. Every figure told
is compared with what the player works out itself; the first one that is off ends it with exit code 1.
"""

import argparse
import sys
import time

from demo import billing, binding, ending, paying, people, roster
from demo.stage import Stage, open_stage
from demo.web import Unexpected


def play(stage: Stage) -> None:
    """All acts in order."""
    people.log_in_staff(stage)
    stage.chapter("员工登录")
    stage.expect("项目经理的第二因子", stage.manager.get("/admin/v1/me")["second_factor"], True)
    stage.tell("项目经理、管理员和收费员用密码加动态验证码登录，客服用密码登录。")
    start = ending.begin(stage)
    billing.play_monthly(stage)
    new_flats = roster.play(stage)
    home = binding.play(stage)
    bills = billing.play_new(stage, home.owner, new_flats)
    orders = paying.play(stage, home, bills)
    mishap = paying.play_mishaps(stage, orders)
    ending.play(stage, start, home, orders, mishap)


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
