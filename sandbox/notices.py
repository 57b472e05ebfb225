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
NONCE_LETTERS = string.ascii_letters + string.digits

PLAN = """
INSERT INTO notifications (id, mchid, out_trade_no, event_type, url, body, created_s, state, next_s, copies, lost)
VALUES (?, ?, ?, ?, ?, ?, ?, 'pending', ?, ?, ?)
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
    """Store a notification for delivery; budgets of lost and doubled callbacks are spent here. Returns its id."""
    notification_id, body = fresh(world, merchant, plaintext, event)
    now_s = world.now_s()
    lost = world.hostile.spend("lose_callbacks")
    copies = 2 if world.hostile.spend("duplicate_callbacks") else 1
    due_s = now_s + world.hostile.callback_delay_s
    kind = event.event_type
    world.store.run(
        PLAN, notification_id, merchant.mchid, out_trade_no, kind, url, body, now_s, due_s, copies, int(lost)
    )
    return notification_id
