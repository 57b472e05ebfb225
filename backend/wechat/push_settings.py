"""How an account signs and encrypts its pushes (推送设置): its token, EncodingAESKey, original id and mode, sealed.

A row is the whole configuration, so a change needs no restart; each process asks anew after REFRESH_S, and keeps what
it knows while PostgreSQL is away. The secrets leave this module only inside an `Account`, whose repr does not show
them.
"""

import asyncio
import time
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID
from weakref import WeakKeyDictionary

from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.crypto import Context, Keyring
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.egress import Egress
from backend.kernel.errors import Invalid, NotFound, Unavailable
from backend.kernel.resources import Resources
from backend.wechat import push_wire
from backend.wechat.apps import AppKind

REFRESH_S = 15.0
ASK_WITHIN_S = 1.0

OF_APP = """
    SELECT appid, company_id, kind, original_id, push_mode, push_token_sealed, push_key_sealed
      FROM wechat_app WHERE appid = $1 AND push_mode IS NOT NULL
"""
OFFICIAL = """
    SELECT appid FROM wechat_app
     WHERE company_id = $1 AND kind = 'official' AND push_mode IS NOT NULL
     ORDER BY created_at, appid LIMIT 1
"""
SET = """
    UPDATE wechat_app
       SET original_id = $3, push_mode = $4, push_token_sealed = $5, push_key_sealed = $6, updated_at = $7
     WHERE appid = $1 AND company_id = $2
 RETURNING appid
"""


class PushMode(StrEnum):
    """明文模式, 兼容模式, 安全模式."""

    PLAIN = "plain"
    COMPATIBLE = "compatible"
    SAFE = "safe"


@dataclass(frozen=True, slots=True)
class Account:
    """An account whose pushes we take; `key` is None in plain mode alone."""

    appid: str
    kind: AppKind
    company_id: UUID
    original_id: str
    mode: PushMode
    token: str = field(repr=False)
    key: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class NewSettings:
    """What an administrator enters, as WeChat's console shows it."""

    original_id: str
    mode: PushMode
    token: str = field(repr=False)
    encoding_aes_key: str | None = field(repr=False)


async def account(db: Reader, keyring: Keyring, appid: str) -> Account:
    """The account `appid`; NotFound where it is none of ours, or takes no pushes."""
    row = await db.fetchrow(OF_APP, appid)
    if row is None:
        raise NotFound
    return _account(row, keyring)


async def official_of(db: Reader, company_id: UUID) -> str:
    """The appid of the company's official account; NotFound `no_official_account` where none takes pushes."""
    appid: str | None = await db.fetchval(OFFICIAL, company_id)
    if appid is None:
        raise NotFound("物业还没有开通公众号，消息请在小程序里查看。", code="no_official_account")
    return appid


async def set_push(tx: Tx, keyring: Keyring, actor: Actor, *, company_id: UUID, appid: str, new: NewSettings) -> None:
    """Take pushes of an account of the company from now on; NotFound, Invalid `encoding_aes_key_required`."""
    if new.mode is not PushMode.PLAIN and new.encoding_aes_key is None:
        problem = "兼容模式和安全模式需要填写 EncodingAESKey。"
        fields = [{"field": "encoding_aes_key", "message": problem}]
        raise Invalid(problem, code="encoding_aes_key_required", fields=fields)
    token = keyring.seal(new.token, _context("push_token_sealed", appid))
    key = new.encoding_aes_key if new.mode is not PushMode.PLAIN else None
    key_sealed = None if key is None else keyring.seal(key, _context("push_key_sealed", appid))
    if await tx.fetchval(SET, appid, company_id, new.original_id, new.mode, token, key_sealed, tx.now) is None:
        raise NotFound
    audit.record(
        tx, actor, action="wechat.push_settings_set", target=f"wechat_app:{appid}", community_id=company_id,
        after={"mode": new.mode, "original_id": new.original_id},
    )  # fmt: skip


class Known:
    """The accounts as this process knows them: of those that were asked for once, until somebody changes them."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[Account, float]] = {}
        self._asking: set[asyncio.Task[Account]] = set()

    async def account(self, res: Resources, appid: str) -> Account:
        """The account `appid`, at most REFRESH_S old while PostgreSQL answers; NotFound, Unavailable.

        Answers within ASK_WITHIN_S.
        """
        held = self._held.get(appid)
        if held is not None and time.monotonic() - held[1] < REFRESH_S:
            return held[0]
        asking = asyncio.create_task(account(res.db, res.keyring, appid))
        self._asking.add(asking)
        asking.add_done_callback(self._asking.discard)
        # Cancelled, a query may take as long again to end: whoever waits is not made to wait for that.
        await asyncio.wait({asking}, timeout=ASK_WITHIN_S)
        asking.cancel()
        try:
            if not asking.done():
                raise Unavailable
            found = asking.result()
        except NotFound:
            self._held.pop(appid, None)
            raise
        except Unavailable:
            if held is None:
                raise
            return held[0]
        self._held[appid] = (found, time.monotonic())
        return found

    def forget(self, appid: str) -> None:
        """Ask anew next time: this process has changed the account."""
        self._held.pop(appid, None)


_BY_EGRESS: WeakKeyDictionary[Egress, Known] = WeakKeyDictionary()


def of(res: Resources) -> Known:
    """What the process of these resources knows."""
    return _BY_EGRESS.setdefault(res.egress, Known())


def _context(column: str, appid: str) -> Context:
    return Context("wechat_app", column, appid)


def _account(row: Record, keyring: Keyring) -> Account:
    appid, key = row["appid"], row["push_key_sealed"]
    return Account(
        appid=appid,
        kind=AppKind(row["kind"]),
        company_id=row["company_id"],
        original_id=row["original_id"],
        mode=PushMode(row["push_mode"]),
        token=keyring.open(bytes(row["push_token_sealed"]), _context("push_token_sealed", appid)),
        key=None if key is None else push_wire.key_of(keyring.open(bytes(key), _context("push_key_sealed", appid))),
    )
