"""The bare peer of Y-13: the statements by which the product decides about a car, and nothing around them.

No signature is verified, no device is looked up, nothing is sealed, nothing is priced or explained, no model reads the
body, and every decision is the one that the run expects.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import orjson
from sanic import HTTPResponse, Request

from backend.devices import inbox, signing
from backend.kernel.clock import local_date
from backend.kernel.resources import Resources
from backend.parking import stays, vehicles
from backend.parking.lanes import gate
from backend.parking.prices import quotes
from bench.gate_seed import OWED_FEN, STAYED

SEALED = b"\x01" + bytes(48)
LINES = [{"amount_fen": OWED_FEN}]
CLASS = "small"

# What the product inserts in one statement with Tx.flush.
ENTERED = """
    WITH wild AS (INSERT INTO parking_wildcard (lot_id, blind, session_id)
                  SELECT $1, blind, $2 FROM unnest($3::bytea[]) AS blind ON CONFLICT DO NOTHING)
    INSERT INTO parking_event (community_id, session_id, kind, at, recorded_at, device_event_id, actor_kind, actor_id,
                               detail)
    VALUES ($4, $2, 'entered', $5, $6, $7, 'device', $8, $9)
"""
NOTED = """
    INSERT INTO parking_event (community_id, session_id, kind, at, recorded_at, device_event_id, actor_kind, actor_id,
                               detail)
    VALUES ($1, $2, $3, $4, $5, $6, 'device', $7, $8)
"""


def sightings(res: Resources, pool: asyncpg.Pool) -> Any:
    """Enter, leave free, or be asked to pay, as the facts say."""

    async def see(request: Request) -> HTTPResponse:
        told, now = orjson.loads(request.body), res.clock.now()
        credentials = request.headers["authorization"]
        camera_id = UUID(credentials.partition("device=")[2][:36])
        nonce = credentials.partition("nonce=")[2].partition(",")[0]
        at = datetime.fromisoformat(told["at"])
        blinds = vehicles.blinds(res.keyring, told["plate"])
        async with pool.acquire() as connection:
            await connection.fetchval(signing.USE_NONCE, camera_id, nonce, now)
            async with connection.transaction():
                facts, event_id = await _facts(connection, camera_id, told["key"], at, now, blinds.whole)
                if facts["direction"] == "in":
                    await _enter(connection, facts, event_id, camera_id, at, now, blinds)
                    opens = True
                else:
                    opens = await _leave(connection, facts, event_id, camera_id, at, now)
                answer = {"open": opens, "lines": ["欢迎光临"], "voice": "欢迎光临"}
                await connection.execute(inbox.CONCLUDE, event_id, "applied", "", answer)
        return HTTPResponse(orjson.dumps(answer), content_type="application/json")

    return see


async def _facts(
    connection: asyncpg.Connection, camera_id: UUID, key: str, at: datetime, now: datetime, blind: bytes
) -> tuple[asyncpg.Record, UUID]:
    event_id = uuid4()
    await connection.fetchrow(inbox.HEAR, event_id, camera_id, camera_id, key, None, "plate", at, now, SEALED)
    facts = await connection.fetchrow(gate.FACTS, camera_id, blind, local_date(at), at, CLASS)
    return facts, event_id


async def _enter(
    connection: asyncpg.Connection, facts: asyncpg.Record, event_id: UUID, camera_id: UUID, at: datetime,
    now: datetime, blinds: vehicles.Blinds,
) -> None:  # fmt: skip
    session_id = uuid4()
    await connection.fetchval(
        stays.OPEN, session_id, facts["community_id"], facts["lot_id"], "IN", [], SEALED, blinds.whole, blinds.tail,
        None, None, facts["tariff_id"], at, facts["lane_id"], None, None, now, CLASS,
    )  # fmt: skip
    await connection.execute(
        ENTERED, facts["lot_id"], session_id, list(blinds.wildcards), facts["community_id"], at, now, event_id,
        camera_id, {"card": False},
    )  # fmt: skip


async def _leave(
    connection: asyncpg.Connection, facts: asyncpg.Record, event_id: UUID, camera_id: UUID, at: datetime, now: datetime
) -> bool:
    stay = await connection.fetchrow(stays.LOCK, facts["session_id"], at, local_date(at))
    if opens := at - stay["entered_at"] < STAYED / 2:
        await connection.execute(stays.LEAVE, stay["id"], "OUT", at, facts["lane_id"], [])
    else:
        quote = await connection.fetchrow(
            quotes.INSERT, uuid4(), stay["community_id"], stay["lot_id"], stay["id"], stay["tariff_id"], OWED_FEN, 0,
            OWED_FEN, LINES, now, now + timedelta(minutes=10), bytes(32),
        )  # fmt: skip
        await connection.execute(stays.WAIT, stay["id"], "QUOTED", quote["id"], facts["lane_id"], now)
    await connection.execute(
        NOTED, stay["community_id"], stay["id"], "left" if opens else "seen_at_exit", at, now, event_id, camera_id, {}
    )
    return bool(opens)
