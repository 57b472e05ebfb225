"""Staff routes of the roster: imports, exports, who lives where (S1, D12)."""

import asyncio
from typing import Any
from uuid import UUID

from backend.identity import people
from backend.kernel import workbook
from backend.kernel.clock import local_date
from backend.kernel.db import Tx
from backend.kernel.errors import Conflict, Invalid, NotFound, TooLarge, TooMany
from backend.kernel.http import Call, Nothing, Reply, Route, decode_cursor, encode_cursor
from backend.kernel.http import Page as PageQuery
from backend.kernel.ratelimit import Rule
from backend.property import houses, occupancy
from backend.property.houses import House
from backend.roster import exports, imports, residents
from backend.roster.columns import HEADERS, NOTES
from backend.roster.residents import Resident
from backend.roster.schemas import (
    BindBody,
    ExportAnswer,
    ExportBody,
    ExportsAnswer,
    FileAddress,
    ImportAnswer,
    ImportsAnswer,
    PeopleQuery,
    ProblemAnswer,
    ProblemsAnswer,
    Proposed,
    ReasonBody,
    ResidentAnswer,
    ResidentsAnswer,
    ResidentsQuery,
    RevealedAnswer,
    UploadQuery,
)

IMPORT, EXPORT = "roster.import", "roster.export"
READ, REVEAL, EDIT = "resident.read", "resident.reveal", "resident.edit"
UPLOAD_RATE = Rule("roster.upload", count=20, period_s=3600)
REVEAL_RATE = Rule("resident.reveal", count=200, period_s=3600)
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


async def template(call: Call[None, None]) -> Reply:
    body = await asyncio.to_thread(workbook.write, "房屋与住户", list(HEADERS), [], notes=NOTES)
    return Reply(200, body, XLSX, {"Content-Disposition": 'attachment; filename="roster-template.xlsx"'})


async def upload(call: Call[None, UploadQuery]) -> ImportAnswer:
    community_id = _community(call, IMPORT)
    import_id = await imports.upload(
        call.res, call.principal.actor, community_id=community_id, file_name=call.query.file_name, body=call.raw
    )
    return ImportAnswer.of(await imports.one(call.res.db, import_id))


async def list_imports(call: Call[None, None]) -> ImportsAnswer:
    found = await imports.of_community(call.res.db, _community(call, IMPORT))
    return ImportsAnswer(items=[ImportAnswer.of(one) for one in found])


async def show_import(call: Call[None, None]) -> ImportAnswer:
    return ImportAnswer.of(await _import(call))


async def list_problems(call: Call[None, PageQuery]) -> ProblemsAnswer:
    found, query = await _import(call), call.query
    after = 0 if query.cursor is None else decode_cursor(query.cursor, (int,))[0]
    page = await imports.problems(call.res.db, found.id, after=after, limit=query.limit)
    return ProblemsAnswer(
        items=[ProblemAnswer.of(problem) for problem in page],
        next_cursor=encode_cursor(after + len(page)) if len(page) == query.limit else None,
    )


async def confirm(call: Call[None, None]) -> ImportAnswer:
    import_id = (await _import(call)).id
    await call.res.db.transact(lambda tx: imports.confirm(tx, call.principal.actor, import_id=import_id))
    return ImportAnswer.of(await imports.one(call.res.db, import_id))


async def cancel(call: Call[None, None]) -> ImportAnswer:
    import_id = (await _import(call)).id
    await call.res.db.transact(lambda tx: imports.cancel(tx, call.principal.actor, import_id=import_id))
    return ImportAnswer.of(await imports.one(call.res.db, import_id))


async def ask_for_export(call: Call[ExportBody, None]) -> Proposed:
    community_id = _community(call, EXPORT)

    async def work(tx: Tx) -> Proposed:
        approval = await exports.propose(tx, call.principal.actor, community_id=community_id, reason=call.body.reason)
        return Proposed(approval_id=approval.id)

    return await call.once(work, Proposed)


async def list_exports(call: Call[None, None]) -> ExportsAnswer:
    found = await exports.of_community(call.res.db, _community(call, EXPORT))
    return ExportsAnswer(items=[ExportAnswer.of(one) for one in found])


async def export_file(call: Call[None, None]) -> FileAddress:
    export = await exports.one(call.res.db, call.ids["export_id"])
    call.principal.require_community(EXPORT, export.community_id)
    if export.created_by != call.principal.id:
        raise NotFound
    url = await exports.open_address(call.res, call.principal.actor, export)
    return FileAddress(url=url, ttl_s=exports.ADDRESS_S)


async def list_residents(call: Call[None, ResidentsQuery]) -> ResidentsAnswer:
    house, res = await _house(call, READ), call.res
    ties = await occupancy.of_houses(
        res.db, [house.id], today=local_date(res.clock.now()), with_former=call.query.with_former
    )
    found = await residents.with_names(res.db, res.keyring, ties)
    return ResidentsAnswer(items=[_resident(resident) for resident in found])


async def find_residents(call: Call[None, PeopleQuery]) -> ResidentsAnswer:
    res, typed = call.res, call.query.phone
    if len(typed) == people.TAIL_DIGITS and typed.isdecimal():
        person_ids = await people.ids_by_phone_tail(res.db, res.keyring, typed)
    else:
        person_ids = [who.id for who in (await people.by_phone(res.db, res.keyring, [people.phone_of(typed)])).values()]
    ties = await occupancy.of_people(
        res.db, person_ids, community_ids=call.principal.communities(READ), today=local_date(res.clock.now())
    )
    found = await residents.with_names(res.db, res.keyring, ties[: call.query.limit])
    return ResidentsAnswer(items=[_resident(resident) for resident in found])


async def propose_resident(call: Call[BindBody, None]) -> Proposed:
    house, body = await _house(call, EDIT), call.body

    async def work(tx: Tx) -> Proposed:
        approval = await residents.propose(
            tx, call.res.keyring, call.principal.actor, house=house, phone=body.phone, name=body.name,
            role=body.role, reason=body.reason,
        )  # fmt: skip
        return Proposed(approval_id=approval.id)

    return await call.once(work, Proposed)


async def move_out(call: Call[ReasonBody, None]) -> Nothing:
    tie = await occupancy.one(call.res.db, call.ids["occupancy_id"])
    call.principal.require_community(EDIT, tie.community_id)
    await call.res.db.transact(
        lambda tx: occupancy.end(tx, call.principal.actor, occupancy_id=tie.id, reason=call.body.reason)
    )
    return Nothing()


async def reveal(call: Call[ReasonBody, None]) -> RevealedAnswer:
    community_id, person_id = _community(call, REVEAL), call.ids["person_id"]

    async def work(tx: Tx) -> RevealedAnswer:
        found = await residents.reveal(
            tx, call.res.keyring, call.principal.actor, person_id=person_id, community_id=community_id,
            reason=call.body.reason,
        )  # fmt: skip
        return RevealedAnswer(person_id=person_id, name=found.name, phone=found.phone)

    return await call.transact(work)


def _community(call: Call[Any, Any], permission: str) -> UUID:
    community_id = call.ids["community_id"]
    call.principal.require_community(permission, community_id)
    return community_id


async def _house(call: Call[Any, Any], permission: str) -> House:
    house = await houses.one(call.res.db, call.ids["house_id"])
    call.principal.require_community(permission, house.community_id)
    return house


async def _import(call: Call[Any, Any]) -> imports.RosterImport:
    found = await imports.one(call.res.db, call.ids["import_id"])
    call.principal.require_community(IMPORT, found.community_id)
    return found


def _resident(resident: Resident) -> ResidentAnswer:
    tie = resident.tie
    return ResidentAnswer(
        occupancy_id=tie.id,
        house_id=tie.house_id,
        person_id=tie.person_id,
        name=resident.shown.name,
        phone=resident.shown.phone,
        role=tie.role,
        starts_on=tie.starts_on,
        ends_on=tie.ends_on,
        source=tie.source,
    )


_PLACE = "/admin/v1/communities/{community_id}"
_IMPORT = "/admin/v1/roster-imports/{import_id}"

ROUTES: tuple[Route, ...] = (
    Route("GET", "/admin/v1/roster-template", template, IMPORT, "下载名册模板（.xlsx）"),
    Route("POST", f"{_PLACE}/roster-imports", upload, IMPORT, "上传名册，检查后可预览", query=UploadQuery,
          answer=ImportAnswer, status=202, upload_bytes=workbook.MAX_BYTES, rate=UPLOAD_RATE,
          errors=(NotFound, TooLarge, TooMany)),
    Route("GET", f"{_PLACE}/roster-imports", list_imports, IMPORT, "名册导入记录", answer=ImportsAnswer,
          errors=(NotFound,)),
    Route("GET", _IMPORT, show_import, IMPORT, "导入的检查结果与进度", answer=ImportAnswer, errors=(NotFound,)),
    Route("GET", f"{_IMPORT}/errors", list_problems, IMPORT, "名册中的错误，逐行逐列", query=PageQuery,
          answer=ProblemsAnswer, errors=(NotFound,)),
    Route("POST", f"{_IMPORT}/confirm", confirm, IMPORT, "确认导入（全部成功或全部不变）", answer=ImportAnswer,
          status=202, errors=(NotFound, Conflict)),
    Route("POST", f"{_IMPORT}/cancel", cancel, IMPORT, "取消导入", answer=ImportAnswer, errors=(NotFound, Conflict)),
    Route("POST", f"{_PLACE}/roster-exports", ask_for_export, EXPORT, "申请导出名册，由另一人审批", body=ExportBody,
          answer=Proposed, status=201, creates=True, errors=(NotFound, Conflict)),
    Route("GET", f"{_PLACE}/roster-exports", list_exports, EXPORT, "名册导出记录", answer=ExportsAnswer,
          errors=(NotFound,)),
    Route("GET", "/admin/v1/roster-exports/{export_id}/file", export_file, EXPORT, "下载已批准的导出文件（仅申请人）",
          answer=FileAddress, errors=(NotFound,)),
    Route("GET", "/admin/v1/houses/{house_id}/residents", list_residents, READ, "房屋住户（脱敏）",
          query=ResidentsQuery, answer=ResidentsAnswer, errors=(NotFound,)),
    Route("POST", "/admin/v1/houses/{house_id}/residents", propose_resident, EDIT, "为房屋登记住户，由另一人审批",
          body=BindBody, answer=Proposed, status=201, creates=True, errors=(NotFound, Conflict, Invalid)),
    Route("GET", "/admin/v1/residents", find_residents, READ, "按手机号或后四位查找住户（脱敏）", query=PeopleQuery,
          answer=ResidentsAnswer, errors=(Invalid,)),
    Route("POST", "/admin/v1/occupancies/{occupancy_id}/end", move_out, EDIT, "住户迁出，即时失去权限", body=ReasonBody,
          answer=Nothing, errors=(NotFound, Conflict)),
    Route("POST", f"{_PLACE}/people/{{person_id}}/reveal", reveal, REVEAL, "查看完整姓名和手机号，需填写原因并留痕",
          body=ReasonBody, answer=RevealedAnswer, rate=REVEAL_RATE, errors=(NotFound, Conflict, TooMany)),
)  # fmt: skip
