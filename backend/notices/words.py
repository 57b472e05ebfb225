"""What messages say of a notice: the values that every template and every inbox is filled from (D11)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from backend.kernel.clock import SHANGHAI
from backend.notices.states import KIND_NAMES, NoticeKind

SUMMARY_CHARACTERS = 60
WITHDRAWN_TITLE = "公告已撤回"
OVER_TITLE, OVER_BODY = "公告已过期", "这条公告已过期，没有再发送。"


@dataclass(frozen=True, slots=True)
class Text:
    """The words of a notice."""

    kind: NoticeKind
    title: str
    body: str


def values(text: Text, *, community: str, at: datetime) -> Mapping[str, str]:
    """The values of both meanings; `at` is when the notice is published."""
    return {
        "community": community,
        "kind": KIND_NAMES[text.kind],
        "title": text.title,
        "summary": summary(text.body),
        "published_at": f"{at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}",
    }


def summary(body: str) -> str:
    """The beginning of a body, on one line."""
    line = " ".join(body.split())
    return line if len(line) <= SUMMARY_CHARACTERS else f"{line[: SUMMARY_CHARACTERS - 1]}…"


def page(notice_id: UUID) -> str:
    """Where a tap on the message leads in the mini-program."""
    return f"pages/notices/show?id={notice_id}"


def taken_back(title: str, why: str) -> str:
    """What inboxes say of a notice that was withdrawn."""
    return f"物业已撤回公告“{title}”，原因：{why}。如有疑问，请联系物业服务中心。"
