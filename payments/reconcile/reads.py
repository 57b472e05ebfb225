"""What staff look up of reconciliation: runs, what they found, mappings and lines of the bank."""

from datetime import date
from uuid import UUID

from backend.kernel.db import Reader, Record
from backend.kernel.errors import Conflict, NotFound
from payments.channels.base import StatementKind

_RUN = """
    SELECT r.*, (SELECT count(*) FROM reconciliation_finding f WHERE f.run_id = r.id) AS found,
           (SELECT count(*) FROM reconciliation_finding f JOIN difference d ON d.id = f.difference_id
             WHERE f.run_id = r.id AND d.state IN ('OPEN', 'ESCALATED')) AS open
      FROM reconciliation_run r
"""

RUNS = f"""
    {_RUN}
     WHERE r.company_id = $1 AND ($2::date IS NULL OR r.day = $2) AND ($3::text IS NULL OR r.state = $3)
       AND ($4::date IS NULL OR (r.day, r.id) < ($4, $5::uuid))
     ORDER BY r.day DESC, r.id DESC
     LIMIT $6
"""

RUN = f"{_RUN} WHERE r.id = $1 AND r.company_id = $2"

FOUND = """
    SELECT f.id, d.id AS difference_id, d.class, d.state, d.transaction_no, d.out_trade_no, d.subject, d.expected_fen,
           d.actual_fen, f.statement_fen, d.note
      FROM reconciliation_finding f JOIN difference d ON d.id = f.difference_id
     WHERE f.run_id = $1 AND f.id > $2
     ORDER BY f.id
     LIMIT $3
"""

LAYOUTS = "SELECT id, name, columns FROM bank_layout WHERE company_id = $1 ORDER BY name"

LINES = """
    SELECT id, booked_on, amount_fen, counterparty, reference, summary, matched_kind, matched_id
      FROM bank_line
     WHERE company_id = $1 AND (matched_kind IS NOT NULL) = $2 AND ($3::bigint IS NULL OR id < $3)
     ORDER BY id DESC
     LIMIT $4
"""

OF_COMPANY = """
    SELECT sub_mchid FROM merchant WHERE id = $1 AND company_id = $2 AND channel IN ('wechat', 'alipay')
"""


async def runs(
    db: Reader, *, company_id: UUID, day: date | None, state: str | None, before: tuple[date, UUID] | None, limit: int
) -> list[Record]:
    """Runs of a company, the newest day first."""
    return await db.fetch(RUNS, company_id, day, state, *(before or (None, None)), limit)


async def run(db: Reader, *, company_id: UUID, run_id: UUID) -> Record:
    """One run; NotFound for another company's."""
    row = await db.fetchrow(RUN, run_id, company_id)
    if row is None:
        raise NotFound
    return row


async def found(db: Reader, run_id: UUID, *, after: int, limit: int) -> list[Record]:
    """What a run found, in order."""
    return await db.fetch(FOUND, run_id, after, limit)


async def layouts(db: Reader, company_id: UUID) -> list[Record]:
    """The mappings of a company by name."""
    return await db.fetch(LAYOUTS, company_id)


async def lines(db: Reader, *, company_id: UUID, matched: bool, before: int | None, limit: int) -> list[Record]:
    """Lines of the bank, newest first."""
    return await db.fetch(LINES, company_id, matched, before, limit)


async def require_statement(db: Reader, *, company_id: UUID, merchant_id: UUID, kind: StatementKind) -> None:
    """NotFound unless the merchant is an online one of the company, Conflict `no_fund_flow` for a sub merchant's."""
    row = await db.fetchrow(OF_COMPANY, merchant_id, company_id)
    if row is None:
        raise NotFound
    if kind is StatementKind.FUND_FLOW and row["sub_mchid"] is not None:
        raise Conflict("特约商户的资金账单由特约商户自己在商户平台下载，服务商取不到。", code="no_fund_flow")
