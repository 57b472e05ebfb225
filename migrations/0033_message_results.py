"""Columns of `sql/0033_message_results.sql`."""

from pathlib import Path

from tortoise import migrations
from tortoise.migrations.operations import RunSQL


class Migration(migrations.Migration):
    atomic = False  # backend/kernel/migrator.py runs the whole chain in one transaction
    dependencies = [("linli", "0032_notices")]
    operations = [RunSQL((Path(__file__).parent / "sql" / "0033_message_results.sql").read_text("utf-8"))]
