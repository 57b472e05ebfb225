"""The `linli` command: the one door for people who run the system.

Exit codes: 0 done, 1 refused or failed with a sentence that says why, 2 wrong usage, 130 stopped by a signal.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path

from backend import system
from backend.kernel import clock, exec_shim, processes, supervision
from backend.kernel.config import PREFIX, ConfigError, Mode, Settings
from backend.kernel.errors import AppError
from backend.kernel.processes import PROGRAM_PORTS, StartError
from backend.notices import outage
from backend.notices.outage import Outage

# Commands that are a process of their own: they run in place of this one, or with the servers of a system around them.
MODULES = {
    "serve": "backend.main",
    "worker": "workers.main",
    "seed": "backend.seed",
    "check": "backend.checks",
    "migrate": "backend.migrate",
}
DEMO = "demo"
KEYS = "backend.keys"
TEMPLATES = "backend.template_check"
CAMERA = "sandbox.cameras"
ACCOUNTS = "backend.accounts"

# Options of `linli wechat` and `linli menu`, handed on as they are.
ACCOUNT_OPTIONS = ("company", "kind", "original_id", "mode")

# Options of `linli camera`, handed on to the process that plays it.
CAMERA_TEXTS = {
    "--vendor": "摄像机品牌：zhenshi、qy、hikvision 或 dahua",
    "--url": "摄像机的推送地址",
    "--poll-url": "摄像机的心跳地址；不填时与推送地址相同",
    "--plate": "车牌号，可以给出多个；无牌车写“无牌车”；不填时只发心跳",
    "--at": "第一辆车的过车时间，例如 2026-11-20T10:30:15；不填时为现在",
    "--serial": "摄像机序列号；不填时用示例序列号",
    "--copies": "同一事件同时推送几次",
    "--lose-answers": "前几次应答丢失，摄像机会重发",
    "--misreads": "读错一个字符的比例，0 到 1",
    "--seed": "随机种子；相同的种子结果相同",
}
CAMERA_FLAGS = {
    "--out": "出口车道；不填时为入口",
    "--reorder": "打乱推送的先后顺序",
    "--offline": "先断网存储，恢复后逐条补传",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; errors that we expect are a sentence on standard error."""
    options = _parser().parse_args(argv)
    try:
        settings = Settings.from_env(os.environ)
        command: Callable[[Settings, argparse.Namespace], int] = options.run
        return command(settings, options)
    except (StartError, ConfigError) as error:
        print(error, file=sys.stderr)
    except AppError as error:
        print(error.message, file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    return 1


def _up(settings: Settings, options: argparse.Namespace) -> int:
    if options.stop_with_parent:
        exec_shim.set_death_signal(signal.SIGTERM, parent_pid=os.getppid())
    system.run(settings, os.environ, system.keep_up, say=_say)
    return 0


def _exec(settings: Settings, options: argparse.Namespace) -> int:
    module = MODULES[options.command]
    os.execv(sys.executable, [sys.executable, "-m", module])


def _with_servers(settings: Settings, options: argparse.Namespace) -> int:
    argv = [sys.executable, "-m", MODULES[options.command]]
    return system.with_servers(settings, os.environ, lambda env: subprocess.run(argv, env=env, check=False).returncode)


def _keys(settings: Settings, options: argparse.Namespace) -> int:
    argv = [sys.executable, "-m", KEYS, options.action]
    return system.with_servers(settings, os.environ, lambda env: subprocess.run(argv, env=env, check=False).returncode)


def _accounts(settings: Settings, options: argparse.Namespace) -> int:
    """Work upon the company's accounts at WeChat; secrets come by standard input, which the process inherits."""
    act, given = "push-menu" if options.command == "menu" else options.action, vars(options)
    argv = [sys.executable, "-m", ACCOUNTS, act, *filter(None, [given.get("appid")])]
    argv += [f"--{name.replace('_', '-')}={given[name]}" for name in ACCOUNT_OPTIONS if given.get(name) is not None]
    return system.with_servers(settings, os.environ, lambda env: subprocess.run(argv, env=env, check=False).returncode)


def _templates(settings: Settings, options: argparse.Namespace) -> int:
    argv = [sys.executable, "-m", TEMPLATES]
    return system.with_servers(settings, os.environ, lambda env: subprocess.run(argv, env=env, check=False).returncode)


def _demo(settings: Settings, options: argparse.Namespace) -> int:
    """Play the demo against a system of its own: fresh, on free ports, beside whatever is running."""
    if settings.mode is Mode.LIVE:
        raise StartError("演示只能在沙箱模式下运行，正式环境里不能运行。")
    home = settings.data_dir.absolute() / "demo"
    _empty(home)
    api_port = processes.free_port(PROGRAM_PORTS[::2])
    sandbox_port = processes.free_port(PROGRAM_PORTS[1::2])
    fresh = Settings.from_env(
        {
            "LINLI_DATA_DIR": str(home),
            "LINLI_HTTP_PORT": str(api_port),
            "LINLI_SANDBOX_PORT": str(sandbox_port),
        }
    )
    codes = []

    def play(running: system.System) -> None:
        argv = [sys.executable, "-m", DEMO, "--api", running.api_url, "--sandbox", running.sandbox_url]
        codes.append(subprocess.run(argv, env=running.owner_env(), check=False).returncode)

    bare = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    system.run(fresh, bare, play, say=_say)
    return codes[0] if codes else 130


def _camera(settings: Settings, options: argparse.Namespace) -> int:
    """Play a camera: the options given, under the names that the process knows them by."""
    if settings.mode is Mode.LIVE:
        raise StartError("模拟摄像机只能在沙箱模式下运行，正式环境里不能运行。")
    argv = [sys.executable, "-m", CAMERA, "--clock-file", str(settings.data_dir / clock.OFFSET_FILE)]
    for name in CAMERA_TEXTS:
        for value in options.__dict__[name.removeprefix("--").replace("-", "_")]:
            argv += [f"{name}={value}"]
    argv += [name for name in CAMERA_FLAGS if options.__dict__[name.removeprefix("--")]]
    return subprocess.run(argv, check=False).returncode


def _empty(home: Path) -> None:
    """Take away what an earlier demo left, running or not."""
    if home.exists():
        with supervision.sole(home):
            supervision.clear_all_leftovers(home)
            shutil.rmtree(home)


def _clock(settings: Settings, options: argparse.Namespace) -> int:
    if settings.mode is Mode.LIVE:
        raise ConfigError("正式环境的时间不能移动。")
    if options.action == "advance":
        try:
            clock.advance(settings.data_dir, clock.parse_step_s(options.step))
        except ValueError:
            raise ConfigError(
                f"看不懂要前进多久：{options.step}。请写成 3d（天）、12h（小时）或 30m（分钟）。"
            ) from None
    elif options.action == "reset":
        clock.reset_offset(settings.data_dir)
    offset = timedelta(seconds=clock.read_offset_s(settings.data_dir))
    now = clock.SharedClock(settings.data_dir).now().astimezone(clock.SHANGHAI)
    _say(
        f"系统时间：{now:%Y-%m-%d %H:%M:%S}（北京时间），比实际时间快 {offset.days} 天 {offset.seconds // 3600} 小时。"
    )
    return 0


def _outage(settings: Settings, options: argparse.Namespace) -> int:
    """What the status page says: files alone, so that it works while nothing else does."""
    if options.action == "say":
        words = options.words.strip()
        if not 2 <= len(words) <= outage.MAX_WORDS:
            raise ConfigError(f"公告内容要有 2 到 {outage.MAX_WORDS} 个字。")
        said_at = clock.clock_of(settings).now()
        outage.say(settings.data_dir, source=outage.PLATFORM, outage=Outage(outage.WHO, words, said_at))
        _say("故障公告已发布，打开 /status 可以看到。")
    elif options.action == "clear":
        outage.clear(settings.data_dir, source=outage.PLATFORM)
        _say("故障公告已撤下。")
    else:
        for one in outage.said(settings.data_dir):
            _say(f"{one.said_at.astimezone(clock.SHANGHAI):%Y-%m-%d %H:%M} {one.who}：{one.words}")
    return 0


def _version(settings: Settings, options: argparse.Namespace) -> int:
    _say(f"邻里 {version('linli')}")
    return 0


def _say(text: str) -> None:
    """Print at once; a terminal that is gone is no reason to fail."""
    try:
        print(text, flush=True)
    except OSError:
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - stands in for standard output to the end


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="linli", description="邻里：物业公司的后台系统。设置见环境变量 LINLI_*。")
    commands = parser.add_subparsers(dest="command", title="命令", metavar="命令", required=True)

    def add(name: str, text: str, run: Callable[[Settings, argparse.Namespace], int]) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        return command

    up = add("up", "启动整个系统；没有给出数据库和 Redis 的地址时，使用自带的", _up)
    up.add_argument("--stop-with-parent", action="store_true", help="启动它的进程退出时，跟着停止")
    add("serve", "只运行接口服务", _exec)
    add("worker", "只运行后台任务", _exec)
    add("migrate", "更新数据库结构", _with_servers)
    add("seed", "往空的数据库里放示例数据（沙箱模式）", _with_servers)
    add("demo", "用一套全新的临时系统演示一个月的物业工作", _demo)
    add("check", "逐条核对账目和数据，列出不符的条数", _with_servers)
    acts = add("keys", "查看或更换加密个人信息的密钥", _keys).add_subparsers(
        dest="action", metavar="动作", required=True
    )
    acts.add_parser("show", help="显示每把数据密钥和用它加密的数据条数")
    acts.add_parser("rotate", help="换用下一把数据密钥，旧数据由后台任务重新加密")
    acts.add_parser("rewrap", help="换了主密钥之后，改由新的主密钥保护数据密钥")
    _add_accounts(add)
    about = add("templates", "核对消息模板", _templates).add_subparsers(dest="action", metavar="动作", required=True)
    about.add_parser("check", help="与微信现有的模板逐个核对，列出有问题的")
    camera = add("camera", "模拟一台车牌识别摄像机，把过车事件推送给系统（沙箱模式）", _camera)
    for name, text in CAMERA_TEXTS.items():
        camera.add_argument(name, action="append", default=[], help=text, required=name in ("--vendor", "--url"))
    for name, text in CAMERA_FLAGS.items():
        camera.add_argument(name, action="store_true", help=text)
    moves = add("clock", "查看或移动系统时间（沙箱模式）", _clock).add_subparsers(
        dest="action", metavar="动作", required=True
    )
    moves.add_parser("show", help="显示系统时间")
    moves.add_parser("advance", help="前进一段时间").add_argument("step", help="例如 3d、12h、30m")
    moves.add_parser("reset", help="回到实际时间")
    outages = add("outage", "在状态页上发布或撤下系统故障公告；系统停止时也能用", _outage).add_subparsers(
        dest="action", metavar="动作", required=True
    )
    outages.add_parser("say", help="发布").add_argument("words", help="公告内容")
    outages.add_parser("clear", help="撤下")
    outages.add_parser("show", help="显示正在发布的公告")
    add("version", "显示版本", _version)
    return parser


def _add_accounts(add: Callable[..., argparse.ArgumentParser]) -> None:
    """`linli wechat` and `linli menu`."""
    acts = add("wechat", "公司的小程序和公众号：登记、设置消息推送", _accounts).add_subparsers(
        dest="action", metavar="动作", required=True
    )
    register = acts.add_parser("register", help="登记小程序或公众号，或更换 AppSecret；AppSecret 从标准输入读取")
    register.add_argument("--kind", choices=("miniprogram", "official"), required=True, help="小程序或公众号")
    push = acts.add_parser("push-settings", help="设置消息推送；令牌和 EncodingAESKey 从标准输入读取，各一行")
    push.add_argument("--original-id", required=True, help="原始 ID，以 gh_ 开头")
    push.add_argument("--mode", choices=("plain", "compatible", "safe"), default="safe", help="消息加解密方式")
    menu = add("menu", "公众号的菜单", _accounts).add_subparsers(dest="action", metavar="动作", required=True)
    send = menu.add_parser("push", help="把保存的菜单发布到微信")
    for parser in (register, push, send):
        parser.add_argument("appid", help="微信后台的 AppID")
    for parser in (register, push, send, acts.add_parser("list", help="列出已登记的小程序和公众号")):
        parser.add_argument("--company", help="公司全称；只有一家公司时不用填")


if __name__ == "__main__":
    sys.exit(main())
