"""The roster: every wrong file is refused whole with a sentence for each error; a right one is imported once (S1)."""

import asyncio
import io
import struct
import zipfile
from datetime import timedelta
from typing import Any
from uuid import UUID

import openpyxl
import pytest

from backend.composition import CHECKS
from backend.identity import people
from backend.kernel.errors import NotFound
from backend.kernel.resources import Resources
from backend.roster import imports
from backend.roster.columns import HEADERS
from tests import factories
from tests.conftest import Client
from tests.factories_roster import imported, repacked, row, street, uploaded, work_all, workbook
from tests.soundness import broken

COUNTS = """
    SELECT (SELECT count(*) FROM building) AS buildings, (SELECT count(*) FROM unit) AS units,
           (SELECT count(*) FROM house) AS houses, (SELECT count(*) FROM person) AS people,
           (SELECT count(*) FROM occupancy) AS ties
"""


async def counts(res: Resources) -> tuple[int, ...]:
    found = await res.db.fetchrow(COUNTS)
    assert found is not None
    return tuple(found)


async def manager(res: Resources, client: Client) -> tuple[factories.Community, Client]:
    place = await factories.community(res)
    return place, client.of((await factories.staff(res, place, "manager")).token)


async def errors(client: Client, found: dict[str, Any]) -> list[tuple[int, str, str]]:
    page = (await client.get(f"/admin/v1/roster-imports/{found['id']}/errors?limit=100")).json["items"]
    return [(one["row"], one["column"], one["message"]) for one in page]


async def test_a_roster_makes_houses_people_and_ties(res: Resources, client: Client) -> None:
    place, boss = await manager(res, client)
    body = workbook([
        row(),
        row(房号="102", 业主姓名="李四、王五", 业主手机="13800000002、13800000003", 租户姓名="赵六",
            租户手机="13800000004"),
        row(楼栋="2号楼", 单元=None, 房号=201.0, 业主姓名="张三", 业主手机=13800000001.0, 类型="商铺"),
        row(房号="103", 业主姓名=None, 业主手机=None, 建筑面积=None, 套内面积="71.25", 交房日期="2021年3月5日"),
    ])  # fmt: skip
    preview = await uploaded(res, boss, place.id, body)
    assert (preview["state"], preview["row_count"], preview["error_count"]) == ("READY", 4, 0)
    assert preview["summary"] == {"new_houses": 4, "changed_houses": 0, "same_houses": 0, "new_ties": 5}
    assert await counts(res) == (1, 1, 0, 0, 0)

    done = await imported(res, boss, place.id, body)
    assert (done["state"], done["done_rows"]) == ("IMPORTED", 4)
    assert done["summary"] == {"new_houses": 4, "changed_houses": 0, "new_ties": 5}
    assert await counts(res) == (2, 2, 4, 4, 5)
    rows = await res.db.fetch(
        "SELECT label, search_key, kind, gross_area_cm2, inner_area_cm2, handover_on::text FROM house ORDER BY no"
    )
    assert [tuple(one) for one in rows] == [
        ("1栋1单元101", "1-1-101", "residence", 893_500, 712_000, "2020-01-31"),
        ("1栋1单元102", "1-1-102", "residence", 893_500, 712_000, "2020-01-31"),
        ("2号楼201", "2-201", "shop", 893_500, 712_000, "2020-01-31"),
        ("1栋1单元103", "1-1-103", "residence", None, 712_500, "2021-03-05"),
    ]
    assert await broken(res.db, CHECKS) == []


async def test_the_same_file_again_changes_nothing(res: Resources, client: Client) -> None:
    place, boss = await manager(res, client)
    body = workbook(street(30))
    await imported(res, boss, place.id, body)
    before = await counts(res)
    digest = "SELECT md5(string_agg(h::text, '' ORDER BY id)) FROM house h"
    kept = await res.db.fetchval(digest)
    again = await imported(res, boss, place.id, body)
    assert again["summary"] == {"new_houses": 0, "changed_houses": 0, "new_ties": 0}
    assert (await counts(res), await res.db.fetchval(digest)) == (before, kept)


async def test_two_uploads_of_one_file_are_one_import(res: Resources, client: Client) -> None:
    place, boss = await manager(res, client)
    body = workbook([row()])
    path = f"/admin/v1/communities/{place.id}/roster-imports"
    answers = await asyncio.gather(*(boss.call("POST", path, raw=body) for _ in range(5)))
    assert len({answer.json["id"] for answer in answers}) == 1
    assert await work_all(res) == 1
    confirm = f"/admin/v1/roster-imports/{answers[0].json['id']}/confirm"
    confirmed = await asyncio.gather(*(boss.post(confirm) for _ in range(5)))
    assert sorted(answer.status for answer in confirmed) == [202, 409, 409, 409, 409]
    assert await work_all(res) == 1
    assert (await counts(res))[2] == 1


async def test_a_changed_row_changes_its_house_and_empty_cells_change_nothing(res: Resources, client: Client) -> None:
    place, boss = await manager(res, client)
    await imported(res, boss, place.id, workbook([row(), row(房号="102", 业主手机="13800000002")]))
    changed = row(建筑面积=90, 套内面积=None, 业主姓名=None, 业主手机=None)
    done = await imported(res, boss, place.id, workbook([changed, row(房号="102", 业主手机="13800000002")]))
    assert done["summary"] == {"new_houses": 0, "changed_houses": 1, "new_ties": 0}
    rows = await res.db.fetch("SELECT gross_area_cm2, inner_area_cm2 FROM house ORDER BY no")
    assert [tuple(one) for one in rows] == [(900_000, 712_000), (893_500, 712_000)]
    assert await res.db.fetchval("SELECT count(*) FROM occupancy WHERE ends_on IS NULL") == 2


def merge(sheet: Any) -> None:
    sheet.merge_cells("A2:A3")


def formula(sheet: Any) -> None:
    sheet["E2"] = "=89.35*1"


WRONG_ROWS = {
    "text in a number": (row(建筑面积="八十九"), 2, "建筑面积", "请只填数字"),
    "a unit in a number": (row(建筑面积="89平米"), 2, "建筑面积", "请只填数字"),
    "a negative area": (row(建筑面积=-5), 2, "建筑面积", "面积应大于 0"),
    "a wrong date": (row(交房日期="2020-02-30"), 2, "交房日期", "日期不正确"),
    "a number as date": (row(交房日期=43831), 2, "交房日期", "日期不正确"),
    "a wrong kind": (row(类型="别墅"), 2, "类型", "类型请填"),
    "no building": (row(楼栋=None), 2, "楼栋", "请填写楼栋"),
    "no door": (row(房号=None), 2, "房号", "请填写房号"),
    "a short phone": (row(业主手机="1380000"), 2, "业主手机", "手机号不正确"),
    "a name without phone": (row(业主手机=None), 2, "业主手机", "个数不一致"),
    "two names, one phone": (row(业主姓名="张三、李四"), 2, "业主手机", "个数不一致"),
    "a phone twice": (row(租户姓名="张三", 租户手机="13800000001"), 2, "租户手机", "出现了两次"),
    "a formula as text": (row(业主姓名="@SUM(A1)"), 2, "业主姓名", "不能以 = + - @ 开头"),
    "half a floor": (row(楼层=1.5), 2, "楼层", "楼层应是"),
    "a truth value": (row(建筑面积=True), 2, "建筑面积", "请只填数字"),
    "a very long name": (row(业主姓名="张" * 200), 2, "业主姓名", "内容太长"),
}


@pytest.mark.parametrize("name", WRONG_ROWS)
async def test_a_wrong_cell_is_named_by_row_and_column(res: Resources, client: Client, name: str) -> None:
    wrong, number, column, message = WRONG_ROWS[name]
    place, boss = await manager(res, client)
    found = await uploaded(res, boss, place.id, workbook([wrong, row(房号="109", 业主姓名=None, 业主手机=None)]))
    assert found["state"] == "REFUSED"
    (error,) = await errors(boss, found)
    assert error[:2] == (number, column)
    assert message in error[2]
    assert (await boss.post(f"/admin/v1/roster-imports/{found['id']}/confirm")).code == "not_ready"
    assert await counts(res) == (1, 1, 0, 0, 0)


WRONG_FILES = {
    "no data": (workbook([]), 2, "没有数据"),
    "a missing column": (workbook([row()], headers=[h for h in HEADERS if h != "房号"]), 1, "缺少“房号”"),
    "an unknown column": (workbook([row()], headers=[*HEADERS, "备注2"]), 1, "不认识的列“备注2”"),
    "a column twice": (workbook([row()], headers=[*HEADERS, "房号"]), 1, "出现了两次"),
    "merged cells": (workbook([row(), row(房号="102")], change=merge), 2, "A2:A3 是合并单元格"),
    "a formula": (workbook([row()], change=formula), 2, "公式"),
    "not a workbook": (b"PK\x03\x04nonsense", 0, "损坏"),
    "a text file": ("楼栋,房号\n1,101".encode(), 0, "不是 Excel 文件"),
    "an old file": (b"\xd0\xcf\x11\xe0" + bytes(600), 0, "旧版 .xls"),
    "nothing": (b"", 0, "不是 Excel 文件"),
}


@pytest.mark.parametrize("name", WRONG_FILES)
async def test_a_wrong_file_gets_one_clear_sentence(res: Resources, client: Client, name: str) -> None:
    body, number, message = WRONG_FILES[name]
    place, boss = await manager(res, client)
    found = await uploaded(res, boss, place.id, body)
    assert found["state"] == "REFUSED"
    first = (await errors(boss, found))[0]
    assert first[0] == number
    assert message in first[2]
    assert await counts(res) == (1, 1, 0, 0, 0)


async def test_duplicate_houses_and_two_names_of_one_phone_are_found(res: Resources, client: Client) -> None:
    place, boss = await manager(res, client)
    found = await uploaded(
        res, boss, place.id,
        workbook([row(), row(楼栋="1号楼", 单元="一单元", 房号="101室"), row(房号="102", 业主姓名="张叁")]),
    )  # fmt: skip
    assert await errors(boss, found) == [
        (3, "房号", "与第 2 行的房屋重复。"),
        (4, "业主姓名", "同一手机号在第 2 行登记的是另一个姓名，请核对。"),
    ]


async def test_one_bad_row_of_many_imports_nothing(res: Resources, client: Client) -> None:
    place, boss = await manager(res, client)
    found = await uploaded(res, boss, place.id, workbook([*street(300), row(楼栋="9栋", 建筑面积="x")]))
    assert (found["state"], found["error_count"]) == ("REFUSED", 1)
    assert await counts(res) == (1, 1, 0, 0, 0)


async def test_a_row_that_the_database_contradicts_is_refused(res: Resources, client: Client) -> None:
    place, boss = await manager(res, client)
    await imported(res, boss, place.id, workbook([row()]))
    found = await uploaded(
        res, boss, place.id, workbook([row(业主姓名=None, 业主手机=None, 租户姓名="张三", 租户手机="13800000001")])
    )
    assert await errors(boss, found) == [(2, "租户手机", "此人目前登记为这套房屋的业主，请先办理迁出再改为租户。")]


async def test_what_changed_between_preview_and_import_is_seen(res: Resources, client: Client) -> None:
    place, boss = await manager(res, client)
    await imported(res, boss, place.id, workbook([row(业主姓名=None, 业主手机=None)]))
    preview = await uploaded(res, boss, place.id, workbook([row()]))
    who = await factories.person(res, "13800000001")
    await factories.occupy(res, who, await res.db.fetchval("SELECT id FROM house"), "tenant")
    await boss.post(f"/admin/v1/roster-imports/{preview['id']}/confirm")
    await work_all(res)
    done = (await boss.get(f"/admin/v1/roster-imports/{preview['id']}")).json
    assert (done["state"], done["error_count"]) == ("REFUSED", 1)
    assert await res.db.fetchval("SELECT array_agg(role) FROM occupancy") == ["tenant"]


async def test_an_import_that_fails_midway_leaves_nothing(
    res: Resources, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, boss = await manager(res, client)
    preview = await uploaded(res, boss, place.id, workbook(street(50)))
    await boss.post(f"/admin/v1/roster-imports/{preview['id']}/confirm")
    real = imports.occupancy.bind_many

    async def broken(tx: Any, **given: Any) -> int:
        if len(given["listed"]) and await tx.fetchval("SELECT count(*) FROM occupancy") >= 20:
            raise RuntimeError("power is gone")
        return await real(tx, **given)

    monkeypatch.setattr(imports, "CHUNK", 10)
    monkeypatch.setattr(imports.occupancy, "bind_many", broken)
    with pytest.raises(RuntimeError):
        await work_all(res)
    assert await counts(res) == (1, 1, 0, 0, 0)
    seen = (await boss.get(f"/admin/v1/roster-imports/{preview['id']}")).json
    assert (seen["state"], seen["done_rows"]) == ("IMPORTING", 20)
    monkeypatch.setattr(imports.occupancy, "bind_many", real)
    await res.db.execute("UPDATE outbox SET state = 'READY', lease_until = NULL WHERE state = 'LEASED'")
    await work_all(res)
    assert (await counts(res))[2:] == (50, 50, 50)


def bomb(declared: int | None) -> bytes:
    """A sheet of 300 MB of spaces in some 300 KB; the container may lie about its size."""
    body = workbook([row()])
    part = b"<?xml version='1.0'?><worksheet>" + b" " * (300 << 20) + b"</worksheet>"
    packed = repacked(body, {"xl/worksheets/sheet1.xml": part})
    if declared is None:
        return packed
    real, lie = struct.pack("<L", len(part)), struct.pack("<L", declared)
    return packed.replace(real, lie)


@pytest.mark.parametrize("declared", [None, 1000])
async def test_a_zip_bomb_is_refused_before_it_is_parsed(res: Resources, client: Client, declared: int | None) -> None:
    place, boss = await manager(res, client)
    found = await uploaded(res, boss, place.id, bomb(declared))
    assert found["state"] == "REFUSED"
    (error,) = await errors(boss, found)
    assert "解压后太大" in error[2] or "结构异常" in error[2]


async def test_a_sheet_that_claims_a_far_cell_is_refused(res: Resources, client: Client) -> None:
    place, boss = await manager(res, client)
    body = workbook([row()])
    with zipfile.ZipFile(io.BytesIO(body)) as container:
        sheet = container.read("xl/worksheets/sheet1.xml")
    far = sheet.replace(b"</sheetData>", b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>')
    found = await uploaded(res, boss, place.id, repacked(body, {"xl/worksheets/sheet1.xml": far}))
    assert "请删除多余的行列" in (await errors(boss, found))[0][2]


async def test_a_file_of_a_hundred_megabytes_is_cut_off(res: Resources, client: Client) -> None:
    place, boss = await manager(res, client)
    path = f"/admin/v1/communities/{place.id}/roster-imports"
    answer = await boss.call("POST", path, raw=bytes(30 << 20))
    assert (answer.status, answer.code) == (413, "file_too_large")
    assert await res.db.fetchval("SELECT count(*) FROM roster_import") == 0


async def test_an_import_of_another_community_is_unknown(res: Resources, client: Client) -> None:
    place, boss = await manager(res, client)
    found = await uploaded(res, boss, place.id, workbook([row()]))
    there = await factories.community(res, "LL02")
    stranger = client.of((await factories.staff(res, there, "manager")).token)
    path = f"/admin/v1/roster-imports/{found['id']}"
    answers = [
        await stranger.get(path), await stranger.get(f"{path}/errors"), await stranger.post(f"{path}/confirm"),
        await stranger.post(f"{path}/cancel"),
        await stranger.call("POST", f"/admin/v1/communities/{place.id}/roster-imports", raw=workbook([row()])),
    ]  # fmt: skip
    assert [answer.status for answer in answers] == [404] * 5
    assert (await boss.post(f"{path}/cancel")).json["state"] == "CANCELLED"


async def test_the_template_passes_its_own_check_of_headers(res: Resources, client: Client) -> None:
    place, boss = await manager(res, client)
    template = await boss.get("/admin/v1/roster-template")
    sheet = openpyxl.load_workbook(io.BytesIO(template.body)).worksheets[0]
    assert [cell.value for cell in sheet[1]] == list(HEADERS)
    found = await uploaded(res, boss, place.id, template.body)
    assert [error[2] for error in await errors(boss, found)] == ["表格里没有数据，请从第二行开始填写。"]


async def test_an_approved_export_can_be_imported_elsewhere(res: Resources, client: Client) -> None:
    place, boss = await manager(res, client)
    rows = [
        row(业主姓名="李四、王五", 业主手机="13800000002、+85291234567", 租户姓名="赵六", 租户手机="13800000004"),
        row(楼栋="A座", 单元=None, 房号="S-01", 类型="商铺", 业主姓名=None, 业主手机=None, 建筑面积=None, 楼层=-1),
    ]
    await imported(res, boss, place.id, workbook(rows))
    asked = await boss.post(f"/admin/v1/communities/{place.id}/roster-exports", {"reason": "年度核对"})
    assert asked.status == 201
    path = f"/admin/v1/approvals/{asked.json['approval_id']}/decision"
    assert (await boss.post(path, {"approve": True})).code == "second_person_required"
    second = client.of((await factories.staff(res, place, "manager")).token)
    assert (await second.post(path, {"approve": True})).status == 200
    await work_all(res)
    (export,) = (await boss.get(f"/admin/v1/communities/{place.id}/roster-exports")).json["items"]
    assert (export["state"], export["row_count"]) == ("READY", 2)
    assert (await second.get(f"/admin/v1/roster-exports/{export['id']}/file")).status == 404
    assert (await boss.get(f"/admin/v1/roster-exports/{export['id']}/file")).json["ttl_s"] == 600
    assert await res.db.fetchval("SELECT count(*) FROM audit_entry WHERE action = 'roster.downloaded'") == 1

    body = await res.storage.get(await res.db.fetchval("SELECT file_key FROM roster_export"))
    phones = [one["phone_sealed"] for one in await res.db.fetch("SELECT phone_sealed FROM person")]
    assert len(phones) == 3
    there = await factories.community(res, "LL02")
    other = client.of((await factories.staff(res, there, "manager")).token)
    done = await imported(res, other, there.id, body)
    assert done["summary"] == {"new_houses": 2, "changed_houses": 0, "new_ties": 3}
    assert (await counts(res))[3] == 3
    columns = "label, kind, gross_area_cm2, inner_area_cm2, floor, handover_on"
    pair = [
        [
            tuple(one)
            for one in await res.db.fetch(f"SELECT {columns} FROM house WHERE community_id = $1 ORDER BY 1", at)
        ]
        for at in (place.id, there.id)
    ]
    assert pair[0] == pair[1]


async def test_staff_see_masked_residents_and_reveal_with_a_reason(res: Resources, client: Client) -> None:
    place, boss = await manager(res, client)
    await imported(res, boss, place.id, workbook([row()]))
    house_id = await res.db.fetchval("SELECT id FROM house")
    (listed,) = (await boss.get(f"/admin/v1/houses/{house_id}/residents")).json["items"]
    assert (listed["name"], listed["phone"]) == ("张*", "138****0001")
    for typed in ("0001", "13800000001", "138 0000 0001"):
        found = (await boss.get(f"/admin/v1/residents?phone={typed}")).json["items"]
        assert [one["person_id"] for one in found] == [listed["person_id"]]
    path = f"/admin/v1/communities/{place.id}/people/{listed['person_id']}/reveal"
    assert (await boss.post(path, {})).status == 422
    assert (await boss.post(path, {"reason": "核对身份"})).json["phone"] == "13800000001"
    entry = await res.db.fetchrow("SELECT * FROM audit_entry WHERE action = 'person.revealed'")
    assert entry is not None
    assert entry["reason"] == "核对身份"

    there = await factories.community(res, "LL02")
    stranger = client.of((await factories.staff(res, there, "manager")).token)
    elsewhere = f"/admin/v1/communities/{there.id}/people/{listed['person_id']}/reveal"
    assert (await stranger.post(path, {"reason": "好奇"})).status == 404
    assert (await stranger.post(elsewhere, {"reason": "好奇"})).status == 404
    assert (await stranger.get("/admin/v1/residents?phone=0001")).json["items"] == []
    assert (await stranger.get(f"/admin/v1/houses/{house_id}/residents")).status == 404
    end = f"/admin/v1/occupancies/{listed['occupancy_id']}/end"
    assert (await stranger.post(end, {"reason": "好奇"})).status == 404
    assert (await boss.post(end, {"reason": "房屋出售"})).status == 200
    assert (await boss.post(end, {"reason": "房屋出售"})).code == "already_ended"
    assert (await boss.get(f"/admin/v1/houses/{house_id}/residents")).json["items"] == []
    (former,) = (await boss.get(f"/admin/v1/houses/{house_id}/residents?with_former=true")).json["items"]
    assert former["ends_on"] == "2026-09-01"


async def test_a_tie_that_staff_propose_needs_a_second_person(res: Resources, client: Client) -> None:
    place, boss = await manager(res, client)
    house_id = await factories.house(res, place)
    body = {"phone": "13800000007", "name": "孙七", "role": "tenant", "reason": "租赁合同已核对"}
    asked = await boss.post(f"/admin/v1/houses/{house_id}/residents", body)
    path = f"/admin/v1/approvals/{asked.json['approval_id']}/decision"
    assert (await boss.post(path, {"approve": True})).code == "second_person_required"
    assert (await counts(res))[4] == 0
    second = client.of((await factories.staff(res, place, "customer_service")).token)
    assert (await second.post(path, {"approve": True})).status == 200
    (tie,) = await res.db.fetch("SELECT role, source FROM occupancy")
    assert tuple(tie) == ("tenant", "staff")
    person = await people.by_phone(res.db, res.keyring, ["13800000007"])
    assert len(person) == 1
    assert await broken(res.db, CHECKS) == []


async def test_no_plain_name_or_phone_reaches_the_database(res: Resources, client: Client) -> None:
    place, boss = await manager(res, client)
    await imported(res, boss, place.id, workbook([row(业主姓名="欧阳锋", 业主手机="13877776666")]))
    for table in ("person", "occupancy", "audit_entry", "outbox", "roster_import", "idempotency"):
        dump = await res.db.fetchval(f"SELECT string_agg(t::text, '') FROM {table} t") or ""
        assert "13877776666" not in dump
        assert "欧阳锋" not in dump


async def test_files_with_plain_names_go_after_a_week(res: Resources, client: Client) -> None:
    place, boss = await manager(res, client)
    await imported(res, boss, place.id, workbook([row()]))
    waiting = await uploaded(res, boss, place.id, workbook([row(房号="102", 业主手机="13800000002")]))
    keys = [one["file_key"] for one in await res.db.fetch("SELECT file_key FROM roster_import")]
    await imports.forget_files(res, "2026-09-01")
    assert [len(await res.storage.get(key)) > 0 for key in keys] == [True, True]
    res.clock.advance(timedelta(days=7, seconds=1))  # type: ignore[attr-defined]
    await imports.forget_files(res, "2026-09-08")
    for key in keys:
        with pytest.raises(NotFound):
            await res.storage.get(key)
    state = await res.db.fetchval("SELECT state FROM roster_import WHERE id = $1", UUID(waiting["id"]))
    assert state == "CANCELLED"


def test_the_bomb_is_a_bomb() -> None:
    assert len(bomb(None)) < 1 << 20
