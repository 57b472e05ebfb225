"""Tickets of a town whose company has WeChat check what residents write and send."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from backend.composition import CHECKS, HANDLERS
from backend.kernel import outbox
from backend.kernel.audit import SYSTEM, Actor
from backend.kernel.db import Record, Tx
from backend.kernel.ids import uuid7
from backend.kernel.resources import Resources
from backend.tickets import machine, submitting
from backend.tickets.complaints.register import Particulars
from backend.tickets.complaints.words import Nature
from backend.tickets.moves import Move
from backend.tickets.screening import switch
from backend.tickets.step import Asked
from backend.tickets.submitting import New
from backend.wechat.pushes import Push
from tests import factories, factories_tickets, factories_web
from tests.conftest import Sandbox
from tests.factories import Person, Staff
from tests.factories_messaging import MINI, work_due
from tests.factories_tickets import COMPLAINTS, Desk
from tests.factories_web import Town
from tests.soundness import broken

TEXT, MEDIA = "/wxa/msg_sec_check", "/wxa/media_check_async"
MEDIA_ROW = """
    INSERT INTO media (id, community_id, kind, state, uploader_kind, uploader_id, created_at, sha256, size_bytes, width,
                       height, length_ms, stored_at)
    VALUES ($1, $2, $3, 'UPLOADED', 'resident', $4, $5, $6, 100, 10, 10, 0, $5)
"""


@dataclass(frozen=True)
class Screened:
    """The town, its desk, and a category for complaints."""

    town: Town
    desk: Desk
    complaints: UUID

    @property
    def res(self) -> Resources:
        return self.town.res

    async def hostile(self, **script: Any) -> None:
        await self.town.sandbox.ask("PUT", "/hostile", script)

    async def picture(self, kind: str = "picture") -> UUID:
        """A file that the owner has uploaded."""
        media_id, now = uuid7(self.res.clock.now()), self.res.clock.now()
        await self.res.db.execute(
            MEDIA_ROW, media_id, self.town.place.id, kind, self.town.owner.id, now, b"\0" * 32
        )  # fmt: skip
        return media_id

    async def report(self, text: str = "厨房水龙头漏水", media: Sequence[UUID] = ()) -> UUID:
        """The owner reports something."""
        return await self.desk.submit(description=text, media_ids=tuple(media))

    async def complain(self, text: str, *, anonymous: bool) -> UUID:
        """The owner complains."""
        new = New(
            self.town.place.id, self.complaints, self.town.house_id, None, text,
            particulars=Particulars(Nature.NOISE, anonymous=anonymous),
        )  # fmt: skip
        who = self.town.owner.id

        async def work(tx: Tx) -> UUID:
            return (await submitting.submit(tx, Actor("resident", who), new=new, person_id=who)).ticket_id

        return await self.res.db.transact(work)

    async def move(self, ticket_id: UUID, name: Move, asked: Asked) -> None:
        async def work(tx: Tx) -> None:
            await machine.move(tx, self.desk.resident(), ticket_id=ticket_id, name=name, asked=asked)

        await self.res.db.transact(work)

    async def settle(self, **later: float) -> None:
        """Everything that is due, and what that makes due, after some time."""
        if later:
            self.town.sandbox.clock.advance(timedelta(**later))
        while await work_due(self.res, HANDLERS):
            pass

    async def told(self, check: Record, suggest: str = "risky", *, errcode: int = 0, trace_id: str = "") -> None:
        """WeChat's push about a picture, as the push server emits it once it has been verified."""
        fields: dict[str, Any] = {"trace_id": trace_id or check["trace_id"], "errcode": errcode}
        if errcode == 0:
            fields["result"] = {"suggest": suggest, "label": 20002}
        push = Push(MINI, self.town.owner.openid, "wxa_media_check", self.res.clock.now(), fields)

        async def work(tx: Tx) -> None:
            outbox.emit(tx, "wechat.wxa_media_check", push.payload())

        await self.res.db.transact(work)

    async def checks(self) -> list[Record]:
        return list(await self.res.db.fetch("SELECT * FROM ticket_check ORDER BY id"))

    async def states(self) -> list[str]:
        return [row["state"] for row in await self.checks()]

    async def letters(self, staff: Staff | None = None) -> list[str]:
        """What the desk was told by message."""
        who = (staff or self.desk.service).id
        rows = await self.res.db.fetch("SELECT body FROM inbox_message WHERE person_id = $1 ORDER BY id", who)
        return [row["body"] for row in rows]

    async def family(self) -> Person:
        """Somebody of the same house."""
        made = await factories.person(self.res, "13800000002", "李四")
        await factories.occupy(self.res, made, self.town.house_id, "family")
        return made

    async def sound(self) -> None:
        """All invariants hold."""
        assert [(f.check.title, f.samples) for f in await broken(self.res.db, CHECKS)] == []


async def screened(res: Resources, sandbox: Sandbox, *, enabled: bool = True) -> Screened:
    """The town with its desk; the company has turned the checks on."""
    town = await factories_web.town(res, sandbox)
    service = await factories.staff(res, town.place, "customer_service")
    engineers = [await factories.staff(res, town.place, "engineer") for _ in range(2)]
    category_id = await factories_tickets.category(res, town.place)
    desk = Desk(res, town.place, town.house_id, town.owner, service, *engineers, category_id)
    complaints = await factories_tickets.category(res, town.place, COMPLAINTS)
    if enabled:
        await res.db.transact(lambda tx: switch.turn(tx, SYSTEM, company_id=town.place.company_id, enabled=True))
    return Screened(town, desk, complaints)
