"""What a scanned mini-program code stands for: a house to pay for, or a gate (R1, R8). No rules are made here."""

from uuid import UUID

from pydantic import Field

from backend.kernel.auth import RESIDENT
from backend.kernel.errors import NotFound, TooMany, Unauthenticated
from backend.kernel.http import Call, Route, Strict, example
from backend.kernel.ratelimit import Rule
from backend.property import communities, pay_codes
from backend.wechat import codes
from backend.wechat.codes import CodeKind

RATE = Rule("wechat.code", count=30, period_s=60, strict=True)
_ID = "0198f2a0-0000-7000-8000-000000000001"


class ScannedAnswer(Strict):
    """Of a house, which anybody may pay for who holds its code, as of its paper code: nothing of people."""

    model_config = example(
        kind="house", community="幸福里", name="1栋1单元**1", house_id=None, pay_code="7QK2M9XRPA", gate_id=None
    )
    kind: CodeKind
    community: str
    name: str = Field(description="of another's house only the last character of the door's number is shown")
    house_id: UUID | None = Field(description="a house of the asker's own: to be paid in the usual way")
    pay_code: str | None = Field(description="of another's house: /p/{pay_code} takes the payment")
    gate_id: UUID | None


async def resolve(call: Call[None, None]) -> ScannedAnswer:
    """GET /api/v1/codes/{scene}: the scene as wx gives it, decoded."""
    code = await codes.of_scene(call.res.db, call.path["scene"])
    (place,) = await communities.by_ids(call.res.db, [code.community_id])
    if code.kind is CodeKind.GATE:
        return ScannedAnswer(
            kind=code.kind, community=place.name, name=code.name, house_id=None, pay_code=None, gate_id=code.subject_id
        )
    own = any(tie.house_id == code.subject_id for tie in call.principal.ties)
    return ScannedAnswer(
        kind=code.kind, community=place.name, name=code.name if own else pay_codes.masked(code.name),
        house_id=code.subject_id if own else None, pay_code=None if own else code.paper_code, gate_id=None,
    )  # fmt: skip


ROUTES = (
    Route(
        "GET", "/api/v1/codes/{scene}", resolve, RESIDENT, "小程序码指向的房屋或门禁", answer=ScannedAnswer, rate=RATE,
        errors=(Unauthenticated, NotFound, TooMany),
    ),
)  # fmt: skip
