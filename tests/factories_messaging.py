"""A company with both apps, known to the product and to the sandbox, and people who can be written to."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from backend.kernel import leases, outbox
from backend.kernel.audit import SYSTEM
from backend.kernel.db import Tx
from backend.kernel.outbox import Handler
from backend.kernel.resources import Resources
from backend.messaging import consents, intents, templates
from backend.messaging.handlers import HANDLERS
from backend.messaging.intents import Recipient
from backend.messaging.meanings import BILL_ISSUED
from backend.messaging.templates import Channel
from backend.wechat import apps
from backend.wechat.apps import AppKind
from backend.wechat.pushes import EVENT, Push
from tests import factories
from tests.conftest import Sandbox
from workers import edge

MINI = factories.APPID
OFFICIAL = "wx0ff1c1a1acc00047"
ORIGINAL_ID = {MINI: "gh_97417a04a28d", OFFICIAL: "gh_123456789abc"}
PLATFORM = "open-linli"
SECRET = "0123456789abcdef0123456789abcdef"
BILL_FIELDS = {"thing1": "houses", "thing2": "item", "amount3": "amount", "date4": "due_on"}
BILL_TEMPLATE = {Channel.TEMPLATE: "TplBillIssued", Channel.SUBSCRIPTION: "SubBillIssued"}
EXAMPLES = {"thing1": "1栋101", "thing2": "物业费", "amount3": "12.30元", "date4": "2026-09-30"}
VALUES = {
    "houses": "1栋1单元101",
    "item": "物业费",
    "period": "2026年9月",
    "amount": "223.38元",
    "due_on": "2026-10-01",
}


async def plug_in(res: Resources, sandbox: Sandbox | None, place: factories.Community) -> None:
    """Register both apps and their bill templates, here and at the sandbox."""

    async def work(tx: Tx) -> None:
        for channel, appid, kind in (
            (Channel.SUBSCRIPTION, MINI, AppKind.MINIPROGRAM),
            (Channel.TEMPLATE, OFFICIAL, AppKind.OFFICIAL),
        ):
            await apps.register(
                tx, res.keyring, actor=SYSTEM, company_id=place.company_id, kind=kind, appid=appid, secret=SECRET
            )
            await templates.save(
                tx, SYSTEM, company_id=place.company_id, appid=appid, channel=channel, meaning="bill_issued",
                template_id=BILL_TEMPLATE[channel], fields=BILL_FIELDS,
            )  # fmt: skip

    await res.db.transact(work)
    if sandbox is None:
        return
    for channel, appid, kind, name in (
        (Channel.SUBSCRIPTION, MINI, "miniprogram", "subscribe"),
        (Channel.TEMPLATE, OFFICIAL, "official", "template"),
    ):
        template = {"template_id": BILL_TEMPLATE[channel], "title": "账单", "kind": name, "fields": EXAMPLES}
        body = {"secret": SECRET, "kind": kind, "original_id": ORIGINAL_ID[appid], "open_platform": PLATFORM}
        body["templates"] = [template]
        await sandbox.ask("PUT", f"/apps/{appid}", body)


@dataclass(frozen=True)
class Reader:
    """A person with WeChat at the sandbox and an account here."""

    person: factories.Person
    user_id: str
    official_openid: str | None

    @property
    def id(self) -> UUID:
        return self.person.id


async def reader(res: Resources, sandbox: Sandbox, number: int, *, follows: bool = False, credits: int = 0) -> Reader:
    """Someone who may follow the official account and may have consented to some subscription messages."""
    user = await sandbox.ask("POST", "/users", {"nickname": f"读者{number}"})
    user_id = user["user_id"]
    mini = await sandbox.ask("GET", f"/users/{user_id}/openid?appid={MINI}")
    person = await factories.person(res, phone=f"1380000{number:04}", openid=mini["openid"])
    official = None
    if follows:
        official = (await sandbox.ask("POST", f"/users/{user_id}/follow", {"appid": OFFICIAL}))["openid"]
        await res.db.execute(
            """INSERT INTO wechat_user (id, appid, openid, person_id, created_at)
               VALUES (gen_random_uuid(), $1, $2, $3, $4)""",
            OFFICIAL, official, person.id, res.clock.now(),
        )  # fmt: skip
    template_id = BILL_TEMPLATE[Channel.SUBSCRIPTION]
    for _ in range(credits):
        answer = {"appid": MINI, "template_id": template_id, "answer": "accept"}
        await sandbox.ask("POST", f"/users/{user_id}/consent", answer)
        await res.db.transact(
            lambda tx: consents.record(tx, person_id=person.id, appid=MINI, answers={template_id: "accept"})
        )
    return Reader(person, user_id, official)


async def plan_bills(res: Resources, place: factories.Community, people: list[UUID], *, event_key: str = "e1") -> int:
    """Plan "bill issued" for people."""
    planned = await res.db.transact(
        lambda tx: intents.plan(
            tx, BILL_ISSUED, event_key=event_key, community_id=place.id,
            recipients=[Recipient(person_id, VALUES) for person_id in people],
        )
    )  # fmt: skip
    return planned.count


async def sent(
    res: Resources, place: factories.Community, person: factories.Person, msgid: str, *, channel: Channel
) -> UUID:
    """A message that WeChat has accepted under this number; returns its intent."""
    await plan_bills(res, place, [person.id], event_key=f"sent-{msgid}")
    await res.db.execute("DELETE FROM outbox WHERE event = 'messaging.planned'")
    appid = OFFICIAL if channel is Channel.TEMPLATE else MINI
    for change in (
        "state = 'SENDING', first_sent_at = $2, channel = $3, appid = $4, openid = $5, template_id = $6, attempt = 1",
        "state = 'SENT', finished_at = $2, channel = $3, appid = $4, openid = $5, template_id = $6",
    ):
        await res.db.execute(
            f"UPDATE message_intent SET {change} WHERE event_key = $1",
            f"sent-{msgid}", res.clock.now(), channel, appid, person.openid, BILL_TEMPLATE[channel],
        )  # fmt: skip
    await res.db.execute("UPDATE message_intent SET msgid = $2 WHERE event_key = $1", f"sent-{msgid}", msgid)
    intent_id: UUID = await res.db.fetchval("SELECT id FROM message_intent WHERE msgid = $1", msgid)
    return intent_id


async def push(
    res: Resources, event: str, fields: Mapping[str, Any], *, appid: str, openid: str, ago_s: float = 0
) -> None:
    """WeChat has told something, `ago_s` seconds ago: the event as the push server emits it."""
    told = Push(appid, openid, event, res.clock.now() - timedelta(seconds=ago_s), fields)

    async def tell(tx: Tx) -> None:
        outbox.emit(tx, EVENT + event, told.payload())

    await res.db.transact(tell)


async def work_due(res: Resources, handlers: Mapping[str, Handler] = HANDLERS) -> int:
    """Work every row that is due now, once, without Redis; returns how many."""
    claimed = await leases.claim(res.db, limit=500, lease_s=90)
    for lease in claimed:
        await partial(edge.work, res, handlers)(lease, False)
    return len(claimed)


async def intent(res: Resources, person_id: UUID) -> dict[str, object]:
    """The one intent of a person."""
    rows = await res.db.fetch("SELECT * FROM message_intent WHERE person_id = $1", person_id)
    assert len(rows) == 1
    return dict(rows[0].items())


async def states(res: Resources) -> dict[str, int]:
    """How many intents are in each state."""
    rows = await res.db.fetch("SELECT state, count(*) AS n FROM message_intent GROUP BY state")
    return {row["state"]: row["n"] for row in rows}
