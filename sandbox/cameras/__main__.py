"""`python -m sandbox.cameras --vendor zhenshi --url URL --plate 粤B12345 [--at TIME]`: one camera pushes, and tells
what it was answered. `linli camera` starts it.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiohttp import ClientSession

from sandbox.cameras.camera import POLL_WITHIN_S, Camera, Unreachable, over_http
from sandbox.cameras.models import MODELS
from sandbox.cameras.shots import Identity, Obeyed, Shot, Way, colour_of
from sandbox.clock import SHANGHAI, SharedClock

PLATELESS = "无牌车"
APART_S = 5


def parser() -> argparse.ArgumentParser:
    """The options, told in Chinese as those of `linli`."""
    options = argparse.ArgumentParser(prog="linli camera", description="模拟一台车牌识别摄像机，把过车事件推送给系统。")
    options.add_argument("--vendor", required=True, choices=list(MODELS), help="摄像机品牌")
    options.add_argument("--url", required=True, help="摄像机的推送地址")
    options.add_argument("--poll-url", help="摄像机的心跳地址；不填时与推送地址相同")
    options.add_argument(
        "--plate", action="append", default=[], help=f"车牌号，可以给出多个；无牌车写“{PLATELESS}”；不填时只发心跳"
    )
    options.add_argument("--at", help="第一辆车的过车时间，例如 2026-11-20T10:30:15；不填时为现在")
    options.add_argument("--out", action="store_true", help="出口车道；不填时为入口")
    options.add_argument("--serial", help="摄像机序列号；不填时用示例序列号")
    options.add_argument("--copies", type=int, default=1, help="同一事件同时推送几次")
    options.add_argument("--lose-answers", type=int, default=0, help="前几次应答丢失，摄像机会重发")
    options.add_argument("--reorder", action="store_true", help="打乱推送的先后顺序")
    options.add_argument("--offline", action="store_true", help="先断网存储，恢复后逐条补传")
    options.add_argument("--misreads", type=float, default=0.0, help="读错一个字符的比例，0 到 1")
    options.add_argument("--seed", type=int, default=0, help="随机种子；相同的种子结果相同")
    options.add_argument("--clock-file", type=Path, default=Path("clock-offset"), help="沙箱时间的偏移文件")
    return options


def shots(options: argparse.Namespace) -> list[Shot]:
    """The cars of the command line, APART_S seconds apart; ValueError for a time that is none."""
    if options.at:
        start = datetime.fromisoformat(options.at)
        start = start if start.tzinfo else start.replace(tzinfo=SHANGHAI)
    else:
        start = datetime.fromtimestamp(SharedClock(options.clock_file).now_s(), UTC)
    found = []
    for place, text in enumerate(options.plate):
        plate = None if text == PLATELESS else text
        at = start + timedelta(seconds=APART_S * place)
        found.append(Shot(plate, at, colour_of(plate) if plate else "unknown"))
    return found


async def play(options: argparse.Namespace) -> int:
    """Push all cars; 0 when each was taken."""
    async with ClientSession() as session:
        camera = Camera(
            options.vendor,
            over_http(session, options.url),
            wait=over_http(session, options.poll_url or options.url, within_s=POLL_WITHIN_S),
            identity=Identity(options.serial or MODELS[options.vendor].serial, way=Way.OUT if options.out else Way.IN),
            seed=options.seed,
            misreads=options.misreads,
        )
        camera.lose_answers = options.lose_answers
        cars = shots(options)
        if not cars:
            print(_told(await camera.poll()))
            return 0
        if options.offline:
            return await _from_store(camera, cars)
        if options.reorder:
            answers = await camera.see_out_of_order(cars)
        else:
            answers = [await camera.see(car, copies=options.copies) for car in cars]
    for place, answer in enumerate(answers, 1):
        print(f"第 {place} 条：{_told(answer)}")
    return 0 if all(answers) else 1


async def _from_store(camera: Camera, cars: Sequence[Shot]) -> int:
    camera.connected = False
    for car in cars:
        await camera.see(car)
    left = await camera.come_back()
    print(f"补传 {len(cars) - left} 条，剩余 {left} 条，抬杆 {len(camera.bar.openings)} 次。")
    return 1 if left else 0


def _told(answer: Obeyed | None) -> str:
    if answer is None:
        return "没有送达。"
    said = ["已抬杆" if answer.opens else "未抬杆"]
    said += [f"显示：{' / '.join(answer.lines)}"] if answer.lines else []
    said += [f"语音：{answer.voice}"] if answer.voice else []
    said += [f"二维码：{answer.code}"] if answer.code else []
    return "；".join(said) + "。"


def main() -> int:
    """Run from the command line; what goes wrong as expected is a sentence on standard error."""
    options = parser().parse_args()
    try:
        return asyncio.run(play(options))
    except Unreachable:
        print("推送地址没有应答。", file=sys.stderr)
    except ValueError:
        print("过车时间看不懂，或者这个品牌的摄像机没有心跳。", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
