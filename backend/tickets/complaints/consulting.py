"""What a resident writes to the official account becomes a consultation (咨询), or adds to the open one (R7, R10).

Promises: one open consultation per resident and community from the account; of two texts at once the second adds to the
first. What holds for tickets from the mini-program holds here: the day's limit, the promises, who is told.
"""

from dataclasses import dataclass

from backend.kernel.auth import Principal, Tie
from backend.kernel.db import Tx
from backend.kernel.errors import NotFound
from backend.tickets import categories, machine, submitting
from backend.tickets.moves import Move
from backend.tickets.states import ENDED, FINISHED, Channel, Kind, Role
from backend.tickets.step import Asked, Sight, Who
from backend.tickets.submitting import HOLD_PERSON, New

MAX_WORDS = 1000

# Index ticket_consultation_open.
OPEN = """
    SELECT id, no FROM ticket
     WHERE person_id = $1 AND community_id = $2 AND channel = 'official' AND kind = 'consultation'
       AND state <> ALL ($3::text[])
     ORDER BY submitted_at DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Consulted:
    """The number of the consultation, and whether it is a new one."""

    no: int
    is_new: bool


async def consult(tx: Tx, who: Principal, *, tie: Tie, words: str) -> Consulted:
    """Take what the resident asks, at most MAX_WORDS characters of it, for the house of `tie`.

    NotFound `no_consultations` where the community takes none; TooMany `too_many_tickets`.
    """
    person_id, said = who.person_id, words[:MAX_WORDS]
    await tx.execute(HOLD_PERSON, person_id)
    found = await tx.fetchrow(OPEN, person_id, tie.community_id, sorted(ENDED | FINISHED))
    if found is not None:
        reporter = Who(who.actor, Role.REPORTER, sight=Sight(who.scope, (tie.community_id,)))
        await machine.move(tx, reporter, ticket_id=found["id"], name=Move.NOTE, asked=Asked(reason=said))
        return Consulted(found["no"], is_new=False)
    known = await categories.of_community(tx, tie.community_id)
    category = next((row for row in known if row["kind"] == Kind.CONSULTATION), None)
    if category is None:
        raise NotFound("您所在的小区还没有开通咨询，请直接致电物业。", code="no_consultations")
    new = New(tie.community_id, category["id"], tie.house_id, None, said)
    made = await submitting.submit(tx, who.actor, new=new, person_id=person_id, channel=Channel.OFFICIAL)
    return Consulted(made.no, is_new=True)
