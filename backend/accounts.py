"""Root of `linli wechat` and `linli menu`: the company's accounts at WeChat, how they tell us things, their menus.

Secrets are read from standard input, never from the command line, which others can see. Exit codes as in
`backend.kernel.root`. Run as `python -m backend.accounts list|register|push-settings|push-menu`.
"""

import argparse
import getpass
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar
from uuid import UUID

from pydantic import BaseModel, ValidationError

from backend.composition import APPROVALS, MODELS
from backend.kernel import problems, root
from backend.kernel.audit import SYSTEM
from backend.kernel.config import Settings
from backend.kernel.errors import Invalid, NotFound
from backend.kernel.resources import Resources, open_resources
from backend.property import communities
from backend.wechat import apps, menus, push_settings
from backend.wechat.apps import AppKind
from backend.wechat.push_settings import PushMode
from backend.wechat.schemas import AppBody, PushSettingsBody

KIND_TEXT = {AppKind.MINIPROGRAM: "小程序", AppKind.OFFICIAL: "公众号"}
MODE_TEXT = {PushMode.PLAIN: "明文模式", PushMode.COMPATIBLE: "兼容模式", PushMode.SAFE: "安全模式"}
M = TypeVar("M", bound=BaseModel)
Act = Callable[[Resources, argparse.Namespace], Awaitable[list[str]]]


async def _list(res: Resources, options: argparse.Namespace) -> list[str]:
    lines = []
    for row in await apps.described(res.db, await _company(res, options)):
        mode = "没有设置推送" if row["push_mode"] is None else f"推送：{MODE_TEXT[PushMode(row['push_mode'])]}"
        lines.append(f"{row['appid']} {KIND_TEXT[AppKind(row['kind'])]} {mode}")
    return lines or ["这家公司还没有登记小程序或公众号。"]


async def _register(res: Resources, options: argparse.Namespace) -> list[str]:
    company_id = await _company(res, options)
    if not apps.APPID.fullmatch(options.appid):
        raise Invalid("AppID 的写法不对，请从微信后台复制。")
    body = _read(AppBody, kind=options.kind, secret=_secret("AppSecret"))
    await res.db.transact(
        lambda tx: apps.register(
            tx, res.keyring, actor=SYSTEM, company_id=company_id, kind=body.kind, appid=options.appid,
            secret=body.secret,
        )
    )  # fmt: skip
    return [f"{KIND_TEXT[body.kind]} {options.appid} 已登记。"]


async def _push_settings(res: Resources, options: argparse.Namespace) -> list[str]:
    company_id, mode = await _company(res, options), PushMode(options.mode)
    given = {"original_id": options.original_id, "mode": mode, "token": _secret("令牌（Token）")}
    if mode is not PushMode.PLAIN:
        given["encoding_aes_key"] = _secret("消息加解密密钥（EncodingAESKey）")
    new = _read(PushSettingsBody, **given).settings()
    await res.db.transact(
        lambda tx: push_settings.set_push(
            tx, res.keyring, SYSTEM, company_id=company_id, appid=options.appid, new=new
        )
    )  # fmt: skip
    address = f"{res.settings.sites[0]}/wechat/{options.appid}"
    return [f"推送已设置为{MODE_TEXT[mode]}。请在微信后台把服务器地址填为：{address}"]


async def _push_menu(res: Resources, options: argparse.Namespace) -> list[str]:
    await menus.push(res, SYSTEM, appid=options.appid, company_id=await _company(res, options))
    return ["菜单已发布到微信。手机上最迟几分钟后看到。"]


async def _company(res: Resources, options: argparse.Namespace) -> UUID:
    """The company that is named, or the only one there is."""
    known = await communities.companies(res.db)
    if options.company is not None:
        known = {company_id: name for company_id, name in known.items() if name == options.company}
    if len(known) != 1:
        raise NotFound("请用 --company 写明公司的全称。" if known else "没有找到这家公司。")
    return next(iter(known))


def _secret(name: str) -> str:
    """A line of standard input, unseen where somebody types it."""
    return (getpass.getpass(f"{name}：") if sys.stdin.isatty() else sys.stdin.readline()).strip()


def _read(model: type[M], **given: object) -> M:
    """What an administrator's request would have to say as well; Invalid with a sentence, which repeats no secret."""
    try:
        return model.model_validate(given, strict=False)
    except ValidationError as error:
        (first, *_) = error.errors(include_input=False, include_url=False)
        raise Invalid(f"{first['loc'][0]}：{problems.sentence(first)}") from None


ACTS: Mapping[str, Act] = {
    "list": _list, "register": _register, "push-settings": _push_settings, "push-menu": _push_menu
}  # fmt: skip


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m backend.accounts")
    parser.add_argument("act", choices=ACTS)
    parser.add_argument("appid", nargs="?", default="")
    for name in ("company", "kind", "original-id", "mode"):
        parser.add_argument(f"--{name}")
    return parser.parse_args()


async def work(settings: Settings) -> None:
    """Do what the command line names, and print what came of it."""
    options = _options()
    res = await open_resources(settings, models=MODELS, approval_kinds=APPROVALS)
    try:
        print("\n".join(await ACTS[options.act](res, options)))
    finally:
        await res.close()


if __name__ == "__main__":
    sys.exit(root.run(work, failed="没有完成"))
