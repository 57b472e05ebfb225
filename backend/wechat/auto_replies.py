"""What an official account answers by itself (自动回复): a greeting, replies to the menu's keys and to keywords (R10).

A text is answered by the reply whose keyword it is; else by the one with the longest keyword that it contains. Letters
count the same in both cases and widths, and spaces around do not count. At most MAX_REPLIES for an account.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from uuid import UUID

import asyncpg

from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import Conflict, Invalid, NotFound
from backend.kernel.ids import uuid7

MAX_REPLIES = 200
MAX_KEYWORD = 30
COLUMNS = "id, appid, kind, keyword, reply, changed_at"

OF_APP = f"""
    SELECT {COLUMNS} FROM wechat_reply
     WHERE appid = $1 AND company_id = $2 AND ($3::uuid IS NULL OR id > $3)
     ORDER BY id LIMIT $4
"""  # noqa: S608 - columns are constants
OF_KEY = "SELECT reply FROM wechat_reply WHERE appid = $1 AND kind = $2 AND keyword IS NOT DISTINCT FROM $3"
KEYWORDS = "SELECT keyword, kind, reply FROM wechat_reply WHERE appid = $1 AND kind IN ('exact', 'contains')"
OFFICIAL = "SELECT appid FROM wechat_app WHERE appid = $1 AND company_id = $2 AND kind = 'official'"
# To the commit, so that two that are added at once are counted one after the other.
HOLD = f"{OFFICIAL} FOR UPDATE"
COUNT = "SELECT count(*) FROM wechat_reply WHERE appid = $1"
INSERT = """
    INSERT INTO wechat_reply (id, appid, company_id, kind, keyword, reply, created_at, changed_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
"""
LOCK = f"SELECT {COLUMNS} FROM wechat_reply WHERE id = $1 AND appid = $2 AND company_id = $3 FOR UPDATE"  # noqa: S608 - constants
CHANGE = "UPDATE wechat_reply SET kind = $2, keyword = $3, reply = $4, changed_at = $5 WHERE id = $1"
DELETE = "DELETE FROM wechat_reply WHERE id = $1"


class ReplyKind(StrEnum):
    """关注时, 点击菜单, 关键词（完全相同）, 关键词（包含）."""

    FOLLOW = "follow"
    CLICK = "click"
    EXACT = "exact"
    CONTAINS = "contains"


@dataclass(frozen=True, slots=True)
class NewReply:
    """A reply as it is entered; `keyword`: the key of the menu for a click, None for following."""

    kind: ReplyKind
    keyword: str | None
    reply: str


async def of_app(db: Reader, *, appid: str, company_id: UUID, after: UUID | None, limit: int) -> list[Record]:
    """The replies of an official account of the company, oldest first; NotFound for the account."""
    if await db.fetchval(OFFICIAL, appid, company_id) is None:
        raise NotFound
    return await db.fetch(OF_APP, appid, company_id, after, limit)


async def for_key(db: Reader, appid: str, kind: ReplyKind, keyword: str | None) -> str | None:
    """The reply to following, or to a click upon the key of the menu."""
    reply: str | None = await db.fetchval(OF_KEY, appid, kind, keyword)
    return reply


async def for_text(db: Reader, appid: str, text: str) -> str | None:
    """The reply to a text; None where no keyword fits."""
    return best(await db.fetch(KEYWORDS, appid), text)


def best(rows: Sequence[Record], text: str) -> str | None:
    """Of the replies `rows` that fit the text the exact one, else the one with the longest keyword."""
    said = plain(text)
    fitting = [
        (row["kind"] == ReplyKind.EXACT, len(row["keyword"]), row["keyword"], row["reply"])
        for row in rows
        if (row["keyword"] == said if row["kind"] == ReplyKind.EXACT else row["keyword"] in said)
    ]
    return max(fitting)[-1] if fitting else None


def plain(text: str) -> str:
    """A text as it is compared."""
    return unicodedata.normalize("NFKC", text).strip().casefold()


async def create(tx: Tx, actor: Actor, *, appid: str, company_id: UUID, new: NewReply) -> UUID:
    """A new reply. NotFound for the account, Invalid `keyword`, Conflict `keyword_taken`, `too_many_replies`."""
    keyword = _keyword(new)
    if await tx.fetchval(HOLD, appid, company_id) is None:
        raise NotFound
    if await tx.fetchval(COUNT, appid) >= MAX_REPLIES:
        raise Conflict(f"一个公众号最多 {MAX_REPLIES} 条自动回复，请先删除不用的。", code="too_many_replies")
    reply_id = uuid7(tx.now)
    await _write(tx, INSERT, reply_id, appid, company_id, new.kind, keyword, new.reply, tx.now)
    audit.record(
        tx, actor, action="wechat_reply.created", target=f"wechat_reply:{reply_id}", community_id=company_id,
        after={**asdict(new), "keyword": keyword},
    )  # fmt: skip
    return reply_id


async def change(tx: Tx, actor: Actor, *, reply_id: UUID, appid: str, company_id: UUID, new: NewReply) -> None:
    """Replace a reply. NotFound, Invalid `keyword`, Conflict `keyword_taken`."""
    before, keyword = await _lock(tx, reply_id, appid, company_id), _keyword(new)
    await _write(tx, CHANGE, reply_id, new.kind, keyword, new.reply, tx.now)
    audit.record(
        tx, actor, action="wechat_reply.changed", target=f"wechat_reply:{reply_id}", community_id=company_id,
        before=_shown(before), after={**asdict(new), "keyword": keyword},
    )  # fmt: skip


async def delete(tx: Tx, actor: Actor, *, reply_id: UUID, appid: str, company_id: UUID) -> None:
    """Take a reply away; NotFound."""
    before = await _lock(tx, reply_id, appid, company_id)
    await tx.execute(DELETE, reply_id)
    audit.record(
        tx, actor, action="wechat_reply.deleted", target=f"wechat_reply:{reply_id}", community_id=company_id,
        before=_shown(before),
    )  # fmt: skip


async def _lock(tx: Tx, reply_id: UUID, appid: str, company_id: UUID) -> Record:
    row = await tx.fetchrow(LOCK, reply_id, appid, company_id)
    if row is None:
        raise NotFound
    return row


async def _write(tx: Tx, sql: str, *values: object) -> None:
    try:
        async with tx.savepoint():
            await tx.execute(sql, *values)
    except asyncpg.UniqueViolationError as error:
        raise Conflict("已经有一条这样的自动回复，请直接修改那一条。", code="keyword_taken") from error


def _keyword(new: NewReply) -> str | None:
    """The keyword as it is kept: a key of the menu as it stands, what people write as it is compared."""
    if (new.kind is ReplyKind.FOLLOW) != (new.keyword is None):
        raise _odd_keyword("关注时的自动回复没有关键词，其他自动回复需要填写关键词。")
    if new.keyword is None or new.kind is ReplyKind.CLICK:
        return new.keyword
    keyword = plain(new.keyword)
    if not 1 <= len(keyword) <= MAX_KEYWORD:
        raise _odd_keyword(f"关键词为 1 到 {MAX_KEYWORD} 个字，不能只有空格。")
    return keyword


def _odd_keyword(problem: str) -> Invalid:
    return Invalid(problem, code="keyword", fields=[{"field": "keyword", "message": problem}])


def _shown(row: Record) -> dict[str, object]:
    return {name: row[name] for name in ("kind", "keyword", "reply")}
