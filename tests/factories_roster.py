"""Excel files, good and bad, and the jobs of the roster."""

import io
import zipfile
from collections.abc import Callable, Sequence
from typing import Any

import openpyxl

from backend.kernel.outbox import Job
from backend.kernel.resources import Resources
from backend.roster.columns import HEADERS
from backend.roster.handlers import HANDLERS
from tests.conftest import Answered, Client

ROW: dict[str, Any] = {
    "楼栋": "1栋", "单元": "1单元", "房号": "101", "类型": "住宅", "建筑面积": 89.35, "套内面积": 71.2, "楼层": 1,
    "交房日期": "2020-01-31", "业主姓名": "张三", "业主手机": "13800000001",
}  # fmt: skip


def row(**changes: Any) -> dict[str, Any]:
    """A right row, with changes by column."""
    return {**ROW, **changes}


def workbook(
    rows: Sequence[dict[str, Any]],
    *,
    headers: Sequence[str] = HEADERS,
    change: Callable[[Any], None] = lambda sheet: None,
) -> bytes:
    """An .xlsx file of `rows`; `change` may spoil the sheet."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(list(headers))
    for one in rows:
        sheet.append([one.get(header) for header in headers])
    change(sheet)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def street(houses: int, *, first: int = 0) -> list[dict[str, Any]]:
    """`houses` houses of ten to a unit's floor, each with an owner of its own."""
    return [
        row(
            楼栋=f"{n // 400 + 1}栋", 单元=f"{n // 100 % 4 + 1}单元", 房号=f"{n // 10 % 10 + 1}{n % 10 + 1:02}",
            业主姓名=f"住户{n}", 业主手机=f"139{n:08}",
        )
        for n in range(first, first + houses)
    ]  # fmt: skip


def repacked(body: bytes, changes: dict[str, bytes]) -> bytes:
    """The container again with some parts replaced or added."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(body)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            if name not in changes:
                new.writestr(name, old.read(name))
        for name, part in changes.items():
            new.writestr(name, part)
    return out.getvalue()


async def work_all(res: Resources) -> int:
    """Run every waiting job of the roster; how many there were."""
    done = 0
    while (
        leased := await res.db.fetchrow(
            """UPDATE outbox SET state = 'LEASED', attempt = attempt + 1,
                      lease_until = clock_timestamp() + interval '90 s'
                WHERE id = (SELECT id FROM outbox WHERE state = 'READY' AND event = ANY($1::text[]) ORDER BY id LIMIT 1)
            RETURNING id, attempt, event, payload""",
            list(HANDLERS),
        )
    ) is not None:
        await HANDLERS[leased["event"]](Job(res, leased["id"], leased["attempt"], leased["event"], leased["payload"]))
        done += 1
    return done


async def uploaded(res: Resources, client: Client, community_id: Any, body: bytes) -> dict[str, Any]:
    """Upload and check a file; the preview."""
    sent: Answered = await client.call(
        "POST", f"/admin/v1/communities/{community_id}/roster-imports?file_name=a.xlsx", raw=body
    )
    assert sent.status == 202, sent.json
    await work_all(res)
    return dict((await client.get(f"/admin/v1/roster-imports/{sent.json['id']}")).json)


async def imported(res: Resources, client: Client, community_id: Any, body: bytes) -> dict[str, Any]:
    """Upload, check, confirm and import a file; the outcome."""
    preview = await uploaded(res, client, community_id, body)
    assert preview["state"] == "READY", (await client.get(f"/admin/v1/roster-imports/{preview['id']}/errors")).json
    path = f"/admin/v1/roster-imports/{preview['id']}"
    assert (await client.post(f"{path}/confirm")).status == 202
    await work_all(res)
    return dict((await client.get(path)).json)
