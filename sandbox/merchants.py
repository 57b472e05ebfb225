"""Merchants as the channel knows them, and which key answers them (protocols/wechat-pay-v3.md section 4)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache

from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox.keys import Signer, load_public_key
from sandbox.platform_keys import PlatformKeys
from sandbox.store import Store

MOST_KEYS = 3

SAVE_MERCHANT = """
INSERT INTO merchants (mchid, appids, apiv3_key, serial_no, public_key_pem, mode, more_keys, sub_merchants, h5_domains)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (mchid) DO UPDATE SET
    appids = excluded.appids, apiv3_key = excluded.apiv3_key, serial_no = excluded.serial_no,
    public_key_pem = excluded.public_key_pem, mode = excluded.mode, more_keys = excluded.more_keys,
    sub_merchants = excluded.sub_merchants, h5_domains = excluded.h5_domains
"""


class SigningMode(StrEnum):
    """Which of the platform's keys signs for a merchant; BOTH is the migration from one to the other."""

    PUBLIC_KEY = "public_key"
    CERTIFICATE = "certificate"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Merchant:
    """One merchant (直连商户), or a service provider (服务商) where it has sub-merchants.

    `apiv3_key` is empty until it was set in the console. `more_keys` are further API certificates in use (serial to
    public key), while keys are rotated. `sub_merchants` maps a sub-merchant to its own apps. Without `h5_domains` any
    page may open an h5_url.
    """

    mchid: str
    appids: frozenset[str]
    apiv3_key: str
    serial_no: str
    public_key_pem: str
    mode: SigningMode
    more_keys: Mapping[str, str] = field(default_factory=dict)
    sub_merchants: Mapping[str, list[str]] = field(default_factory=dict)
    h5_domains: frozenset[str] = frozenset()

    @property
    def public_keys(self) -> dict[str, str]:
        """Every API certificate in use: serial to public key."""
        return {self.serial_no: self.public_key_pem, **self.more_keys}

    def key(self, serial_no: str) -> rsa.RSAPublicKey | None:
        """The public half of the API certificate with this serial, if it is in use."""
        pem = self.public_keys.get(serial_no)
        return None if pem is None else _parsed(pem)


@cache
def _parsed(pem: str) -> rsa.RSAPublicKey:
    return load_public_key(pem)


def save(store: Store, merchant: Merchant) -> None:
    """Create or replace a merchant."""
    store.run(
        SAVE_MERCHANT,
        merchant.mchid,
        json.dumps(sorted(merchant.appids)),
        merchant.apiv3_key,
        merchant.serial_no,
        merchant.public_key_pem,
        merchant.mode,
        json.dumps(dict(merchant.more_keys)),
        json.dumps(dict(merchant.sub_merchants)),
        json.dumps(sorted(merchant.h5_domains)),
    )


def find(store: Store, mchid: str) -> Merchant | None:
    """The merchant, if the channel knows it."""
    row = store.row("SELECT * FROM merchants WHERE mchid = ?", mchid)
    if row is None:
        return None
    return Merchant(
        mchid=row["mchid"],
        appids=frozenset(json.loads(row["appids"])),
        apiv3_key=row["apiv3_key"],
        serial_no=row["serial_no"],
        public_key_pem=row["public_key_pem"],
        mode=SigningMode(row["mode"]),
        more_keys=json.loads(row["more_keys"]),
        sub_merchants=json.loads(row["sub_merchants"]),
        h5_domains=frozenset(json.loads(row["h5_domains"])),
    )


def every_mchid(store: Store) -> list[str]:
    """All merchants that sign for themselves."""
    return [row["mchid"] for row in store.rows("SELECT mchid FROM merchants ORDER BY mchid")]


def is_bound(store: Store, merchant: Merchant, mchid: str, appid: str) -> bool:
    """Whether `appid` may collect for `mchid` (the merchant or a sub-merchant of it), bound from either side."""
    if appid in (merchant.appids if mchid == merchant.mchid else merchant.sub_merchants.get(mchid, [])):
        return True
    app = store.row("SELECT bound_mchids FROM apps WHERE appid = ?", appid)
    return app is not None and mchid in json.loads(app["bound_mchids"])


def response_signer(keys: PlatformKeys, merchant: Merchant | None, asked_serial: str | None) -> Signer:
    """The key of a response; before the migration `Wechatpay-Serial` in the request is ignored.

    While a certificate is renewed the old and the new one sign by turns; of public keys the one asked for signs.
    """
    asked = keys.named_public_key(asked_serial or "")
    if merchant is None or merchant.mode is SigningMode.PUBLIC_KEY:
        return asked or keys.public_key
    if merchant.mode is SigningMode.BOTH and asked is not None:
        return asked
    return keys.certificate_by_turn(keys.next_turn())


def callback_signer(keys: PlatformKeys, merchant: Merchant, *, turn: int) -> Signer:
    """The key of a callback; both kinds arrive by turns in the migration, and so do old and new keys."""
    by_certificate = merchant.mode is SigningMode.CERTIFICATE
    if merchant.mode is SigningMode.BOTH:
        by_certificate, turn = turn % 2 == 0, turn // 2
    return keys.certificate_by_turn(turn) if by_certificate else keys.public_key_by_turn(turn)
