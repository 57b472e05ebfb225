"""The bare peers of Y-1b, Y-9, Y-13 and Y-17: Sanic handlers that do the work by asyncpg and nothing around it.

A process of its own, run as `python -m bench.peer`. It verifies and decrypts as the product does; it has no limits, no
request ids, no logs, no models.
"""

import asyncio
import os
import signal
from datetime import date
from hashlib import sha256
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import uvloop
from sanic import HTTPResponse, Request, Sanic

from backend.composition import APPROVALS, MODELS
from backend.fees import bills as fee_bills
from backend.fees import periods
from backend.fees.states import BillState
from backend.identity import principals
from backend.kernel.clock import local_date
from backend.kernel.config import Settings
from backend.kernel.resources import Resources, open_resources
from backend.main import listen
from bench import gate_peer, plain, ticket_peer
from payments import merchants

CONNECTIONS = 10
SHOWN = (
    "id", "item_id", "house_id", "house_label", "period_start", "period_end", "state", "principal_fen", "late_fee_fen",
    "paid_fen", "due_on", "issued_at", "payable_online",
)  # fmt: skip


async def _leave_as_is(connection: asyncpg.Connection) -> None:
    """As the product does: a reset would cost the peer a round trip per request."""


async def _prepare(connection: asyncpg.Connection) -> None:
    await connection.set_type_codec(
        "jsonb", encoder=lambda value: orjson.dumps(value).decode(), decoder=orjson.loads, schema="pg_catalog"
    )


def callbacks(res: Resources, pool: asyncpg.Pool) -> Any:
    """Y-1b: nine statements in one transaction, then the acknowledgement."""

    async def notify(request: Request, merchant_id: str) -> HTTPResponse:
        merchant = await merchants.merchant(res, UUID(merchant_id))
        callback = merchants.channel(res, merchant).read_callback(merchant.keys, request.headers, request.body)
        trade, now = callback.trade, res.clock.now()
        assert trade is not None
        async with pool.acquire() as connection, connection.transaction():
            source = f"wechat:{merchant.id}"
            inbox_id = await connection.fetchval(plain.INBOX, source, callback.event_id, request.body, now)
            row = await connection.fetchrow(plain.LOCK, trade.out_trade_no)
            order_id, community_id = row["id"], row["community_id"]
            if row["amount_fen"] != trade.amount_fen:
                return HTTPResponse(status=500)
            await connection.execute(plain.ATTEMPT_PAID, row["attempt_id"], trade.transaction_no, now, inbox_id)
            await connection.execute(plain.ORDER_PAID, order_id, now)
            await connection.execute(plain.BILL_PAID, row["bill_id"], row["principal_fen"], now)
            await connection.execute(
                plain.POSTING, community_id, row["line_id"], row["clearing_account"], row["receivable"],
                row["principal_fen"], row["bill_id"], now, local_date(now),
            )  # fmt: skip
            payload = {"order_id": str(order_id), "attempt_id": str(row["attempt_id"])}
            await connection.execute(plain.OUTBOX, community_id, payload, now)
            await connection.execute(
                plain.AUDIT, now, merchant.id, f"payment_order:{order_id}", community_id, {"state": "PAYING"},
                {"state": "PAID", "amount_fen": trade.amount_fen, "door": "callback"},
            )  # fmt: skip
        return HTTPResponse(status=204)

    return notify


def bills(res: Resources, pool: asyncpg.Pool) -> Any:
    """Y-9: the product's two statements, and their rows as the same JSON."""
    states = [state.value for state in BillState]

    async def list_bills(request: Request) -> HTTPResponse:
        now = res.clock.now()
        today = local_date(now)
        token_hash = sha256(request.headers["authorization"][7:].encode()).digest()
        async with pool.acquire() as connection:
            ties = await connection.fetch(principals.RESIDENT, token_hash, now, today)
            full = [tie["house_id"] for tie in ties]
            rows = await connection.fetch(fee_bills.OF_RESIDENT, full, ties[0]["person_id"], states, None, None, 20)
        document = {"items": [_shown(row, today) for row in rows], "next_cursor": None}
        return HTTPResponse(orjson.dumps(document, default=str), content_type="application/json")

    return list_bills


def _shown(row: asyncpg.Record, today: date) -> dict[str, Any]:
    unpaid = row["state"] in ("ISSUED", "PARTLY_PAID")
    open_fen = row["principal_fen"] - row["paid_fen"] + row["late_fee_fen"] - row["late_paid_fen"]
    return {name: row[name] for name in SHOWN} | {
        "title": f"{row['item_name']} {periods.text(row['period_start'], row['period_end'])}",
        "overdue": unpaid and row["due_on"] < today,
        "due_fen": open_fen if unpaid else 0,
    }


async def main() -> None:
    settings = Settings.from_env(os.environ)
    res = await open_resources(settings, models=MODELS, approval_kinds=APPROVALS)
    pool = await asyncpg.create_pool(
        settings.database_url, min_size=CONNECTIONS, max_size=CONNECTIONS, init=_prepare, reset=_leave_as_is
    )
    app: Sanic[Any, Any] = Sanic("peer", configure_logging=False)
    app.add_route(callbacks(res, pool), "/pay/notify/wechat/<merchant_id:str>", methods=["POST"])
    app.add_route(bills(res, pool), "/api/v1/bills")
    app.add_route(gate_peer.sightings(res, pool), "/device/v1/sightings", methods=["POST"])
    app.add_route(ticket_peer.work(res, pool), "/admin/v1/ticket-work")
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    server: Any = await app.create_server(
        sock=listen(settings.http_host, settings.http_port), return_asyncio_server=True, access_log=False
    )
    await server.startup()
    await server.start_serving()
    await stop.wait()
    server.server.close()
    await pool.close()
    await res.close()


if __name__ == "__main__":
    uvloop.run(main())
