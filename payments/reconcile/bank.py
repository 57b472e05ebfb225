"""Importing the bank's file and finding in it what should have arrived: settlements and cash deposits (D7, D5).

Promises: a file is imported whole or not at all; a line is imported once, whatever file it comes in (unique digest);
a settlement or deposit arrives once, by a line of exactly its amount within a week. Where it is not clear what a line
is, it waits for a person.
"""

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from backend.kernel import audit
from backend.kernel.audit import SYSTEM, Actor
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import Conflict, Invalid, NotFound
from backend.kernel.ids import uuid7
from backend.ledger import accounts, postings
from backend.ledger.accounts import Code, Key
from payments.reconcile import bank_reading
from payments.reconcile.bank_reading import Columns, Parsed, Problem, Unreadable

ARRIVED = "channel.settlement_arrived"
WITHIN = timedelta(days=7)
CHILD_S = 40
_ROOT = Path(__file__).parents[2]

SAVE_LAYOUT = """
    INSERT INTO bank_layout (id, company_id, name, columns, created_by, created_at) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (company_id, name) DO UPDATE SET columns = excluded.columns
 RETURNING id
"""

LAYOUT = "SELECT columns FROM bank_layout WHERE id = $1 AND company_id = $2"

INSERT_FILE = """
    INSERT INTO bank_file (id, company_id, file_name, file_sha256, lines, imported_by, imported_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (company_id, file_sha256) DO NOTHING
 RETURNING id
"""

INSERT_LINES = """
    WITH added AS (
        INSERT INTO bank_line (file_id, company_id, booked_on, amount_fen, counterparty, reference, summary, digest)
        SELECT $1, $2, * FROM unnest($3::date[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::bytea[])
            ON CONFLICT (company_id, digest) DO NOTHING
     RETURNING id)
    SELECT count(*) FROM added
"""

COUNT_KNOWN = "SELECT count(*) FROM bank_line WHERE company_id = $1 AND digest = ANY($2::bytea[])"

# One import or matching of a company at a time.
LOCK_COMPANY = "SELECT pg_advisory_xact_lock(hashtextextended('bank:' || $1::uuid::text, 0))"

OPEN_LINES = """
    SELECT id, booked_on, amount_fen, reference, summary
      FROM bank_line
     WHERE company_id = $1 AND matched_kind IS NULL AND amount_fen > 0
     ORDER BY booked_on, id
"""

# What a line may be: of its amount, left at most WITHIN before. The oldest first.
CANDIDATES = """
    SELECT 'settlement' AS kind, id, left_on AS since, flow_no AS number
      FROM channel_settlement
     WHERE company_id = $1 AND matched_at IS NULL AND amount_fen = $2
       AND left_on BETWEEN $3::date - $4::integer AND $3::date
     UNION ALL
    SELECT 'deposit', id, deposited_on, slip_no
      FROM bank_deposit
     WHERE company_id = $1 AND matched_at IS NULL AND amount_fen = $2
       AND deposited_on BETWEEN $3::date - $4::integer AND $3::date
     ORDER BY since, id
"""

# A payout that arrived with another amount under its own number, or has not arrived though later lines have.
ASTRAY = """
    INSERT INTO difference (id, community_id, class, state, channel, merchant_id, out_trade_no, transaction_no, subject,
                            expected_fen, actual_fen, detail, opened_at)
    SELECT overlay(overlay(gen_random_uuid()::text PLACING $3 FROM 1 FOR 13) PLACING '7' FROM 15 FOR 1)::uuid,
           coalesce(m.community_id, m.company_id), 'settlement', 'OPEN', s.channel, s.merchant_id, '', s.flow_no,
           'bank', s.amount_fen, coalesce(l.amount_fen, 0),
           jsonb_strip_nulls(jsonb_build_object('source', 'bank', 'left_on', s.left_on, 'bank_line', l.id)), $2
      FROM channel_settlement s
      JOIN merchant m ON m.id = s.merchant_id
      LEFT JOIN bank_line l ON l.company_id = s.company_id AND l.reference = s.flow_no
     WHERE s.company_id = $1 AND s.matched_at IS NULL
       AND (l.amount_fen <> s.amount_fen
            OR s.left_on + 3 <= (SELECT max(booked_on) FROM bank_line WHERE company_id = $1))
        ON CONFLICT (channel, transaction_no, class, subject) DO NOTHING
"""

ARRIVED_AFTER_ALL = """
    UPDATE difference SET state = 'AUTO_RESOLVED', resolved_at = $2
     WHERE class = 'settlement' AND subject = 'bank' AND state IN ('OPEN', 'ESCALATED')
       AND (channel, transaction_no) = (SELECT channel, flow_no FROM channel_settlement WHERE id = $1)
"""

MATCH_LINE = """
    UPDATE bank_line SET matched_kind = $2, matched_id = $3, matched_at = $4
     WHERE id = $1 AND matched_kind IS NULL
 RETURNING id
"""
MATCH_SETTLEMENT = "UPDATE channel_settlement SET bank_line_id = $2, matched_at = $3 WHERE id = $1"
MATCH_DEPOSIT = "UPDATE bank_deposit SET bank_line_id = $2, matched_at = $3 WHERE id = $1"
PARTS = "SELECT id, community_id, merchant_id, amount_fen FROM channel_settlement_part WHERE settlement_id = $1"
LINE = "SELECT id, amount_fen FROM bank_line WHERE id = $1 AND company_id = $2"


@dataclass(frozen=True, slots=True)
class Preview:
    """What importing a file would do; with any problem nothing."""

    parsed: Parsed
    known: int


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did."""

    file_id: UUID
    lines: int
    new: int
    matched: int


async def read(body: bytes, columns: Columns) -> Parsed:
    """The lines of an uploaded file, or every problem with it."""
    try:
        if bank_reading.is_workbook(body):
            return bank_reading.parse(await _table(body), columns)
        return await asyncio.to_thread(lambda: bank_reading.parse(bank_reading.cells(body), columns))
    except Unreadable as error:
        return Parsed((), (Problem(0, "", str(error)),))


async def save_layout(tx: Tx, actor: Actor, *, company_id: UUID, name: str, columns: Columns) -> UUID:
    """Keep a mapping under its name; one of that name is replaced."""
    if (columns.amount is None) == (columns.income is None or columns.expense is None):
        raise Invalid("请填写一列带正负号的金额，或收入、支出各一列。", code="amount_columns")
    named = list(columns.named.values())
    if len(set(named)) != len(named):
        raise Invalid("同一列不能有两种含义。", code="column_twice")
    layout_id: UUID = await tx.fetchval(SAVE_LAYOUT, uuid7(tx.now), company_id, name, asdict(columns), actor.id, tx.now)
    audit.record(
        tx, actor, action="payments.bank_layout_saved", target=f"bank_layout:{layout_id}", community_id=company_id,
        after={"name": name, "columns": asdict(columns)},
    )  # fmt: skip
    return layout_id


async def layout(db: Reader, *, company_id: UUID, layout_id: UUID) -> Columns:
    """A company's mapping; NotFound for others."""
    row = await db.fetchrow(LAYOUT, layout_id, company_id)
    if row is None:
        raise NotFound
    return Columns(**row["columns"])


async def preview(db: Reader, *, company_id: UUID, parsed: Parsed) -> Preview:
    """How many of the lines are known already."""
    known = await db.fetchval(COUNT_KNOWN, company_id, [row.digest for row in parsed.rows])
    return Preview(parsed, int(known))


async def take_in(tx: Tx, actor: Actor, *, company_id: UUID, file_name: str, body: bytes, parsed: Parsed) -> Imported:
    """Import a file's lines and match what arrived; Invalid `bank_file_problems`, Conflict `bank_file_known`."""
    if parsed.problems:
        raise Invalid("文件有问题，没有导入任何一行，请先预览并修改。", code="bank_file_problems")
    await tx.execute(LOCK_COMPANY, company_id)
    file_id: UUID | None = await tx.fetchval(
        INSERT_FILE, uuid7(tx.now), company_id, file_name, sha256(body).digest(), len(parsed.rows), actor.id, tx.now
    )
    if file_id is None:
        raise Conflict("这个文件已经导入过了。", code="bank_file_known")
    rows = parsed.rows
    new = await tx.fetchval(
        INSERT_LINES, file_id, company_id, [row.booked_on for row in rows], [row.amount_fen for row in rows],
        [row.counterparty for row in rows], [row.reference for row in rows], [row.summary for row in rows],
        [row.digest for row in rows],
    )  # fmt: skip
    matched = await match(tx, company_id)
    audit.record(
        tx, actor, action="payments.bank_file_imported", target=f"bank_file:{file_id}", community_id=company_id,
        after={"file_name": file_name, "lines": len(rows), "new": new, "matched": matched},
    )  # fmt: skip
    return Imported(file_id, len(rows), int(new), matched)


async def match(tx: Tx, company_id: UUID) -> int:
    """Match open lines of a company with what should have arrived; how many. The caller holds LOCK_COMPANY."""
    matched = 0
    for line in await tx.fetch(OPEN_LINES, company_id):
        found = await tx.fetch(CANDIDATES, company_id, line["amount_fen"], line["booked_on"], WITHIN.days)
        chosen = _chosen(line, found)
        if chosen is not None:
            await _arrive(tx, company_id, line, chosen)
            matched += 1
    await tx.execute(ASTRAY, company_id, tx.now, str(uuid7(tx.now))[:13])
    return matched


async def rematch(tx: Tx, company_id: UUID) -> int:
    """The same for a day on which no file came: a settlement may have been booked after its line."""
    await tx.execute(LOCK_COMPANY, company_id)
    return await match(tx, company_id)


def _chosen(line: Record, found: list[Record]) -> Record | None:
    """What the line names by its number; else the oldest, where all that it may be is of one kind."""
    text = f"{line['reference']} {line['summary']}"
    named = [each for each in found if each["number"] and each["number"] in text]
    if len(named) == 1:
        return named[0]
    return found[0] if found and len({each["kind"] for each in found}) == 1 else None


async def _arrive(tx: Tx, company_id: UUID, line: Record, what: Record) -> None:
    if await tx.fetchval(MATCH_LINE, line["id"], what["kind"], what["id"], tx.now) is None:
        raise Conflict
    if what["kind"] == "deposit":
        await tx.execute(MATCH_DEPOSIT, what["id"], line["id"], tx.now)
        return
    await tx.execute(MATCH_SETTLEMENT, what["id"], line["id"], tx.now)
    await tx.execute(ARRIVED_AFTER_ALL, what["id"], tx.now)
    for part in await tx.fetch(PARTS, what["id"]):
        bank, transit = await accounts.ensure_all(
            tx,
            (
                Key(part["community_id"], Code.BANK, company_id),
                Key(part["community_id"], Code.IN_TRANSIT, part["merchant_id"]),
            ),
        )
        postings.post(
            tx, ARRIVED, reference=part["id"], debit=bank, credit=transit, amount_fen=part["amount_fen"],
            community_id=part["community_id"],
        )  # fmt: skip
    audit.record(
        tx, SYSTEM, action="payments.settlement_arrived", target=f"channel_settlement:{what['id']}",
        community_id=company_id, after={"bank_line": line["id"]},
    )  # fmt: skip


async def set_aside(tx: Tx, actor: Actor, *, company_id: UUID, line_id: int, note: str) -> None:
    """A person says that a line is none of ours; NotFound, Conflict `line_matched`."""
    row = await tx.fetchrow(LINE, line_id, company_id)
    if row is None:
        raise NotFound
    if await tx.fetchval(MATCH_LINE, line_id, "person", None, tx.now) is None:
        raise Conflict("这条流水已经处理过了。", code="line_matched")
    audit.record(
        tx, actor, action="payments.bank_line_set_aside", target=f"bank_line:{line_id}", community_id=company_id,
        reason=note, after={"amount_fen": row["amount_fen"]},
    )  # fmt: skip


async def _table(body: bytes) -> list[list[str]]:
    """The cells of a workbook, opened in a process of its own; raises Unreadable."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "payments.reconcile.bank_child",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        cwd=_ROOT, env={},
    )  # fmt: skip
    try:
        async with asyncio.timeout(CHILD_S):
            answer, _ = await process.communicate(body)
    except TimeoutError as error:
        raise Unreadable("文件太大或内容异常，处理超时，请按日期分开下载。") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise Unreadable("文件内容异常，无法打开，请在 Excel 中重新保存后再上传。")
    document: Mapping[str, Any] = orjson.loads(answer)
    if "refused" in document:
        raise Unreadable(str(document["refused"]))
    table: list[list[str]] = document["table"]
    return table
