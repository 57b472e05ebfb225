"""Tables of `sql/0014_refund_redirects.sql`."""

from pathlib import Path

from tortoise import migrations
from tortoise.migrations.operations import RunSQL


class Migration(migrations.Migration):
    atomic = False  # backend/kernel/migrator.py runs the whole chain in one transaction
    dependencies = [("linli", "0013_state_moves")]
    operations = [RunSQL((Path(__file__).parent / "sql" / "0014_refund_redirects.sql").read_text("utf-8"))]
