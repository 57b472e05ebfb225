"""Reference verifier of Linli's visitor passes, for makers of gates: one file, Python's own library and `cryptography`.

It reads a token, says whether this gate opens for it, counts what it let in while it had no network, and takes over the
bundles that the server gives. docs/gates.md describes the bytes, the bundle and the meaning of every answer; its
vectors are this file's tests. Nothing here talks to a network: fetch and upload as the page says, and hand over.

    gate = Gate.from_state(json.loads(saved))         # or Gate() for a gate that has never synced
    gate.sync(bundle, asked_s=..., answered_s=...)    # what GET /device/v1/visitor-bundle answered
    entry = gate.admit(text, now_s=time.time())       # raises Refused; open the door afterwards
    saved = json.dumps(gate.state())                  # keep it before the door opens
"""

import base64
import hmac
import secrets
import struct
from dataclasses import dataclass, field
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

PURPOSE = b"linli-visitor-token-1\0"
PASS, LIVE_PASS, LIVE_DOOR = 1, 2, 3
STEP_S = 30
SKEW_S = 30
SHANGHAI_S = 8 * 3600
MAX_CHARS, MAX_GATES, MAX_SLOTS = 199, 8, 4
HEAD, GATE, SLOT = struct.Struct(">BII16sIIH8s"), struct.Struct(">H"), struct.Struct(">BHH")


class Refused(Exception):
    """The gate stays shut; `code` is one of those in docs/gates.md."""

    def __init__(self, code):
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Token:
    """What a token says. Instants in Unix seconds, the end excluded; entries 0: no limit; no gates: all of them."""

    form: int
    key_id: int
    community_no: int
    subject: str
    from_s: int
    until_s: int
    entries: int
    nonce: bytes
    gates: tuple
    slots: tuple
    signed: bytes
    signature: bytes


def decode(text):
    """The token in a text; Refused `malformed` for every text that the server does not write."""
    raw = _canonical(text)
    body, signature = raw[:-64], raw[-64:]
    if len(body) < HEAD.size + 2:
        raise Refused("malformed")
    form, key_id, community_no, subject, from_s, until_s, entries, nonce = HEAD.unpack_from(body)
    gates, at = _list(body, HEAD.size, GATE)
    slots, at = _list(body, at, SLOT)
    gates = tuple(number for (number,) in gates)
    sound = (
        at == len(body)
        and form in (PASS, LIVE_PASS, LIVE_DOOR)
        and key_id > 0
        and community_no > 0
        and from_s < until_s
        and (form == PASS or (from_s % STEP_S == 0 and until_s == from_s + STEP_S and not slots))
        and len(gates) <= MAX_GATES
        and 0 not in gates
        and list(gates) == sorted(set(gates))
        and len(slots) <= MAX_SLOTS
        and all(0 < days < 128 and start < 1440 and 0 < end <= 1440 and start != end for days, start, end in slots)
    )
    if not sound:
        raise Refused("malformed")
    return Token(
        form, key_id, community_no, str(UUID(bytes=subject)), from_s, until_s, entries, nonce, gates, tuple(slots),
        PURPOSE + body, signature,
    )  # fmt: skip


def _canonical(text):
    if len(text) > MAX_CHARS:
        raise Refused("malformed")
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raise Refused("malformed") from None
    if base64.urlsafe_b64encode(raw).decode().rstrip("=") != text:
        raise Refused("malformed")
    return raw


def _bytes(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _list(body, at, item):
    end = at + 1 + (body[at] * item.size if at < len(body) else 0)
    if at >= len(body) or end > len(body):
        raise Refused("malformed")
    return list(item.iter_unpack(body[at + 1 : end])), end


def in_hours(slots, now_s):
    """Whether an instant lies in one of the slots of a week in Asia/Shanghai; without slots it always does."""
    day, second = divmod(int(now_s // 1) + SHANGHAI_S, 86400)
    today, minute = (day + 3) % 7, second // 60  # day 0 was a Thursday; Monday is 0
    for days, start, end in slots:
        if start < end:
            if days >> today & 1 and start <= minute < end:
                return True
        elif (days >> today & 1 and minute >= start) or (days >> (today - 1) % 7 & 1 and minute < end):
            return True
    return not slots


@dataclass
class Gate:
    """What a gate knows, and what it did alone. `offset_s`: the server's clock less this one's, learned by syncing."""

    version: str = "0"
    community_no: int = 0
    gate_no: int = 0
    offset_s: float = 0
    keys: dict = field(default_factory=dict)  # key id -> [public key in base64url, from, until]
    known: dict = field(default_factory=dict)  # subject -> {"used": n, "revoked": bool}
    salt: str = ""
    bans: dict = field(default_factory=dict)  # id of a ban -> hash of who must not come in
    journal: list = field(default_factory=list)  # entries that the server has not counted in a bundle yet

    def state(self):
        """Everything that must outlive a power cut, as JSON can hold it."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def from_state(cls, state):
        """The gate that `state` was taken of."""
        return cls(**state)

    def sync(self, bundle, *, asked_s, answered_s):
        """Take over a bundle. `asked_s`, `answered_s`: this gate's clock when it asked and when the answer came.

        What the server had accepted before the gate asked is in the bundle's counters, and leaves the journal.
        """
        if bundle["full"]:
            self.known, self.bans = {}, {}
        for entry in bundle["entries"]:
            self.known[entry["id"]] = {"used": entry["used"], "revoked": entry["revoked"]}
        for ban in bundle["bans"]:
            self.bans[ban["id"]] = ban["hash"]
        for gone in bundle["removed"]:
            self.known.pop(gone, None)
            self.bans.pop(gone, None)
        self.keys = {str(key["id"]): [key["public_key"], key["from_s"], key["until_s"]] for key in bundle["keys"]}
        self.community_no, self.gate_no, self.version = bundle["community_no"], bundle["gate_no"], bundle["version"]
        self.salt = bundle["salt"]
        self.offset_s = bundle["server_s"] - (asked_s + answered_s) / 2
        self.journal = [each for each in self.journal if each["accepted_s"] is None or each["accepted_s"] > asked_s]

    def check(self, text, *, now_s):
        """The token, if this gate may open for it now by all that it knows; else Refused."""
        now_s += self.offset_s
        token = decode(text)
        self._prove(token, now_s)
        if token.gates and self.gate_no not in token.gates:
            raise Refused("wrong_gate")
        known = self.known.get(token.subject, {"used": 0, "revoked": False})
        if known["revoked"]:
            raise Refused("revoked")
        skew_s = 0 if token.form == PASS else SKEW_S
        if now_s < token.from_s - skew_s:
            raise Refused("too_early")
        if now_s >= token.until_s + skew_s:
            raise Refused("expired")
        if not in_hours(token.slots, now_s):
            raise Refused("outside_hours")
        alone = sum(each["subject"] == token.subject for each in self.journal)
        if token.entries and known["used"] + alone >= token.entries:
            raise Refused("used_up")
        return token

    def _prove(self, token, now_s):
        if token.community_no != self.community_no:
            raise Refused("wrong_community")
        if str(token.key_id) not in self.keys:
            raise Refused("unknown_key")
        public_key, from_s, until_s = self.keys[str(token.key_id)]
        try:
            Ed25519PublicKey.from_public_bytes(_bytes(public_key)).verify(token.signature, token.signed)
        except InvalidSignature:
            raise Refused("bad_signature") from None
        if not from_s - SKEW_S <= now_s < until_s:
            raise Refused("key_ended")

    def admit(self, text, *, now_s):
        """Let one entry in without a network: it is counted here, and waits in the journal to be told."""
        token = self.check(text, now_s=now_s)
        return self._note(token, text, now_s, None)

    def admitted(self, text, *, now_s):
        """Note an entry that the server itself has just allowed, so that it counts if the network goes away now."""
        return self._note(decode(text), text, now_s, now_s)

    def _note(self, token, text, now_s, accepted_s):
        entry = {
            "key": secrets.token_hex(12), "token": text, "at_s": now_s + self.offset_s, "subject": token.subject,
            "accepted_s": accepted_s,
        }  # fmt: skip
        self.journal.append(entry)
        return entry

    def to_tell(self):
        """The entries that the server has not accepted yet, as `POST /device/v1/visitor-events` takes them."""
        return [
            {"key": each["key"], "token": each["token"], "at_s": int(each["at_s"])}
            for each in self.journal
            if each["accepted_s"] is None
        ]

    def told(self, keys, *, now_s):
        """The server has answered for these entries: they count here until a bundle that is asked for later."""
        for each in self.journal:
            if each["key"] in keys and each["accepted_s"] is None:
                each["accepted_s"] = now_s

    def is_banned(self, kind, value):
        """Whether somebody is on the community's list by `phone`, `plate` or `id_number`, in its one written form."""
        digest = hmac.digest(_bytes(self.salt), f"{kind}\0{value}".encode(), "sha256")[:16]
        return base64.urlsafe_b64encode(digest).decode().rstrip("=") in self.bans.values()
