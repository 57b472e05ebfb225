"""I-13: the moves of notices in code are those of the trigger in the database."""

import re
from pathlib import Path

from backend.notices.states import NOTICE_MOVES

ROOT = Path(__file__).parents[3]


def test_the_moves_of_notices_are_those_of_the_database() -> None:
    sql = (ROOT / "migrations/sql/0032_notices.sql").read_text()
    allowed = re.search(r"linli_allow_moves\('notice', ARRAY\[(.*?)\]\)", sql, re.DOTALL)
    assert allowed is not None
    moves = {f"{one}>{other}" for one, others in NOTICE_MOVES.items() for other in others}
    assert set(re.findall(r"'([A-Z]+>[A-Z]+)'", allowed[1])) == moves
