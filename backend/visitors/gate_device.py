"""What gates ask and tell, signed like every device (backend/devices/signing.py): scans, bundles, entries (D10)."""

import base64
from datetime import UTC, datetime
from uuid import UUID

from pydantic import Field

from backend.kernel.auth import DEVICE, Principal
from backend.kernel.db import Tx
from backend.kernel.errors import Forbidden, NotFound, TooMany, Unauthenticated, Unavailable
from backend.kernel.http import MAX_BIGINT, Call, Reply, Route, Strict, example
from backend.kernel.ratelimit import Rule
from backend.visitors import bundles, scanning, short_codes
from backend.visitors.bundles import Bundle
from backend.visitors.scanning import Gate, Scan, Verdict

_ID = "01991b2a-7c00-7000-8000-000000000001"
_TOKEN = "AQAAAAcAAAADAZkbKnwAcACAAAAAAAAAAWqVoABqlvGAAAEBAgMEBQYHCAAA…"
_VERDICT = {"open": True, "reason": None, "text": "请进。", "entries_left": 0}
# What a picture may hold that is no token of ours; longer than any that is.
MAX_SCANNED = 1_000
MAX_EVENTS = 100
_LAST_S = (1 << 32) - 1
_KEY = r"^[\x21-\x7e]{1,100}$"


class ScanBody(Strict):
    """A token that stands at the gate now. `key`: the gate's own for this event, the same for every repeat."""

    model_config = example(key="20260901-000123", token=_TOKEN, sequence=123)
    key: str = Field(pattern=_KEY)
    token: str = Field(max_length=MAX_SCANNED)
    sequence: int | None = Field(None, ge=0, le=MAX_BIGINT)


class DigitsBody(Strict):
    """Six digits that somebody has typed."""

    model_config = example(key="20260901-000124", code="042917")
    key: str = Field(pattern=_KEY)
    code: str = Field(pattern=r"^[0-9]{6}$")


class VerdictAnswer(Strict):
    """Whether the gate opens; if not, why, and words for its display. `entries_left` null: as many as wished."""

    model_config = example(**_VERDICT)
    open: bool
    reason: str | None
    text: str
    entries_left: int | None

    @classmethod
    def of(cls, verdict: Verdict) -> "VerdictAnswer":
        return cls(**verdict.kept())


class AloneBody(Strict):
    """An entry that the gate let in without a network, at an instant by its corrected clock, in Unix seconds."""

    model_config = example(key="5f0c2a", token=_TOKEN, at_s=1788235200)
    key: str = Field(pattern=_KEY)
    token: str = Field(max_length=MAX_SCANNED)
    at_s: int = Field(ge=0, le=_LAST_S)


class AloneEntriesBody(Strict):
    """Entries in the order in which they happened."""

    model_config = example(events=[{"key": "5f0c2a", "token": _TOKEN, "at_s": 1788235200}])
    events: list[AloneBody] = Field(min_length=1, max_length=MAX_EVENTS)


class HeardAnswer(Strict):
    """An entry is heard: counted, or a conflict that staff look at, with its reason."""

    model_config = example(key="5f0c2a", counted=True, reason=None)
    key: str
    counted: bool
    reason: str | None


class HeardEntriesAnswer(Strict):
    model_config = example(events=[{"key": "5f0c2a", "counted": False, "reason": "used_up"}])
    events: list[HeardAnswer]


class BundleQuery(Strict):
    """`since`: the `version` of the bundle that the gate keeps."""

    since: str | None = Field(None, max_length=64)


class KeyAnswer(Strict):
    """A public key (32 bytes in base64url), believed from `from_s` until `until_s`."""

    model_config = example(
        id=7, public_key="A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg", from_s=1788192000, until_s=1827676800
    )  # fmt: skip
    id: int
    public_key: str
    from_s: int
    until_s: int


class EntryAnswer(Strict):
    """A pass, or a resident's code: entries used, and whether it opens nothing any more."""

    model_config = example(id=_ID, used=1, revoked=False)
    id: UUID
    used: int
    revoked: bool


class BanAnswer(Strict):
    """Somebody who must not come in: 16 bytes of a salted hash in base64url."""

    model_config = example(id=_ID, hash="q1w2e3r4t5y6u7i8o9p0aQ")
    id: UUID
    hash: str


class BundleAnswer(Strict):
    """`full`: everything; else `entries` and `bans` take the place of those with the same id, `removed` are gone."""

    model_config = example(
        version="12-0f3a5b7c9d1e2f40", full=True, server_s=1788235200, community_no=3, gate_no=2,
        salt="AAECAwQFBgcICQoLDA0ODw", keys=[], entries=[{"id": _ID, "used": 1, "revoked": False}], bans=[], removed=[],
    )  # fmt: skip
    version: str
    full: bool
    server_s: int
    community_no: int
    gate_no: int
    salt: str
    keys: list[KeyAnswer]
    entries: list[EntryAnswer]
    bans: list[BanAnswer]
    removed: list[UUID]

    @classmethod
    def of(cls, bundle: Bundle, *, at: datetime) -> "BundleAnswer":
        return cls(
            version=bundle.version.text,
            full=bundle.version.full,
            server_s=int(at.timestamp()),
            community_no=bundle.community_no,
            gate_no=bundle.gate_no,
            salt=_base64(bundle.salt),
            keys=[
                KeyAnswer(
                    id=row["no"],
                    public_key=_base64(row["public_key"]),
                    from_s=int(row["signs_from"].timestamp()),
                    until_s=int(row["believed_until"].timestamp()),
                )
                for row in bundle.keys
            ],
            entries=[EntryAnswer(**entry._asdict()) for entry in bundle.entries],
            bans=[BanAnswer(id=ban.id, hash=_base64(ban.hash)) for ban in bundle.bans],
            removed=list(bundle.removed),
        )


async def scan(call: Call[ScanBody, None]) -> VerdictAnswer:
    """POST /device/v1/visitor-scans."""
    gate, body = _gate(call.principal), call.body
    told = Scan(body.key, body.token, sequence=body.sequence)
    return VerdictAnswer.of(await scanning.at_gate(call.res.db, gate, told, keyring=call.res.keyring, nonce=call.nonce))


async def enter_digits(call: Call[DigitsBody, None]) -> VerdictAnswer:
    """POST /device/v1/visitor-digits."""
    gate, body = _gate(call.principal), call.body
    await call.res.limiter.check(short_codes.GUESS_RATE, str(gate.id))

    async def work(tx: Tx) -> VerdictAnswer:
        return VerdictAnswer.of(
            await scanning.enter_digits(tx, gate, key=body.key, code=body.code, keyring=call.res.keyring)
        )

    return await call.transact(work)


async def tell(call: Call[AloneEntriesBody, None]) -> HeardEntriesAnswer:
    """POST /device/v1/visitor-events: each in a transaction of its own, so that what was heard stays heard."""
    gate, heard = _gate(call.principal), []
    for each in call.body.events:
        told = Scan(each.key, each.token, datetime.fromtimestamp(each.at_s, UTC))
        verdict = await scanning.at_gate(call.res.db, gate, told, keyring=call.res.keyring)
        heard.append(HeardAnswer(key=each.key, counted=verdict.open, reason=verdict.reason))
    return HeardEntriesAnswer(events=heard)


async def give_bundle(call: Call[None, BundleQuery]) -> Reply:
    """GET /device/v1/visitor-bundle."""
    at = call.res.clock.now()
    version, bundle = await bundles.of_gate(
        call.res.db, call.principal.actor, keyring=call.res.keyring, gate_id=call.principal.device_id,
        since=call.query.since, have=call.headers.get("if-none-match"), at=at,
    )  # fmt: skip
    headers = {"ETag": version.tag, "Cache-Control": "private, no-cache"}
    if bundle is None:
        return Reply(304, headers=headers)
    answer = BundleAnswer.of(bundle, at=at)
    return Reply(200, answer.model_dump_json().encode(), "application/json", headers)


def _gate(principal: Principal) -> Gate:
    (community_id,) = principal.communities(DEVICE)
    return Gate(principal.device_id, community_id)


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


_ERRORS = (Unauthenticated, Forbidden, NotFound, TooMany, Unavailable)
ROUTES = (
    Route(
        "POST", "/device/v1/visitor-scans", scan, DEVICE, "门禁扫到访客码或住户码：是否开门", body=ScanBody,
        answer=VerdictAnswer, errors=_ERRORS, rate=Rule("visitors.scan", 600, 60), spends_nonce=True,
    ),
    Route(
        "POST", "/device/v1/visitor-digits", enter_digits, DEVICE, "有人在门禁上输入六位访客码：是否开门",
        body=DigitsBody, answer=VerdictAnswer, errors=_ERRORS, rate=Rule("visitors.digits", 60, 60),
    ),
    Route(
        "POST", "/device/v1/visitor-events", tell, DEVICE, "门禁补报断网期间放行的人，逐条记数或列为冲突",
        body=AloneEntriesBody, answer=HeardEntriesAnswer, errors=_ERRORS, rate=Rule("visitors.events", 60, 60),
    ),
    Route(
        "GET", "/device/v1/visitor-bundle", give_bundle, DEVICE,
        "离线数据：公钥、作废的通行码、已用次数和黑名单，可只取变化",
        query=BundleQuery, answer=BundleAnswer, errors=_ERRORS, rate=Rule("visitors.bundle", 60, 60),
    ),
)  # fmt: skip
