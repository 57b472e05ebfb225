"""The index of `sql/0016_receipts_by_order.sql`."""

from pathlib import Path

from tortoise import migrations
from tortoise.migrations.operations import RunSQL


class Migration(migrations.Migration):
    atomic = False  # backend/kernel/migrator.py runs the whole chain in one transaction
    dependencies = [("linli", "0015_parking")]
    operations = [RunSQL((Path(__file__).parent / "sql" / "0016_receipts_by_order.sql").read_text("utf-8"))]
