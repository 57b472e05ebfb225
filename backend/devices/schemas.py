"""What the routes of devices take and answer."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from backend.devices.states import CommandKind, Kind
from backend.kernel.db import Record
from backend.kernel.http import Page, Strict, example

_ID = "01991b2a-7c00-7000-8000-000000000001"
Reason = Annotated[str, Field(min_length=2, max_length=200)]


class DeviceBody(Strict):
    model_config = example(community_id=_ID, kind="camera", vendor="zhenshi", name="东门入口相机")
    community_id: UUID
    kind: Kind
    vendor: str = Field(pattern=r"^[a-z0-9_]{1,30}$", description="whose pushes it sends; `neutral` for our own form")
    name: str = Field(min_length=1, max_length=50)
    serial: str | None = Field(None, min_length=1, max_length=100, description="the name that it gives itself")


class IssuedAnswer(Strict):
    """A device's secret, shown this once."""

    model_config = example(id=_ID, secret="3q2-7w…")
    id: UUID
    secret: str


class DeviceAnswer(Strict):
    model_config = example(
        id=_ID, community_id=_ID, name="东门入口相机", kind="camera", vendor="zhenshi", serial=None,
        previous_until=None, created_at="2026-09-01T02:00:00Z", revoked_at=None,
    )  # fmt: skip
    id: UUID
    community_id: UUID
    name: str
    kind: Kind
    vendor: str
    serial: str | None
    previous_until: datetime | None = Field(description="until when the secret before the current one is believed")
    created_at: datetime
    revoked_at: datetime | None

    @classmethod
    def of(cls, row: Record) -> "DeviceAnswer":
        known = {name: row[name] for name in cls.model_fields if name != "kind"}
        return cls(**known, kind=Kind(row["kind"]))


class DevicesAnswer(Strict):
    model_config = example(items=[], next_cursor=None)
    items: list[DeviceAnswer]
    next_cursor: str | None


class DevicesQuery(Page):
    """Devices in order of registration."""


class ReasonBody(Strict):
    model_config = example(reason="设备更换")
    reason: Reason


class CommandsQuery(Strict):
    """`wait_s`: how long to hold the line while there is nothing to do."""

    wait_s: int = Field(25, ge=0, le=25)


class CommandAnswer(Strict):
    """What to do, once by its id, and not after `expires_at`."""

    model_config = example(
        id=_ID, kind="open", ordered_at="2026-09-01T02:00:00Z", expires_at="2026-09-01T02:00:30Z"
    )  # fmt: skip
    id: UUID
    kind: CommandKind
    ordered_at: datetime
    expires_at: datetime


class CommandsAnswer(Strict):
    model_config = example(items=[])
    items: list[CommandAnswer]


class AcknowledgementBody(Strict):
    """What came of a command."""

    model_config = example(done=True, detail="")
    done: bool
    detail: str = Field("", max_length=200)
