"""What leaves as a spreadsheet carries no formula, whatever people call themselves (V1)."""

import io
import zipfile

import openpyxl

from backend.composition import HANDLERS
from backend.kernel.resources import Resources
from backend.kernel.workbook import text_cell
from tests import factories
from tests.conftest import Client
from tests.factories_messaging import work_due

NAMES = (
    "=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(1)", '=HYPERLINK("http://evil.example","点我")', "\t=1+1", "'=1+1",
)  # fmt: skip


async def test_an_exported_roster_has_no_formula(res: Resources, client: Client) -> None:
    place = await factories.community(res)
    for number, name in enumerate(NAMES):
        house = await factories.house(res, place, f"10{number}")
        who = await factories.person(res, f"1390000200{number}")
        await factories.occupy(res, who, house)
        assert (await client.of(who.token).call("PUT", "/api/v1/me/name", {"name": name})).status == 200
    asker, second = [client.of((await factories.staff(res, place, "manager")).token) for _ in range(2)]
    export = (await asker.post(f"/admin/v1/communities/{place.id}/roster-exports", {"reason": "年度核对"})).json
    assert (await second.post(f"/admin/v1/approvals/{export['approval_id']}/decision", {"approve": True})).status == 200
    while await work_due(res, HANDLERS):
        pass
    body = await res.storage.get(await res.db.fetchval("SELECT file_key FROM roster_export"))
    with zipfile.ZipFile(io.BytesIO(body)) as container:
        for part in container.namelist():
            assert b"<f>" not in container.read(part) and b"<f " not in container.read(part)
    sheet = openpyxl.load_workbook(io.BytesIO(body)).worksheets[0]
    cells = [cell for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert all(cell.data_type != "f" for cell in cells)
    written = {str(cell.value) for cell in cells}
    for name in NAMES:
        assert text_cell(name) in written, name
        assert text_cell(name).startswith("'")


async def test_a_file_is_given_only_to_the_one_who_asked_and_only_for_minutes(res: Resources, client: Client) -> None:
    place = await factories.community(res)
    await factories.house(res, place)
    asker, second = [client.of((await factories.staff(res, place, "manager")).token) for _ in range(2)]
    export = (await asker.post(f"/admin/v1/communities/{place.id}/roster-exports", {"reason": "年度核对"})).json
    await second.post(f"/admin/v1/approvals/{export['approval_id']}/decision", {"approve": True})
    while await work_due(res, HANDLERS):
        pass
    export_id = await res.db.fetchval("SELECT id FROM roster_export")
    assert (await second.get(f"/admin/v1/roster-exports/{export_id}/file")).status == 404
    told = (await asker.get(f"/admin/v1/roster-exports/{export_id}/file")).json
    assert told["ttl_s"] <= 900
    assert str(place.id) not in told["url"]
    assert await res.db.fetchval("SELECT count(*) FROM audit_entry WHERE action = 'roster.downloaded'") == 1
