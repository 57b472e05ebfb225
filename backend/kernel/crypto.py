"""Envelope encryption of personal data and blind indexes for looking it up (I-24).

A data key seals texts with AES-256-GCM; the sealed text is bound to its table, column and row, so that it opens nowhere
else. The master key, which the database never sees, wraps the data keys. The first data key that is not retired seals;
the one after it waits and is already known to every process, so that a rotation needs no restart: those who have not
heard of it go on sealing with the old key and can open what the new one sealed. Retired keys only open.

    sealed  = version 1 | key id, 2 bytes | nonce, 12 bytes | ciphertext and tag
    wrapped = version 1 | nonce, 12 bytes | key and tag

The blind-index key does not rotate: its values are unique keys of the tables that hold them.
"""

import contextlib
import hmac
import os
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple, Self
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from backend.kernel.config import ConfigError, Settings
from backend.kernel.db import Reader, Record, Tx

MASTER_KEY_FILE = "master.key"
INDEX_KEY_ID = 0
BLIND_BYTES = 16
_VERSION = 1
_KEY_BYTES = 32
_NONCE_BYTES = 12
_HEADER_BYTES = 3
_MAX_KEY_ID = 0xFFFF

SELECT_KEYS = "SELECT id, wrapped, retired_at FROM data_key ORDER BY id"

# The whole first set or nothing: of two processes that start at once, one waits here and then inserts no row.
INSERT_KEYS = """
INSERT INTO data_key (id, kind, wrapped, created_at)
SELECT id, CASE id WHEN 0 THEN 'index' ELSE 'data' END, wrapped, $3
  FROM unnest($1::integer[], $2::bytea[]) AS fresh (id, wrapped)
 ORDER BY id
    ON CONFLICT (id) DO NOTHING
"""

# One rotation at a time: the second would not see the key that the first one adds.
LOCK_KEYS = "SELECT pg_advisory_xact_lock(hashtextextended('data_key', 0))"
RETIRE_KEY = "UPDATE data_key SET retired_at = $2 WHERE id = $1"
REWRAP_KEY = "UPDATE data_key SET wrapped = $2 WHERE id = $1"


class SealError(Exception):
    """A sealed text does not open: wrong place, damaged, or of an unknown key. The text never holds the content."""


class Context(NamedTuple):
    """Where a sealed text lives; it opens nowhere else."""

    table: str
    column: str
    row: UUID | int | str

    def bound(self) -> bytes:
        return f"{self.table}\0{self.column}\0{self.row}".encode()


class KeyRow(NamedTuple):
    """One row of `data_key`."""

    id: int
    wrapped: bytes
    retired_at: datetime | None = None


@dataclass(frozen=True, slots=True, repr=False)
class MasterKeys:
    """The key that wraps, and the one before it, which only opens."""

    current: bytes
    previous: bytes | None = None

    def wrap(self, key: bytes, key_id: int) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return bytes([_VERSION]) + nonce + AESGCM(self.current).encrypt(nonce, key, _wrap_context(key_id))

    def unwrap(self, wrapped: bytes, key_id: int) -> bytes:
        """The key inside `wrapped`; ConfigError when neither master key opens it."""
        nonce, body = wrapped[1 : 1 + _NONCE_BYTES], wrapped[1 + _NONCE_BYTES :]
        for master in (self.current, self.previous):
            if master is not None and wrapped[:1] == bytes([_VERSION]):
                with contextlib.suppress(InvalidTag):
                    return AESGCM(master).decrypt(nonce, body, _wrap_context(key_id))
        raise ConfigError("master_key：主密钥打不开数据库里的数据密钥，请确认 LINLI_MASTER_KEY 与数据库相配。")

    def wraps(self, wrapped: bytes, key_id: int) -> bool:
        """Whether the current master key, not the previous one, opens `wrapped`."""
        try:
            MasterKeys(self.current).unwrap(wrapped, key_id)
        except ConfigError:
            return False
        return True

    def derive(self, purpose: str) -> bytes:
        """A key of 32 bytes for another use, such as signing the addresses of files."""
        return hmac.digest(self.current, f"derive\0{purpose}".encode(), sha256)


class Keyring:
    """The data keys and the blind-index key of one process."""

    def __init__(self, data_keys: dict[int, bytes], *, current_id: int, index_key: bytes) -> None:
        self._keys = {key_id: AESGCM(key) for key_id, key in data_keys.items()}
        self._index_key = index_key
        self.current_id = current_id

    @classmethod
    def create(cls, master: MasterKeys) -> tuple[Self, list[KeyRow]]:
        """A fresh keyring and the rows that keep it: the index key, the first data key and the next one."""
        rows = [KeyRow(key_id, master.wrap(secrets.token_bytes(_KEY_BYTES), key_id)) for key_id in (INDEX_KEY_ID, 1, 2)]
        return cls.load(rows, master), rows

    @classmethod
    def load(cls, rows: Iterable[KeyRow], master: MasterKeys) -> Self:
        """The keyring kept in `rows`; ConfigError when the master keys do not fit them or a key is missing."""
        rows = list(rows)
        keys = {row.id: master.unwrap(row.wrapped, row.id) for row in rows}
        index_key = keys.pop(INDEX_KEY_ID, None)
        usable = [row.id for row in rows if row.id != INDEX_KEY_ID and row.retired_at is None]
        if index_key is None or not usable:
            raise ConfigError("data_key：数据库里的数据密钥不完整，请从备份恢复后再启动。")
        return cls(keys, current_id=min(usable), index_key=index_key)

    def reload(self, other: "Keyring") -> None:
        """Take over the keys of `other`, so that those who hold this keyring see a rotation."""
        self._keys, self.current_id = other._keys, other.current_id

    def seal(self, plaintext: str, context: Context) -> bytes:
        """`plaintext` sealed for `context` with the current key."""
        header = bytes([_VERSION]) + self.current_id.to_bytes(2, "big")
        nonce = os.urandom(_NONCE_BYTES)
        body = self._keys[self.current_id].encrypt(nonce, plaintext.encode(), header + context.bound())
        return header + nonce + body

    def open(self, sealed: bytes, context: Context) -> str:
        """The text that was sealed for `context`; SealError when it was not, or not by a key we know."""
        header, nonce = sealed[:_HEADER_BYTES], sealed[_HEADER_BYTES : _HEADER_BYTES + _NONCE_BYTES]
        key = self._keys.get(_key_id(sealed))
        if key is None:
            raise SealError(f"{context.table}.{context.column}: sealed by an unknown key")
        try:
            plain = key.decrypt(nonce, sealed[_HEADER_BYTES + _NONCE_BYTES :], header + context.bound())
        except (InvalidTag, ValueError) as error:
            raise SealError(f"{context.table}.{context.column}: does not open in its row") from error
        return plain.decode()

    @property
    def rotated(self) -> bool:
        """Whether there is a key older than the one that seals; without one no text can be outdated."""
        return min(self._keys) < self.current_id

    def needs_reseal(self, sealed: bytes) -> bool:
        """Whether `sealed` was made by a key older than the current one."""
        return _key_id(sealed) < self.current_id

    def blind(self, value: str, purpose: str) -> bytes:
        """16 bytes by which `value` is looked up without being known; purposes (such as `phone`) do not mix."""
        return hmac.digest(self._index_key, f"{purpose}\0{value}".encode(), sha256)[:BLIND_BYTES]


def equal(left: str | bytes, right: str | bytes) -> bool:
    """Compare two secrets in time that does not depend on where they differ."""
    return hmac.compare_digest(_bytes(left), _bytes(right))


def master_keys(settings: Settings) -> MasterKeys:
    """The master keys of `settings`; in sandbox mode one is made in `<data_dir>/master.key` when none is given."""
    previous = settings.previous_master_key
    current = settings.master_key.get_secret_value() if settings.master_key else _key_file(settings.data_dir)
    return MasterKeys(bytes.fromhex(current), bytes.fromhex(previous.get_secret_value()) if previous else None)


async def load_keyring(db: Reader, settings: Settings, *, at: datetime) -> Keyring:
    """The keyring of the database; the first start makes it, once, whoever starts beside us."""
    master = master_keys(settings)
    rows = await db.fetch(SELECT_KEYS)
    if not rows:
        _, fresh = Keyring.create(master)
        await db.execute(INSERT_KEYS, [row.id for row in fresh], [row.wrapped for row in fresh], at)
        rows = await db.fetch(SELECT_KEYS)
    return Keyring.load(_key_rows(rows), master)


async def refresh(keyring: Keyring, db: Reader, settings: Settings) -> None:
    """Let `keyring`, and all who hold it, take over what a rotation changed in the database."""
    keyring.reload(Keyring.load(_key_rows(await db.fetch(SELECT_KEYS)), master_keys(settings)))


async def rotate_data_key(tx: Tx, master: MasterKeys, *, at: datetime) -> Keyring:
    """Retire the current data key, let the waiting one seal, and add the next; all keys end under `master.current`.

    Returns the keyring after the rotation, for `Keyring.reload` once the transaction is committed.
    """
    await tx.execute(LOCK_KEYS)
    rows = _key_rows(await tx.fetch(SELECT_KEYS))
    before = Keyring.load(rows, master)
    next_id = rows[-1].id + 1
    if next_id > _MAX_KEY_ID:
        raise ConfigError("data_key：数据密钥的编号已经用完。")
    await tx.execute(RETIRE_KEY, before.current_id, at)
    await tx.execute(INSERT_KEYS, [next_id], [master.wrap(secrets.token_bytes(_KEY_BYTES), next_id)], at)
    await rewrap(tx, master)
    return Keyring.load(_key_rows(await tx.fetch(SELECT_KEYS)), master)


async def rewrap(tx: Tx, master: MasterKeys) -> int:
    """Wrap by the current master key whatever the previous one still wraps; how many keys that were.

    Afterwards `LINLI_PREVIOUS_MASTER_KEY` is no longer needed.
    """
    await tx.execute(LOCK_KEYS)
    old = [row for row in _key_rows(await tx.fetch(SELECT_KEYS)) if not master.wraps(row.wrapped, row.id)]
    for row in old:
        await tx.execute(REWRAP_KEY, row.id, master.wrap(master.unwrap(row.wrapped, row.id), row.id))
    return len(old)


async def wrapped_by_previous(db: Reader, master: MasterKeys) -> int:
    """How many keys `rewrap` has still to wrap."""
    return sum(not master.wraps(row.wrapped, row.id) for row in _key_rows(await db.fetch(SELECT_KEYS)))


def _key_rows(records: Sequence[Record]) -> list[KeyRow]:
    return [KeyRow(record["id"], bytes(record["wrapped"]), record["retired_at"]) for record in records]


def _key_file(data_dir: Path) -> str:
    """The hex digits in the key file. A link makes a new one appear whole, and only where there was none."""
    path = data_dir / MASTER_KEY_FILE
    if not path.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        fresh = data_dir / f"{MASTER_KEY_FILE}.{secrets.token_hex(8)}"
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(_KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(fresh, path)
        fresh.unlink()
    text = path.read_text().strip()
    try:
        return text if len(bytes.fromhex(text)) == _KEY_BYTES else _bad_key_file(path)
    except ValueError:
        return _bad_key_file(path)


def _bad_key_file(path: Path) -> str:
    raise ConfigError(f"master_key：{path} 里应是 64 位十六进制数字。")


def _wrap_context(key_id: int) -> bytes:
    return f"data_key\0{key_id}".encode()


def _key_id(sealed: bytes) -> int:
    """The key id in the header, -1 where the header cannot be read."""
    return int.from_bytes(sealed[1:_HEADER_BYTES], "big") if sealed[:1] == bytes([_VERSION]) else -1


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value
