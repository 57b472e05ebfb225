"""Root of `linli migrate`: brings the database to the structure of this version. Run as `python -m backend.migrate`."""

import sys

from backend.kernel import root
from backend.kernel.config import Settings
from backend.kernel.migrator import migrate


def _say(text: str) -> None:
    print(text, flush=True)


async def apply(settings: Settings) -> None:
    """Apply what is pending, and tell how many steps it was."""
    applied = await migrate(settings, progress=_say)
    _say(f"数据库结构更新完成，共 {len(applied)} 步。" if applied else "数据库结构已是最新。")


if __name__ == "__main__":
    sys.exit(root.run(apply, failed="没有完成"))
