"""A resident's signature under finished work (验收签名): a small picture drawn on the phone, sealed at rest (D9, I-24).

Promises: only a PNG of strokes is taken, written anew in grey without what else was in the file; one for a round of a
ticket; who looks at it says why, and that is recorded.
"""

import base64
import binascii
import io
from uuid import UUID

import PIL.Image

from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.crypto import Context, Keyring
from backend.kernel.db import Record, Tx
from backend.kernel.errors import Invalid, NotFound
from backend.kernel.ids import uuid7
from backend.tickets import reads
from backend.tickets.step import Who

MAX_TEXT = 200_000
MAX_SIDE = 1_600
KEPT_SIDE = 600
# So much darker than the paper is a stroke.
INK = 64

KEEP = """
    INSERT INTO ticket_signature (id, community_id, ticket_id, round, signature_sealed, signed_by, signed_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
"""

LAST = """
    SELECT id, round, signature_sealed, signed_at FROM ticket_signature WHERE ticket_id = $1 ORDER BY round DESC LIMIT 1
"""


def cleaned(text: str) -> str:
    """The drawn signature as a small grey PNG in base64; Invalid `bad_signature`. CPU: some milliseconds."""
    try:
        content = base64.b64decode(text, validate=True)
        with PIL.Image.open(io.BytesIO(content), formats=("PNG",)) as opened:
            if max(opened.size) > MAX_SIDE:
                raise _refused("签名图片过大，请重新签名。")
            drawn = opened.convert("RGBA")
    except (binascii.Error, OSError, ValueError, SyntaxError, PIL.Image.DecompressionBombError) as error:
        raise _refused("签名图片无法识别，请重新签名。") from error
    grey = PIL.Image.alpha_composite(PIL.Image.new("RGBA", drawn.size, "white"), drawn).convert("L")
    levels = [level for level, pixels in enumerate(grey.histogram()) if pixels]
    if levels[-1] - levels[0] < INK:
        raise _refused("没有看到签名，请在屏幕上签名后提交。")
    grey.thumbnail((KEPT_SIDE, KEPT_SIDE))
    kept = io.BytesIO()
    grey.quantize(4).save(kept, "PNG", optimize=True)
    return base64.b64encode(kept.getvalue()).decode()


async def keep(tx: Tx, who: Who, *, keyring: Keyring, ticket_id: UUID, picture: str) -> None:
    """Keep a cleaned picture for the ticket's round, unless there is one; NotFound."""
    ticket = await reads.lock(tx, who, ticket_id)
    last = await tx.fetchrow(LAST, ticket_id)
    if last is not None and last["round"] == ticket["round"]:
        return
    signature_id = uuid7(tx.now)
    sealed = keyring.seal(picture, _context(signature_id))
    await tx.execute(
        KEEP, signature_id, ticket["community_id"], ticket_id, ticket["round"], sealed, who.actor.id, tx.now
    )


async def look(tx: Tx, actor: Actor, *, ticket: Record, keyring: Keyring, reason: str) -> str:
    """The last signature of a ticket that the caller has found in scope, in base64; NotFound."""
    row = await tx.fetchrow(LAST, ticket["id"])
    if row is None:
        raise NotFound("这张工单没有验收签名。")
    audit.record(
        tx, actor, action="ticket_signature.read", target=f"ticket:{ticket['id']}",
        community_id=ticket["community_id"], reason=reason,
    )  # fmt: skip
    return keyring.open(row["signature_sealed"], _context(row["id"]))


def _context(signature_id: UUID) -> Context:
    return Context("ticket_signature", "signature_sealed", signature_id)


def _refused(problem: str) -> Invalid:
    return Invalid(problem, code="bad_signature", fields=[{"field": "signature", "message": problem}])
