"""Six digits for the visitor without a phone (六位访客码): for one pass, one gate and one day (D10).

Promises: at a gate two codes of a day are never the same (unique in the database); a code opens nothing by itself, it
only names a pass, whose own rules then decide. Guessing is limited where codes are taken (GUESS_RATE, by gate).
"""

import secrets
from datetime import date
from uuid import UUID

from backend.kernel.auth import HouseScope
from backend.kernel.clock import start_of_day
from backend.kernel.crypto import Context, Keyring
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import Conflict, Invalid, Unavailable
from backend.kernel.ids import uuid7
from backend.kernel.ratelimit import Rule
from backend.visitors import gates, inviting, windows
from backend.visitors.inviting import DAY
from backend.visitors.states import PassState

TABLE, COLUMN = "visitor_code", "code_sealed"
DIGITS = 6
TRIES = 20
# Six at once, then one every ten seconds: of a thousand codes of a day one is found in about three hours of guessing.
GUESS_RATE = Rule("visitors.code", 6, 60, strict=True)

GIVEN = "SELECT id, code_sealed FROM visitor_code WHERE pass_id = $1 AND gate_id = $2 AND valid_on = $3"

# Another pass may have the same digits at this gate on this day: nothing is inserted then.
INSERT = """
    INSERT INTO visitor_code (id, pass_id, gate_id, valid_on, community_id, code_blind, code_sealed, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT ON CONSTRAINT visitor_code_once DO NOTHING
 RETURNING id
"""

# Index visitor_code_once.
NAMED = "SELECT pass_id FROM visitor_code WHERE gate_id = $1 AND valid_on = $2 AND code_blind = $3"

FORGET = "DELETE FROM visitor_code WHERE valid_on < $1"


async def give(tx: Tx, *, keyring: Keyring, pass_id: UUID, gate_id: UUID, on: date, scope: HouseScope) -> str:
    """The code of a pass at a gate on a day, the same when asked again.

    Raises NotFound for pass and gate, Conflict `pass_ended`, Invalid for a day or a gate that the pass does not have.
    """
    row = await inviting.scoped(tx, pass_id, scope)
    gate = await gates.one(tx, gate_id, communities=(row["community_id"],))
    _require_usable(row, gate["id"], on, tx.today)
    given = await tx.fetchrow(GIVEN, pass_id, gate_id, on)
    if given is not None:
        return keyring.open(bytes(given["code_sealed"]), Context(TABLE, COLUMN, given["id"]))
    for _ in range(TRIES):
        code, code_id = f"{secrets.randbelow(10**DIGITS):0{DIGITS}}", uuid7(tx.now)
        sealed = keyring.seal(code, Context(TABLE, COLUMN, code_id))
        made = await tx.fetchval(
            INSERT, code_id, pass_id, gate_id, on, row["community_id"], blind(keyring, code), sealed, tx.now
        )
        if made is not None:
            return code
    raise Unavailable("暂时无法生成访客码，请稍后再试。", code="no_code_left")


async def named(db: Reader, *, keyring: Keyring, gate_id: UUID, code: str, today: date) -> UUID | None:
    """The pass that a code names at a gate today; the caller has counted the attempt."""
    found: UUID | None = await db.fetchval(NAMED, gate_id, today, blind(keyring, code))
    return found


async def forget(tx: Tx) -> None:
    """Forget codes of days that are over."""
    await tx.execute(FORGET, tx.today)


def blind(keyring: Keyring, code: str) -> bytes:
    """The blind index of a code."""
    return keyring.blind(code, "visitor_code")


def _require_usable(row: Record, gate_id: UUID, on: date, today: date) -> None:
    if row["state"] != PassState.ACTIVE:
        raise Conflict("只有有效的通行证可以生成访客码。", code="pass_ended")
    begins = start_of_day(on)
    inside = begins < row["valid_until"] and begins + DAY > row["valid_from"] and on >= today
    if not inside or not windows.opens_on(windows.of_row(row["weekly"]), on):
        raise Invalid("这一天不在通行证的有效期内。", fields=[{"field": "valid_on"}])
    if row["gate_ids"] is not None and gate_id not in row["gate_ids"]:
        raise Invalid("这张通行证不能从这个门进入，请另选一个门。", fields=[{"field": "gate_id"}])
