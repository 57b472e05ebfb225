"""Tables of `sql/0010_prepaid.sql`."""

from pathlib import Path

from tortoise import migrations
from tortoise.migrations.operations import RunSQL


class Migration(migrations.Migration):
    atomic = False  # backend/kernel/migrator.py runs the whole chain in one transaction
    dependencies = [("linli", "0009_channels_refunds")]
    operations = [RunSQL((Path(__file__).parent / "sql" / "0010_prepaid.sql").read_text("utf-8"))]
