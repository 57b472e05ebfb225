"""What a company sets for complaints (投诉规则): working days, rating tags, where disputes go (D9, R7).

A line of promises that names a nature comes before one that names none; where the company has no line for an urgency,
USUAL holds. Changed promises count for complaints that come in, or are classed, from then on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import Invalid, NotFound
from backend.tickets.complaints.words import Nature, Urgency
from backend.tickets.states import ClockKind, Kind

_COLUMNS = "promises, rating_tags, dispute_category_id"
OF_COMPANY = f"SELECT {_COLUMNS} FROM ticket_complaint_policy WHERE company_id = $1"  # noqa: S608 - constants

OF_COMMUNITY = f"""
    SELECT {_COLUMNS}
      FROM ticket_complaint_policy p JOIN company_community c ON c.company_id = p.company_id
     WHERE c.community_id = $1
"""  # noqa: S608 - constants

OF_TICKET = "SELECT nature, urgency FROM ticket_complaint WHERE ticket_id = $1"

SET = """
    INSERT INTO ticket_complaint_policy (company_id, promises, rating_tags, dispute_category_id, changed_at)
    VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (company_id) DO UPDATE
       SET promises = $2, rating_tags = $3, dispute_category_id = $4, changed_at = $5
"""

TAKES_DISPUTES = """
    SELECT 1 FROM ticket_category
     WHERE id = $1 AND company_id = $2 AND community_id IS NULL AND kind = $3 AND withdrawn_at IS NULL
"""


@dataclass(frozen=True, slots=True)
class Promise:
    """Working days within which the reporter is first spoken to, and has the written answer; `nature` None: of any."""

    nature: Nature | None
    urgency: Urgency
    contact_days: int
    answer_days: int

    @property
    def clocks(self) -> Mapping[ClockKind, int]:
        """Clock → working days."""
        return {ClockKind.CONTACT: self.contact_days, ClockKind.ANSWER: self.answer_days}


USUAL = (
    Promise(None, Urgency.USUAL, 2, 7),
    Promise(None, Urgency.URGENT, 1, 3),
    Promise(None, Urgency.GRAVE, 1, 2),
)


@dataclass(frozen=True, slots=True)
class Policy:
    """What holds for a company. `rating_tags` empty: a rating says what it likes."""

    promises: tuple[Promise, ...] = ()
    rating_tags: tuple[str, ...] = ()
    dispute_category_id: UUID | None = None

    def promise(self, nature: Nature, urgency: Urgency) -> Promise:
        """What is promised for a complaint."""
        fitting = [each for each in (*self.promises, *USUAL) if each.urgency is urgency]
        return next(each for wanted in (nature, None) for each in fitting if each.nature is wanted)


async def of_company(db: Reader, company_id: UUID) -> Policy:
    """The policy of a company."""
    return _read(await db.fetchrow(OF_COMPANY, company_id))


async def of_community(db: Reader, community_id: UUID) -> Policy:
    """The policy of the company of a community."""
    return _read(await db.fetchrow(OF_COMMUNITY, community_id))


async def promised(db: Reader, ticket_id: UUID, *, community_id: UUID) -> Mapping[ClockKind, int]:
    """Clock → working days, for a ticket of an answered kind."""
    row = await db.fetchrow(OF_TICKET, ticket_id)
    assert row is not None, "an answered kind has its complaint (register.enter)"
    policy = await of_community(db, community_id)
    return policy.promise(Nature(row["nature"]), Urgency(row["urgency"])).clocks


async def set_policy(tx: Tx, actor: Actor, *, company_id: UUID, new: Policy) -> None:
    """Set the policy of a company.

    Raises Invalid `promised_twice`, NotFound for a category that is not one of complaints in the whole company.
    """
    if len({(each.nature, each.urgency) for each in new.promises}) < len(new.promises):
        problem = "同一性质、同一紧急程度只能设一条时限。"
        raise Invalid(problem, code="promised_twice", fields=[{"field": "promises", "message": problem}])
    if new.dispute_category_id is not None and not await tx.fetchval(
        TAKES_DISPUTES, new.dispute_category_id, company_id, Kind.COMPLAINT
    ):
        raise NotFound("没有找到这个工单类别，账单异议须归入全公司通用的投诉类别。")
    before, promises = await of_company(tx, company_id), _kept(new.promises)
    await tx.execute(SET, company_id, promises, list(new.rating_tags), new.dispute_category_id, tx.now)
    audit.record(
        tx, actor, action="complaint_policy.changed", target=f"complaint_policy:{company_id}",
        community_id=company_id, before=_shown(before), after=_shown(new),
    )  # fmt: skip


def _shown(policy: Policy) -> dict[str, Any]:
    category_id = policy.dispute_category_id
    return {
        "promises": _kept(policy.promises),
        "rating_tags": list(policy.rating_tags),
        "dispute_category_id": category_id and str(category_id),
    }


def _kept(promises: Sequence[Promise]) -> list[dict[str, Any]]:
    return [asdict(each) for each in promises]


def _read(row: Record | None) -> Policy:
    if row is None:
        return Policy()
    promises = tuple(
        Promise(
            each["nature"] and Nature(each["nature"]),
            Urgency(each["urgency"]),
            each["contact_days"],
            each["answer_days"],
        )
        for each in row["promises"]
    )
    return Policy(promises, tuple(row["rating_tags"]), row["dispute_category_id"])
