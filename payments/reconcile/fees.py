"""The channel's fees (手续费), from its statement into the books: debit channel_fee, credit clearing.

Fees are added up exactly, in thousandths of a fen; the day's sum of a run is rounded half up to the fen, once, and
split over the communities by their exact shares with the largest remainder (I-12). A run that is made again posts the
change alone. A negative fee (returned with a refund) is posted the other way round.
"""

from uuid import UUID, uuid5

from backend.kernel.db import Tx
from backend.ledger import accounts, postings
from backend.ledger.accounts import Code, Key
from payments.reconcile.matching import Share

CHARGED = "channel.fee_charged"
MFEN = 1000

# The amount posted so far is changed under the row's lock; what comes back is what is left to post.
RECORD = """
    WITH before AS (
        SELECT coalesce(max(fee_fen), 0) AS fee_fen FROM channel_fee
         WHERE run_id = $1 AND community_id = $2 AND merchant_id = $3),
    put AS (
        INSERT INTO channel_fee (run_id, community_id, merchant_id, fee_fen) VALUES ($1, $2, $3, $4)
            ON CONFLICT (run_id, community_id, merchant_id) DO UPDATE SET fee_fen = excluded.fee_fen)
    SELECT $4 - fee_fen FROM before
"""

POSTED = "SELECT community_id, merchant_id FROM channel_fee WHERE run_id = $1 AND fee_fen <> 0"


def rounded(mfen: int) -> int:
    """Thousandths of a fen to the fen, half up (away from zero where negative, so that a return mirrors a charge)."""
    size = (abs(mfen) + MFEN // 2) // MFEN
    return size if mfen >= 0 else -size


def split(shares: tuple[Share, ...]) -> dict[tuple[UUID, UUID], int]:
    """The rounded sum over the shares, in fen: each is rounded down, what is left goes to the largest remainders."""
    total_fen = rounded(sum(share.fee_mfen for share in shares))
    parts = {(share.community_id, share.merchant_id): share.fee_mfen // MFEN for share in shares}
    left = total_fen - sum(parts.values())
    by_remainder = sorted(shares, key=lambda share: -(share.fee_mfen % MFEN))
    for share in by_remainder[:left]:
        parts[(share.community_id, share.merchant_id)] += 1
    return parts


async def post(tx: Tx, *, run_id: UUID, attempt: int, shares: tuple[Share, ...]) -> int:
    """Post the fees of a run; returns their sum in fen."""
    parts = split(shares)
    for row in await tx.fetch(POSTED, run_id):
        parts.setdefault((row["community_id"], row["merchant_id"]), 0)
    for (community_id, merchant_id), fee_fen in parts.items():
        change_fen = await tx.fetchval(RECORD, run_id, community_id, merchant_id, fee_fen)
        if not change_fen:
            continue
        fee, clearing = await accounts.ensure_all(
            tx,
            (Key(community_id, Code.CHANNEL_FEE, merchant_id), Key(community_id, Code.CLEARING, merchant_id)),
        )
        postings.post(
            tx,
            CHARGED,
            reference=uuid5(run_id, f"{community_id}:{merchant_id}:{attempt}"),
            debit=fee if change_fen > 0 else clearing,
            credit=clearing if change_fen > 0 else fee,
            amount_fen=abs(change_fen),
            community_id=community_id,
        )
    return sum(parts.values())
