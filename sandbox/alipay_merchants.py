"""Merchants as Alipay knows them, with plain keys or with certificates, never both (protocols/alipay.md section 4)."""

from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox import alipay_keys
from sandbox.alipay_keys import Signer
from sandbox.keys import load_public_key
from sandbox.store import Store
from sandbox.world import World

OLD_CERTIFICATE_LIVES_S = 7 * 86_400

SAVE = """
INSERT INTO alipay_merchants (app_id, seller_id, seller_email, mode, public_key_pem) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (app_id) DO UPDATE SET
    seller_id = excluded.seller_id, seller_email = excluded.seller_email, mode = excluded.mode,
    public_key_pem = excluded.public_key_pem
"""
RETIRE_CERTIFICATES = """
UPDATE alipay_app_certificates SET valid_until_s = ? WHERE app_id = ? AND valid_until_s IS NULL
"""
ADD_CERTIFICATE = "INSERT INTO alipay_app_certificates (app_id, sn, pem) VALUES (?, ?, ?)"
CERTIFICATE = "SELECT * FROM alipay_app_certificates WHERE app_id = ? AND sn = ?"
CURRENT_CERTIFICATE = "SELECT * FROM alipay_app_certificates WHERE app_id = ? AND valid_until_s IS NULL"


class Mode(StrEnum):
    """How an application signs."""

    KEY = "key"
    CERTIFICATE = "certificate"


@dataclass(frozen=True, slots=True)
class AlipayMerchant:
    """One application and the account that it collects for. `seller_id` is the account's number (PID, 2088…)."""

    app_id: str
    seller_id: str
    seller_email: str
    mode: Mode
    public_key_pem: str


def save(world: World, merchant: AlipayMerchant) -> None:
    """Create or replace a merchant; a certificate over a new key replaces the old one, which lives seven days more."""
    known = find(world.store, merchant.app_id)
    with world.store.change():
        world.store.run(SAVE, *(getattr(merchant, name) for name in AlipayMerchant.__slots__))
        if merchant.mode is Mode.CERTIFICATE and known != merchant:
            world.store.run(RETIRE_CERTIFICATES, world.now_s() + OLD_CERTIFICATE_LIVES_S, merchant.app_id)
            pem = world.alipay.issue(_parsed(merchant.public_key_pem), f"Linli Sandbox App {merchant.app_id}")
            world.store.run(ADD_CERTIFICATE, merchant.app_id, alipay_keys.certificate_sn(pem), pem)


def find(store: Store, app_id: str) -> AlipayMerchant | None:
    """The merchant, if Alipay knows the application."""
    row = store.row("SELECT * FROM alipay_merchants WHERE app_id = ?", app_id)
    return None if row is None else AlipayMerchant(**{**dict(row), "mode": Mode(row["mode"])})


def application_certificate(store: Store, app_id: str) -> str:
    """The application certificate (应用公钥证书) that is valid now, in PEM; empty in key mode."""
    row = store.row(CURRENT_CERTIFICATE, app_id)
    return "" if row is None else str(row["pem"])


def certified_key(world: World, merchant: AlipayMerchant, sn: str) -> rsa.RSAPublicKey | None:
    """The key under a certificate of the application; None when there is no such certificate any more."""
    row = world.store.row(CERTIFICATE, merchant.app_id, sn)
    if row is None or (row["valid_until_s"] is not None and row["valid_until_s"] <= world.now_s()):
        return None
    return _certificate_key(row["pem"])


def plain_key(merchant: AlipayMerchant) -> rsa.RSAPublicKey:
    """The application public key that was uploaded."""
    return _parsed(merchant.public_key_pem)


def signer(world: World, merchant: AlipayMerchant) -> Signer:
    """What signs answers and notifications to this merchant."""
    return world.alipay.signer(certified=merchant.mode is Mode.CERTIFICATE)


@cache
def _parsed(pem: str) -> rsa.RSAPublicKey:
    return load_public_key(pem)


@cache
def _certificate_key(pem: str) -> rsa.RSAPublicKey:
    key = x509.load_pem_x509_certificate(pem.encode()).public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        raise ValueError("not an RSA certificate")
    return key
