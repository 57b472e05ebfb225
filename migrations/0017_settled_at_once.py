"""The function of `sql/0017_settled_at_once.sql`."""

from pathlib import Path

from tortoise import migrations
from tortoise.migrations.operations import RunSQL


class Migration(migrations.Migration):
    atomic = False  # backend/kernel/migrator.py runs the whole chain in one transaction
    dependencies = [("linli", "0016_receipts_by_order")]
    operations = [RunSQL((Path(__file__).parent / "sql" / "0017_settled_at_once.sql").read_text("utf-8"))]
