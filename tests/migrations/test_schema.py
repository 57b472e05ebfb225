"""The chain of migrations builds the schema that the models describe, with every constraint in the catalogue."""

import importlib
import importlib.util
import inspect
import re
from pathlib import Path

import asyncpg
import pytest
from tortoise import fields
from tortoise.models import Model

from backend.composition import MODELS
from tests.worker_database import Urls

pytestmark = pytest.mark.apart

SQL = Path(__file__).parents[2] / "migrations" / "sql"
COLUMNS = """
    SELECT c.table_name, c.column_name, c.is_nullable
      FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
     WHERE table_schema = 'public' AND t.table_type = 'BASE TABLE'
"""
# Tables that code reaches by SQL alone: composite or binary keys, which Tortoise does not know, or the library's own.
WITHOUT_MODEL = {
    "audit_seal",
    "data_key",
    "device_nonce",
    "family_code",
    "idempotency",
    "login_guard",
    "parking_wildcard",
    "session",
    "staff_role",
    "staff_wechat_code",
    "tortoise_migrations",
    "visitor_gate_version",
    "wechat_push",
}

# Made, or dropped, in the order of the files.
NAMED = re.compile(
    r"(?<!DROP )(?:CONSTRAINT|CREATE (?:UNIQUE )?INDEX|CREATE (?:CONSTRAINT )?TRIGGER) (\w+)"
    r"|DROP (?:CONSTRAINT|INDEX|TRIGGER) (\w+)"
)


def models() -> dict[str, type[Model]]:
    found = {}
    for name in MODELS:
        for _, value in inspect.getmembers(importlib.import_module(name), inspect.isclass):
            if issubclass(value, Model) and value is not Model and value.__module__ == name:
                found[value._meta.db_table or value.Meta.table] = value
    return found


async def test_each_model_has_the_columns_of_its_table(urls: Urls) -> None:
    connection = await asyncpg.connect(urls.app)
    tables: dict[str, dict[str, bool]] = {}
    for row in await connection.fetch(COLUMNS):
        tables.setdefault(row["table_name"], {})[row["column_name"]] = row["is_nullable"] == "YES"
    await connection.close()
    known = models()
    assert set(tables) - set(known) <= WITHOUT_MODEL
    for table, model in known.items():
        columns = {field.source_field or name: field for name, field in model._meta.fields_map.items()}
        missing = set(tables[table]) ^ set(columns)
        assert not missing, (table, missing)
        for name, field in columns.items():
            if not isinstance(field, fields.JSONField):
                assert field.null == tables[table][name], (table, name, "nullable")


async def test_every_named_constraint_index_and_trigger_is_in_the_catalogue(urls: Urls) -> None:
    named: set[str] = set()
    for made, dropped in NAMED.findall("\n".join(path.read_text() for path in sorted(SQL.glob("*.sql")))):
        if made:
            named.add(made)
        named.discard(dropped)
    assert len(named) > 60
    connection = await asyncpg.connect(urls.app)
    found = {row[0] for row in await connection.fetch("SELECT conname FROM pg_constraint")}
    found |= {row[0] for row in await connection.fetch("SELECT indexname FROM pg_indexes")}
    found |= {row[0] for row in await connection.fetch("SELECT tgname FROM pg_trigger")}
    await connection.close()
    assert named - found == set()


async def test_no_column_has_a_default_that_reads_the_time(urls: Urls) -> None:
    connection = await asyncpg.connect(urls.app)
    rows = await connection.fetch("SELECT pg_get_expr(adbin, adrelid) AS text FROM pg_attrdef")
    await connection.close()
    assert not [row["text"] for row in rows if re.search(r"now\(|current_|clock_timestamp", row["text"], re.I)]


async def test_the_app_role_may_not_change_the_books_or_the_schema(urls: Urls) -> None:
    connection = await asyncpg.connect(urls.app)
    try:
        for table in ("posting", "audit_entry", "audit_seal", "ticket_event", "ticket_stock_movement"):
            for right in ("UPDATE", "DELETE", "TRUNCATE"):
                allowed = await connection.fetchval("SELECT has_table_privilege($1, $2)", table, right)
                assert not allowed, (table, right)
        assert not await connection.fetchval("SELECT has_schema_privilege('public', 'CREATE')")
    finally:
        await connection.close()
