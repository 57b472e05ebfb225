"""I-12: whatever splits an amount, the sum of the parts is the whole.

The largest remainder itself (`money.allocate`) is tested with the billing run, which splits bills by it.
"""

from datetime import date
from typing import Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from backend.fees.prepaid import Account, Purpose
from backend.fees.prepaid_uses import PURPOSES, share
from payments.reconcile import fees, fund_flow
from payments.reconcile.matching import Share

MANY = settings(max_examples=300, deadline=None)
FEN = st.integers(0, 10**9)
# Shares of a merchant may be negative: a fee that came back with a refund. Many lie just beside a half.
MFEN = st.one_of(st.integers(-(10**7), 10**9), st.sampled_from([-1500, -500, -499, 1, 499, 500, 501, 999, 1500]))


def _id(number: int) -> UUID:
    return UUID(int=number)


@MANY
@given(
    st.lists(st.tuples(st.sampled_from(sorted(PURPOSES)), st.integers(1, 10**7), st.integers(1, 28)), max_size=8),
    st.dictionaries(st.sampled_from(Purpose), st.tuples(FEN, FEN)),
)
def test_i12_prepaid_money_is_shared_out_to_the_fen(
    owed: list[tuple[str, int, int]], held: dict[Purpose, tuple[int, int]]
) -> None:
    due: list[Any] = [
        {"id": _id(n), "type": kind, "due_fen": fen, "due_on": date(2026, 9, day), "period_start": date(2026, 9, 1)}
        for n, (kind, fen, day) in enumerate(owed)
    ]
    accounts = [
        Account(_id(100 + n), _id(1), _id(2), "1栋101", purpose, left + promised, promised)
        for n, (purpose, (left, promised)) in enumerate(held.items())
    ]
    uses = share(due, accounts)
    assert all(use.amount_fen > 0 for use in uses)
    left = {a.purpose: a.available_fen - sum(u.amount_fen for u in uses if u.account_id == a.id) for a in accounts}
    assert all(fen >= 0 for fen in left.values())
    for bill in due:
        unpaid_fen = bill["due_fen"] - sum(use.amount_fen for use in uses if use.bill_id == bill["id"])
        assert unpaid_fen >= 0
        # What is still owed is owed for want of money alone.
        assert not unpaid_fen or not any(left.get(purpose) for purpose in PURPOSES[bill["type"]])


@MANY
@given(st.lists(MFEN, min_size=1, max_size=9))
def test_i12_a_days_fee_is_rounded_once_and_split_to_the_fen(mfen: list[int]) -> None:
    shares = tuple(Share(_id(n), _id(99), each) for n, each in enumerate(mfen))
    parts = fees.split(shares)
    assert sum(parts.values()) == fees.rounded(sum(mfen))
    assert abs(sum(parts.values()) * 1000 - sum(mfen)) <= 500
    for share_ in shares:
        assert abs(parts[share_.community_id, share_.merchant_id] * 1000 - share_.fee_mfen) < 1000


@MANY
@given(st.lists(st.integers(1, 10**9), max_size=6), st.integers(1, 2 * 10**9), st.booleans())
def test_i12_a_payout_is_all_of_its_communities(standing: list[int], amount_fen: int, book_stands: bool) -> None:
    parts = [fund_flow._Part(_id(n), _id(99), fen) for n, fen in enumerate(standing)]
    book = fund_flow._Part(_id(0 if book_stands else 50), _id(99), 0)
    made = fund_flow._parts(parts, amount_fen, book)
    assert sum(part.amount_fen for part in made) == amount_fen
    assert all(part.amount_fen > 0 for part in made)
    assert len({(part.community_id, part.merchant_id) for part in made}) == len(made)
    if amount_fen <= sum(standing):
        stood = {(part.community_id, part.merchant_id): part.amount_fen for part in parts}
        assert all(part.amount_fen <= stood[part.community_id, part.merchant_id] for part in made)
