"""Notifications of Alipay as fields and as plans (protocols/alipay.md section 9).

An event keeps its `notify_id` and its fields through all repetitions; `notify_time` and the signature are made anew for
each delivery. Empty fields are not sent.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from sandbox import alipay_hostile, alipay_keys, clock, keys
from sandbox.alipay_fields import moment, yuan
from sandbox.alipay_keys import Signer
from sandbox.alipay_merchants import AlipayMerchant
from sandbox.world import World

PLAN = """
INSERT INTO alipay_notices (id, app_id, out_trade_no, product, url, fields, created_s, state, next_s, copies, lost)
VALUES (?, ?, ?, ?, ?, ?, ?, 'pending', ?, ?, ?)
"""


@dataclass(frozen=True, slots=True)
class Event:
    """What a notification tells of a trade."""

    app_id: str
    out_trade_no: str
    product: str
    notify_url: str
    charset: str
    trade_no: str
    status: str
    total_fen: int
    subject: str
    body: str
    passback_params: str
    buyer_id: str
    created_s: float
    paid_s: float | None
    closed_s: float | None


def payment_fields(merchant: AlipayMerchant, event: Event) -> dict[str, str]:
    """The fields of section 9.1 without those that each delivery makes anew."""
    total, paid = yuan(event.total_fen), event.paid_s is not None
    fields = {
        "gmt_create": moment(event.created_s),
        "charset": "utf-8" if event.charset == "utf-8" else "gbk",
        "seller_email": merchant.seller_email,
        "subject": event.subject,
        "body": event.body,
        "buyer_id": event.buyer_id,
        "notify_type": "trade_status_sync",
        "trade_status": event.status,
        "app_id": event.app_id,
        "auth_app_id": event.app_id,
        "seller_id": merchant.seller_id,
        "version": "1.0",
        "out_trade_no": event.out_trade_no,
        "total_amount": total,
        "trade_no": event.trade_no,
        "buyer_logon_id": logon_id(event.buyer_id),
        "passback_params": event.passback_params,
    }
    if paid:
        fields |= {
            "gmt_payment": moment(event.paid_s or 0),
            "invoice_amount": total,
            "receipt_amount": total,
            "buyer_pay_amount": total,
            "point_amount": "0.00",
            "fund_bill_list": json.dumps([{"amount": total, "fundChannel": "ALIPAYACCOUNT"}], separators=(",", ":")),
        }
    if event.closed_s is not None:
        fields["gmt_close"] = moment(event.closed_s)
    return fields


def refund_fields(out_request_no: str, refunded_fen: int, done_s: float) -> dict[str, str]:
    """What a refund adds: its number, the sum of all refunds of the trade, and when (with milliseconds)."""
    return {
        "out_biz_no": out_request_no,
        "refund_fee": yuan(refunded_fen),
        "send_back_fee": yuan(refunded_fen),
        "gmt_refund": f"{moment(done_s)}.{int(done_s * 1000) % 1000:03d}",
    }


def logon_id(buyer_id: str) -> str:
    """A masked login, the same for the same payer."""
    return f"138****{buyer_id[-4:]}" if buyer_id else ""


def new_id(now_s: float) -> str:
    """34 digits that begin with the date (section 11)."""
    return f"{clock.local(now_s):%Y%m%d}00222{secrets.randbelow(10**21):021d}"


def plan(world: World, event: Event, fields: Mapping[str, str], *, delay_s: float = 0) -> str:
    """Store a notification for delivery; lost, doubled and late ones are drawn here. Returns its `notify_id`."""
    now_s = world.now_s()
    notice_id = new_id(now_s)
    lost, copies, late_s = alipay_hostile.notice_fate(world)
    text = json.dumps(fields, ensure_ascii=False)
    due_s = now_s + delay_s + late_s
    world.store.run(
        PLAN, notice_id, event.app_id, event.out_trade_no, event.product, event.notify_url, text, now_s, due_s,
        copies, int(lost),
    )  # fmt: skip
    return notice_id


def complete(fields: Mapping[str, str], notice_id: str, sent_s: float) -> dict[str, str]:
    """The fields of one delivery, unsigned."""
    return {**fields, "notify_id": notice_id, "notify_time": moment(sent_s)}


def form(fields: Mapping[str, str], signer: Signer) -> str:
    """The signed body: form fields percent-encoded in the charset that they name."""
    signature = keys.sign(signer.key, alipay_keys.notification_text(fields).encode(_encoding(fields)))
    return signed_form(fields, signature, signer.certificate_sn)


def signed_form(fields: Mapping[str, str], signature: str, certificate_sn: str | None) -> str:
    """The same under any signature."""
    told = {name: value for name, value in fields.items() if value}
    certificate = {"alipay_cert_sn": certificate_sn} if certificate_sn else {}
    return urlencode({**told, **certificate, "sign_type": "RSA2", "sign": signature}, encoding=_encoding(fields))


def _encoding(fields: Mapping[str, str]) -> str:
    return "gb18030" if fields["charset"] == "gbk" else "utf-8"


def stored(text: str) -> dict[str, str]:
    """The fields of a stored notification."""
    fields: dict[str, str] = json.loads(text)
    return fields
