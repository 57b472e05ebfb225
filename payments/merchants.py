"""Merchants (收款商户): rows with sealed keys, opened once and kept for a moment in the process.

A merchant collects for a company, one of its communities, or one item there; the most particular one is chosen. Pausing
one stops new orders, never callbacks; a retired one still settles what it was ordered to collect. A change needs no
restart: a process looks at the row again after `FRESH_S`. The counter (收费窗口) of a company is a merchant without
keys, made when it is first needed.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.config import ConfigError, Mode
from backend.kernel.crypto import Keyring
from backend.kernel.db import Database, Reader, Record, Tx
from backend.kernel.errors import Conflict, NotFound
from backend.kernel.ids import uuid7
from backend.kernel.resources import Resources
from payments import merchant_keys
from payments.channels.alipay import Alipay
from payments.channels.base import Channel, OnlineChannel
from payments.channels.wechat_v3 import WechatPayV3
from payments.merchant_keys import ALIPAY_SANDBOX_APPS, SANDBOX_KEY, Account, Keys

FRESH_S = 5
COUNTER_APP = "counter"

LOAD = "SELECT * FROM merchant WHERE id = $1"

# For every item the most particular merchant: of the item, else of the community, else of the company. Collection may
# be paused for all merchants of a place (payments/pauses.py); the counter goes on.
CHOOSE = """
    SELECT item.id AS item_id, m.id, coalesce(m.sub_appid, m.appid) AS appid,
           m.paused OR ($3 <> 'counter'
                        AND EXISTS (SELECT FROM collection_pause p
                                     WHERE p.company_id = c.company_id
                                       AND (p.community_id IS NULL OR p.community_id = c.id))) AS paused,
           ARRAY(SELECT o.appid FROM official_account o
                  WHERE o.company_id = c.company_id AND m.sub_mchid IS NULL) AS officials
      FROM unnest($2::uuid[]) AS item (id)
      JOIN community c ON c.id = $1
      LEFT JOIN LATERAL (
           SELECT id, appid, sub_mchid, sub_appid, paused
             FROM merchant
            WHERE company_id = c.company_id AND channel = $3 AND retired_at IS NULL
              AND (community_id IS NULL OR community_id = c.id)
              AND (item_id IS NULL OR item_id = item.id)
            ORDER BY item_id NULLS LAST, community_id NULLS LAST
            LIMIT 1) AS m ON true
"""

INSERT = """
    INSERT INTO merchant (id, company_id, community_id, item_id, channel, mchid, appid, sub_mchid, sub_appid, name,
                          serial_no, root_serial_no, private_key_sealed, api_v3_key_sealed, platform_keys, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
    ON CONFLICT DO NOTHING
    RETURNING id
"""

ADD_COUNTER = """
    INSERT INTO merchant (id, company_id, channel, mchid, appid, name, serial_no, platform_keys, created_at)
    VALUES ($1, $2, 'counter', $3, $4, '收费窗口', '', '{}', $5)
    ON CONFLICT DO NOTHING
"""

COUNTER = "SELECT * FROM merchant WHERE company_id = $1 AND channel = 'counter' AND retired_at IS NULL"

SET_PAUSED = """
    UPDATE merchant SET paused = $2, version = version + 1
     WHERE id = $1 AND retired_at IS NULL AND channel <> 'counter'
 RETURNING coalesce(community_id, company_id) AS community_id
"""

RETIRE = """
    UPDATE merchant SET retired_at = $2, version = version + 1
     WHERE id = $1 AND retired_at IS NULL AND channel <> 'counter'
 RETURNING coalesce(community_id, company_id) AS community_id
"""

SET_KEYS = """
    UPDATE merchant
       SET serial_no = $3, root_serial_no = $4, private_key_sealed = $5, api_v3_key_sealed = $6, platform_keys = $7,
           version = version + 1
     WHERE id = $1 AND version = $2
 RETURNING coalesce(community_id, company_id) AS community_id
"""

SET_PLATFORM_KEYS = """
    UPDATE merchant SET platform_keys = platform_keys || $2, version = version + 1
     WHERE id = $1 AND NOT platform_keys @> $2
 RETURNING id
"""

WITH_CERTIFICATES = """
    SELECT id
      FROM merchant
     WHERE retired_at IS NULL AND channel = 'wechat'
       AND NOT EXISTS (SELECT FROM jsonb_object_keys(platform_keys) AS serial WHERE serial LIKE 'PUB_KEY_ID%')
"""


OF_SANDBOX = """
    SELECT name
      FROM merchant
     WHERE retired_at IS NULL
       AND (EXISTS (SELECT FROM jsonb_object_keys(platform_keys) AS serial WHERE starts_with(serial, $1))
            OR (channel = 'alipay'
                AND EXISTS (SELECT FROM unnest($2::text[]) AS app WHERE starts_with(appid, app))))
"""


@dataclass(frozen=True, slots=True)
class Merchant:
    """A merchant ready for use: its row's scope, who it is at its channel, and the keys that the channel's module made.

    `mchid` and `appid` are what the channel's messages name: a sub merchant's own where it has a service provider.
    """

    id: UUID
    company_id: UUID
    community_id: UUID | None
    channel: Channel
    mchid: str
    appid: str
    paused: bool
    version: int
    keys: Any

    @property
    def book(self) -> UUID:
        """Whose books take money of this merchant that no order explains: its community's, else the company's."""
        return self.community_id or self.company_id


@dataclass(frozen=True, slots=True)
class Choice:
    """The merchant that collects for a set of items; `officials`: official accounts of its company, bound to it too."""

    id: UUID
    appid: str
    paused: bool
    officials: frozenset[str] = frozenset()

    def serves(self, appid: str) -> bool:
        """Whether a payer can pay inside of this app of WeChat's."""
        return appid == self.appid or appid in self.officials


@dataclass(frozen=True, slots=True)
class Created:
    """A merchant that was added."""

    id: UUID


@dataclass(slots=True)
class _Kept:
    merchant: Merchant
    looked_s: float


_kept: WeakKeyDictionary[Database, dict[UUID, _Kept]] = WeakKeyDictionary()


async def merchant(res: Resources, merchant_id: UUID) -> Merchant:
    """The merchant with its keys opened; NotFound for an unknown id. At most FRESH_S behind its row."""
    kept = _kept.setdefault(res.db, {})
    known = kept.get(merchant_id)
    now_s = time.monotonic()
    if known is not None and now_s - known.looked_s < FRESH_S:
        return known.merchant
    row = await res.db.fetchrow(LOAD, merchant_id)
    if row is None:
        raise NotFound
    known = kept.get(merchant_id)
    if known is None or known.merchant.version != row["version"]:
        known = _Kept(_of_row(row, merchant_keys.opened(row, res.keyring, res.settings.mode)), now_s)
        kept[merchant_id] = known
    known.looked_s = now_s
    return known.merchant


def channel(res: Resources, merchant: Merchant) -> OnlineChannel[Any]:
    """The channel of a merchant at the address of the settings; Conflict `not_online` for the counter."""
    if merchant.channel is Channel.WECHAT:
        return wechat(res)
    if merchant.channel is Channel.ALIPAY:
        return Alipay(res.egress, res.clock, res.settings.alipay_url)
    raise Conflict("这个收款商户不是线上渠道。", code="not_online")


def wechat(res: Resources) -> WechatPayV3:
    """WeChat Pay at the address of the settings."""
    return WechatPayV3(res.egress, res.clock, res.settings.wechat_pay_url)


async def refuse_sandbox(db: Reader, mode: Mode) -> None:
    """ConfigError when live mode would start with a merchant of the sandbox."""
    if mode is Mode.LIVE and (found := await db.fetchval(OF_SANDBOX, SANDBOX_KEY, list(ALIPAY_SANDBOX_APPS))):
        raise ConfigError(f"收款商户“{found}”使用的是沙箱的密钥，正式环境不能启动。请先停用它。")


def notify_url(public_url: str, by: Channel, merchant_id: UUID) -> str:
    """Where the channel tells us about payments to this merchant."""
    return f"{public_url.rstrip('/')}/pay/notify/{by}/{merchant_id}"


async def choice(
    db: Reader, community_id: UUID, *, item_ids: Sequence[UUID | None], channel: Channel = Channel.WECHAT
) -> Choice:
    """Who collects for these items of a community by this channel; None: for what belongs to no item.

    Conflict `payment_not_open` where nobody does, `different_merchants` where it is not one and the same.
    """
    rows = await db.fetch(CHOOSE, community_id, list(set(item_ids)), channel.value)
    if not rows or any(row["id"] is None for row in rows):
        raise Conflict("这里还没有开通这种支付方式，请联系物业服务中心缴费。", code="payment_not_open")
    if len({row["id"] for row in rows}) > 1:
        raise Conflict("所选账单由不同的账户收款，请分开支付。", code="different_merchants")
    return Choice(rows[0]["id"], rows[0]["appid"], rows[0]["paused"], frozenset(rows[0]["officials"]))


async def counter(tx: Tx, company_id: UUID) -> Merchant:
    """The one counter of a company, made when there is none."""
    await tx.execute(ADD_COUNTER, uuid7(tx.now), company_id, company_id.hex, COUNTER_APP, tx.now)
    row = await tx.fetchrow(COUNTER, company_id)
    if row is None:
        raise Conflict
    return _of_row(row, None)


async def create(
    tx: Tx,
    actor: Actor,
    *,
    keyring: Keyring,
    mode: Mode,
    company_id: UUID,
    community_id: UUID | None,
    item_id: UUID | None,
    mchid: str,
    appid: str,
    name: str,
    keys: Keys,
    channel: Channel = Channel.WECHAT,
    sub_mchid: str | None = None,
    sub_appid: str | None = None,
) -> Created:
    """Add a merchant for a scope; Invalid for keys that do not work, Conflict `merchant_exists` for a taken scope."""
    merchant_keys.check(Account(channel, mchid, appid, sub_mchid, sub_appid), keys, mode)
    merchant_id = uuid7(tx.now)
    sealed = merchant_keys.seal(keyring, merchant_id, keys)
    added = await tx.fetchval(
        INSERT, merchant_id, company_id, community_id, item_id, channel.value, mchid, appid, sub_mchid, sub_appid,
        name, keys.serial_no, keys.root_serial_no, sealed.private_key, sealed.api_v3_key, dict(keys.platform_keys),
        tx.now,
    )  # fmt: skip
    if added is None:
        raise Conflict("这个范围已经有收款商户，请先停用原来的商户。", code="merchant_exists")
    audit.record(
        tx, actor, action="payments.merchant_created", target=f"merchant:{merchant_id}",
        community_id=community_id or company_id,
        after={
            "channel": channel.value, "mchid": mchid, "appid": appid, "sub_mchid": sub_mchid, "sub_appid": sub_appid,
            "serial_no": keys.serial_no, "item_id": item_id,
        },
    )  # fmt: skip
    return Created(merchant_id)


async def set_paused(tx: Tx, actor: Actor, *, merchant_id: UUID, paused: bool, reason: str) -> None:
    """Stop or allow new orders; NotFound for an unknown or retired merchant."""
    await _change(
        tx, actor, SET_PAUSED, merchant_id, paused, reason=reason,
        action="payments.merchant_paused" if paused else "payments.merchant_resumed",
    )  # fmt: skip


async def retire(tx: Tx, actor: Actor, *, merchant_id: UUID, reason: str) -> None:
    """Choose this merchant no more; what it was ordered to collect still settles."""
    await _change(tx, actor, RETIRE, merchant_id, tx.now, reason=reason, action="payments.merchant_retired")


async def _change(
    tx: Tx, actor: Actor, sql: str, merchant_id: UUID, value: object, *, action: str, reason: str
) -> None:
    row = await tx.fetchrow(sql, merchant_id, value)
    if row is None:
        raise NotFound
    audit.record(
        tx, actor, action=action, target=f"merchant:{merchant_id}", community_id=row["community_id"], reason=reason
    )


async def refresh_certificates(res: Resources) -> int:
    """Ask the platform for its certificates, for merchants without a public key of it; how many learned something.

    Old and new certificates are believed side by side (pitfalls B7). Raises what the channel raises.
    """
    learned = 0
    for row in await res.db.fetch(WITH_CERTIFICATES):
        found = await wechat(res).fetch_certificates((await merchant(res, row["id"])).keys)
        pems = {serial: certificate.pem for serial, certificate in found.items()}
        if pems and await res.db.fetchval(SET_PLATFORM_KEYS, row["id"], pems):
            learned += 1
    return learned


def _of_row(row: Record, keys: Any) -> Merchant:
    return Merchant(
        id=row["id"],
        company_id=row["company_id"],
        community_id=row["community_id"],
        channel=Channel(row["channel"]),
        mchid=row["sub_mchid"] or row["mchid"],
        appid=row["sub_appid"] or row["appid"],
        paused=row["paused"],
        version=row["version"],
        keys=keys,
    )
