"""Tokens at gates (扫码开门): verified and used at once, or told later by a gate that had no network (I-20).

Promises: what a gate tells is heard once by its own key and answered the same when it is repeated. Online a pass is
used by one conditional update, so that of a hundred guards who scan it at once one opens. An entry that a gate let in
alone is counted as of its own instant, or named as a conflict of this gate and this pass; none is lost.

`at_gate` is the door: passes that let in now are looked at and used in two round trips, all that are at gates at that
moment together (decisions 0031, 0037); whatever is unusual goes the long way, `scan` in a transaction. Both use the
same functions and the same update.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from backend.devices import inbox, signing
from backend.devices.inbox import Told
from backend.devices.states import Outcome
from backend.kernel.auth import Nonce
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
from backend.visitors.tokens import Claims, Form, Malformed, Unproven

SKEW = timedelta(seconds=judging.SKEW_S)
OPENS = "请进。"

# Of tokens at gates, each with its number among those asked about; a gate that is none, or revoked, has no row.
FACTS = """
    SELECT asked.number, g.community_id, s.no AS community_no, k.public_key,
           k.distrusted_at IS NULL AND k.signs_from <= $5 AND k.believed_until > $4 AS believed,
           coalesce(p.token_nonce, r.token_nonce) AS nonce,
           p.state, p.house_id, p.valid_until, p.weekly, p.weekly::text AS weekly_text,
           p.entries_allowed, p.entries_used
      FROM unnest((SELECT $1::uuid[]), (SELECT $2::integer[]), (SELECT $3::uuid[]))
           WITH ORDINALITY AS asked (gate_id, key_no, subject_id, number)
      JOIN visitor_gate g ON g.id = asked.gate_id
      LEFT JOIN visitor_site s ON s.community_id = g.community_id
      LEFT JOIN visitor_key k ON k.community_id = g.community_id AND k.no = asked.key_no
      LEFT JOIN visitor_pass p ON p.id = asked.subject_id AND p.community_id = g.community_id
      LEFT JOIN resident_pass r ON r.id = asked.subject_id AND r.community_id = g.community_id
"""

# All that REDEEM does and the inbox and the batch of the entries write, or nothing: `linli_as_seen` fails where a pass
# does not let in any more, or not as it was seen. The parts run in the order in which it counts them, as `scan` does.
USE_AT_ONCE = f"""
    WITH used AS ({passes.REDEEM})
    SELECT linli_as_seen((SELECT count(*) FROM heard) = cardinality($1)
                     AND (SELECT count(*)
                            FROM unnest((SELECT $1::uuid[]), (SELECT $5::integer[]), (SELECT $6::timestamptz[]),
                                        (SELECT $7::text[]))
                                 AS seen (pass_id, entries_used, valid_until, weekly)
                            JOIN used u ON u.id = seen.pass_id
                           WHERE u.entries_used = seen.entries_used + 1 AND u.valid_until = seen.valid_until
                             AND u.weekly::text IS NOT DISTINCT FROM seen.weekly) = cardinality($1))
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


async def at_gate(db: Database, gate: Gate, told: Scan, *, keyring: Keyring, nonce: Nonce | None = None) -> Verdict:
    """What a gate tells, answered after its commit; see `scan`.

    `nonce`: of the request, where it has not been spent; it is kept with what is written, or Unauthenticated raised.
    """
    if told.happened_at is None:
        verdict = await db.at_once_together(_scan_at_once, Shown(gate, told, nonce))
        if verdict is not None:
            return verdict

    async def work(tx: Tx) -> Verdict:
        if nonce is not None:
            await signing.spend_first(tx, nonce)
        return await scan(tx, gate, told, keyring=keyring)

    return await db.transact(work)


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
    (facts,) = await _facts(db, [(gate, unproven)], at)
    if facts is None:
        raise NotFound("这台设备没有登记为门禁。")
    return _proven(unproven, facts)


async def _facts(db: Write, asked: Sequence[tuple[Gate, Unproven]], at: datetime) -> list[Record | None]:
    """What is known of each token and its pass; None for what is no gate."""
    claims = [unproven.claims for _, unproven in asked]
    rows = await db.fetch(
        FACTS, [gate.id for gate, _ in asked], [each.key_id for each in claims], [each.subject for each in claims],
        at, at + SKEW,
    )  # fmt: skip
    known = {row["number"]: row for row in rows}
    return [known.get(number) for number in range(1, len(asked) + 1)]


@lru_cache(maxsize=256)
def _public_key(raw: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(raw)


def _proven(unproven: Unproven, facts: Record) -> Proven | Fault | Refusal:
    claims = unproven.claims
    if facts["community_no"] != claims.community_no:
        return Fault.WRONG_COMMUNITY
    if facts["public_key"] is None:
        return Fault.UNKNOWN_KEY
    if not unproven.is_signed_by(_public_key(bytes(facts["public_key"]))):
        return Fault.BAD_SIGNATURE
    if not facts["believed"]:
        return Fault.KEY_ENDED
    if facts["nonce"] is None or not equal(bytes(facts["nonce"]), claims.nonce):
        return Refusal.UNKNOWN
    return Proven(claims, facts)


@dataclass(frozen=True, slots=True)
class Shown:
    """A token that stands at a gate now, and the nonce of the request that tells of it."""

    gate: Gate
    told: Scan
    nonce: Nonce | None


@dataclass(frozen=True, slots=True)
class Entering:
    """A pass that lets in now, as it was seen."""

    shown: Shown
    pass_id: UUID
    seen: Record

    @property
    def verdict(self) -> Verdict:
        allowed, used = self.seen["entries_allowed"], self.seen["entries_used"]
        return Verdict(True, None, OPENS, None if allowed is None else allowed - used - 1)


async def _scan_at_once(write: Write, asked: Sequence[Shown]) -> list[Verdict | None]:
    """Let in by passes that let in now and have not been heard of under these keys; None for whatever must go the long
    way, as the second of two who show the same pass."""
    entering = await _entering(write, asked)
    # In order, so that rounds of two processes do not wait for each other's passes crosswise.
    found = sorted(entering.values(), key=lambda each: each.pass_id)
    if not found:
        return [None] * len(asked)
    now, events = write.now, []
    for each in found:
        gate, told, seen = each.shown.gate, each.shown.told, each.seen
        due_out_at = windows.open_until(seen["valid_until"], windows.of_row(seen["weekly"]), now)
        arrival = Arrival(
            gate.community_id, seen["house_id"], gate.id, EntryWay.TOKEN, now, due_out_at, pass_id=each.pass_id
        )
        heard = Told(told.key, "visitor_scan", now, told.sequence)
        events.append(inbox.Answered(uuid7(now), heard, gate.id, gate.community_id, each.verdict.kept()))
        entries.add(write, arrival, device_event_id=events[-1].id)
        if each.shown.nonce is not None:
            signing.spend_along(write, each.shown.nonce)
    await write.fetchrow_and_flush(
        USE_AT_ONCE,
        [each.pass_id for each in found],
        [each.shown.gate.id for each in found],
        [now] * len(found),
        [False] * len(found),
        [each.seen["entries_used"] for each in found],
        [each.seen["valid_until"] for each in found],
        [each.seen["weekly_text"] for each in found],
        along=inbox.heard_at_once(events, received_at=now),
    )
    return [entering[number].verdict if number in entering else None for number in range(len(asked))]


async def _entering(write: Write, asked: Sequence[Shown]) -> dict[int, Entering]:
    """Those of `asked`, by their place in it, whose pass lets in now; each pass once, each key and nonce once."""
    readable: list[tuple[int, Shown, Unproven]] = []
    for number, shown in enumerate(asked):
        with suppress(Malformed):
            readable.append((number, shown, tokens.read(shown.told.token)))
    if not readable:
        return {}
    facts = await _facts(write, [(shown.gate, unproven) for _, shown, unproven in readable], write.now)
    entering: dict[int, Entering] = {}
    taken: set[object] = set()
    for (number, shown, unproven), seen in zip(readable, facts, strict=True):
        claims = unproven.claims
        names: set[object] = {claims.subject, ("key", shown.gate.id, shown.told.key)}
        if shown.nonce is not None:
            names.add(("nonce", shown.nonce.device_id, shown.nonce.text))
        if seen is None or names & taken or not isinstance(_proven(unproven, seen), Proven):
            continue
        if seen["state"] == PassState.ACTIVE and judging.in_time(claims, write.now) is None:
            entering[number] = Entering(shown, claims.subject, seen)
            taken |= names
    return entering


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
