"""Which template of which app carries a meaning, and what stands in its fields: configuration that admin edits (D11).

`fields` maps a key of the template to the name of a value, or to a fixed text behind `=`; `allowed` are the values that
WeChat takes for a key of fixed choices (pitfalls E3); `problems` what was wrong when registry.py last looked.
Values are fitted to WeChat's rules before sending; what cannot be fitted is found here, not by an answer 47003.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import Invalid, NotFound
from backend.kernel.ids import uuid7
from backend.messaging.meanings import MEANINGS
from backend.wechat import fields as wechat_fields

FIXED = "="
Problem = Mapping[str, str]


class Channel(StrEnum):
    """How a message leaves: by the official account (模板消息) or by the mini-program (订阅消息)."""

    TEMPLATE = "template"
    SUBSCRIPTION = "subscription"


APP_KIND: Mapping[Channel, str] = {Channel.TEMPLATE: "official", Channel.SUBSCRIPTION: "miniprogram"}


@dataclass(frozen=True, slots=True)
class Template:
    """The template of one meaning in one app; `page_appid` is the mini-program that a tap opens, if there is one.

    `checked_at`: when it was last held against WeChat's own list; None: never.
    """

    id: UUID
    company_id: UUID
    appid: str
    channel: Channel
    meaning: str
    template_id: str
    fields: Mapping[str, str]
    page_appid: str | None
    allowed: Mapping[str, Sequence[str]]
    problems: Sequence[Problem]
    checked_at: datetime | None

    def data(self, values: Mapping[str, str]) -> dict[str, str]:
        """What is sent: every key of the template with its value, made fit."""
        return wechat_fields.fit_all(
            {
                key: source.removeprefix(FIXED) if source.startswith(FIXED) else values.get(source, "")
                for key, source in self.fields.items()
            }
        )


COLUMNS = """
    SELECT t.id, t.company_id, t.appid, t.kind, t.meaning, t.template_id, t.fields, t.allowed, t.problems, t.checked_at,
           (SELECT a.appid FROM message_app a
             WHERE a.company_id = t.company_id AND a.kind = 'miniprogram'
             ORDER BY a.created_at, a.appid LIMIT 1) AS page_appid
      FROM message_template t
"""
OF_COMPANIES = f"{COLUMNS} WHERE t.company_id = ANY($1::uuid[]) ORDER BY t.meaning, t.kind, t.appid"
OF_APP = f"{COLUMNS} WHERE t.appid = $1 AND t.kind = $2 ORDER BY t.meaning"
APP = "SELECT company_id FROM message_app WHERE appid = $1 AND kind = $2 AND company_id = $3"
ONE = f"{COLUMNS} WHERE t.id = $1 AND t.company_id = $2"
SAVE = """
    INSERT INTO message_template (id, company_id, appid, kind, meaning, template_id, fields, allowed, checked_at,
                                  created_at, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $9, $10, $8, $8)
        ON CONFLICT (appid, kind, meaning) DO UPDATE
       SET template_id = EXCLUDED.template_id, fields = EXCLUDED.fields, allowed = EXCLUDED.allowed, problems = '[]',
           checked_at = EXCLUDED.checked_at, updated_at = EXCLUDED.updated_at
 RETURNING id
"""


async def one(db: Reader, *, template: UUID, company_id: UUID) -> Template:
    """One template of the company; NotFound otherwise."""
    row = await db.fetchrow(ONE, template, company_id)
    if row is None:
        raise NotFound
    return _template(row)


async def of_companies(db: Reader, company_ids: Iterable[UUID]) -> list[Template]:
    """Every template of these companies."""
    return [_template(row) for row in await db.fetch(OF_COMPANIES, list(company_ids))]


async def of_app(db: Reader, appid: str, channel: Channel) -> list[Template]:
    """The templates of one app."""
    return [_template(row) for row in await db.fetch(OF_APP, appid, channel)]


async def save(
    tx: Tx,
    actor: Actor,
    *,
    company_id: UUID,
    appid: str,
    channel: Channel,
    meaning: str,
    template_id: str,
    fields: Mapping[str, str],
    allowed: Mapping[str, Sequence[str]] | None = None,
    checked_at: datetime | None = None,
) -> UUID:
    """Add or replace the template of a meaning in an app of the company.

    Raises NotFound for an app that is not the company's or of another kind, Invalid with every wrong field.
    """
    await require_app(tx, company_id=company_id, appid=appid, channel=channel)
    refuse(wrong_fields(meaning, fields))
    choices = {key: list(values) for key, values in (allowed or {}).items()}
    saved: UUID = await tx.fetchval(
        SAVE, uuid7(tx.now), company_id, appid, channel, meaning, template_id, dict(fields), tx.now, choices, checked_at
    )
    audit.record(
        tx, actor, action="message_template.saved", target=f"message_template:{saved}", community_id=company_id,
        after={"appid": appid, "kind": channel, "meaning": meaning, "template_id": template_id, "fields": dict(fields)},
    )  # fmt: skip
    return saved


async def require_app(db: Reader, *, company_id: UUID, appid: str, channel: Channel) -> None:
    """NotFound unless the company has this app and it sends by `channel`."""
    if await db.fetchval(APP, appid, APP_KIND[channel], company_id) is None:
        raise NotFound("没有找到这个小程序或公众号，或者它不能发送这一类消息。")


def refuse(problems: Sequence[Problem]) -> None:
    """Invalid with all of `problems`, where there are any."""
    if problems:
        raise Invalid("模板的字段有误，请按提示修改。", fields=problems)


def wrong_fields(meaning: str, fields: Mapping[str, str]) -> list[dict[str, str]]:
    """Every field that could never be sent, with the reason in Chinese."""
    known = MEANINGS.get(meaning)
    if known is None:
        return [{"field": "meaning", "message": "没有这种消息。"}]
    problems = [] if fields else [{"field": "fields", "message": "至少要有一个字段。"}]
    for key, source in fields.items():
        if wechat_fields.kind_of(key) is None:
            problems.append({"field": f"fields.{key}", "message": f"微信模板里没有“{key}”这种字段。"})
        elif source.startswith(FIXED):
            why = wechat_fields.check(key, source.removeprefix(FIXED))
            problems += [{"field": f"fields.{key}", "message": why}] if why else []
        elif source not in known.values:
            choices = "、".join(known.values)
            problems.append({"field": f"fields.{key}", "message": f"这种消息没有“{source}”，可以选：{choices}。"})
    return problems


def unfit(data: Mapping[str, str], allowed: Mapping[str, Sequence[str]]) -> str | None:
    """Why WeChat would refuse this data, None when it takes it."""
    reasons = [why for key, value in data.items() if (why := _why_not(key, value, allowed.get(key)))]
    return " ".join(reasons) or None


def _why_not(key: str, value: str, choices: Sequence[str] | None) -> str | None:
    if choices is not None and value not in choices:
        return f"“{key}”不能是“{value}”，微信登记的取值是：{'、'.join(choices)}。"
    return wechat_fields.check(key, value)


def _template(row: Record) -> Template:
    return Template(
        id=row["id"],
        company_id=row["company_id"],
        appid=row["appid"],
        channel=Channel(row["kind"]),
        meaning=row["meaning"],
        template_id=row["template_id"],
        fields=row["fields"],
        page_appid=row["page_appid"],
        allowed=row["allowed"],
        problems=row["problems"],
        checked_at=row["checked_at"],
    )
