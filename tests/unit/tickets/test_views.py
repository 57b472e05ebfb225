"""Lists of tickets are written without models: what they show is what the declared answer would have shown."""

from datetime import UTC, date, datetime, timedelta, timezone
from itertools import zip_longest
from typing import Any
from uuid import UUID

import orjson
import pytest
from asyncpg.pgproto.pgproto import UUID as RowId

from backend.kernel.http import document
from backend.tickets.schemas import TicketList, TicketView, ticket_values
from backend.tickets.states import AlarmLevel, Channel, ClockKind, Kind, State

AT = datetime(2026, 9, 1, 2, 0, 0, 123_000, tzinfo=UTC)
ID: UUID = RowId("01991b2a-7c00-7000-8000-000000000001")
EVERY = tuple(zip_longest(State, Kind, Channel, ClockKind, AlarmLevel))


def row(state: str, kind: str, channel: str, *, full: bool) -> dict[str, Any]:
    """A ticket as PostgreSQL gives it, with everything that may be missing, or with nothing of it."""
    shown: dict[str, Any] = {
        "id": ID, "no": (1 << 63) - 1, "community_id": ID, "category_id": ID, "category": "水电\"维修\"", "kind": kind,
        "state": state, "channel": channel, "description": "漏水\n</script>\u2028😀", "urgent": True,
        "anonymous": False, "round": 1, "submitted_at": AT, "moved_at": AT.replace(microsecond=0), "urged_times": 2,
    }  # fmt: skip
    rest = {
        "house_id": ID, "house": "1栋1单元101", "place": "门厅", "assignee_id": ID, "assignee": "赵大勇",
        "paused_until": AT, "merged_into": ID, "warranty_until": date(2026, 11, 30), "done_at": AT, "outage_id": ID,
        "urged_at": AT, "flag": "risky",
    }  # fmt: skip
    return {**shown, **(rest if full else dict.fromkeys(rest)), "approved_at": AT, "building_id": ID}


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize(("state", "kind", "channel", "clock", "alarm"), EVERY)
def test_d9_a_list_shows_what_its_model_would(
    state: State, kind: Kind | None, channel: Channel | None, clock: ClockKind | None, alarm: AlarmLevel | None,
    full: bool,
) -> None:  # fmt: skip
    held = row(state.value, (kind or Kind.PRAISE).value, (channel or Channel.STAFF).value, full=full)
    promise = {
        "ticket_id": ID, "kind": (clock or ClockKind.FINISH).value, "due_at": AT, "paused_at": AT if full else None,
        "stopped_at": AT if full else None, "alarm": alarm and alarm.value,
    }  # fmt: skip
    values = ticket_values(held, {ID: [promise]}, now=AT + timedelta(seconds=1))
    written = document({"items": [values], "next_cursor": None})
    model = TicketList(items=[TicketView(**values)], next_cursor=None)
    assert orjson.loads(written.body) == orjson.loads(model.model_dump_json())
    assert TicketList.model_validate_json(written.body) == model
    assert (written.status, written.content_type) == (200, "application/json")


@pytest.mark.parametrize("value", [b"bytes", {1, 2}, timezone, object()])
def test_a_document_holds_nothing_that_json_does_not_know(value: object) -> None:
    with pytest.raises(TypeError):
        document({"value": value})
