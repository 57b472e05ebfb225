"""Merchants as the channel knows them, and which key answers them (protocols/wechat-pay-v3.md section 4)."""

import json
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox.keys import PlatformKeys, Signer, load_public_key
from sandbox.store import Store

SAVE_MERCHANT = """
INSERT INTO merchants (mchid, appids, apiv3_key, serial_no, public_key_pem, mode) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (mchid) DO UPDATE SET
    appids = excluded.appids, apiv3_key = excluded.apiv3_key, serial_no = excluded.serial_no,
    public_key_pem = excluded.public_key_pem, mode = excluded.mode
"""


class SigningMode(StrEnum):
    """Which of the platform's keys signs for a merchant; BOTH is the migration from one to the other."""

    PUBLIC_KEY = "public_key"
    CERTIFICATE = "certificate"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Merchant:
    """One direct merchant (直连商户). `apiv3_key` is empty until it was set in the console."""

    mchid: str
    appids: frozenset[str]
    apiv3_key: str
    serial_no: str
    public_key_pem: str
    mode: SigningMode

    @property
    def public_key(self) -> rsa.RSAPublicKey:
        """The public half of the merchant API certificate."""
        return _parsed(self.public_key_pem)


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
    )


def is_bound(store: Store, merchant: Merchant, appid: str) -> bool:
    """Whether `appid` may collect for the merchant, bound from either side."""
    if appid in merchant.appids:
        return True
    app = store.row("SELECT bound_mchids FROM apps WHERE appid = ?", appid)
    return app is not None and merchant.mchid in json.loads(app["bound_mchids"])


def response_signer(keys: PlatformKeys, merchant: Merchant | None, asked_serial: str | None) -> Signer:
    """The key of a response; before the migration `Wechatpay-Serial` in the request is ignored."""
    if merchant is None or merchant.mode is SigningMode.PUBLIC_KEY:
        return keys.public_key
    if merchant.mode is SigningMode.BOTH and asked_serial == keys.public_key.serial:
        return keys.public_key
    return keys.certificate


def callback_signer(keys: PlatformKeys, merchant: Merchant, *, turn: int) -> Signer:
    """The key of a callback; in the migration both kinds of serial arrive, here by turns."""
    if merchant.mode is SigningMode.BOTH:
        return keys.public_key if turn % 2 else keys.certificate
    return response_signer(keys, merchant, None)
