"""Keys of tokens, what gates are given, and what they did alone, of `sql/0027_visitor_gates.sql`."""

from pathlib import Path

from tortoise import migrations
from tortoise.migrations.operations import RunSQL


class Migration(migrations.Migration):
    atomic = False  # backend/kernel/migrator.py runs the whole chain in one transaction
    dependencies = [("linli", "0026_visitors")]
    operations = [RunSQL((Path(__file__).parent / "sql" / "0027_visitor_gates.sql").read_text("utf-8"))]
