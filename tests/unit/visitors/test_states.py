"""The moves of passes, walk-ins and permits as data and in the database are one table (I-13)."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from backend.visitors.states import GOODS_MOVES, PASS_MOVES, REFUSAL_TEXT, WALK_IN_MOVES, Refusal

SQL = (Path(__file__).parents[3] / "migrations" / "sql" / "0026_visitors.sql").read_text("utf-8")
TABLES = (("visitor_pass", PASS_MOVES), ("visitor_walk_in", WALK_IN_MOVES), ("goods_permit", GOODS_MOVES))


@pytest.mark.parametrize(("table", "known"), TABLES)
def test_i13_the_trigger_allows_the_same_moves(table: str, known: Mapping[str, frozenset[str]]) -> None:
    allowed = re.search(rf"linli_allow_moves\('{table}', ARRAY\[(.*?)\]\)", SQL, re.DOTALL)
    assert allowed is not None
    moves = {f"{one}>{other}" for one, others in known.items() for other in others}
    assert set(re.findall(r"'(\w+>\w+)'", allowed[1])) == moves


@pytest.mark.parametrize(("table", "known"), TABLES)
def test_i13_the_table_knows_the_same_states(table: str, known: Mapping[str, frozenset[str]]) -> None:
    made = SQL[SQL.index(f"CREATE TABLE {table} (") :]
    check = re.search(r"CHECK \(state IN \((.*?)\)\)", made, re.DOTALL)
    assert check is not None
    assert set(re.findall(r"'(\w+)'", check[1])) == set(known)


def test_every_refusal_has_a_sentence() -> None:
    assert set(REFUSAL_TEXT) == set(Refusal)
