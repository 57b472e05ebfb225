"""Amounts as the channel writes and rounds them: fen inside, yuan with decimals in files."""

FEE_PER_10000 = 60


def yuan(amount_fen: int) -> str:
    """Fen as yuan with two decimals."""
    sign = "-" if amount_fen < 0 else ""
    whole, rest = divmod(abs(amount_fen), 100)
    return f"{sign}{whole}.{rest:02d}"


def fee_fen(total_fen: int) -> int:
    """The channel's fee of 0.60 %, rounded half up to the fen."""
    return (total_fen * FEE_PER_10000 + 5000) // 10000


def returned_fee_fen(left_fen: int, refund_fen: int) -> int:
    """What a refund gives back of the fee: together all refunds of a payment give back exactly what it cost."""
    return fee_fen(left_fen) - fee_fen(left_fen - refund_fen)
