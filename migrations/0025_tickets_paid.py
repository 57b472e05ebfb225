"""Tables of `sql/0025_tickets_paid.sql`."""

from pathlib import Path

from tortoise import migrations
from tortoise.migrations.operations import RunSQL


class Migration(migrations.Migration):
    atomic = False  # backend/kernel/migrator.py runs the whole chain in one transaction
    dependencies = [("linli", "0024_tickets_dispatch")]
    operations = [RunSQL((Path(__file__).parent / "sql" / "0025_tickets_paid.sql").read_text("utf-8"))]
