"""What Y-4 starts from: a day of paid attempts of one merchant, set-based, and the statement of that day as a file.

Attempt n has the number LL…n and the transaction 4200…n; the file is written from the same figures.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID, uuid4

from backend.kernel.config import Settings
from bench.rig import Rig
from tests import factories_statements as made

DAY = date(2026, 9, 1)
AT = datetime(2026, 9, 1, 2, tzinfo=UTC)
MCHID = {"wechat": made.MCHID, "alipay": made.PID}
METHOD = {"wechat": "jsapi", "alipay": "wap"}
CHUNK = 10_000

# No posting is seeded: reconciliation compares payments, and the invariants of the ledger are not looked at here.
ROWS = """
    CREATE TEMP TABLE g AS
    SELECT $1::uuid AS one, $2::text AS channel, $3::text AS mchid, $4::text AS method, $5::timestamptz AS at,
           $6::integer AS lines;
    INSERT INTO company (id, name, created_at) SELECT one, '物业', at FROM g;
    INSERT INTO community (id, company_id, code, name, created_at) SELECT one, one, 'B', '小区', at FROM g;
    INSERT INTO merchant (id, company_id, channel, mchid, appid, name, serial_no, private_key_sealed,
                          api_v3_key_sealed, platform_keys, created_at)
    SELECT one, one, channel, mchid, 'app', '对账商户', '01', '', '', '{}', at FROM g;
    INSERT INTO account (community_id, code, subject_id) SELECT one, 'clearing', one FROM g;
    INSERT INTO payment_order (id, community_id, amount_fen, state, description, digest, created_at, expires_at,
                               paid_at)
    SELECT ('c0000001-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, one, 100 + n % 200000, 'PAID', '物业费',
           '', at, at, at FROM g, generate_series(0, g.lines - 1) AS n;
    INSERT INTO payment_attempt (id, order_id, community_id, merchant_id, clearing_account, channel, method,
                                 out_trade_no, amount_fen, state, request, transaction_no, created_at, paid_at,
                                 settled_by)
    SELECT ('c0000002-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
           ('c0000001-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, one, one, a.id, channel, method,
           'LL' || lpad(n::text, 22, '0'), 100 + n % 200000, 'PAID', '{}',
           '4200000925202609' || lpad(n::text, 12, '0'), at, at, 'callback'
      FROM account a, g, generate_series(0, g.lines - 1) AS n;
    VACUUM ANALYZE
"""


@dataclass(frozen=True, slots=True)
class Day:
    """A seeded database to which nobody is connected, and the statement of its one day."""

    settings: Settings
    channel: str
    merchant_id: UUID
    lines: int
    path: Path
    encoding: str


async def seed(rig: Rig, channel: str, lines: int) -> Day:
    """A fresh database with `lines` payments by `channel`, and their file."""
    settings, one = await rig.fresh(), uuid4()
    async with rig.owner(settings) as owner:
        await owner.execute(ROWS.split(";\n")[0], one, channel, MCHID[channel], METHOD[channel], AT, lines)
        for statement in ROWS.split(";\n")[1:]:
            await owner.execute(statement)
    path = rig.directory / f"{channel}_{lines}.csv"
    _write(path, channel, lines)
    return Day(settings, channel, one, lines, path, "utf-8-sig" if channel == "wechat" else "gb18030")


def _write(path: Path, channel: str, lines: int) -> None:
    """The statement, chunk by chunk: head and tail are those of the whole."""
    make = made.wechat_trades if channel == "wechat" else made.alipay_trades
    amounts = [100 + n % 200_000 for n in range(lines)]
    fees = [(amount * 60 + 5000) // 10000 for amount in amounts]
    with path.open("wb") as file:
        for start in range(0, lines, CHUNK):
            rows = [made.payment(n, amounts[n]) for n in range(start, min(start + CHUNK, lines))]
            whole = make(rows).split(b"\r\n")
            first = next(at for at, line in enumerate(whole) if rows[0].transaction_no.encode() in line)
            file.write(b"\r\n".join(whole[0 if start == 0 else first : first + len(rows)]) + b"\r\n")
        file.write(_tail(channel, lines, sum(amounts), sum(fees)))


def _tail(channel: str, lines: int, amount_fen: int, fee_fen: int) -> bytes:
    yuan = made.yuan
    if channel == "wechat":
        names = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"
        values = [str(lines), yuan(amount_fen), "0.00", "0.00", yuan(fee_fen, 5), yuan(amount_fen), "0.00"]
        return f"{names}\r\n{','.join(f'`{value}' for value in values)}\r\n".encode()
    return (
        "#-----------------------------------------业务明细列表结束------------------------------------\r\n"
        f"#交易合计：{lines}笔，商家实收共{yuan(amount_fen)}元，商家优惠共0.00元\r\n"
        "#退款合计：0笔，商家实收退款共0.00元，商家优惠退款共0.00元\r\n"
        "#导出时间：[2026年09月02日 05:46:49]\r\n"
    ).encode("gb18030")
