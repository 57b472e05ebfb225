"""What is used at once, bans that end, and what residents see of their visitors, of `sql/0029_visitors_end.sql`."""

from pathlib import Path

from tortoise import migrations
from tortoise.migrations.operations import RunSQL


class Migration(migrations.Migration):
    atomic = False  # backend/kernel/migrator.py runs the whole chain in one transaction
    dependencies = [("linli", "0028_complaints")]
    operations = [RunSQL((Path(__file__).parent / "sql" / "0029_visitors_end.sql").read_text("utf-8"))]
