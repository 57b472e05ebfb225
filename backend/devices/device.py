"""What a device asks of us, signed (backend/devices/signing.py): its commands by long poll, and their end (D8)."""

from backend.devices import commands
from backend.devices.schemas import AcknowledgementBody, CommandAnswer, CommandsAnswer, CommandsQuery
from backend.devices.states import CommandKind
from backend.kernel.auth import DEVICE
from backend.kernel.db import Tx
from backend.kernel.errors import Forbidden, NotFound, Unauthenticated
from backend.kernel.http import Call, Nothing, Route


async def list_commands(call: Call[None, CommandsQuery]) -> CommandsAnswer:
    """GET /device/v1/commands."""
    rows = await commands.wait(call.res.db, call.principal.device_id, wait_s=call.query.wait_s)
    return CommandsAnswer(
        items=[
            CommandAnswer(
                id=row["id"],
                kind=CommandKind(row["kind"]),
                ordered_at=row["ordered_at"],
                expires_at=row["expires_at"],
            )
            for row in rows
        ]
    )


async def acknowledge(call: Call[AcknowledgementBody, None]) -> Nothing:
    """POST /device/v1/commands/{command_id}/acknowledgement."""

    async def work(tx: Tx) -> Nothing:
        await commands.acknowledge(
            tx, call.principal.actor, command_id=call.ids["command_id"], done=call.body.done, detail=call.body.detail
        )
        return Nothing()

    return await call.transact(work)


ROUTES = (
    Route(
        "GET", "/device/v1/commands", list_commands, DEVICE, "等待指令：最长 25 秒，有指令立即返回",
        query=CommandsQuery, answer=CommandsAnswer, errors=(Unauthenticated, Forbidden),
    ),
    Route(
        "POST", "/device/v1/commands/{command_id}/acknowledgement", acknowledge, DEVICE, "报告指令的执行结果",
        body=AcknowledgementBody, answer=Nothing, errors=(Unauthenticated, Forbidden, NotFound),
    ),
)  # fmt: skip
