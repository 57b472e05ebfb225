"""WeChat's accounts of a company: mini-programs and official accounts (小程序、公众号), secrets sealed at rest.

A row is the whole configuration: a new account, or a changed secret, needs no restart. Secrets leave this module only
inside an `App`, whose repr does not show them.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.crypto import Context, Keyring
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import Conflict, NotFound


class AppKind(StrEnum):
    """What kind of account it is: each has its own openids and its own messages."""

    MINIPROGRAM = "miniprogram"
    OFFICIAL = "official"


@dataclass(frozen=True, slots=True)
class App:
    """An account ready to be used."""

    appid: str
    kind: AppKind
    company_id: UUID
    secret: str = field(repr=False)


APPID = re.compile(r"wx[0-9a-z]{4,30}")
BY_APPID = "SELECT appid, company_id, kind, secret_sealed FROM wechat_app WHERE appid = $1"

OF_COMPANY = """
SELECT appid, company_id, kind, secret_sealed
  FROM wechat_app
 WHERE company_id = $1 AND kind = $2
 ORDER BY created_at, appid
"""

DESCRIBED = """
SELECT appid, kind, push_mode, original_id, created_at, updated_at
  FROM wechat_app
 WHERE company_id = $1
 ORDER BY created_at, appid
 LIMIT 100
"""

REGISTER = """
INSERT INTO wechat_app AS app (appid, company_id, kind, secret_sealed, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $5)
    ON CONFLICT (appid) DO UPDATE
   SET secret_sealed = excluded.secret_sealed, updated_at = excluded.updated_at
 WHERE app.company_id = excluded.company_id AND app.kind = excluded.kind
RETURNING appid
"""


async def app_by_appid(db: Reader, keyring: Keyring, appid: str) -> App:
    """The account `appid`; NotFound when it is none of ours."""
    row = await db.fetchrow(BY_APPID, appid)
    if row is None:
        raise NotFound("没有找到这个小程序或公众号。")
    return _app(row, keyring)


async def apps_of_company(db: Reader, keyring: Keyring, *, company_id: UUID, kind: AppKind) -> list[App]:
    """The company's accounts of one kind, oldest first."""
    return [_app(row, keyring) for row in await db.fetch(OF_COMPANY, company_id, kind)]


async def described(db: Reader, company_id: UUID) -> list[Record]:
    """The company's accounts of both kinds without their secrets, oldest first."""
    return await db.fetch(DESCRIBED, company_id)


async def register(
    tx: Tx, keyring: Keyring, *, actor: Actor, company_id: UUID, kind: AppKind, appid: str, secret: str
) -> App:
    """Add an account, or replace its secret; Conflict when the appid belongs to another company or kind."""
    sealed = keyring.seal(secret, _secret_context(appid))
    if await tx.fetchval(REGISTER, appid, company_id, kind, sealed, tx.now) is None:
        raise Conflict("这个 AppID 已经登记给别的公司或别的类型。")
    audit.record(
        tx, actor, action="wechat.app_registered", target=f"wechat_app:{appid}", community_id=company_id,
        after={"kind": kind},
    )  # fmt: skip
    return App(appid, kind, company_id, secret)


def _secret_context(appid: str) -> Context:
    return Context("wechat_app", "secret_sealed", appid)


def _app(row: Record, keyring: Keyring) -> App:
    secret = keyring.open(row["secret_sealed"], _secret_context(row["appid"]))
    return App(row["appid"], AppKind(row["kind"]), row["company_id"], secret)
