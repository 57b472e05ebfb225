"""F-21: a large statement with a defect of each kind gives the exact list, in seconds and in blocks."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from payments.reconcile.reading import Refused
from tests import factories_statements as made
from tests.factories_reconcile import Books
from tests.factories_statements import payment

PAID = """
    INSERT INTO payment_order (id, community_id, amount_fen, state, description, digest, created_at, expires_at,
                               paid_at)
    SELECT ('c0000001-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, $1, 100 + n % 9000, 'PAID', '物业费', '',
           $2::timestamptz, $2, $2
      FROM generate_series(0, $3::integer - 1) AS n
"""
ATTEMPTS = """
    INSERT INTO payment_attempt (id, order_id, community_id, merchant_id, clearing_account, channel, method,
                                 out_trade_no, amount_fen, state, request, transaction_no, created_at, paid_at,
                                 settled_by)
    SELECT ('c0000002-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
           ('c0000001-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, $1, $2, 1, 'wechat', 'jsapi',
           'LL' || lpad(n::text, 22, '0'), 100 + n % 9000, 'PAID', '{}',
           '4200000925202609' || lpad(n::text, 12, '0'), $3, $3, 'query'
      FROM generate_series(0, $4::integer - 1) AS n
"""


@pytest.mark.parametrize("lines", [5_000, pytest.param(200_000, marks=pytest.mark.long)])
async def test_a_large_statement_gives_the_exact_list(books: Books, tmp_path: Path, lines: int) -> None:
    db, place = books.res.db, books.stage.place
    await db.execute(PAID, place.id, books.res.clock.now(), lines)
    await db.execute(ATTEMPTS, place.id, books.stage.merchant_id, books.res.clock.now(), lines)
    rows = [payment(n, 100 + n % 9_000) for n in range(lines)]
    middle = lines // 2
    told = [*rows[: middle - 1], *rows[middle:], payment(lines + 7, 5), rows[11]]
    told[5] = replace(told[5], amount_fen=told[5].amount_fen + 1)
    result = await books.trades(tmp_path, told)
    assert await books.found() == [
        ("amount", "OPEN", rows[5].transaction_no),
        ("cross_day", "OPEN", rows[middle - 1].transaction_no),
        ("duplicate", "OPEN", rows[11].transaction_no),
        ("missing_here", "OPEN", payment(lines + 7).transaction_no),
    ]
    assert (result.told.lines, result.matched) == (lines + 1, lines - 1)
    file = made.wechat_trades(rows)
    with pytest.raises(Refused):
        await books.run(tmp_path, file[: len(file) // 2], force=True)
    state = await db.fetchval("SELECT state FROM reconciliation_run")
    assert state == "FAILED" and len(await books.found()) == 4


def test_a_file_is_never_held_whole(tmp_path: Path) -> None:
    """300,000 lines are read by a process that may take 64 MB beyond what it starts with."""
    rows = [payment(n) for n in range(20_000)]
    whole = made.wechat_trades(rows)
    head, rest = whole.split(b"\r\n", 1)
    body = rest[: rest.index("总交易单数".encode())]
    path = tmp_path / "statement"
    with path.open("wb") as file:
        file.write(head + b"\r\n")
        for _ in range(15):
            file.write(body)
    child = (
        "import resource, sys\n"
        "from payments.reconcile.reading import Refused\n"
        "from payments.reconcile.reading_wechat import TradeBill\n"
        "import re, pathlib\n"
        "peak = lambda: int(re.search(r'VmHWM:\\s+(\\d+)', pathlib.Path('/proc/self/status').read_text())[1])\n"
        "before, reader = peak(), TradeBill('1900007291')\n"
        "try:\n"
        "    for _ in reader.rows(open(sys.argv[1], 'rb')): pass\n"
        "except Refused: pass\n"
        "assert reader.told.lines == 300_000, reader.told\n"
        "print(peak() - before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", child, str(path)], cwd=Path(__file__).parents[3], capture_output=True, text=True,
        check=True, env={**os.environ},
    )  # fmt: skip
    assert path.stat().st_size > 70_000_000
    assert int(done.stdout) < 64 * 1024
