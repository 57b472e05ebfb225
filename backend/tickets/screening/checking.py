"""What residents write and send is checked by WeChat after it has come in, and nobody waits for it (R6, R7).

Checked are what a ticket or complaint says and where, notes and reasons, the words of a rating, and pictures; videos
are not, which WeChat's check does not know. It is shown until a verdict hides it. WeChat away, or its quota used up:
shown, and asked again for as long as it answers at all about the account; an account that was not lately in the
mini-program is not asked about (61010).
"""

from datetime import timedelta
from typing import Any
from uuid import UUID

from backend.kernel.db import Record, Tx
from backend.kernel.egress import EgressError
from backend.kernel.ids import uuid7
from backend.kernel.media.formats import Kind
from backend.kernel.outbox import Job, Park, Retry
from backend.media import attachments
from backend.tickets import machine
from backend.tickets.screening import asking, results, switch
from backend.tickets.screening.states import STATE_OF, CheckKind, CheckState
from backend.wechat import api, apps, content
from backend.wechat.apps import App
from backend.wechat.errcodes import Meaning
from backend.wechat.errors import WechatError, WechatUnreadable

# WeChat answers about accounts that were in the mini-program within two hours; later there is nothing to ask.
GIVE_UP = timedelta(hours=2)
REPEAT_S = 60
LINK_S = 3600

# What an event `e` of a ticket `t` says.
SAID = """
    CASE e.move
    WHEN 'submit' THEN concat_ws('，', t.place, t.description)
    WHEN 'rate' THEN (SELECT r.words FROM ticket_rating r WHERE r.ticket_id = t.id AND r.rated_at = e.at)
    ELSE e.reason END
"""
WORDS = f"SELECT {SAID} FROM ticket_event e JOIN ticket t ON t.id = e.ticket_id WHERE e.id = $1"  # noqa: S608 - constants

ADD = """
    INSERT INTO ticket_check (id, community_id, ticket_id, event_id, kind, media_id, state, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, 'WAITING', $7)
        ON CONFLICT (event_id, kind, media_id) DO NOTHING
 RETURNING id
"""

WAITING = "SELECT * FROM ticket_check WHERE id = $1 AND state = 'WAITING'"

# The newest account of who did it; of an anonymous ticket's reporter nothing is kept but this question.
ACCOUNT = """
    SELECT a.appid, a.openid
      FROM ticket_event e
      JOIN company_community c ON c.community_id = e.community_id
      JOIN ticket_wechat_account a
        ON a.company_id = c.company_id
       AND a.person_id = coalesce(e.actor_id, (SELECT person_id FROM ticket_reporter WHERE ticket_id = e.ticket_id))
     WHERE e.id = $1
     ORDER BY a.created_at DESC
     LIMIT 1
"""


async def after_move(tx: Tx, event: Record) -> None:
    """A ticket has moved: what a resident said or showed with it is to be checked, where the company wants that."""
    if event["actor_kind"] != "resident" or not await switch.of_community(tx, event["community_id"]):
        return
    words = await tx.fetchval(WORDS, event["id"])
    files = (await attachments.of(tx, machine.MEDIA, [str(event["id"])]))[str(event["id"])]
    wanted: list[tuple[CheckKind, UUID | None]] = [(CheckKind.WORDS, None)] if (words or "").strip() else []
    wanted += [(CheckKind.PICTURE, file.id) for file in files if file.kind is Kind.PICTURE]
    for kind, media_id in wanted:
        check_id = await tx.fetchval(
            ADD, uuid7(tx.now), event["community_id"], event["ticket_id"], event["id"], kind, media_id, tx.now
        )  # fmt: skip
        if check_id is not None:
            asking.ask(tx, check_id, community_id=event["community_id"])


async def on_to_check(job: Job) -> None:
    """Ask WeChat about one check, outside of any transaction, and keep what it says."""
    res, check_id = job.res, UUID(job.payload["check_id"])
    check = await res.db.fetchrow(WAITING, check_id)
    if check is None:
        return
    account = await res.db.fetchrow(ACCOUNT, check["event_id"])
    if account is None or res.clock.now() - check["created_at"] > GIVE_UP:
        await job.transact(lambda tx: results.end(tx, check_id, state=CheckState.SKIPPED))
        return
    app = await apps.app_by_appid(res.db, res.keyring, account["appid"])
    try:
        await (_words if check["kind"] == CheckKind.WORDS else _picture)(job, check, app, account["openid"])
    except WechatError as error:
        await _refused(job, check_id, error)
    except (EgressError, WechatUnreadable) as error:
        raise Retry(f"WeChat did not answer: {error}") from error


async def _words(job: Job, check: Record, app: App, openid: str) -> None:
    text = await job.res.db.fetchval(WORDS, check["event_id"])
    judged = await content.check_text(api.of(job.res), app, openid=openid, text=text)
    state = STATE_OF[judged.verdict]
    await job.transact(lambda tx: results.end(tx, check["id"], state=state, label=judged.label))


async def _picture(job: Job, check: Record, app: App, openid: str) -> None:
    key = str(check["event_id"])
    files: Any = (await attachments.of(job.res.db, machine.MEDIA, [key]))[key]
    file = next(each for each in files if each.id == check["media_id"])
    where, _ = attachments.file_keys(file.id, file.kind, file.created_at)
    trace_id = await content.ask_about_picture(
        api.of(job.res), app, openid=openid, url=job.res.storage.url(where, LINK_S)
    )  # fmt: skip
    await job.transact(lambda tx: results.asked(tx, check["id"], appid=app.appid, trace_id=trace_id))


async def _refused(job: Job, check_id: UUID, error: WechatError) -> None:
    """Nothing was judged: skipped for this account, asked again later, or put aside where staff see it."""
    if error.errcode == content.NOT_ACTIVE:
        await job.transact(lambda tx: results.end(tx, check_id, state=CheckState.SKIPPED))
    elif error.errcode == content.REPEATED:
        raise Retry("the same picture is being checked", after_s=REPEAT_S)
    elif error.meaning in (Meaning.RETRY, Meaning.REFRESH_TOKEN, Meaning.BACK_OFF_TODAY):
        raise Retry(str(error))
    else:
        raise Park(str(error))
