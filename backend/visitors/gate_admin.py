"""Staff routes of gates: conflicts of entries without a network, and keys that may have become known (R8)."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from backend.kernel.db import Record, Tx
from backend.kernel.errors import Conflict, NotFound
from backend.kernel.http import Call, Nothing, Page, Route, Strict, decode_cursor, encode_cursor, example
from backend.visitors import conflicts, signing_keys
from backend.visitors.judging import TEXTS, Fault
from backend.visitors.states import Refusal

CONFLICTS, KEYS = "visitor.conflicts", "visitor.keys"
_ID = "01991b2a-7c00-7000-8000-000000000001"
_CONFLICT = {
    "id": _ID, "community_id": _ID, "gate_id": _ID, "gate": "东门", "subject_id": _ID, "house": "1栋1单元101",
    "reason": "used_up", "text": "这张通行证的可用次数已经用完。", "happened_at": "2026-09-01T02:00:00Z",
    "told_at": "2026-09-01T03:00:00Z",
}  # fmt: skip
Note = Annotated[str, Field(min_length=2, max_length=200)]


class ConflictsQuery(Page):
    """Conflicts that nobody has settled, newest first."""


class ConflictAnswer(Strict):
    """An entry that a gate let in alone. `subject_id`: the pass, or the resident's code; null: no token of ours."""

    model_config = example(**_CONFLICT)
    id: UUID
    community_id: UUID
    gate_id: UUID
    gate: str | None
    subject_id: UUID | None
    house: str | None
    reason: str
    text: str
    happened_at: datetime
    told_at: datetime

    @classmethod
    def of(cls, row: Record) -> "ConflictAnswer":
        return cls(**dict(row.items()), text=_text(row["reason"]))


class ConflictsAnswer(Strict):
    model_config = example(items=[_CONFLICT], next_cursor=None)
    items: list[ConflictAnswer]
    next_cursor: str | None


class NoteBody(Strict):
    """What came of it."""

    model_config = example(note="已联系住户，访客确实来过两次。")
    note: Note


class DistrustBody(Strict):
    """Why no code that was given out until now is believed any more."""

    model_config = example(reason="服务器备份外泄，更换密钥")
    reason: Note


class KeyMadeAnswer(Strict):
    """The number of the key that signs from now on."""

    model_config = example(key_id=8)
    key_id: int


async def list_conflicts(call: Call[None, ConflictsQuery]) -> ConflictsAnswer:
    """GET /admin/v1/visitor-conflicts."""
    before = None if call.query.cursor is None else decode_cursor(call.query.cursor, (UUID,))[0]
    limit = call.query.limit
    rows = await conflicts.in_communities(
        call.res.db, call.principal.communities(CONFLICTS), before=before, limit=limit
    )
    return ConflictsAnswer(
        items=[ConflictAnswer.of(row) for row in rows],
        next_cursor=encode_cursor(rows[-1]["id"]) if len(rows) == limit else None,
    )


async def settle(call: Call[NoteBody, None]) -> Nothing:
    """POST /admin/v1/visitor-conflicts/{conflict_id}/settle."""

    async def work(tx: Tx) -> Nothing:
        await conflicts.settle(
            tx, call.principal.actor, conflict_id=call.ids["conflict_id"],
            communities=call.principal.communities(CONFLICTS), note=call.body.note,
        )  # fmt: skip
        return Nothing()

    return await call.transact(work)


async def distrust(call: Call[DistrustBody, None]) -> KeyMadeAnswer:
    """POST /admin/v1/communities/{community_id}/visitor-keys/distrust."""
    community_id = call.ids["community_id"]
    call.principal.require_community(KEYS, community_id)

    async def work(tx: Tx) -> KeyMadeAnswer:
        number = await signing_keys.distrust(
            tx, call.principal.actor, keyring=call.res.keyring, community_id=community_id, reason=call.body.reason
        )
        return KeyMadeAnswer(key_id=number)

    return await call.once(work, KeyMadeAnswer)


def _text(reason: str) -> str:
    return TEXTS[Fault(reason) if reason in set(Fault) else Refusal(reason)]


ROUTES = (
    Route(
        "GET", "/admin/v1/visitor-conflicts", list_conflicts, CONFLICTS, "断网期间多放行的人，逐条列出",
        query=ConflictsQuery, answer=ConflictsAnswer,
    ),
    Route(
        "POST", "/admin/v1/visitor-conflicts/{conflict_id}/settle", settle, CONFLICTS, "处理一条离线通行冲突",
        body=NoteBody, answer=Nothing, errors=(NotFound, Conflict),
    ),
    Route(
        "POST", "/admin/v1/communities/{community_id}/visitor-keys/distrust", distrust, KEYS,
        "作废本小区已发出的全部通行码，改用新密钥", body=DistrustBody, answer=KeyMadeAnswer, errors=(NotFound,),
        creates=True,
    ),
)  # fmt: skip
