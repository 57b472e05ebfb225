"""The demo company's official account: it takes pushes in safe mode, has a menu, and answers keywords by itself."""

import base64
import secrets
import string
from collections.abc import Mapping
from uuid import UUID

from backend.kernel.audit import SYSTEM
from backend.kernel.db import Tx
from backend.kernel.resources import Resources
from backend.seeding.demo_file import Demo
from backend.seeding.wechat import Accounts, control
from backend.wechat import auto_replies, menus, push_settings
from backend.wechat.auto_replies import NewReply, ReplyKind
from backend.wechat.push_settings import NewSettings, PushMode

LETTERS = string.ascii_letters + string.digits
KEY_LENGTH = 43
# The last character of a key has four bits: one whose other two are zero is written again as it was.
LAST_LETTERS = "AEIMQUYcgkosw048"
BILLS, CONTACT = "BILLS", "CONTACT"
REPLIES = (
    NewReply(
        ReplyKind.FOLLOW, None,
        "您好，欢迎关注邻里物业！在小程序“我的—公众号”里扫码绑定后，账单和工单进度会发到这里。",
    ),
    NewReply(ReplyKind.CLICK, BILLS, "账单请在小程序“缴费”里查看，绑定公众号后新账单会发到这里。"),
    NewReply(ReplyKind.CLICK, CONTACT, "服务中心电话 021-55550000，每天 8:00 到 20:00 有人接听。"),
    NewReply(ReplyKind.EXACT, "电话", "服务中心电话 021-55550000，急修 24 小时有人接听。"),
    NewReply(ReplyKind.CONTAINS, "停车", "访客停车请在小程序“访客”里登记车牌，月卡请在小程序“停车”里办理。"),
)  # fmt: skip


async def lay_out(tx: Tx, res: Resources, company_id: UUID, accounts: Accounts) -> None:
    """Push settings with fresh secrets for both apps; menu and replies of the official account."""
    for appid, original_id in accounts.original_ids.items():
        new = NewSettings(original_id, PushMode.SAFE, _random(string.ascii_letters, 24), _encoding_key())
        await push_settings.set_push(tx, res.keyring, SYSTEM, company_id=company_id, appid=appid, new=new)
    site = res.settings.sites[0]
    buttons = (
        {"name": "账单", "type": "click", "key": BILLS},
        {
            "name": "服务",
            "sub_button": [
                {"name": "联系物业", "type": "click", "key": CONTACT},
                {
                    "name": "打开小程序", "type": "miniprogram", "appid": accounts.miniprogram,
                    "pagepath": "pages/index/index", "url": f"{site}/",
                },
            ],
        },
    )  # fmt: skip
    await menus.save(
        tx, SYSTEM, appid=accounts.official, company_id=company_id, buttons=buttons, sites=res.settings.sites,
        miniprograms=[accounts.miniprogram],
    )  # fmt: skip
    for reply in REPLIES:
        await auto_replies.create(tx, SYSTEM, appid=accounts.official, company_id=company_id, new=reply)


async def listen(res: Resources, demo: Demo) -> None:
    """Name our address at WeChat, now that history is over: from here on it tells what happens."""
    forms: Mapping[str, str] = {demo.official: "xml", demo.miniprogram: "json"}
    for appid, form in forms.items():
        known = await push_settings.account(res.db, res.keyring, appid)
        assert known.key is not None
        key = base64.b64encode(known.key).decode().rstrip("=")
        address = {"url": f"{res.settings.sites[0]}/wechat/{appid}", "token": known.token, "aes_key": key}
        await control(res, "PUT", f"/apps/{appid}/push", {**address, "mode": known.mode, "format": form})


def _encoding_key() -> str:
    return _random(LETTERS, KEY_LENGTH - 1) + secrets.choice(LAST_LETTERS)


def _random(letters: str, length: int) -> str:
    return "".join(secrets.choice(letters) for _ in range(length))
