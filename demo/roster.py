"""Act 2: a new building comes in an Excel file; the first file is wrong and changes nothing."""

import io
from typing import Any
from urllib.parse import quote

from openpyxl import Workbook

from demo.stage import Stage

HEADERS = (
    "楼栋", "单元", "房号", "类型", "建筑面积", "套内面积", "楼层", "交房日期", "业主姓名", "业主手机",
)  # fmt: skip
OWNER = ("方明", "13700000001")
BUILDING = "8栋"
FLOORS = 6
# Two flats on each floor; the first owner has both flats of the first floor.
NEIGHBOURS = ("冯雪", "蒋伟", "沈洁", "韩冰", "杨帆", "朱琳", "秦岚", "尤佳", "许文", "何静")
# The owner of 8栋1单元201, which is let.
TENANTED = (NEIGHBOURS[0], "13700000100")


def _rows() -> list[list[Any]]:
    owners = [OWNER, OWNER, *((name, f"137000001{n:02}") for n, name in enumerate(NEIGHBOURS))]
    doors = [(floor, flat) for floor in range(1, FLOORS + 1) for flat in (1, 2)]
    return [
        [BUILDING, "1单元", f"{floor}{flat:02}", "住宅", 98.5 + flat, 78.25 + flat, floor, "2020-01-31", name, phone]
        for (floor, flat), (name, phone) in zip(doors, owners, strict=True)
    ]


def _file(rows: list[list[Any]]) -> bytes:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(list(HEADERS))
    for row in rows:
        sheet.append(row)
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def _house_count(stage: Stage) -> int:
    found = stage.manager.get(f"/admin/v1/communities/{stage.community}/buildings")["items"]
    return sum(building["house_count"] for building in found)


def _upload(stage: Stage, name: str, body: bytes) -> dict[str, Any]:
    """Upload a file and wait for the result of its check."""
    path = f"/admin/v1/communities/{stage.community}/roster-imports?file_name={quote(name)}"
    sent = stage.manager.ask("POST", path, raw=body)
    stage.expect(f"上传“{name}”的应答", sent.status, 202)
    return _when(stage, sent.json["id"], "READY", "REFUSED")


def _when(stage: Stage, import_id: str, *states: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found: dict[str, Any] = stage.manager.get(f"/admin/v1/roster-imports/{import_id}")
        return found if found["state"] in states else None

    return stage.wait(f"名册导入到达 {'或'.join(states)}", look)


def play(stage: Stage) -> int:
    """Import the roster of building 8; returns how many flats it has."""
    stage.chapter("导入新楼栋的名册")
    before = _house_count(stage)
    faulty = _rows()
    faulty[2][4] = "约一百平米"
    faulty[5][9] = "1370000"
    faulty.append(faulty[0])
    refused = _upload(stage, "8栋名册（初稿）.xlsx", _file(faulty))
    stage.expect("有错的名册的状态", refused["state"], "REFUSED")
    problems = stage.manager.get(f"/admin/v1/roster-imports/{refused['id']}/errors")["items"]
    stage.expect("名册里的错误数", len(problems), 3)
    stage.tell(f"项目经理上传了第一份 Excel，被整份退回，{len(problems)} 处错误都指明了行和列：")
    for problem in problems:
        stage.tell(f"　第 {problem['row']} 行“{problem['column']}”：{problem['message']}")
    stage.expect("被退回后的房屋数", _house_count(stage), before)
    stage.tell(f"小区仍是 {before} 套房屋，什么都没有变。")

    rows = _rows()
    checked = _upload(stage, "8栋名册.xlsx", _file(rows))
    stage.expect("改正后的名册的状态", checked["state"], "READY")
    stage.expect("预览：新增房屋", checked["summary"]["new_houses"], len(rows))
    stage.expect("预览：新增住户关系", checked["summary"]["new_ties"], len(rows))
    stage.expect("确认之前的房屋数", _house_count(stage), before)
    stage.manager.post(f"/admin/v1/roster-imports/{checked['id']}/confirm")
    done = _when(stage, checked["id"], "IMPORTED", "REFUSED")
    stage.expect("导入的状态", done["state"], "IMPORTED")
    stage.expect("导入后的房屋数", _house_count(stage), before + len(rows))
    stage.tell(f"改正后重新上传，预览无误，确认导入：新增 {len(rows)} 套房屋，小区共 {before + len(rows)} 套。")
    return len(rows)
