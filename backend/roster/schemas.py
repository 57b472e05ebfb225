"""Requests and answers of the staff's roster and resident routes, field by field."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from backend.kernel.auth import TieRole
from backend.kernel.http import Page, Strict, example
from backend.roster.columns import Problem
from backend.roster.exports import ExportState, RosterExport
from backend.roster.imports import ImportState, RosterImport

Reason = Annotated[str, Field(min_length=2, max_length=500)]
_ID = "0198f2a0-0000-7000-8000-000000000001"
_AT = "2026-09-01T02:00:00Z"


class UploadQuery(Strict):
    model_config = example(file_name="花名册.xlsx")

    file_name: str = Field("名册.xlsx", min_length=1, max_length=200)


class ImportAnswer(Strict):
    model_config = example(
        id=_ID, community_id=_ID, file_name="花名册.xlsx", state="READY", row_count=200, done_rows=0, error_count=0,
        summary={"new_houses": 200, "changed_houses": 0, "same_houses": 0, "new_ties": 180}, created_by=_ID,
        created_at=_AT, finished_at=None,
    )  # fmt: skip

    id: UUID
    community_id: UUID
    file_name: str
    state: ImportState
    row_count: int
    done_rows: int = Field(description="progress of the import, seen while it runs")
    error_count: int = Field(description="with any error nothing is imported; see the list of errors")
    summary: dict[str, int]
    created_by: UUID
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, found: RosterImport) -> "ImportAnswer":
        return cls(
            id=found.id,
            community_id=found.community_id,
            file_name=found.file_name,
            state=ImportState(found.state),
            row_count=found.row_count,
            done_rows=found.done_rows,
            error_count=found.error_count,
            summary=found.summary,
            created_by=found.created_by,
            created_at=found.created_at,
            finished_at=found.finished_at,
        )


class ImportsAnswer(Strict):
    model_config = example(items=[])

    items: list[ImportAnswer]


class ProblemAnswer(Strict):
    model_config = example(row=3, column="房号", message="与第 2 行的房屋重复。")

    row: int = Field(description="row of the sheet counted from 1; 0 for the file as a whole")
    column: str
    message: str

    @classmethod
    def of(cls, problem: Problem) -> "ProblemAnswer":
        return cls(row=problem.row, column=problem.column, message=problem.message)


class ProblemsAnswer(Strict):
    model_config = example(items=[], next_cursor=None)

    items: list[ProblemAnswer]
    next_cursor: str | None


class ExportBody(Strict):
    model_config = example(reason="年度数据核对")

    reason: Reason


class Proposed(Strict):
    model_config = example(approval_id=_ID)

    approval_id: UUID


class ExportAnswer(Strict):
    model_config = example(
        id=_ID, community_id=_ID, state="READY", row_count=200, created_by=_ID, created_at=_AT, finished_at=_AT
    )

    id: UUID
    community_id: UUID
    state: ExportState
    row_count: int
    created_by: UUID
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, export: RosterExport) -> "ExportAnswer":
        return cls(
            id=export.id,
            community_id=export.community_id,
            state=ExportState(export.state),
            row_count=export.row_count,
            created_by=export.created_by,
            created_at=export.created_at,
            finished_at=export.finished_at,
        )


class ExportsAnswer(Strict):
    model_config = example(items=[])

    items: list[ExportAnswer]


class FileAddress(Strict):
    model_config = example(url="https://example.com/files/roster-exports/x.xlsx?until=1&sign=2", ttl_s=600)

    url: str
    ttl_s: int


class ResidentAnswer(Strict):
    model_config = example(
        occupancy_id=_ID, house_id=_ID, person_id=_ID, name="张*", phone="138****6666", role="owner",
        starts_on="2026-09-01", ends_on=None, source="roster",
    )  # fmt: skip

    occupancy_id: UUID
    house_id: UUID
    person_id: UUID
    name: str | None
    phone: str | None
    role: TieRole
    starts_on: date
    ends_on: date | None = Field(description="the first day without the tie")
    source: str


class ResidentsAnswer(Strict):
    model_config = example(items=[])

    items: list[ResidentAnswer]


class ResidentsQuery(Strict):
    model_config = example(with_former=False)

    with_former: bool = False


class PeopleQuery(Page):
    model_config = example(phone="13800006666")

    phone: str = Field(min_length=4, max_length=20, description="a whole phone, or its last four digits")


class BindBody(Strict):
    model_config = example(phone="13800006666", name="张三", role="owner", reason="房产证已核对")

    phone: str = Field(min_length=5, max_length=20)
    name: str = Field(min_length=1, max_length=50)
    role: TieRole
    reason: Reason


class ReasonBody(Strict):
    model_config = example(reason="租约到期")

    reason: Reason


class RevealedAnswer(Strict):
    model_config = example(person_id=_ID, name="张三", phone="13800006666")

    person_id: UUID
    name: str | None
    phone: str | None
