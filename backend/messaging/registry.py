"""Saved templates held against those that WeChat has for the account (模板核对, pitfalls E3, E4, D7).

WeChat is asked outside any transaction. Where it refuses for the whole account, that is the problem of each of its
templates; where it cannot be asked, what was found last time stands. Every day all of them are looked at again, because
a template can be taken away or changed in WeChat's console.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import time
from typing import Any
from uuid import UUID

from backend.kernel import log
from backend.kernel.db import Reader, Tx
from backend.kernel.egress import EgressError
from backend.kernel.errors import NotFound
from backend.kernel.periodic import Daily, Periodic
from backend.kernel.resources import Resources
from backend.messaging import templates
from backend.messaging.templates import FIXED, Problem, Template
from backend.wechat import api, apps, errcodes, template_lists
from backend.wechat.errors import WechatError, WechatUnreadable
from backend.wechat.template_lists import Listed

APPID = re.compile(r"[0-9A-Za-z_-]{1,32}")
NOT_ASKED = "暂时问不到微信，请稍后再试。"
APP = "SELECT FROM message_app WHERE appid = $1 AND company_id = $2"
COMPANIES = "SELECT DISTINCT company_id FROM message_template ORDER BY company_id"
# What was saved anew while WeChat was being asked is left as it is.
KEEP = """
    UPDATE message_template t
       SET problems = g.problems, allowed = t.allowed || g.allowed, checked_at = $2
      FROM jsonb_to_recordset($1) AS g (id uuid, problems jsonb, allowed jsonb)
     WHERE t.id = g.id AND t.updated_at <= $3
"""
logger = log.get_logger("messaging.registry")


@dataclass(frozen=True, slots=True)
class Listing:
    """What WeChat has for an account. `refusal`: why it does not say so; `asked`: it answered at all."""

    templates: Sequence[Listed] = ()
    refusal: str | None = None
    asked: bool = True

    def of(self, template_id: str) -> Listed | None:
        """The template of this id."""
        return next((one for one in self.templates if one.template_id == template_id), None)

    def choices_of(self, template_id: str) -> dict[str, list[str]]:
        """The values that WeChat allows, by key of the template."""
        found = self.of(template_id)
        return {} if found is None else {key: list(values) for key, values in found.allowed.items()}


async def require_app(db: Reader, *, company_id: UUID, appid: str) -> None:
    """NotFound unless the app is the company's."""
    if not APPID.fullmatch(appid) or await db.fetchrow(APP, appid, company_id) is None:
        raise NotFound("没有找到这个小程序或公众号。")


async def listing(res: Resources, appid: str) -> Listing:
    """Ask WeChat for the templates of a known account; never raises for what WeChat does or leaves undone."""
    app = await apps.app_by_appid(res.db, res.keyring, appid)
    try:
        return Listing(await template_lists.of_app(api.of(res), app))
    except WechatError as error:
        return Listing(refusal=f"{errcodes.advice_of(error.errcode)}（微信的说明：{error.errcode} {error.text}）")
    except (EgressError, WechatUnreadable):
        return Listing(refusal=NOT_ASKED, asked=False)


def problems_of(
    listed: Listing, template_id: str, fields: Mapping[str, str], allowed: Mapping[str, Sequence[str]]
) -> list[Problem]:
    """What is wrong with a mapping, by WeChat's list, in Chinese."""
    if listed.refusal is not None:
        return [{"field": "appid", "message": listed.refusal}]
    found = listed.of(template_id)
    if found is None:
        why = f"微信的这个账号里没有模板“{template_id}”。请在微信后台添加这个模板，或换成现有的模板。"
        return [{"field": "template_id", "message": why}]
    missing = [key for key in found.keys if key not in fields]
    surplus = [key for key in fields if key not in found.keys]
    return [
        *({"field": f"fields.{key}", "message": f"微信的模板有字段“{key}”，这里没有填写。"} for key in missing),
        *({"field": f"fields.{key}", "message": f"微信的模板里没有字段“{key}”，请删除。"} for key in surplus),
        *_wrong_choices(fields, {**allowed, **found.allowed}),
    ]


def _wrong_choices(fields: Mapping[str, str], allowed: Mapping[str, Sequence[str]]) -> Iterable[Problem]:
    for key, source in fields.items():
        choices, value = allowed.get(key), source.removeprefix(FIXED)
        if choices is not None and source.startswith(FIXED) and value not in choices:
            why = f"“{key}”不能是“{value}”，微信登记的取值是：{'、'.join(choices)}。"
            yield {"field": f"fields.{key}", "message": why}


async def companies(db: Reader) -> list[UUID]:
    """The companies that have templates."""
    return [row["company_id"] for row in await db.fetch(COMPANIES)]


async def check_company(res: Resources, company_id: UUID) -> list[Template]:
    """Hold the templates of the company against WeChat's lists, keep what is wrong, and return them as they are now."""
    began = res.clock.now()
    saved = await templates.of_companies(res.db, [company_id])
    lists = {appid: await listing(res, appid) for appid in sorted({one.appid for one in saved})}
    looked = [_look(one, lists[one.appid]) for one in saved if lists[one.appid].asked]

    async def keep(tx: Tx) -> list[Template]:
        await tx.execute(KEEP, looked, tx.now, began)
        return await templates.of_companies(tx, [company_id])

    return await res.db.transact(keep)


def _look(one: Template, listed: Listing) -> dict[str, Any]:
    """A row for KEEP."""
    problems = problems_of(listed, one.template_id, one.fields, one.allowed)
    if problems:
        logger.warning("message_template_wrong", template=str(one.id), appid=one.appid, problems=len(problems))
    return {"id": str(one.id), "problems": problems, "allowed": listed.choices_of(one.template_id)}


async def check_all(res: Resources, _period: str) -> None:
    """The daily look at the templates of every company."""
    for company_id in await companies(res.db):
        await check_company(res, company_id)


PERIODIC: tuple[Periodic, ...] = (Periodic("messaging.templates", Daily(time(7, 10), catch_up=False), check_all),)
