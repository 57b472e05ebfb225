"""The route by which a lane's camera fetches the list that it decides by while it has no network (D8)."""

from datetime import date
from enum import StrEnum
from uuid import UUID

from pydantic import Field

from backend.kernel.auth import DEVICE
from backend.kernel.clock import local_date
from backend.kernel.errors import Forbidden, NotFound, TooMany, Unauthenticated
from backend.kernel.http import Call, Reply, Route, Strict, example
from backend.kernel.ratelimit import Rule
from backend.parking.lanes import gate_list

_CARD_ID = "01991b2a-7c00-7000-8000-000000000001"
_ENTRY = {
    "id": "c17", "plate": "粤B12345", "kind": "card", "card_id": _CARD_ID, "spaces": 1, "starts_on": "2026-09-01",
    "ends_on": "2026-10-01",
}  # fmt: skip


class Verdict(StrEnum):
    """What an entry means to a lane that decides alone: `black` stays out, whatever else is known of the plate."""

    CARD = "card"
    WHITE = "white"
    BLACK = "black"


class GateListQuery(Strict):
    """`since`: the `version` of the list that the camera keeps."""

    since: str | None = Field(None, max_length=64)


class GateEntry(Strict):
    """A plate of the lot. It counts from `starts_on` until the day before `ends_on`; null: for good."""

    model_config = example(**_ENTRY)
    id: str
    plate: str
    kind: Verdict
    card_id: UUID | None
    spaces: int | None
    starts_on: date
    ends_on: date | None


class GateListAnswer(Strict):
    """`full`: this is the whole list; else `entries` take the place of those with the same id, `removed` are gone."""

    model_config = example(version="12-0f3a5b7c9d1e2f40", full=True, entries=[_ENTRY], removed=[])
    version: str
    full: bool
    entries: list[GateEntry]
    removed: list[str]


async def give(call: Call[None, GateListQuery]) -> Reply:
    """GET /device/v1/parking-gate-list."""
    given = await gate_list.of_camera(
        call.res.db, call.principal.actor, keyring=call.res.keyring, camera_id=call.principal.device_id,
        since=call.query.since, have=call.headers.get("if-none-match"), today=local_date(call.res.clock.now()),
    )  # fmt: skip
    headers = {"ETag": given.version.tag, "Cache-Control": "private, no-cache"}
    if given.entries is None:
        return Reply(304, headers=headers)
    entries = [GateEntry(**{**each._asdict(), "kind": Verdict(each.kind)}) for each in given.entries]
    answer = GateListAnswer(
        version=given.version.text, full=given.version.full, entries=entries, removed=list(given.removed)
    )
    return Reply(200, answer.model_dump_json().encode(), "application/json", headers)


ROUTES = (
    Route(
        "GET", "/device/v1/parking-gate-list", give, DEVICE, "离线名单：本停车场的停车卡、白名单和黑名单，可只取变化",
        query=GateListQuery, answer=GateListAnswer, errors=(Unauthenticated, Forbidden, NotFound, TooMany),
        rate=Rule("parking.gate_list", 60, 60),
    ),
)  # fmt: skip
