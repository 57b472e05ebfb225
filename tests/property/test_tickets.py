"""Tickets as a state machine: whoever does whatever in whatever order, only the table's moves happen (I-13, I-21, D9).

A model written anew keeps state, hand and pause of a few tickets; each random step is foreseen from the table of D9 as
it stands here, and the rows must agree. Clocks never run backwards, and in the end all invariants hold.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from backend.kernel.errors import AppError
from backend.kernel.resources import Resources
from backend.tickets.moves import Move
from backend.tickets.step import Who
from tests import factories_duty, factories_tickets
from tests.conftest import START, Run
from tests.factories_tickets import STARS, Desk

# Move → states it starts from, state it leads to, who may: written by hand from D9. `=`: where it was
# paused; `.`: where it is.
# A repair is neither answered in writing nor spoken about as a complaint is.
EVERYWHERE = (
    "SUBMITTED TRIAGED ASSIGNED ACCEPTED ON_SITE QUOTED AGREED DONE SIGNED_OFF AUTO_SIGNED_OFF PAID RATED FOLLOWED_UP "
    "CLOSED PAUSED RETURNED TRANSFERRED REOPENED"
)
TABLE = {
    "triage": ("SUBMITTED TRIAGED RETURNED REOPENED", "TRIAGED", "desk system"),
    "reject": ("SUBMITTED TRIAGED RETURNED REOPENED", "REJECTED", "desk"),
    "cancel": ("SUBMITTED TRIAGED ASSIGNED RETURNED REOPENED", "CANCELLED", "reporter desk"),
    "assign": ("TRIAGED RETURNED REOPENED", "ASSIGNED", "desk system"),
    "accept": ("ASSIGNED TRANSFERRED", "ACCEPTED", "hand"),
    "return": ("ASSIGNED TRANSFERRED ACCEPTED ON_SITE", "RETURNED", "hand"),
    "transfer": ("ASSIGNED TRANSFERRED ACCEPTED ON_SITE QUOTED AGREED PAUSED", "TRANSFERRED", "desk"),
    "arrive": ("ACCEPTED", "ON_SITE", "hand"),
    "pause": ("ACCEPTED ON_SITE QUOTED AGREED", "PAUSED", "hand desk"),
    "resume": ("PAUSED", "=", "hand desk system"),
    "finish": ("ON_SITE AGREED", "DONE", "hand"),
    "sign_off": ("DONE", "SIGNED_OFF", "reporter desk"),
    "auto_sign_off": ("DONE", "AUTO_SIGNED_OFF", "system"),
    "rate": ("SIGNED_OFF AUTO_SIGNED_OFF PAID", "RATED", "reporter"),
    "follow_up": ("SIGNED_OFF AUTO_SIGNED_OFF PAID RATED", "FOLLOWED_UP", "desk"),
    "close": ("SIGNED_OFF AUTO_SIGNED_OFF PAID RATED FOLLOWED_UP", "CLOSED", "desk system"),
    "urge": (
        "SUBMITTED TRIAGED ASSIGNED ACCEPTED ON_SITE QUOTED AGREED RETURNED TRANSFERRED REOPENED",
        ".",
        "reporter",
    ),
    "note": (EVERYWHERE, ".", "reporter desk"),
    "remark": (EVERYWHERE, ".", "desk"),
    "contact": ("", ".", ""),
    "answer": ("", ".", ""),
    "reopen": ("DONE SIGNED_OFF AUTO_SIGNED_OFF PAID RATED FOLLOWED_UP CLOSED", "REOPENED", "reporter desk"),
}
LETS_GO = {"cancel", "return", "finish"}
ACTORS = ("reporter", "desk", "engineer", "colleague", "system")
# What is tried by whom, upon which ticket, after how many minutes, with which worker; or (`likely`) a step that goes.
STEPS = st.tuples(
    st.sampled_from(sorted(TABLE)), st.sampled_from(ACTORS), st.integers(0, 1), st.integers(0, 2000), st.booleans(),
    st.one_of(st.none(), st.integers(0, 1000), st.integers(0, 1000)),
)  # fmt: skip
Step = tuple[str, str, int, int, bool, int | None]
REOPEN_DAYS = timedelta(days=7)
URGE_HOURS = timedelta(hours=4)


@dataclass
class Model:
    """What is known of a ticket without looking."""

    id: UUID
    state: str = "SUBMITTED"
    hand: str | None = None
    paused_in: str = ""

    over_at: datetime = START
    urged_at: datetime | None = None

    def may(self, move: str, who: str, to: str, now: datetime) -> bool:
        sources, _, roles = TABLE[move]
        acts = {"hand"} if who == self.hand else {who}
        allowed = bool(acts & set(roles.split())) and self.state in sources.split()
        too_late = move == "reopen" and now > self.over_at + REOPEN_DAYS
        too_soon = move == "urge" and self.urged_at is not None and now < self.urged_at + URGE_HOURS
        return allowed and not too_late and not too_soon and not (move == "transfer" and to == self.hand)

    def follow(self, move: str, to: str, now: datetime) -> None:
        before, target = self.state, TABLE[move][1]
        self.state = {"=": self.paused_in, ".": before}.get(target, target)
        if move in ("urge", "reopen"):
            self.urged_at = now if move == "urge" else None
        if move == "pause":
            self.paused_in = before
        if move in ("finish", "close"):
            self.over_at = now
        if move in ("assign", "transfer"):
            self.hand = to
        elif move in LETS_GO:
            self.hand = None


async def step(desk: Desk, model: Model, move: str, who: str, to: str) -> None:
    """Try one move, and see that it went as foreseen."""
    actors: dict[str, Who] = {
        "reporter": desk.resident(), "desk": desk.desk(), "system": desk.system(),
        "engineer": desk.worker(desk.engineer), "colleague": desk.worker(desk.colleague),
    }  # fmt: skip
    named = {"engineer": desk.engineer.id, "colleague": desk.colleague.id}
    asked = {"reason": "原因如下", "until": desk.res.clock.now() + timedelta(days=1), "stars": STARS}
    if move in ("assign", "transfer"):
        asked["staff_id"] = named[to]
    now = desk.res.clock.now()
    foreseen = model.may(move, who, to, now)
    try:
        await desk.move(actors[who], model.id, Move(move), **asked)
    except AppError as error:
        assert not foreseen, (model, move, who, error)
    else:
        assert foreseen, (model, move, who)
        model.follow(move, to, now)


CLOCKS = "SELECT id, due_at, paused_s, stopped_at FROM ticket_clock WHERE ticket_id = ANY ($1::uuid[])"


async def play(desk: Desk, steps: list[Step]) -> Counter[str]:
    """Two tickets of a new day; where they come to."""
    await desk.later(days=1)
    models = [Model(await desk.submit()) for _ in range(2)]
    seen: dict[int, tuple[datetime, int, datetime | None]] = {}
    for move, who, which, minutes, first, likely in steps:
        await desk.later(minutes=minutes)
        to, model, now = "engineer" if first else "colleague", models[which], desk.res.clock.now()
        goes = [(m, w) for m in sorted(TABLE) for w in ACTORS if model.may(m, w, to, now)]
        if likely is not None and goes:
            move, who = goes[likely % len(goes)]
        await step(desk, model, move, who, to)
        for row in await desk.res.db.fetch(CLOCKS, [each.id for each in models]):
            due_at, paused_s, stopped_at = seen.get(row["id"], (row["due_at"], 0, None))
            assert row["due_at"] >= due_at and row["paused_s"] >= paused_s
            assert stopped_at in (None, row["stopped_at"]), "what has stopped stays stopped"
            seen[row["id"]] = (row["due_at"], row["paused_s"], row["stopped_at"])
    for model in models:
        assert await desk.state(model.id) == model.state
        hand = await desk.res.db.fetchval(
            "SELECT staff_id FROM ticket_assignment WHERE ticket_id = $1 AND ended_at IS NULL", model.id
        )
        assert hand == (model.hand and {"engineer": desk.engineer, "colleague": desk.colleague}[model.hand].id)
    return Counter(model.state for model in models)


def tell(desk: Desk, run: Run, examples: int) -> None:
    @settings(
        max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink), derandomize=True,
    )  # fmt: skip
    @given(st.lists(STEPS, min_size=15, max_size=40))
    def stories(steps: list[Step]) -> None:
        run(play(desk, steps))

    stories()
    run(desk.sound())


@pytest.fixture
def desk(res: Resources, run: Run) -> Desk:
    async def make() -> Desk:
        made = await factories_tickets.desk(res)
        await made.allow(worker_open=1000)
        await factories_duty.handle(made, urge_times=100)
        return made

    return run(make())


def test_i13_whatever_is_tried_only_moves_of_the_table_happen(desk: Desk, run: Run) -> None:
    tell(desk, run, 20)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_i13_for_longer(desk: Desk, run: Run) -> None:
    tell(desk, run, 1000)
