"""The bare peer of Y-17: the product's three statements by asyncpg, and their rows as the same JSON; no models."""

from hashlib import sha256
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from sanic import HTTPResponse, Request

from backend.identity import principals
from backend.kernel.resources import Resources
from backend.tickets import clocks, reads
from backend.tickets.schemas import TicketView
from backend.tickets.states import STATE_TEXT, State

SHOWN = tuple(name for name in TicketView.model_fields if name not in ("clocks", "state_text"))


def work(res: Resources, pool: asyncpg.Pool) -> Any:
    """An engineer's list."""

    async def list_work(request: Request) -> HTTPResponse:
        now = res.clock.now()
        token_hash = sha256(request.headers["authorization"][7:].encode()).digest()
        async with pool.acquire() as connection:
            (asker,) = await connection.fetch(principals.STAFF, token_hash, now)
            rows = await connection.fetch(reads.IN_HAND, asker["staff_id"], asker["community_ids"])
            found: dict[UUID, list[dict[str, Any]]] = {}
            for row in await connection.fetch(clocks.OF_TICKETS, [row["id"] for row in rows]):
                found.setdefault(row["ticket_id"], []).append(_clock(row, now))
        items = [
            {name: row[name] for name in SHOWN}
            | {"state_text": STATE_TEXT[State(row["state"])], "clocks": found.get(row["id"], [])}
            for row in rows
        ]
        return HTTPResponse(orjson.dumps({"items": items}, default=str), content_type="application/json")

    return list_work


def _clock(row: asyncpg.Record, now: Any) -> dict[str, Any]:
    reached = row["stopped_at"] or row["paused_at"] or now
    return {
        "kind": row["kind"], "due_at": row["due_at"], "paused": row["paused_at"] is not None,
        "stopped_at": row["stopped_at"], "late": reached > row["due_at"], "alarm": row["alarm"],
    }  # fmt: skip
