"""Tables of `sql/0009_wechat.sql`."""

from pathlib import Path
from typing import ClassVar

from tortoise import migrations
from tortoise.migrations.operations import Operation, RunSQL


class Migration(migrations.Migration):
    atomic = False  # backend/kernel/migrator.py runs the whole chain in one transaction
    dependencies: ClassVar[list[tuple[str, str]]] = [("linli", "0005_identity")]
    operations: ClassVar[list[Operation]] = [RunSQL((Path(__file__).parent / "sql" / "0009_wechat.sql").read_text("utf-8"))]
