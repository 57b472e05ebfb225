"""States of a check of what a resident wrote or sent, and their moves; the database holds the same lists (I-13)."""

from collections.abc import Mapping
from enum import StrEnum

from backend.wechat.content import Verdict


class CheckState(StrEnum):
    """WAITING: to be asked; ASKED: the push comes later; SKIPPED: nobody can be asked; the last two are by staff."""

    WAITING = "WAITING"
    ASKED = "ASKED"
    PASSED = "PASSED"
    REVIEW = "REVIEW"
    RISKY = "RISKY"
    SKIPPED = "SKIPPED"
    CLEARED = "CLEARED"
    BLOCKED = "BLOCKED"


class CheckKind(StrEnum):
    """What is checked."""

    WORDS = "words"
    PICTURE = "picture"


S = CheckState
ENDS = frozenset({S.PASSED, S.REVIEW, S.RISKY, S.SKIPPED})
CHECK_MOVES: Mapping[CheckState, frozenset[CheckState]] = {
    S.WAITING: ENDS | {S.ASKED},
    S.ASKED: ENDS | {S.WAITING},
    S.PASSED: frozenset(),
    S.REVIEW: frozenset({S.CLEARED, S.BLOCKED}),
    S.RISKY: frozenset({S.CLEARED, S.BLOCKED}),
    S.SKIPPED: frozenset(),
    S.CLEARED: frozenset(),
    S.BLOCKED: frozenset(),
}
STATE_OF: Mapping[Verdict, CheckState] = {
    Verdict.PASS: S.PASSED,
    Verdict.REVIEW: S.REVIEW,
    Verdict.RISKY: S.RISKY,
}
