"""What staff say and see of WeChat's accounts."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from backend.kernel.db import Record
from backend.kernel.http import Strict, example
from backend.wechat.apps import AppKind
from backend.wechat.auto_replies import NewReply, ReplyKind
from backend.wechat.menus import Menu
from backend.wechat.push_settings import NewSettings, PushMode

ID = "0198f2a0-0000-7000-8000-000000000001"
APPID = "wx1234567890abcdef"
AT = "2026-09-01T02:00:00Z"
_APP: dict[str, Any] = {
    "appid": APPID, "kind": "official", "push_url": f"https://linli.example/wechat/{APPID}", "push_mode": "safe",
    "original_id": "gh_123456789abc", "created_at": AT, "updated_at": AT,
}  # fmt: skip
_BUTTONS: list[dict[str, Any]] = [
    {"name": "查账单", "type": "click", "key": "BILL_QUERY"},
    {"name": "服务", "sub_button": [{"name": "打开网页", "type": "view", "url": "https://linli.example/p/"}]},
]
_REPLY: dict[str, Any] = {
    "id": ID, "kind": "contains", "keyword": "电话", "reply": "物业服务中心电话：0755-12345678。", "changed_at": AT,
}  # fmt: skip


class AppView(Strict):
    """An account; of its secrets nothing is ever shown. `push_mode` is null until push settings are set."""

    model_config = example(**_APP)
    appid: str
    kind: AppKind
    push_url: str = Field(description="the server address to enter in WeChat's console")
    push_mode: PushMode | None
    original_id: str | None
    created_at: datetime
    updated_at: datetime


class AppList(Strict):
    model_config = example(items=[_APP])
    items: list[AppView]


class AppBody(Strict):
    """A new account, or a new secret of one that is there."""

    model_config = example(kind="official", secret="0123456789abcdef0123456789abcdef")
    kind: AppKind
    secret: str = Field(pattern=r"^[0-9A-Za-z]{16,64}$")


class PushSettingsBody(Strict):
    """As WeChat's console shows them. `encoding_aes_key` is needed but in plain mode."""

    model_config = example(
        original_id="gh_123456789abc", mode="safe", token="PropTok2026",
        encoding_aes_key="abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
    )  # fmt: skip
    original_id: str = Field(pattern=r"^gh_[0-9A-Za-z_-]{1,32}$")
    mode: PushMode
    token: str = Field(pattern=r"^[0-9A-Za-z]{3,32}$")
    encoding_aes_key: str | None = Field(None, pattern=r"^[0-9A-Za-z]{43}$")

    def settings(self) -> NewSettings:
        return NewSettings(self.original_id, self.mode, self.token, self.encoding_aes_key)


class SubButton(Strict):
    """A button of the lower level, and what it does."""

    model_config = example(**_BUTTONS[1]["sub_button"][0])
    name: str = Field(min_length=1, max_length=60)
    type: Literal["click", "view", "miniprogram"] | None = None
    key: str | None = Field(None, min_length=1, max_length=128)
    url: str | None = Field(None, min_length=1, max_length=1024)
    appid: str | None = Field(None, min_length=1, max_length=32)
    pagepath: str | None = Field(None, min_length=1, max_length=128)


class Button(SubButton):
    """A button of the menu: what it does, or the buttons below it."""

    model_config = example(**_BUTTONS[0])
    sub_button: list[SubButton] | None = Field(None, max_length=5)


class MenuBody(Strict):
    model_config = example(buttons=_BUTTONS)
    buttons: list[Button] = Field(min_length=1, max_length=3)

    def written(self) -> list[dict[str, Any]]:
        """The buttons as WeChat takes them."""
        return [button.model_dump(mode="json", exclude_none=True) for button in self.buttons]


class MenuView(Strict):
    """`pushed_at` is null while this menu has not been sent to WeChat."""

    model_config = example(appid=APPID, buttons=_BUTTONS, changed_at=AT, pushed_at=None)
    appid: str
    buttons: list[Button]
    changed_at: datetime
    pushed_at: datetime | None

    @classmethod
    def of(cls, menu: Menu) -> "MenuView":
        return cls(
            appid=menu.appid, buttons=[Button.model_validate(button) for button in menu.buttons],
            changed_at=menu.changed_at, pushed_at=menu.pushed_at,
        )  # fmt: skip


class ReplyBody(Strict):
    """`keyword`: null for `follow`, the menu's key for `click`, else what the text is or contains."""

    model_config = example(kind="contains", keyword="电话", reply="物业服务中心电话：0755-12345678。")
    kind: ReplyKind
    keyword: str | None = Field(None, min_length=1, max_length=128)
    reply: str = Field(min_length=1, max_length=600, description="a follower reads it")

    def new(self) -> NewReply:
        return NewReply(self.kind, self.keyword, self.reply)


class ReplyView(Strict):
    model_config = example(**_REPLY)
    id: UUID
    kind: ReplyKind
    keyword: str | None
    reply: str
    changed_at: datetime

    @classmethod
    def of(cls, row: Record) -> "ReplyView":
        return cls(
            id=row["id"], kind=ReplyKind(row["kind"]), keyword=row["keyword"], reply=row["reply"],
            changed_at=row["changed_at"],
        )  # fmt: skip


class ReplyList(Strict):
    model_config = example(items=[_REPLY], next_cursor=None)
    items: list[ReplyView]
    next_cursor: str | None


class ReplyMade(Strict):
    model_config = example(id=ID)
    id: UUID
