"""Notifications as texts and as plans: composed and encrypted once, repeated byte for byte (section 10).

Every repeat carries the same `id` and body; timestamp, nonce and signature are made anew for each attempt.
"""

import json
import secrets
import string
import uuid
from dataclasses import dataclass

from sandbox import clock, keys
from sandbox.merchants import Merchant
from sandbox.world import World


@dataclass(frozen=True, slots=True)
class Event:
    """What a notification tells of: its type, its Chinese word, and the kind of its resource."""

    event_type: str
    summary: str
    original_type: str


PAID = Event("TRANSACTION.SUCCESS", "支付成功", "transaction")
FORGED = "forged"
LIE = "lie"
TRUTH_AFTER_S = 15
FORGED_AFTER_S = 1
NONCE_LETTERS = string.ascii_letters + string.digits

PLAN = """
INSERT INTO notifications (
    id, mchid, out_trade_no, event_type, url, body, created_s, state, next_s, copies, lost, manner)
VALUES (?, ?, ?, ?, ?, ?, ?, 'pending', ?, ?, ?, ?)
"""


def compose(
    notification_id: str,
    create_time: str,
    apiv3_key: str,
    plaintext: str,
    *,
    resource_nonce: str,
    event: Event = PAID,
) -> str:
    """The complete HTTP body of a notification."""
    resource = {
        "original_type": event.original_type,
        "algorithm": "AEAD_AES_256_GCM",
        "ciphertext": keys.seal(apiv3_key, plaintext.encode(), resource_nonce, event.original_type),
        "associated_data": event.original_type,
        "nonce": resource_nonce,
    }
    body = {
        "id": notification_id,
        "create_time": create_time,
        "resource_type": "encrypt-resource",
        "event_type": event.event_type,
        "summary": event.summary,
        "resource": resource,
    }
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def fresh(world: World, merchant: Merchant, plaintext: str, event: Event = PAID) -> tuple[str, str]:
    """A new id and the body under it."""
    notification_id = str(uuid.uuid4())
    nonce = "".join(secrets.choice(NONCE_LETTERS) for _ in range(12))
    create_time = clock.rfc3339(world.now_s())
    body = compose(notification_id, create_time, merchant.apiv3_key, plaintext, resource_nonce=nonce, event=event)
    return notification_id, body


def plan(world: World, merchant: Merchant, out_trade_no: str, *, url: str, plaintext: str, event: Event = PAID) -> str:
    """Store a notification for delivery and decide what goes wrong with it. Returns its id."""
    hostile = world.hostile
    delay_s = hostile.callback_delay_s(out_trade_no)
    lost = hostile.spend("lose_callbacks", out_trade_no)
    copies = 2 if hostile.spend("duplicate_callbacks", out_trade_no) else 1
    if hostile.spend("lie_callbacks", out_trade_no):
        lie = _lie(plaintext, event, hostile.scenario.error_fen("lie_callbacks"))
        _store(world, merchant, out_trade_no, url=url, plaintext=lie, event=event, delay_s=delay_s, manner=LIE)
        delay_s += TRUTH_AFTER_S
    return _store(
        world,
        merchant,
        out_trade_no,
        url=url,
        plaintext=plaintext,
        event=event,
        delay_s=delay_s,
        copies=copies,
        lost=lost,
    )


def plan_forged(world: World, merchant: Merchant, out_trade_no: str, *, url: str, plaintext: str) -> str:
    """Store a callback of somebody who does not have the platform's key; it is sent once."""
    return _store(
        world, merchant, out_trade_no, url=url, plaintext=plaintext, event=PAID, delay_s=FORGED_AFTER_S, manner=FORGED
    )


def _store(
    world: World,
    merchant: Merchant,
    out_trade_no: str,
    *,
    url: str,
    plaintext: str,
    event: Event,
    delay_s: float,
    copies: int = 1,
    lost: bool = False,
    manner: str = "",
) -> str:
    notification_id, body = fresh(world, merchant, plaintext, event)
    now_s = world.now_s()
    what = (notification_id, merchant.mchid, out_trade_no, event.event_type, url, body)
    world.store.run(PLAN, *what, now_s, now_s + delay_s, copies, int(lost), manner)
    return notification_id


def _lie(plaintext: str, event: Event, by_fen: int) -> str:
    """The same with another amount, correctly signed and encrypted all the same."""
    told = json.loads(plaintext)
    names = ("total", "payer_total") if event is PAID else ("refund", "payer_refund")
    wrong_fen = max(1, told["amount"][names[0]] + by_fen)
    if wrong_fen == told["amount"][names[0]]:
        wrong_fen += 1
    told["amount"] |= dict.fromkeys(names, wrong_fen)
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))
