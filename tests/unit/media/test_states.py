"""The states of media as data and in the database are one table (I-13)."""

import re
from pathlib import Path

from backend.media.states import MEDIA_MOVES

SQL = (Path(__file__).parents[3] / "migrations" / "sql" / "0023_media.sql").read_text("utf-8")


def test_i13_the_trigger_allows_the_same_moves() -> None:
    allowed = re.search(r"linli_allow_moves\('media', ARRAY\[(.*?)\]\)", SQL, re.DOTALL)
    assert allowed is not None
    moves = {f"{one}>{other}" for one, others in MEDIA_MOVES.items() for other in others}
    assert set(re.findall(r"'(\w+>\w+)'", allowed[1])) == moves
