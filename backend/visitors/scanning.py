"""Tokens at gates (扫码开门): verified and used at once, or told later by a gate that had no network (I-20).

Promises: what a gate tells is heard once by its own key and answered the same when it is repeated. Online a pass is
used by one conditional update, so that of a hundred guards who scan it at once one opens. An entry that a gate let in
alone is counted as of its own instant, or named as a conflict of this gate and this pass; none is lost.

`at_gate` is the door: a pass that lets in now is looked at and used in two round trips (decision 0031), whatever is
unusual goes the long way, `scan` in a transaction. Both use the same functions and the same update.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from backend.devices import inbox
from backend.devices.inbox import Told
from backend.devices.states import Outcome
from backend.kernel.clock import local_date
from backend.kernel.crypto import Keyring, equal
from backend.kernel.db import Database, Record, Tx, Write
from backend.kernel.errors import NotFound
from backend.kernel.ids import uuid7
from backend.visitors import entries, judging, passes, resident_passes, short_codes, tokens, windows
from backend.visitors.entries import Arrival
from backend.visitors.judging import TEXTS, Fault
from backend.visitors.passes import Redeemed
from backend.visitors.states import EntryWay, PassState, Refusal
from backend.visitors.tokens import Claims, Form, Malformed

SKEW = timedelta(seconds=judging.SKEW_S)
OPENS = "请进。"

FACTS = """
    SELECT g.community_id, s.no AS community_no, k.public_key,
           k.distrusted_at IS NULL AND k.signs_from <= $5 AND k.believed_until > $4 AS believed,
           coalesce(p.token_nonce, r.token_nonce) AS nonce,
           p.state, p.house_id, p.valid_until, p.weekly, p.entries_allowed, p.entries_used
      FROM visitor_gate g
      LEFT JOIN visitor_site s ON s.community_id = g.community_id
      LEFT JOIN visitor_key k ON k.community_id = g.community_id AND k.no = $2
      LEFT JOIN visitor_pass p ON p.id = $3 AND p.community_id = g.community_id
      LEFT JOIN resident_pass r ON r.id = $3 AND r.community_id = g.community_id
     WHERE g.id = $1
"""

# All that REDEEM does and the inbox and the batch of the entry write, or nothing: `linli_as_seen` fails where the pass
# does not let in any more, or not as it was seen. The parts run in the order in which it counts them, as `scan` does.
USE_AT_ONCE = f"""
    WITH used AS ({passes.REDEEM})
    SELECT linli_as_seen((SELECT count(*) FROM heard) = 1
                     AND (SELECT count(*) FROM used
                           WHERE entries_used = $5 + 1 AND valid_until = $6 AND weekly IS NOT DISTINCT FROM $7) = 1)
"""  # noqa: S608 - a constant

NAME = """
    INSERT INTO visitor_conflict (id, community_id, gate_id, subject_id, device_event_id, reason, happened_at, told_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""


@dataclass(frozen=True, slots=True)
class Gate:
    """A gate that asks."""

    id: UUID
    community_id: UUID


@dataclass(frozen=True, slots=True)
class Scan:
    """A token at a gate. `happened_at` None: it stands there now, and the gate waits."""

    key: str
    token: str
    happened_at: datetime | None = None
    sequence: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate does: open, or why not; how many entries are left, None for as many as wished."""

    open: bool
    reason: str | None
    text: str
    entries_left: int | None = None

    def kept(self) -> dict[str, Any]:
        """The verdict as the inbox keeps it."""
        return {"open": self.open, "reason": self.reason, "text": self.text, "entries_left": self.entries_left}


@dataclass(frozen=True, slots=True)
class Proven:
    """A token that this community has signed and still believes; of a pass, the pass as it was seen."""

    claims: Claims
    seen: Record


async def at_gate(db: Database, gate: Gate, told: Scan, *, keyring: Keyring) -> Verdict:
    """What a gate tells, answered after its commit; see `scan`."""
    if told.happened_at is None:
        verdict = await db.at_once(lambda write: _scan_at_once(write, gate, told))
        if verdict is not None:
            return verdict
    return await db.transact(lambda tx: scan(tx, gate, told, keyring=keyring))


async def scan(tx: Tx, gate: Gate, scan: Scan, *, keyring: Keyring) -> Verdict:
    """Somebody stands at a gate with a token; or a gate tells what it let in alone."""
    alone = scan.happened_at is not None
    at = min(scan.happened_at or tx.now, tx.now)
    told = Told(scan.key, "visitor_offline" if alone else "visitor_scan", at, scan.sequence)
    heard = await inbox.hear(tx, told, keyring=keyring, device_id=gate.id, community_id=gate.community_id)
    if heard.answer is not None:
        return _repeated(heard.answer)
    proven = await prove(tx, gate, scan.token, at)
    if isinstance(proven, Fault | Refusal):
        found: Redeemed | Fault | Refusal | None = proven
    else:
        way = EntryWay.OFFLINE if alone else EntryWay.TOKEN
        found = await _use(tx, gate, proven.claims, at, way=way, event_id=heard.id)
    verdict = _verdict(found)
    if alone and not verdict.open:
        subject = proven.claims.subject if isinstance(proven, Proven) else None
        await tx.execute(NAME, uuid7(tx.now), gate.community_id, gate.id, subject, heard.id, verdict.reason, at, tx.now)
    return await _conclude(tx, heard, verdict)


async def pass_of(tx: Tx, gate: Gate, text: str) -> UUID | Fault | Refusal:
    """The pass that a token names, for a guard who scans it now; a resident's own code names none."""
    proven = await prove(tx, gate, text, tx.now)
    if isinstance(proven, Fault | Refusal):
        return proven
    claims = proven.claims
    named = Refusal.UNKNOWN if claims.form is Form.LIVE_DOOR else claims.subject
    return judging.in_time(claims, tx.now) or named


async def enter_digits(tx: Tx, gate: Gate, *, key: str, code: str, keyring: Keyring) -> Verdict:
    """Somebody has typed six digits at a gate; whoever calls has counted the attempt."""
    told = Told(key, "visitor_digits", tx.now)
    heard = await inbox.hear(tx, told, keyring=keyring, device_id=gate.id, community_id=gate.community_id)
    if heard.answer is not None:
        return _repeated(heard.answer)
    pass_id = await short_codes.named(tx, keyring=keyring, gate_id=gate.id, code=code, today=tx.today)
    found: Redeemed | Refusal = Refusal.UNKNOWN
    if pass_id is not None:
        found = await passes.redeem(tx, pass_id=pass_id, gate_id=gate.id, way=EntryWay.CODE, device_event_id=heard.id)
    return await _conclude(tx, heard, _verdict(found))


async def prove(db: Write, gate: Gate, text: str, at: datetime) -> Proven | Fault | Refusal:
    """A token, if it is one of this community's; NotFound for what is no gate."""
    try:
        unproven = tokens.read(text)
    except Malformed:
        return Fault.MALFORMED
    claims = unproven.claims
    facts = await db.fetchrow(FACTS, gate.id, claims.key_id, claims.subject, at, at + SKEW)
    if facts is None:
        raise NotFound("这台设备没有登记为门禁。")
    if facts["community_no"] != claims.community_no:
        return Fault.WRONG_COMMUNITY
    if facts["public_key"] is None:
        return Fault.UNKNOWN_KEY
    if not unproven.is_signed_by(Ed25519PublicKey.from_public_bytes(facts["public_key"])):
        return Fault.BAD_SIGNATURE
    if not facts["believed"]:
        return Fault.KEY_ENDED
    if facts["nonce"] is None or not equal(bytes(facts["nonce"]), claims.nonce):
        return Refusal.UNKNOWN
    return Proven(claims, facts)


async def _scan_at_once(write: Write, gate: Gate, told: Scan) -> Verdict | None:
    """The same for a pass that lets in now and has not been heard of under this key; None for anything else."""
    proven = await prove(write, gate, told.token, write.now)
    if isinstance(proven, Fault | Refusal) or proven.seen["state"] != PassState.ACTIVE:
        return None
    claims, seen, now = proven.claims, proven.seen, write.now
    if judging.in_time(claims, now) is not None:
        return None
    due_out_at = windows.open_until(seen["valid_until"], windows.of_row(seen["weekly"]), now)
    arrival = Arrival(
        gate.community_id, seen["house_id"], gate.id, EntryWay.TOKEN, now, due_out_at, pass_id=claims.subject
    )
    event_id = uuid7(now)
    entries.add(write, arrival, device_event_id=event_id)
    allowed, used = seen["entries_allowed"], seen["entries_used"]
    left = None if allowed is None else allowed - used - 1
    verdict = Verdict(True, None, OPENS, left)
    heard = inbox.heard_at_once(
        Told(told.key, "visitor_scan", now, told.sequence), event_id=event_id, device_id=gate.id,
        community_id=gate.community_id, received_at=now, answer=verdict.kept(),
    )  # fmt: skip
    await write.fetchrow_and_flush(
        USE_AT_ONCE, claims.subject, gate.id, now, False, used, seen["valid_until"], seen["weekly"], along=heard
    )
    return verdict


async def _use(
    tx: Tx, gate: Gate, claims: Claims, at: datetime, *, way: EntryWay, event_id: UUID
) -> Redeemed | Refusal | None:
    """Let in by a proven token; None for a resident, whose entries are not counted."""
    if (early_or_late := judging.in_time(claims, at)) is not None:
        return early_or_late
    if claims.form is not Form.LIVE_DOOR:
        return await passes.redeem(
            tx, pass_id=claims.subject, gate_id=gate.id, way=way, at=at, device_event_id=event_id
        )
    opens = await resident_passes.opens(tx, claims.subject, gate_id=gate.id, today=local_date(at))
    return None if opens else Refusal.REVOKED


def _verdict(found: Redeemed | Fault | Refusal | None) -> Verdict:
    if isinstance(found, Fault | Refusal):
        return Verdict(False, found.value, TEXTS[found])
    return Verdict(True, None, OPENS, None if found is None else found.entries_left)


async def _conclude(tx: Tx, heard: inbox.Heard, verdict: Verdict) -> Verdict:
    outcome = Outcome.APPLIED if verdict.open else Outcome.REFUSED
    await inbox.conclude(tx, heard, outcome=outcome, answer=verdict.kept(), reason=verdict.reason)
    return verdict


def _repeated(answer: Mapping[str, Any]) -> Verdict:
    return Verdict(answer["open"], answer["reason"], answer["text"], answer["entries_left"])
