"""Root of `linli keys`: shows the data keys, changes the one that seals, wraps them by a new master key.

A new master key: start every process with the new one as LINLI_MASTER_KEY and the old one as
LINLI_PREVIOUS_MASTER_KEY, run `linli keys rewrap`, then take the old one away. Exit codes as in `backend.kernel.root`.
Run as `python -m backend.keys show|rotate|rewrap`.
"""

import sys
from collections.abc import Awaitable, Callable, Mapping

from backend.composition import APPROVALS, MODELS, SEALED
from backend.kernel import audit, crypto, root, seals
from backend.kernel.config import Settings
from backend.kernel.db import Tx
from backend.kernel.resources import Resources, open_resources

Act = Callable[[Resources], Awaitable[list[str]]]


async def _show(res: Resources) -> list[str]:
    found = await seals.uses(res.db, SEALED)
    lines = [f"数据密钥 {use.id}：{use.state}（{use.since}），有 {use.texts} 条数据用它加密。" for use in found]
    left = await crypto.wrapped_by_previous(res.db, crypto.master_keys(res.settings))
    if left:
        lines.append(f"还有 {left} 把密钥由上一把主密钥保护，请运行 linli keys rewrap。")
    return lines


async def _rotate(res: Resources) -> list[str]:
    key_id = await res.db.transact(lambda tx: seals.rotate(tx, crypto.master_keys(res.settings)))
    return [f"已换用数据密钥 {key_id}。后台任务会把旧数据重新加密，进度见 linli keys show。"]


async def _rewrap(res: Resources) -> list[str]:
    async def work(tx: Tx) -> int:
        count = await crypto.rewrap(tx, crypto.master_keys(res.settings))
        audit.record(tx, audit.SYSTEM, action="keys.rewrapped", target="data_key", after={"count": count})
        return count

    count = await res.db.transact(work)
    return [
        f"已有 {count} 把密钥改由现在的主密钥保护。全部进程都用新的主密钥启动后，就可以去掉 LINLI_PREVIOUS_MASTER_KEY。"
    ]


ACTS: Mapping[str, Act] = {"show": _show, "rotate": _rotate, "rewrap": _rewrap}


async def work(settings: Settings) -> None:
    """Do what the command line names, and print what came of it."""
    res = await open_resources(settings, models=MODELS, approval_kinds=APPROVALS)
    try:
        print("\n".join(await ACTS[sys.argv[1]](res)))
    finally:
        await res.close()


if __name__ == "__main__":
    sys.exit(root.run(work, failed="没有完成"))
