"""What a phone shows at a gate (通行码): a pass's token to send on, and live codes that a screenshot does not outlive.

Promises: a code is made only for who may come in by it, of rows as they are now; a live code is made for steps of
STEP_S seconds in which the pass opens, AHEAD of them, so that a phone may lose its network for that long, no longer.
A resident's own code for the doors (住户通行码) exists in the live form alone: who has moved out gets no more of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from backend.kernel.auth import Tie
from backend.kernel.crypto import Keyring
from backend.kernel.db import Record, Tx
from backend.kernel.errors import Conflict
from backend.visitors import resident_passes, signing_keys, sites, tokens, windows
from backend.visitors.states import PassState
from backend.visitors.tokens import STEP_S, Claims, Form

AHEAD = 10
STEP = timedelta(seconds=STEP_S)

NONCE = "SELECT token_nonce FROM resident_pass WHERE id = $1"


@dataclass(frozen=True, slots=True)
class LiveCode:
    """A code that is shown from one instant until another."""

    shown_from: datetime
    shown_until: datetime
    text: str


@dataclass(frozen=True, slots=True)
class PassCodes:
    """The token of a pass, and its live codes of the next minutes; none outside its hours."""

    text: str
    live: tuple[LiveCode, ...]


@dataclass(frozen=True, slots=True)
class _Issue:
    """Everything of a token but its form and window."""

    signing: signing_keys.Signing
    community_no: int
    subject: UUID
    entries: int
    nonce: bytes
    gates: tuple[int, ...]

    def text(self, form: Form, from_s: int, until_s: int, slots: windows.Weekly = ()) -> str:
        claims = Claims(
            form, self.signing.no, self.community_no, self.subject, from_s, until_s, self.entries, self.nonce,
            self.gates, slots,
        )  # fmt: skip
        return tokens.sign(claims, self.signing.private)

    def live(self, form: Form, step: datetime) -> LiveCode:
        from_s = int(step.timestamp())
        return LiveCode(step, step + STEP, self.text(form, from_s, from_s + STEP_S))


async def of_pass(tx: Tx, row: Record, *, keyring: Keyring) -> PassCodes:
    """The codes of a pass that the caller has found in scope; Conflict `pass_ended`."""
    if row["state"] != PassState.ACTIVE or row["valid_until"] <= tx.now:
        raise Conflict("只有有效的通行证才有通行码。", code="pass_ended")
    weekly = windows.of_row(row["weekly"])
    issue = await _issue(
        tx, row["community_id"], row["id"], keyring=keyring, entries=row["entries_allowed"] or 0,
        nonce=bytes(row["token_nonce"]), gate_ids=row["gate_ids"],
    )  # fmt: skip
    whole = issue.text(Form.PASS, int(row["valid_from"].timestamp()), _ceil_s(row["valid_until"]), weekly or ())
    opens = [
        step
        for step in _steps(tx.now)
        if step + STEP > row["valid_from"] and step < row["valid_until"] and windows.is_open(weekly, step)
    ]
    return PassCodes(whole, tuple(issue.live(Form.LIVE_PASS, step) for step in opens))


async def of_resident(tx: Tx, *, tie: Tie, person_id: UUID, keyring: Keyring) -> tuple[LiveCode, ...]:
    """The live codes by which a resident opens the doors of a present tie's community."""
    own = await resident_passes.ensure(tx, tie=tie, person_id=person_id)
    issue = await _issue(
        tx, tie.community_id, own.id, keyring=keyring, entries=0, nonce=bytes(await tx.fetchval(NONCE, own.id)),
        gate_ids=own.gate_ids,
    )  # fmt: skip
    return tuple(issue.live(Form.LIVE_DOOR, step) for step in _steps(tx.now))


async def _issue(
    tx: Tx, community_id: UUID, subject: UUID, *, keyring: Keyring, entries: int, nonce: bytes,
    gate_ids: Sequence[UUID] | None,
) -> _Issue:  # fmt: skip
    site = await sites.of_community(tx, community_id)
    numbers = await sites.numbers(tx, community_id, gate_ids=gate_ids) if gate_ids else {}
    signing = await signing_keys.current(tx, community_id, keyring=keyring)
    return _Issue(signing, site["no"], subject, entries, nonce, tuple(sorted(numbers.values())))


def _steps(now: datetime) -> list[datetime]:
    """The steps from now on, the present one first."""
    first = int(now.timestamp()) // STEP_S * STEP_S
    return [datetime.fromtimestamp(first, UTC) + number * STEP for number in range(AHEAD)]


def _ceil_s(at: datetime) -> int:
    """The first whole second that is not before an instant."""
    return -int(-at.timestamp() // 1)
