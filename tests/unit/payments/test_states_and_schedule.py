"""States as data (I-13), the janitor's schedule (I-17), what the channel carries for us."""

import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from uuid import UUID

import pytest

from payments import janitor, orders
from payments.channels.base import Method, PrepayRequest
from payments.payables import Kind, Priced
from payments.states import ATTEMPT_MOVES, DIFFERENCE_MOVES, ORDER_MOVES

SQL = (Path(__file__).parents[3] / "migrations" / "sql" / "0008_payments.sql").read_text()
NOW = datetime(2026, 9, 1, 2, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("table", "moves"),
    [("payment_order", ORDER_MOVES), ("payment_attempt", ATTEMPT_MOVES), ("difference", DIFFERENCE_MOVES)],
)
def test_i13_the_trigger_allows_the_same_moves(table: str, moves: dict[StrEnum, frozenset[StrEnum]]) -> None:
    trigger = re.search(rf"TRIGGER {table}_moves .*?linli_check_move\((.*?)\);", SQL, re.DOTALL)
    assert trigger is not None
    assert set(re.findall(r"'(\w+>\w+)'", trigger[1])) == {f"{a}>{b}" for a, to in moves.items() for b in to}


def test_i17_attempts_are_asked_at_1_2_5_10_30_minutes_then_hourly_then_daily() -> None:
    at, asked = NOW, []
    for count in range(1, 31):
        at = janitor.next_ask(NOW, at, asked_count=count)
        asked.append(int((at - NOW).total_seconds() // 60))
    assert asked[:7] == [1, 2, 5, 10, 30, 60, 120]
    assert asked[27:] == [1380, 1440, 1440 + 1440]


def test_i17_an_attempt_found_old_is_asked_four_times_in_a_few_minutes() -> None:
    late = NOW + timedelta(days=3)
    assert janitor.next_ask(NOW, late, asked_count=1) == late + timedelta(minutes=1)
    assert janitor.next_ask(NOW, late, asked_count=4) == late + timedelta(days=1)


def test_the_channel_carries_order_kind_and_digest_within_its_limit() -> None:
    priced = [Priced(UUID(int=n), UUID(int=9), UUID(int=8), UUID(int=7), 100 * n, 0, "物业费") for n in (1, 2)]
    digest = orders.digest_of([(Kind.BILL, each) for each in priced])
    assert digest == orders.digest_of([(Kind.BILL, each) for each in priced[::-1]])
    cheaper = [priced[0], Priced(UUID(int=2), UUID(int=9), UUID(int=8), UUID(int=7), 199, 0, "物业费")]
    assert digest != orders.digest_of([(Kind.BILL, each) for each in cheaper])
    attach = orders.attach_of(UUID(int=5), Kind.BILL, digest)
    assert attach == f"{UUID(int=5).hex}.bill.{digest[:16].hex()}" and len(attach) <= 128


def test_b1_a_stored_request_is_repeated_word_for_word() -> None:
    request = PrepayRequest(
        Method.JSAPI, "LL1", "物业费", 5, "wx1", "https://x/y", NOW + timedelta(microseconds=5), "a", "o1"
    )
    assert orders.request_of(orders.request_document(request)) == request
