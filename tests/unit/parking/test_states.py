"""The states of a stay as data and in the database are one table (I-13); every flag has its sentence."""

import re
from pathlib import Path

from backend.parking.states import FLAG_TEXT, SESSION_MOVES, Flag

SQL = (Path(__file__).parents[3] / "migrations" / "sql" / "0015_parking.sql").read_text("utf-8")


def test_i13_the_trigger_allows_the_same_moves() -> None:
    allowed = re.search(r"linli_allow_moves\('parking_session', ARRAY\[(.*?)\]\)", SQL, re.DOTALL)
    assert allowed is not None
    moves = {f"{one}>{other}" for one, others in SESSION_MOVES.items() for other in others}
    assert set(re.findall(r"'(\w+>\w+)'", allowed[1])) == moves


def test_every_flag_is_in_the_database_and_has_a_sentence() -> None:
    check = re.search(r"CONSTRAINT parking_session_flags CHECK \(flags <@ ARRAY\[(.*?)\]\)", SQL, re.DOTALL)
    assert check is not None
    assert set(re.findall(r"'(\w+)'", check[1])) == set(Flag) == set(FLAG_TEXT)
