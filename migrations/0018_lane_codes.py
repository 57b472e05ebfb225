"""The codes of lanes and the entries by scanning, of `sql/0018_lane_codes.sql`."""

from pathlib import Path

from tortoise import migrations
from tortoise.migrations.operations import RunSQL


class Migration(migrations.Migration):
    atomic = False  # backend/kernel/migrator.py runs the whole chain in one transaction
    dependencies = [("linli", "0017_settled_at_once")]
    operations = [RunSQL((Path(__file__).parent / "sql" / "0018_lane_codes.sql").read_text("utf-8"))]
