"""What the sandbox's WeChat tells by itself to the address that an account has named for pushes.

A push is composed once: all attempts have the same body, CreateTime and MsgId. push_postman.py delivers it.
"""

import json
import secrets
from dataclasses import dataclass
from typing import Any

from sandbox import push_crypto, push_texts
from sandbox.store import Row
from sandbox.world import World

SCHEMA = """
CREATE TABLE IF NOT EXISTS pushes (
    id INTEGER PRIMARY KEY AUTOINCREMENT, appid TEXT NOT NULL, openid TEXT NOT NULL, message TEXT NOT NULL,
    body TEXT NOT NULL, sealed TEXT NOT NULL, created_s REAL NOT NULL, state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, next_s REAL, copies INTEGER NOT NULL, repeats INTEGER NOT NULL,
    lost INTEGER NOT NULL, reply TEXT, seen TEXT);
CREATE INDEX IF NOT EXISTS pushes_due ON pushes (next_s) WHERE next_s IS NOT NULL;
CREATE TABLE IF NOT EXISTS push_attempts (
    id INTEGER PRIMARY KEY AUTOINCREMENT, push_id INTEGER NOT NULL, started_s REAL NOT NULL,
    outcome TEXT NOT NULL, status INTEGER, answer TEXT NOT NULL, query TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS push_attempts_by_push ON push_attempts (push_id);
"""
QUEUE = """
INSERT INTO pushes (appid, openid, message, body, sealed, created_s, state, next_s, copies, repeats, lost)
VALUES (?, ?, ?, ?, ?, ?, 'waiting', ?, ?, ?, ?)
RETURNING id
"""


@dataclass(frozen=True, slots=True)
class Address:
    """Where and how an app wants to be told: `form` is xml or json, `mode` plain, compatible or safe."""

    appid: str
    original_id: str
    url: str
    token: str
    aes_key: str
    mode: str
    form: str


@dataclass(frozen=True, slots=True)
class Composed:
    """A push as fields, as a request's body, and its `Encrypt`, which is empty in plain mode."""

    message: dict[str, Any]
    body: str
    sealed: str


def address_of(world: World, appid: str) -> Address | None:
    """The app's address for pushes, None where it has named none."""
    app = world.store.row("SELECT * FROM apps WHERE appid = ?", appid)
    if app is None or app["push"] is None:
        return None
    return Address(appid=appid, original_id=app["original_id"] or appid, **json.loads(app["push"]))


def compose(address: Address, openid: str, fields: dict[str, Any], at_s: float) -> Composed:
    """The push of something that happened at `at_s`; a message gets its MsgId."""
    message = {"ToUserName": address.original_id, "FromUserName": openid, "CreateTime": int(at_s), **fields}
    if fields["MsgType"] != "event":
        message["MsgId"] = 24_000_000_000_000_000 + secrets.randbelow(10**15)
    text = push_texts.write(address.form, message).encode()
    sealed = ""
    if address.mode != push_texts.PLAIN:
        sealed = push_crypto.seal(address.aes_key, address.appid, text, secrets.token_hex(8).encode())
    return Composed(message, push_texts.envelope(address.form, address.mode, message, sealed), sealed)


def signature_query(address: Address, at_s: float) -> dict[str, str]:
    """What signs an address (sections 1.1 and 1.2): it says nothing about a body."""
    timestamp, nonce = str(int(at_s)), str(secrets.randbelow(10**10))
    signature = push_crypto.signature(address.token, timestamp, nonce)
    return {"signature": signature, "timestamp": timestamp, "nonce": nonce}


def signed_query(address: Address, openid: str, sealed: str, at_s: float) -> dict[str, str]:
    """The query of one attempt, signed at `at_s`."""
    query = {**signature_query(address, at_s), "openid": openid}
    if sealed:
        query["encrypt_type"] = "aes"
        query["msg_signature"] = push_crypto.signature(address.token, query["timestamp"], query["nonce"], sealed)
    return query


def queue(world: World, appid: str, openid: str, fields: dict[str, Any], *, after_s: float = 0) -> int | None:
    """Tell the account `appid` something of the user `openid`: `fields` are those besides the common ones.

    An event is `{"MsgType": "event", "Event": "CLICK", "EventKey": "…"}`, a text `{"MsgType": "text", "Content": "…"}`.
    Returns the push's number, None where the account has no address for pushes: then nobody is told.
    """
    address = address_of(world, appid)
    if address is None:
        return None
    at_s = world.now_s() + after_s
    composed = compose(address, openid, fields, at_s)
    hostile = world.hostile
    what = (appid, openid, json.dumps(composed.message, ensure_ascii=False), composed.body, composed.sealed)
    manner = (
        2 if hostile.spend("duplicate_pushes") else 1,
        1 if hostile.spend("repeat_pushes") else 0,
        int(hostile.spend("lose_pushes")),
    )
    return int(world.store.rows(QUEUE, *what, at_s, at_s + hostile.push_delay_s, *manner)[0]["id"])


def find(world: World, number: int) -> Row | None:
    """One push."""
    return world.store.row("SELECT * FROM pushes WHERE id = ?", number)
