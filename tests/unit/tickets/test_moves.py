"""The table of moves as data, and the same lists in the database (I-13, D9)."""

import re
from pathlib import Path

import pytest

from backend.tickets.complaints.words import Nature, Outcome, Urgency
from backend.tickets.effects import EFFECTS
from backend.tickets.guards import GUARDS
from backend.tickets.moves import MOVES, STATE_MOVES, Move, targets
from backend.tickets.states import ENDED, IN_HAND, STATE_TEXT, Channel, ClockKind, Ending, Kind, Role, State

MIGRATIONS = Path(__file__).parents[3] / "migrations" / "sql"
NAMED = ("0022_tickets.sql", "0028_complaints.sql", "0031_official_account.sql")
SQL = "".join((MIGRATIONS / name).read_text("utf-8") for name in NAMED)
ALLOWED = re.compile(r"linli_allow_(?:more_)?moves\('ticket', ARRAY\[(.*?)\]\)", re.DOTALL)


def test_i13_the_trigger_allows_the_same_moves() -> None:
    lists = [found for path in sorted(MIGRATIONS.glob("*.sql")) for found in ALLOWED.findall(path.read_text("utf-8"))]
    moves = {f"{one}>{other}" for one, others in STATE_MOVES.items() for other in others}
    assert set(re.findall(r"'(\w+>\w+)'", "".join(lists))) == moves


@pytest.mark.parametrize(
    ("column", "known"),
    [("state", State), ("kind", Kind), ("channel", Channel), ("kind", ClockKind), ("ended_as", Ending)]
    + [("nature", Nature), ("urgency", Urgency), ("outcome", Outcome)],
)
def test_i13_the_database_holds_the_same_words(column: str, known: type[State]) -> None:
    lists = [set(re.findall(r"'(\w+)'", each)) for each in re.findall(rf"\b{column} IN \((.*?)\)", SQL, re.DOTALL)]
    assert set(known) in lists


def test_d9_every_move_but_the_first_is_in_the_table_and_names_what_there_is() -> None:
    assert set(MOVES) == set(Move) - {Move.SUBMIT}
    assert {name for rule in MOVES.values() for name in rule.guards} == set(GUARDS)
    assert {name for rule in MOVES.values() for name in rule.effects} == set(EFFECTS)
    assert set(STATE_TEXT) == set(State)


def test_d9_every_state_is_reached_and_only_what_has_ended_is_left_by_no_move() -> None:
    reached = {State.SUBMITTED} | {target for rule in MOVES.values() for target in targets(rule)}
    assert reached == set(State)
    assert {state for state, others in STATE_MOVES.items() if not others} == ENDED


def test_i21_a_move_into_a_hand_or_out_of_one_says_so() -> None:
    """Whatever leads from a state in hand to one that is not ends the assignment, and the other way round."""
    for name, rule in MOVES.items():
        if rule.stays:
            continue
        after = targets(rule) <= IN_HAND
        if after and rule.sources - IN_HAND:
            assert "hand_over" in rule.effects, name
        if not after and rule.sources & IN_HAND:
            assert {"give_back", "drop", "finish"} & set(rule.effects), name


def test_d9_a_resident_cancels_only_before_somebody_has_taken_it_on() -> None:
    assert MOVES[Move.CANCEL].sources.isdisjoint(IN_HAND - {State.ASSIGNED})
    assert Role.REPORTER in MOVES[Move.CANCEL].roles
