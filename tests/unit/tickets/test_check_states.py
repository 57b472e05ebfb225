"""The moves of a content check are the same in the code and in the database (I-13)."""

import re
from pathlib import Path

from backend.tickets.screening.states import CHECK_MOVES, STATE_OF, CheckState
from backend.wechat.content import Judged, Verdict, told

SQL = Path(__file__).parents[3] / "migrations" / "sql" / "0034_wechat_web.sql"


def test_i13_code_and_database_allow_the_same_moves() -> None:
    listed = re.search(r"linli_allow_moves\('ticket_check', ARRAY\[(.*?)\]\)", SQL.read_text(), re.S)
    assert listed is not None
    in_database = {tuple(pair.split(">")) for pair in re.findall(r"'(\w+>\w+)'", listed[1])}
    assert in_database == {(before, after) for before, reached in CHECK_MOVES.items() for after in reached}
    assert set(CHECK_MOVES) == set(CheckState) and set(STATE_OF) == set(Verdict)


def test_a_push_is_read_as_json_and_as_xml_spells_it() -> None:
    assert told({"errcode": 0, "result": {"suggest": "risky", "label": 20002}}) == Judged(Verdict.RISKY, 20002)
    assert told({"errcode": "0", "result": {"suggest": "pass", "label": "100"}}) == Judged(Verdict.PASS, 100)
    for fields in ({"errcode": -1008}, {"errcode": "-1008"}, {}, {"result": "risky"}, {"result": {"suggest": "odd"}}):
        assert told(fields) is None
