"""States of cards and spaces as data and in the database are one table (I-13)."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from backend.parking.cards.states import CARD_MOVES, SPACE_MOVES, Audience, SpaceKind

SQL = (Path(__file__).parents[3] / "migrations" / "sql" / "0019_parking_cards_and_spaces.sql").read_text("utf-8")


@pytest.mark.parametrize(("table", "known"), [("parking_card", CARD_MOVES), ("parking_space", SPACE_MOVES)])
def test_i13_the_trigger_allows_the_same_moves(table: str, known: Mapping[str, frozenset[str]]) -> None:
    allowed = re.search(rf"linli_allow_moves\('{table}', ARRAY\[(.*?)\]\)", SQL, re.DOTALL)
    assert allowed is not None
    assert set(re.findall(r"'(\w+>\w+)'", allowed[1])) == {
        f"{one}>{to}" for one, others in known.items() for to in others
    }


@pytest.mark.parametrize(("column", "known"), [("audience", Audience), ("kind", SpaceKind)])
def test_the_database_knows_the_same_words(column: str, known: type[Audience | SpaceKind]) -> None:
    for listed in re.findall(rf"\b{column} +text (?:NOT NULL )?CHECK \({column} IN \((.*?)\)\)", SQL):
        assert set(re.findall(r"'(\w+)'", listed)) == set(known)
