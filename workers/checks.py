"""Invariants of the outbox and of periodic work (I-16, I-18)."""

from backend.kernel.checks import Check

CHECKS: tuple[Check, ...] = (
    Check(
        code="I-16",
        title="后台任务要么完成，要么停放并写明原因",
        sql="""
            SELECT id, event, state FROM outbox
             WHERE (state = 'PARKED' AND coalesce(last_error, '') = '')
                OR (state IN ('READY', 'LEASED') AND failures > 40)
                OR (state = 'DONE' AND finished_at < emitted_at)
        """,
    ),
    Check(
        code="I-18",
        title="每个定时任务的每一期都会完成一次",
        sql="""
            SELECT p.name, p.period, p.state
              FROM periodic_run p
              LEFT JOIN outbox o ON o.event = 'periodic.due' AND o.dedup_key = p.name || ':' || p.period
                                AND o.state <> 'DONE'
             WHERE (p.state = 'DONE' AND o.id IS NOT NULL) OR (p.state <> 'DONE' AND o.id IS NULL)
        """,
    ),
)
