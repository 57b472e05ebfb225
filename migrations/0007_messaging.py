"""Tables of `sql/0007_messaging.sql`."""

from pathlib import Path

from tortoise import migrations
from tortoise.migrations.operations import RunSQL


class Migration(migrations.Migration):
    atomic = False  # backend/kernel/migrator.py runs the whole chain in one transaction
    dependencies = [("linli", "0006_fees")]
    operations = [RunSQL((Path(__file__).parent / "sql" / "0007_messaging.sql").read_text("utf-8"))]
