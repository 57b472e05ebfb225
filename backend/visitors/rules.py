"""What a community lets residents and guards do with visitors (访客规则), set by staff and audited (I-22)."""

from dataclasses import asdict, dataclass
from datetime import timedelta
from uuid import UUID

from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.db import Reader, Tx

SELECT = """
    SELECT passes_per_day, longest_days, approval_hours, answer_minutes, stay_hours, overstay_minutes,
           assume_left_hours, goods_approval, keep_days
      FROM visitor_rule WHERE community_id = $1
"""

SET = """
    INSERT INTO visitor_rule (community_id, passes_per_day, longest_days, approval_hours, answer_minutes, stay_hours,
                              overstay_minutes, assume_left_hours, goods_approval, keep_days)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT (community_id) DO UPDATE
       SET passes_per_day = $2, longest_days = $3, approval_hours = $4, answer_minutes = $5, stay_hours = $6,
           overstay_minutes = $7, assume_left_hours = $8, goods_approval = $9, keep_days = $10
"""


@dataclass(frozen=True, slots=True)
class Rule:
    """See `migrations/sql/0026_visitors.sql` for what each number means."""

    passes_per_day: int = 10
    longest_days: int = 180
    approval_hours: int | None = 168
    answer_minutes: int = 5
    stay_hours: int = 12
    overstay_minutes: int | None = 60
    assume_left_hours: int = 24
    goods_approval: bool = True
    keep_days: int = 180

    def needs_approval(self, lasts: timedelta) -> bool:
        """Whether the property must approve a pass that is valid for so long."""
        return self.approval_hours is not None and lasts > timedelta(hours=self.approval_hours)


USUAL = Rule()


async def of(db: Reader, community_id: UUID) -> Rule:
    """The rule of a community."""
    row = await db.fetchrow(SELECT, community_id)
    return USUAL if row is None else Rule(**row)


async def change(tx: Tx, actor: Actor, *, community_id: UUID, new: Rule) -> None:
    """Set the rule of a community, which the caller has found in scope, from now on."""
    before = await of(tx, community_id)
    await tx.execute(SET, community_id, *asdict(new).values())
    audit.record(
        tx, actor, action="visitor.rule_set", target=f"visitor_rule:{community_id}", community_id=community_id,
        before=asdict(before), after=asdict(new),
    )  # fmt: skip
