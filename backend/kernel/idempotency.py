"""A client's key makes a POST safe to repeat (I-19).

The key is claimed, the work done and the answer stored in one transaction: a repeat of the same request gets the stored
answer, two at the same time wait for each other, and another body under the same key is refused.
"""

import hashlib
from collections.abc import Awaitable, Callable
from typing import TypeVar

import orjson
from pydantic import BaseModel

from backend.kernel.db import Tx
from backend.kernel.errors import Conflict

M = TypeVar("M", bound=BaseModel)

CLAIM = """
    INSERT INTO idempotency (principal, route, key, body_hash, created_at)
    VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (principal, route, key) DO NOTHING
    RETURNING key
"""
STORED = "SELECT body_hash, answer FROM idempotency WHERE principal = $1 AND route = $2 AND key = $3"
STORE = "UPDATE idempotency SET answer = $4 WHERE principal = $1 AND route = $2 AND key = $3"
FORGET = "DELETE FROM idempotency WHERE created_at < $1"


async def once(
    tx: Tx,
    work: Callable[[Tx], Awaitable[M]],
    *,
    principal: str,
    route: str,
    key: str,
    body: bytes,
    answer: type[M],
) -> M:
    """Run `work` once per (principal, route, key); Conflict `idempotency_key_reused` for another body."""
    body_hash = hashlib.sha256(body).digest()
    if await tx.fetchval(CLAIM, principal, route, key, body_hash, tx.now) is None:
        stored = await tx.fetchrow(STORED, principal, route, key)
        if stored is None or bytes(stored["body_hash"]) != body_hash:
            raise Conflict("同一个 Idempotency-Key 已用于另一个请求。", code="idempotency_key_reused")
        return answer.model_validate_json(orjson.dumps(stored["answer"]))
    result = await work(tx)
    await tx.execute(STORE, principal, route, key, result.model_dump(mode="json"))
    return result
