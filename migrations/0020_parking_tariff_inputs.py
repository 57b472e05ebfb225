"""Calendars, vehicle classes and coupons of `sql/0020_parking_tariff_inputs.sql`."""

from pathlib import Path

from tortoise import migrations
from tortoise.migrations.operations import RunSQL


class Migration(migrations.Migration):
    atomic = False  # backend/kernel/migrator.py runs the whole chain in one transaction
    dependencies = [("linli", "0019_parking_cards_and_spaces")]
    operations = [RunSQL((Path(__file__).parent / "sql" / "0020_parking_tariff_inputs.sql").read_text("utf-8"))]
