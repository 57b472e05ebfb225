"""The second half of sending, in the transaction that ends the job: what became of each call, by WeChat's word (D11).

Accepted is sent. Unknown is repeated with the same key if it is a template message, and left to the inbox otherwise.
A refusal means that nothing was sent: what to do then stands in backend/wechat/errcodes.py as data.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from backend.identity import reach
from backend.kernel import log
from backend.kernel.db import Tx
from backend.messaging import consents, intents, quotas
from backend.messaging.choosing import Delivery
from backend.messaging.preparing import tomorrow_morning
from backend.messaging.states import IntentState
from backend.messaging.templates import Channel
from backend.wechat.errcodes import Meaning
from backend.wechat.errors import Outcome, Refused, Sent, Unknown

REPEAT_AFTER = timedelta(seconds=30)
RETRY_AFTER = timedelta(seconds=15)
RETRY_CAP = timedelta(minutes=30)
ATTEMPT_LIMIT = 12
ERROR_CHARACTERS = 300

RECORD = """
    UPDATE message_intent i
       SET state = g.state, msgid = g.msgid, errcode = g.errcode, error = g.error,
           first_sent_at = CASE WHEN g.state = 'PENDING' THEN NULL ELSE i.first_sent_at END,
           finished_at = CASE WHEN g.state IN ('PENDING', 'SENDING') THEN NULL ELSE $7::timestamptz END
      FROM unnest($1::uuid[], $2::integer[], $3::text[], $4::text[], $5::integer[], $6::text[])
           AS g (id, attempt, state, msgid, errcode, error)
     WHERE i.id = g.id AND i.id = ANY($1::uuid[]) AND i.attempt = g.attempt AND i.state = 'SENDING'
"""


@dataclass(slots=True)
class _Result:
    """What is written about one delivery, and when it goes again, if it does."""

    state: IntentState
    msgid: str | None = None
    errcode: int | None = None
    error: str | None = None
    again_at: datetime | None = None


@dataclass(slots=True)
class _Effects:
    """What the outcomes change besides the intents."""

    give_back: list[consents.Key] = field(default_factory=list)
    exhaust: list[consents.Key] = field(default_factory=list)
    unreachable: dict[str, list[str]] = field(default_factory=dict)
    closed: set[tuple[str, Channel]] = field(default_factory=set)


async def settle(tx: Tx, results: Sequence[tuple[Delivery, Outcome | None]], *, community_id: UUID) -> None:
    """Record every outcome of one community's messages; None means that the call was not begun."""
    effects = _Effects()
    written = [(one, _result(tx, one, outcome, effects)) for one, outcome in results]
    await tx.execute(
        RECORD,
        [one.intent_id for one, _ in written],
        [one.attempt for one, _ in written],
        [result.state for _, result in written],
        [result.msgid for _, result in written],
        [result.errcode for _, result in written],
        [log.redact_text(result.error)[:ERROR_CHARACTERS] if result.error else None for _, result in written],
        tx.now,
    )
    await consents.give_back(tx, effects.give_back)
    await consents.exhaust(tx, effects.exhaust)
    for appid, openids in sorted(effects.unreachable.items()):
        await reach.mark_unreachable(tx, appid=appid, openids=openids)
    for appid, channel in sorted(effects.closed):
        await quotas.close_day(tx, appid, channel)
    _send_again(tx, written, community_id)


def _send_again(tx: Tx, written: Sequence[tuple[Delivery, _Result]], community_id: UUID) -> None:
    by_time: dict[datetime, list[UUID]] = {}
    for one, result in written:
        if result.again_at is not None:
            by_time.setdefault(result.again_at, []).append(one.intent_id)
    for at, intent_ids in sorted(by_time.items()):
        intents.request_sending(tx, intent_ids, community_id=community_id, run_at=at)


def _result(tx: Tx, one: Delivery, outcome: Outcome | None, effects: _Effects) -> _Result:
    match outcome:
        case Sent(msgid=msgid):
            return _Result(IntentState.SENT, msgid=msgid)
        case Unknown(reason=reason) if one.channel is Channel.TEMPLATE:
            return _Result(IntentState.SENDING, error=reason, again_at=tx.now + REPEAT_AFTER)
        case Unknown(reason=reason):
            return _Result(IntentState.UNKNOWN, error=reason)
        case Refused():
            return _refused(tx, one, outcome, effects)
        case None:
            return _not_sent(one, effects, tx.now)


def _refused(tx: Tx, one: Delivery, refusal: Refused, effects: _Effects) -> _Result:
    """What a refusal leads to; see `Meaning`."""
    if refusal.meaning is Meaning.DROP:
        effects.exhaust.append(one.credit)
        return _ended(IntentState.INBOX_ONLY, refusal)
    if refusal.meaning is Meaning.STOP_PERSON:
        effects.unreachable.setdefault(one.appid, []).append(one.openid)
        if one.channel is Channel.SUBSCRIPTION:
            effects.give_back.append(one.credit)
            return _ended(IntentState.INBOX_ONLY, refusal)
    if refusal.meaning is Meaning.BACK_OFF_TODAY:
        effects.closed.add((one.appid, one.channel))
    again_at = _again_at(tx, one, refusal.meaning)
    if again_at is None or one.attempt >= ATTEMPT_LIMIT:
        if one.channel is Channel.SUBSCRIPTION:
            effects.give_back.append(one.credit)
        return _ended(IntentState.PARKED, refusal)
    result = _not_sent(one, effects, again_at)
    result.errcode, result.error = refusal.errcode, refusal.text
    return result


def _again_at(tx: Tx, one: Delivery, meaning: Meaning) -> datetime | None:
    """When a refused message goes again, by whatever way is open then; None when staff must look at it."""
    match meaning:
        case Meaning.RETRY | Meaning.REFRESH_TOKEN:
            return tx.now + min(RETRY_AFTER * (1 << (one.attempt - 1)), RETRY_CAP)
        case Meaning.STOP_PERSON:
            return tx.now
        case Meaning.BACK_OFF_TODAY:
            return tomorrow_morning(tx)
        case _:
            return None


def _ended(state: IntentState, refusal: Refused) -> _Result:
    return _Result(state, errcode=refusal.errcode, error=refusal.text)


def _not_sent(one: Delivery, effects: _Effects, again_at: datetime) -> _Result:
    """This try sent nothing. An earlier one may have, then the key is kept and only a repetition is allowed."""
    if one.channel is Channel.SUBSCRIPTION:
        effects.give_back.append(one.credit)
    return _Result(IntentState.SENDING if one.repeat else IntentState.PENDING, again_at=again_at)
