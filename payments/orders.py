"""Orders (支付单): what a resident wants to pay is locked, priced here, and stored before any channel hears of it.

Promises: the amount is the sum of the lines and never changes (I-06); a thing is held by at most one live order, so
that fifty requests at once make one (the rows are locked in id order, the hold is a unique key); the same wish of the
same payer gets the same order; there is no order without an attempt (F-05). Payable ids come from a scope, so that
nobody pays what he may not see (I-23).
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from backend.identity import people
from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.auth import HouseScope
from backend.kernel.db import Batch, Record, Tx
from backend.kernel.errors import Conflict
from backend.kernel.failpoints import failpoint
from backend.kernel.ids import random_text, uuid7
from backend.kernel.resources import Resources
from backend.ledger import accounts
from backend.ledger.accounts import Code, Key
from payments import merchants
from payments.channels.base import Channel, Method, PrepayRequest
from payments.payables import Kind, Priced, Wish, lock_and_price
from payments.states import AttemptState, OrderState

LIFETIME = timedelta(minutes=30)
CHANNEL_MARGIN = timedelta(minutes=5)
STILL_USABLE = timedelta(minutes=2)
FIRST_ASK = timedelta(minutes=1)
MAX_LINES = 60
NUMBER_LENGTH = 30
ATTACHED = re.compile(r"(?P<order_id>[0-9a-f]{32})\.(?P<kind>[a-z_]{1,20})\.(?P<digest>[0-9a-f]{32})")

ORDER = Batch(
    table="payment_order",
    columns=(
        ("id", "uuid"),
        ("community_id", "uuid"),
        ("payer_person_id", "uuid"),
        ("amount_fen", "bigint"),
        ("state", "text"),
        ("description", "text"),
        ("digest", "bytea"),
        ("created_at", "timestamptz"),
        ("expires_at", "timestamptz"),
    ),
)

LINE = Batch(
    table="payment_line",
    columns=(
        ("id", "uuid"),
        ("order_id", "uuid"),
        ("kind", "text"),
        ("payable_id", "uuid"),
        ("house_id", "uuid"),
        ("item_id", "uuid"),
        ("title", "text"),
        ("principal_fen", "bigint"),
        ("late_fee_fen", "bigint"),
    ),
)

HOLD = Batch(table="payment_hold", columns=(("kind", "text"), ("payable_id", "uuid"), ("order_id", "uuid")))

ATTEMPT = Batch(
    table="payment_attempt",
    columns=(
        ("id", "uuid"),
        ("order_id", "uuid"),
        ("community_id", "uuid"),
        ("merchant_id", "uuid"),
        ("clearing_account", "bigint"),
        ("channel", "text"),
        ("method", "text"),
        ("out_trade_no", "text"),
        ("amount_fen", "bigint"),
        ("state", "text"),
        ("request", "jsonb"),
        ("ask_at", "timestamptz"),
        ("created_at", "timestamptz"),
    ),
)

# Read after the things are locked: whoever holds one of them has committed or has gone.
HOLDING = """
    SELECT DISTINCT ON (o.id) o.id, o.payer_person_id, o.amount_fen, o.digest, o.expires_at,
           a.id AS attempt_id, a.request ->> 'payer_openid' AS payer_openid, a.request ->> 'payer_ip' AS payer_ip,
           a.channel, a.method
      FROM unnest($1::text[], $2::uuid[]) AS wanted (kind, payable_id)
      JOIN payment_hold h USING (kind, payable_id)
      JOIN payment_order o ON o.id = h.order_id
      JOIN payment_attempt a ON a.order_id = o.id
     ORDER BY o.id, a.id DESC
"""


@dataclass(frozen=True, slots=True)
class Payer:
    """Who pays: a person where he is known, what he may see (None: a paper code or the counter decides), his account
    in the app that pays (JSAPI), his own address (H5 and pages)."""

    person_id: UUID | None
    scope: HouseScope | None
    appid: str = ""
    openid: str = ""
    ip: str = ""


@dataclass(frozen=True, slots=True)
class Way:
    """How it is paid. `return_url`: where a browser goes afterwards. `clearing`: the account where the money stands,
    when it is not the merchant's clearing account."""

    channel: Channel
    method: Method
    return_url: str = ""
    clearing: Key | None = None


MINI_PROGRAM = Way(Channel.WECHAT, Method.JSAPI)


@dataclass(frozen=True, slots=True)
class Placed:
    """An order that waits for its money."""

    order_id: UUID
    amount_fen: int
    expires_at: datetime


class MustCloseFirst(Exception):
    """Other orders hold some of it: they must be asked about and closed at their channel before this one is placed."""

    def __init__(self, order_ids: Sequence[UUID]) -> None:
        super().__init__(f"{len(order_ids)} orders hold what is to be paid")
        self.order_ids = tuple(order_ids)


class BeingPaid(Conflict):
    """Another member of the family is paying one of these things at this moment."""

    code = "being_paid"
    message = "家人正在支付其中的账单，请稍后再看，不要重复支付。"


async def place(
    tx: Tx, payer: Payer, *, res: Resources, actor: Actor, wishes: Sequence[Wish], way: Way = MINI_PROGRAM
) -> Placed:
    """The order that pays exactly these things for `payer` in this way: the live one that does already, else a new one.

    Raises NotFound for what the payer may not see, Conflict for what cannot be paid now, BeingPaid, MustCloseFirst.
    """
    priced = await lock_and_price(tx, payer.scope, wishes)
    digest = digest_of(priced)
    holding = await tx.fetch(HOLDING, [kind.value for kind, _ in priced], [each.payable_id for _, each in priced])
    for held in holding:
        if _is_same(held, payer, way, digest=digest, now=tx.now):
            return Placed(held["id"], held["amount_fen"], held["expires_at"])
    if holding:
        await _refuse_or_replace(tx, payer, holding, res, by_staff=actor.kind == "staff")
    community_id = _one_community([each for _, each in priced])
    items = [each.item_id for _, each in priced]
    chosen = await merchants.choice(tx, community_id, item_ids=items, channel=way.channel)
    if chosen.paused:
        raise Conflict("线上缴费暂停中，恢复后会通知您；也可以到物业服务中心缴费。", code="collection_paused")
    if way.method is Method.JSAPI and not chosen.serves(payer.appid):
        raise Conflict("请在本小区的微信小程序里支付。", code="different_app")
    placed = await _insert(tx, payer, chosen, way=way, priced=priced, digest=digest, public_url=res.settings.public_url)
    audit.record(
        tx, actor, action="payments.order_placed", target=f"payment_order:{placed.order_id}",
        community_id=community_id, after={"amount_fen": placed.amount_fen, "lines": len(priced)},
    )  # fmt: skip
    await tx.flush()
    await failpoint("order.before_commit")
    return placed


def digest_of(priced: Sequence[tuple[Kind, Priced]]) -> bytes:
    """SHA-256 of what is paid and at which price, whatever the order in which it was asked for."""
    lines = sorted(f"{kind}:{each.payable_id}:{each.principal_fen}:{each.late_fee_fen}" for kind, each in priced)
    return hashlib.sha256("\n".join(lines).encode()).digest()


@dataclass(frozen=True, slots=True)
class Attached:
    """What `attach_of` told the channel about an order."""

    order_id: UUID
    kind: str
    digest: str


def attach_of(order_id: UUID, kind: Kind, digest: bytes) -> str:
    """What the channel carries for us, so that an order lost with a restored backup is recognised (section 5)."""
    return f"{order_id.hex}.{kind}.{digest[:16].hex()}"


def read_attach(text: str) -> Attached | None:
    """What an order of ours told the channel about itself; None for a text that is not ours."""
    found = ATTACHED.fullmatch(text)
    return Attached(UUID(found["order_id"]), found["kind"], found["digest"]) if found else None


def _is_same(held: Record, payer: Payer, way: Way, *, digest: bytes, now: datetime) -> bool:
    if payer.person_id is None:
        return False
    same_wish: bool = (
        held["payer_person_id"], held["payer_openid"], held["digest"], held["channel"], held["method"]
    ) == (payer.person_id, payer.openid, digest, way.channel, way.method)  # fmt: skip
    # WeChat Pay opens an H5 address only where it was asked for (pitfalls B20).
    moved = way.method is Method.H5 and held["payer_ip"] != payer.ip
    return same_wish and not moved and bool(held["expires_at"] - now > STILL_USABLE)


async def _refuse_or_replace(
    tx: Tx, payer: Payer, holding: Sequence[Record], res: Resources, *, by_staff: bool
) -> None:
    """A changed mind and an expired order are closed first; somebody else's live order is respected.

    Whoever stands at the counter is served: staff close what others ask for online.
    """
    for held in holding:
        payer_id = held["payer_person_id"]
        if not by_staff and payer_id is not None and payer_id != payer.person_id and held["expires_at"] > tx.now:
            known = (await people.masked(tx, res.keyring, [payer_id])).get(payer_id)
            who = known.name if known and known.name else "家人"
            raise BeingPaid(f"{who}正在支付其中的账单，请稍后再看，不要重复支付。", payer=who)
    raise MustCloseFirst([held["id"] for held in holding])


def _one_community(priced: Sequence[Priced]) -> UUID:
    communities = {each.community_id for each in priced}
    if len(communities) != 1:
        raise Conflict("不同小区的账单请分开支付。", code="different_communities")
    return communities.pop()


async def _insert(
    tx: Tx,
    payer: Payer,
    chosen: merchants.Choice,
    *,
    way: Way,
    priced: Sequence[tuple[Kind, Priced]],
    digest: bytes,
    public_url: str,
) -> Placed:
    (first_kind, first), many = priced[0], len(priced)
    order_id, community_id = uuid7(tx.now), first.community_id
    amount_fen = sum(each.principal_fen + each.late_fee_fen for _, each in priced)
    expires_at = tx.now + LIFETIME
    request = PrepayRequest(
        method=way.method,
        out_trade_no=random_text(NUMBER_LENGTH),
        description=first.title if many == 1 else f"{first.title}等{many}笔",
        amount_fen=amount_fen,
        app_id=payer.appid if way.method is Method.JSAPI else chosen.appid,
        notify_url=merchants.notify_url(public_url, way.channel, chosen.id),
        expires_at=expires_at + CHANNEL_MARGIN,
        attach=attach_of(order_id, first_kind, digest),
        payer_openid=payer.openid,
        payer_ip=payer.ip,
        return_url=way.return_url,
    )
    clearing = await accounts.ensure(tx, way.clearing or Key(community_id, Code.CLEARING, chosen.id))
    tx.add(
        ORDER, order_id, community_id, payer.person_id, amount_fen, OrderState.CREATED.value,
        request.description, digest, tx.now, expires_at,
    )  # fmt: skip
    for kind, each in priced:
        tx.add(
            LINE, uuid7(tx.now), order_id, kind.value, each.payable_id, each.house_id, each.item_id, each.title,
            each.principal_fen, each.late_fee_fen,
        )  # fmt: skip
        tx.add(HOLD, kind.value, each.payable_id, order_id)
    tx.add(
        ATTEMPT, uuid7(tx.now), order_id, community_id, chosen.id, clearing, way.channel.value, way.method.value,
        request.out_trade_no, amount_fen, AttemptState.CREATED.value, request_document(request),
        None if way.channel is Channel.COUNTER else tx.now + FIRST_ASK, tx.now,
    )  # fmt: skip
    return Placed(order_id, amount_fen, expires_at)


def request_document(request: PrepayRequest) -> dict[str, Any]:
    """A request as the attempt keeps it, to be repeated word for word (pitfalls B1)."""
    return {**asdict(request), "expires_at": request.expires_at.isoformat()}


def request_of(document: dict[str, Any]) -> PrepayRequest:
    """The request that an attempt keeps."""
    known = {"method": Method(document["method"]), "expires_at": datetime.fromisoformat(document["expires_at"])}
    return PrepayRequest(**{**document, **known})
