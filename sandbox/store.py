"""State of the sandbox in one sqlite3 file: it survives a kill at any moment.

Write-ahead log with `synchronous=OFF`: a committed change outlives the process, which is all that is asked of it; only
a machine that loses its power may lose the last ones, and nobody waits for a disk. Everything runs in one event
loop and no change contains an `await`, so a change is never interleaved with another.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

Row = sqlite3.Row

SCHEMA = """
CREATE TABLE IF NOT EXISTS apps (
    appid TEXT PRIMARY KEY, secret TEXT NOT NULL, kind TEXT NOT NULL, original_id TEXT, open_platform TEXT,
    pages TEXT, bound_mchids TEXT NOT NULL, web_domain TEXT, push TEXT);
CREATE TABLE IF NOT EXISTS templates (
    appid TEXT NOT NULL, template_id TEXT NOT NULL, title TEXT NOT NULL, kind TEXT NOT NULL,
    fields TEXT NOT NULL, consts TEXT NOT NULL, PRIMARY KEY (appid, template_id));
CREATE TABLE IF NOT EXISTS merchants (
    mchid TEXT PRIMARY KEY, appids TEXT NOT NULL, apiv3_key TEXT NOT NULL, serial_no TEXT NOT NULL,
    public_key_pem TEXT NOT NULL, mode TEXT NOT NULL, more_keys TEXT NOT NULL DEFAULT '{}',
    sub_merchants TEXT NOT NULL DEFAULT '{}', h5_domains TEXT NOT NULL DEFAULT '[]');
CREATE TABLE IF NOT EXISTS users (user_id TEXT PRIMARY KEY, nickname TEXT NOT NULL, phone TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS openids (
    appid TEXT NOT NULL, openid TEXT NOT NULL, user_id TEXT NOT NULL, session_key TEXT,
    active_s REAL NOT NULL DEFAULT 0, PRIMARY KEY (appid, openid), UNIQUE (appid, user_id));
CREATE TABLE IF NOT EXISTS codes (
    code TEXT PRIMARY KEY, purpose TEXT NOT NULL, appid TEXT NOT NULL, user_id TEXT NOT NULL,
    created_s REAL NOT NULL, used_s REAL);
CREATE TABLE IF NOT EXISTS tokens (
    token TEXT PRIMARY KEY, appid TEXT NOT NULL, source TEXT NOT NULL, issued_s REAL NOT NULL,
    expires_s REAL NOT NULL, dead_from_s REAL);
CREATE INDEX IF NOT EXISTS tokens_by_app ON tokens (appid, source, issued_s);
CREATE TABLE IF NOT EXISTS followers (
    appid TEXT NOT NULL, openid TEXT NOT NULL, since_s REAL NOT NULL DEFAULT 0,
    via TEXT NOT NULL DEFAULT 'ADD_SCENE_SEARCH', ticket TEXT NOT NULL DEFAULT '', PRIMARY KEY (appid, openid));
CREATE TABLE IF NOT EXISTS credits (
    appid TEXT NOT NULL, openid TEXT NOT NULL, template_id TEXT NOT NULL, credits INTEGER NOT NULL,
    PRIMARY KEY (appid, openid, template_id));
CREATE TABLE IF NOT EXISTS messages (
    msgid INTEGER PRIMARY KEY AUTOINCREMENT, appid TEXT NOT NULL, openid TEXT NOT NULL, kind TEXT NOT NULL,
    template_id TEXT NOT NULL, client_msg_id TEXT, request TEXT NOT NULL, sent_s REAL NOT NULL);
CREATE INDEX IF NOT EXISTS messages_by_client_id ON messages (appid, openid, client_msg_id);
CREATE TABLE IF NOT EXISTS shipping (
    id INTEGER PRIMARY KEY AUTOINCREMENT, appid TEXT NOT NULL, transaction_id TEXT NOT NULL,
    request TEXT NOT NULL, received_s REAL NOT NULL);
CREATE TABLE IF NOT EXISTS orders (
    mchid TEXT NOT NULL, out_trade_no TEXT NOT NULL, trade_type TEXT NOT NULL, appid TEXT NOT NULL,
    openid TEXT, request TEXT NOT NULL, total_fen INTEGER NOT NULL, currency TEXT NOT NULL,
    description TEXT NOT NULL, attach TEXT NOT NULL, notify_url TEXT NOT NULL,
    prepay_id TEXT NOT NULL UNIQUE, prepay_expires_s REAL NOT NULL, code_url TEXT,
    created_s REAL NOT NULL, expires_s REAL NOT NULL, state TEXT NOT NULL, cancels INTEGER NOT NULL DEFAULT 0,
    transaction_id TEXT UNIQUE, success_s REAL, payer_openid TEXT, sub_mchid TEXT NOT NULL DEFAULT '',
    sub_appid TEXT NOT NULL DEFAULT '', payer_kind TEXT NOT NULL DEFAULT 'openid', link_expires_s REAL,
    pay_at_s REAL,
    PRIMARY KEY (mchid, out_trade_no));
CREATE INDEX IF NOT EXISTS orders_open ON orders (expires_s) WHERE state = 'NOTPAY';
CREATE INDEX IF NOT EXISTS orders_by_code ON orders (code_url) WHERE code_url IS NOT NULL;
CREATE INDEX IF NOT EXISTS orders_paid_late ON orders (pay_at_s) WHERE pay_at_s IS NOT NULL;
CREATE INDEX IF NOT EXISTS orders_by_success ON orders (mchid, success_s);
CREATE TABLE IF NOT EXISTS notifications (
    id TEXT PRIMARY KEY, mchid TEXT NOT NULL, out_trade_no TEXT NOT NULL, event_type TEXT NOT NULL,
    url TEXT NOT NULL, body TEXT NOT NULL, created_s REAL NOT NULL, state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, next_s REAL, copies INTEGER NOT NULL, lost INTEGER NOT NULL,
    probed INTEGER NOT NULL DEFAULT 0, manner TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS notifications_due ON notifications (next_s) WHERE next_s IS NOT NULL;
CREATE INDEX IF NOT EXISTS notifications_by_order ON notifications (out_trade_no);
CREATE TABLE IF NOT EXISTS attempts (
    id INTEGER PRIMARY KEY AUTOINCREMENT, notification_id TEXT NOT NULL, started_s REAL NOT NULL,
    outcome TEXT NOT NULL, status INTEGER, answer TEXT NOT NULL, headers TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS attempts_by_notification ON attempts (notification_id);
CREATE TABLE IF NOT EXISTS nonces (
    mchid TEXT NOT NULL, nonce TEXT NOT NULL, seen_s REAL NOT NULL, PRIMARY KEY (mchid, nonce));
CREATE INDEX IF NOT EXISTS nonces_by_age ON nonces (seen_s);
CREATE TABLE IF NOT EXISTS statement_links (
    token TEXT PRIMARY KEY, mchid TEXT NOT NULL, bill_date TEXT NOT NULL, bill_type TEXT NOT NULL,
    gzip INTEGER NOT NULL, expires_s REAL NOT NULL, sub_mchid TEXT NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, count INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""

COUNT = """
INSERT INTO counters (name, count) VALUES (?, 1)
ON CONFLICT (name) DO UPDATE SET count = count + 1
RETURNING count
"""
SAVE_SETTING = (
    "INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)
TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
COLUMNS = "SELECT name FROM pragma_table_info(?)"
# Columns younger than their table: a file of an earlier version gets them at the next start.
YOUNGER_COLUMNS: tuple[tuple[str, str, str], ...] = (
    ("orders", "sub_mchid", "TEXT NOT NULL DEFAULT ''"),
    ("orders", "sub_appid", "TEXT NOT NULL DEFAULT ''"),
    ("orders", "payer_kind", "TEXT NOT NULL DEFAULT 'openid'"),
    ("orders", "link_expires_s", "REAL"),
    ("merchants", "more_keys", "TEXT NOT NULL DEFAULT '{}'"),
    ("merchants", "sub_merchants", "TEXT NOT NULL DEFAULT '{}'"),
    ("merchants", "h5_domains", "TEXT NOT NULL DEFAULT '[]'"),
    ("orders", "pay_at_s", "REAL"),
    ("notifications", "manner", "TEXT NOT NULL DEFAULT ''"),
    ("apps", "web_domain", "TEXT"),
    ("apps", "push", "TEXT"),
    ("openids", "active_s", "REAL NOT NULL DEFAULT 0"),
    ("followers", "since_s", "REAL NOT NULL DEFAULT 0"),
    ("followers", "via", "TEXT NOT NULL DEFAULT 'ADD_SCENE_SEARCH'"),
    ("followers", "ticket", "TEXT NOT NULL DEFAULT ''"),
    ("statement_links", "sub_mchid", "TEXT NOT NULL DEFAULT ''"),
)


class Store:
    """One connection to the sandbox's file. Every statement outside `change` commits by itself."""

    def __init__(self, file: Path, *schemas: str) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(file, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=OFF")
        for table, column, declaration in YOUNGER_COLUMNS:
            known = {row["name"] for row in self.rows(COLUMNS, table)}
            if known and column not in known:
                self.run(f"ALTER TABLE {table} ADD COLUMN {column} {declaration}")
        for schema in schemas or (SCHEMA,):
            self._db.executescript(schema)

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def change(self) -> Iterator[None]:
        """All statements inside are committed together, or none; a change inside a change is a part of it."""
        if self._db.in_transaction:
            yield
            return
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def row(self, sql: str, *params: object) -> Row | None:
        """The first row of the answer, or None."""
        cursor = self._db.execute(sql, params)
        found: Row | None = cursor.fetchone()
        cursor.close()
        return found

    def rows(self, sql: str, *params: object) -> list[Row]:
        """All rows of the answer."""
        return self._db.execute(sql, params).fetchall()

    def run(self, sql: str, *params: object) -> int:
        """Carry out a change and return the number of rows it touched."""
        return self._db.execute(sql, params).rowcount

    def count(self, name: str) -> int:
        """Add one to a counter and return it."""
        row = self._db.execute(COUNT, (name,)).fetchall()[0]
        return int(row["count"])

    def setting(self, name: str) -> str | None:
        """A stored setting's text."""
        row = self.row("SELECT value FROM settings WHERE name = ?", name)
        return None if row is None else str(row["value"])

    def save_setting(self, name: str, value: str) -> None:
        """Replace a setting's text."""
        self.run(SAVE_SETTING, name, value)

    def wipe(self) -> None:
        """Forget everything (the keys live in files of their own)."""
        with self.change():
            for row in self.rows(TABLES):
                self.run(f"DELETE FROM {row['name']}")  # noqa: S608 - the names are the schema's own
