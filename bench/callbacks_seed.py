"""What Y-1 and Y-2 start from: every house has one published bill, in an order that waits for its money.

All orders are of one community and its one merchant, or dealt out to many of each in turn. Everything is seeded
set-based, with ids that are told by a number, and stands as the product would have left it.
"""

import base64
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from uuid import UUID, uuid4

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from backend.kernel.audit import SYSTEM
from backend.kernel.config import Settings
from backend.kernel.db import Tx
from backend.kernel.resources import Resources
from bench import loopback
from bench.rig import Rig
from payments import merchants as payments_merchants
from payments.channels import wechat_signing
from payments.merchant_keys import Keys
from tests import vectors

PLATFORM_KEY_ID = "PUB_KEY_ID_0000000000000000000000000000000001"


def numbered(kind: int) -> str:
    """SQL of the id of row `n` of a kind; ids grow with n, as those of uuid7 do."""
    return f"('a{kind:07d}-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid"


HOUSE, BILL, ORDER, ATTEMPT, LINE = (numbered(kind) for kind in range(1, 6))
AMOUNT = "(10000 + n % 977)"

# `g` holds what is given: orders, one (the id of company and person), places, at; `m` the communities and their
# merchants, `single` the id of all that a community has one of.
GIVEN = """
    CREATE TEMP TABLE g AS
    SELECT $1::integer AS orders, $2::uuid AS one, $3::integer AS places, $4::timestamptz AS at
"""

MADE = "CREATE TEMP TABLE m (k integer, place uuid, single uuid, merchant uuid)"

ONE_PLACE = "INSERT INTO m VALUES ($1, $2, $3, NULL)"

PLACE = """
    INSERT INTO company (id, name, created_at) SELECT one, '物业', at FROM g;
    INSERT INTO person (id, created_at) SELECT one, at FROM g;
    INSERT INTO community (id, company_id, code, name, created_at) SELECT place, one, 'B' || k, '小区', at FROM g, m;
    INSERT INTO building (id, community_id, code, name) SELECT single, place, '1', '1栋' FROM m;
    INSERT INTO unit (id, community_id, building_id, code) SELECT single, place, single, '1' FROM m;
    INSERT INTO fee_item (id, community_id, code, name, type, nature, formula, cycle_months, rounding, rounding_unit,
                          house_kinds, liable, valid_from, state, created_at)
    SELECT single, place, 'WY', '物业费', 'property', 'recurring', 'gross_area', 1, 'half_up', 'fen', '{residence}',
           'owner', '2026-01-01', 'ACTIVE', at
      FROM g, m;
    INSERT INTO billing_run (id, community_id, item_id, period_start, period_end, state, plan, due_on, created_at,
                             published_at)
    SELECT single, place, single, '2026-10-01', '2026-11-01', 'PUBLISHED', '{"unit_fen": 1}', '2026-10-31', at, at
      FROM g, m;
"""

EACH = "FROM g CROSS JOIN generate_series(0, g.orders - 1) AS n JOIN m ON m.k = n % g.places ORDER BY n"

ROWS = f"""
    INSERT INTO house (id, community_id, building_id, unit_id, code, label, search_key, kind, gross_area_cm2,
                       handover_on, pay_code, created_at)
    SELECT {HOUSE}, place, single, single, n, '1栋' || n, '1-' || n, 'residence', 893500, '2020-01-01', 'H' || n, at
      {EACH};
    INSERT INTO account (community_id, code, subject_id) SELECT place, 'clearing', merchant FROM m;
    INSERT INTO account (community_id, code, subject_id) SELECT place, 'income', single FROM m;
    INSERT INTO account (community_id, code, subject_id) SELECT place, 'receivable', {HOUSE} {EACH};
    INSERT INTO bill (id, community_id, item_id, house_id, run_id, period_start, period_end, state, principal_fen,
                      liable_kind, liable_person_id, due_on, created_at)
    SELECT {BILL}, place, single, {HOUSE}, single, '2026-10-01', '2026-11-01', 'ISSUED', {AMOUNT}, 'owner', one,
           '2026-10-31', at {EACH};
    INSERT INTO bill_line (bill_id, seq, label, inputs, exact_num, exact_den, amount_fen)
    SELECT {BILL}, 1, '2026年10月', '{{}}', {AMOUNT}, 1, {AMOUNT} {EACH};
    INSERT INTO posting (community_id, kind, reference, debit_account, credit_account, amount_fen, bill_id,
                         occurred_at, booked_on)
    SELECT place, 'bill.issued', {BILL},
           (SELECT min(id) FROM account WHERE code = 'receivable') + n,
           (SELECT id FROM account WHERE (community_id, code, subject_id) = (place, 'income', single)),
           {AMOUNT}, {BILL}, at, '2026-10-01' {EACH};
    INSERT INTO payment_order (id, community_id, payer_person_id, amount_fen, state, description, digest, created_at,
                               expires_at)
    SELECT {ORDER}, place, one, {AMOUNT}, 'PAYING', '物业费 2026年10月', decode(md5(n::text), 'hex'), at,
           at + interval '30 minutes' {EACH};
    INSERT INTO payment_line (id, order_id, kind, payable_id, house_id, item_id, title, principal_fen)
    SELECT {LINE}, {ORDER}, 'bill', {BILL}, {HOUSE}, single, '物业费 2026年10月', {AMOUNT} {EACH};
    INSERT INTO payment_hold (kind, payable_id, order_id) SELECT 'bill', {BILL}, {ORDER} {EACH};
    INSERT INTO payment_attempt (id, order_id, community_id, merchant_id, clearing_account, channel, method,
                                 out_trade_no, amount_fen, state, request, prepay_id, prepaid_at, ask_at, created_at)
    SELECT {ATTEMPT}, {ORDER}, place, merchant,
           (SELECT id FROM account WHERE (community_id, code, subject_id) = (place, 'clearing', merchant)), 'wechat',
           'jsapi', 'BENCH' || lpad(n::text, 12, '0'), {AMOUNT}, 'SENT',
           jsonb_build_object('app_id', '{vectors.APPID}'), 'wx' || n, at, at + interval '1 minute', at {EACH};
    VACUUM ANALYZE;
"""  # noqa: S608 - constants only

# One row for each effect of a settled order, with everything that must agree.
SETTLED = """
    SELECT a.out_trade_no, a.transaction_no, o.state || b.state || i.outcome AS states, p.amount_fen
      FROM payment_attempt a
      JOIN payment_order o ON o.id = a.order_id
      JOIN payment_line l ON l.order_id = o.id
      JOIN bill b ON b.id = l.payable_id
      JOIN inbox i ON i.id = a.inbox_id
      JOIN posting p ON p.bill_id = b.id AND p.kind = 'bill.paid'
     WHERE a.state = 'PAID'
"""


@dataclass(frozen=True, slots=True)
class Town:
    """A seeded database that nobody is connected to. Order n is of merchant n modulo their number."""

    settings: Settings
    merchant_ids: tuple[UUID, ...]
    orders: int


async def seed(rig: Rig, orders: int, *, merchants: int = 1) -> Town:
    """A fresh database with `orders` houses, bills and orders, dealt out to communities with a merchant each."""
    settings = await rig.fresh()
    one = uuid4()
    async with rig.owner(settings) as owner:
        await owner.execute(GIVEN, orders, one, merchants, datetime.now(UTC))
        await owner.execute(MADE)
        await owner.executemany(ONE_PLACE, [(number, uuid4(), uuid4()) for number in range(merchants)])
        await owner.execute(PLACE)
        places = [row["place"] for row in await owner.fetch("SELECT place FROM m ORDER BY k")]
        async with rig.resources(settings) as res:
            made = [
                (
                    await res.db.transact(
                        partial(make_merchant, res=res, company_id=one, community_id=place, number=number)
                    )
                )
                for number, place in enumerate(places)
            ]
        merchant_ids = tuple(each.id for each in made)
        await owner.executemany("UPDATE m SET merchant = $2 WHERE k = $1", list(enumerate(merchant_ids)))
        for statement in filter(str.strip, ROWS.split(";\n")):
            await owner.execute(statement)
    await rig.sound(settings)
    return Town(settings, merchant_ids, orders)


async def make_merchant(
    tx: Tx, *, res: Resources, company_id: UUID, community_id: UUID, number: int
) -> payments_merchants.Created:
    """A merchant of WeChat Pay with the keys of the vectors; `number` tells its channel's number."""
    return await payments_merchants.create(
        tx,
        SYSTEM,
        keyring=res.keyring,
        mode=res.settings.mode,
        company_id=company_id,
        community_id=community_id,
        item_id=None,
        mchid=mchid(number),
        appid=vectors.APPID,
        name="收款商户",
        keys=Keys(
            vectors.MERCHANT_SERIAL,
            vectors.private_pem(vectors.key_m()),
            vectors.APIV3_KEY,
            {PLATFORM_KEY_ID: vectors.public_pem(vectors.key_p())},
        ),
    )


def amount_fen(number: int) -> int:
    return 10_000 + number % 977


def callbacks(town: Town, numbers: range, *, amount: Callable[[int], int] = amount_fen) -> list[bytes]:
    """The callback of each order, sealed and signed at this moment as WeChat Pay does."""
    aead, at = AESGCM(vectors.APIV3_KEY.encode()), datetime.now(UTC)
    return [_callback(town, number, amount(number), aead, at) for number in numbers]


def _callback(town: Town, number: int, fen: int, aead: AESGCM, at: datetime) -> bytes:
    turn = number % len(town.merchant_ids)
    trade = {
        "mchid": mchid(turn),
        "appid": vectors.APPID,
        "out_trade_no": out_trade_no(number),
        "transaction_id": transaction_no(number),
        "trade_type": "JSAPI",
        "trade_state": "SUCCESS",
        "trade_state_desc": "支付成功",
        "bank_type": "OTHERS",
        "attach": "",
        "success_time": at.isoformat(timespec="seconds"),
        "payer": {"openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"},
        "amount": {
            "total": fen,
            "payer_total": fen,
            "currency": "CNY",
            "payer_currency": "CNY",
        },
    }
    nonce = os.urandom(6).hex()
    body = orjson.dumps(
        {
            "id": str(uuid4()),
            "create_time": at.isoformat(timespec="seconds"),
            "resource_type": "encrypt-resource",
            "event_type": "TRANSACTION.SUCCESS",
            "summary": "支付成功",
            "resource": {
                "original_type": "transaction",
                "algorithm": "AEAD_AES_256_GCM",
                "ciphertext": base64.b64encode(
                    aead.encrypt(nonce.encode(), orjson.dumps(trade), b"transaction")
                ).decode(),
                "associated_data": "transaction",
                "nonce": nonce,
            },
        }
    )
    timestamp = str(int(at.timestamp()))
    text = wechat_signing.message_text(timestamp=timestamp, nonce=nonce, body=body)
    headers = {
        "Content-Type": "application/json",
        "Wechatpay-Timestamp": timestamp,
        "Wechatpay-Nonce": nonce,
        "Wechatpay-Serial": PLATFORM_KEY_ID,
        "Wechatpay-Signature": wechat_signing.sign(vectors.key_p(), text),
        "Wechatpay-Signature-Type": wechat_signing.SCHEME,
    }
    return loopback.request("POST", f"/pay/notify/wechat/{town.merchant_ids[turn]}", headers, body)


def mchid(number: int) -> str:
    """The channel's number of a merchant."""
    return str(int(vectors.MCHID) + number)


def out_trade_no(number: int) -> str:
    return f"BENCH{number:012d}"


def transaction_no(number: int) -> str:
    return f"4200{number:020d}"
