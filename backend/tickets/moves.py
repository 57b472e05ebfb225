"""The moves of a ticket (工单流转), as one table (D9, I-13): from which states to which, by whom, under which guards.

Promises: nothing else moves a ticket. `guards` and `effects` name functions of guards.py and effects.py, so that a move
is widened by a name here and a function there; machine.py knows no move. The trigger in the database allows the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from backend.tickets.states import ENDED, FINISHED, ClockKind, Role, State


class Move(StrEnum):
    """What may be done with a ticket; `submit` makes one and is no move of the table."""

    SUBMIT = "submit"
    TRIAGE = "triage"
    REJECT = "reject"
    MERGE = "merge"
    CANCEL = "cancel"
    ASSIGN = "assign"
    GRAB = "grab"
    ACCEPT = "accept"
    RETURN = "return"
    TRANSFER = "transfer"
    ARRIVE = "arrive"
    QUOTE = "quote"
    AGREE = "agree"
    DECLINE = "decline"
    PAUSE = "pause"
    RESUME = "resume"
    FINISH = "finish"
    SIGN_OFF = "sign_off"
    AUTO_SIGN_OFF = "auto_sign_off"
    PAY = "pay"
    RATE = "rate"
    FOLLOW_UP = "follow_up"
    CLOSE = "close"
    REOPEN = "reopen"
    URGE = "urge"
    BIND = "bind"
    RESOLVE = "resolve"
    CLASSIFY = "classify"
    CONTACT = "contact"
    NOTE = "note"
    REMARK = "remark"
    ANSWER = "answer"
    NOTE_CAUSE = "note_cause"
    REPLY_RATING = "reply_rating"
    LOOK = "look"


class Told(StrEnum):
    """Who gets a message about a move: who reported it, who has it in hand after it, who had it before, the desk."""

    REPORTER = "reporter"
    WORKER = "worker"
    FORMER = "former"
    DESK = "desk"


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the table.

    `target` None: the state in which it was paused; with `stays` the one in which it is. `reason`: one must be given.
    `private`: residents do not read the reason. `stops`: the clocks whose promise is kept (or void) with the move.
    """

    title: str
    sources: frozenset[State]
    target: State | None
    roles: frozenset[Role]
    guards: tuple[str, ...] = ()
    effects: tuple[str, ...] = ()
    stays: bool = False
    reason: bool = False
    private: bool = False
    stops: frozenset[ClockKind] = frozenset()
    tells: frozenset[Told] = frozenset()

    def lands(self, state: State, resumes_to: str | None) -> State:
        """Where a ticket in `state` comes to."""
        if self.stays:
            return state
        return self.target or State(str(resumes_to))


S, R, C = State, Role, ClockKind
REPORTER, WORKER, FORMER, TO_DESK = (frozenset({each}) for each in Told)
ALL_CLOCKS = frozenset(C)
OWNERS = frozenset({R.REPORTER, R.DESK})
PAUSABLE = frozenset({S.ACCEPTED, S.ON_SITE, S.QUOTED, S.AGREED})
UNDER_WAY = frozenset(S) - FINISHED - ENDED - {S.PAUSED}
UNFINISHED = frozenset(S) - ENDED - FINISHED
SETTLED = frozenset({S.SIGNED_OFF, S.AUTO_SIGNED_OFF, S.PAID})

MOVES: Mapping[Move, Rule] = {
    Move.TRIAGE: Rule(
        "受理", frozenset({S.SUBMITTED, S.TRIAGED, S.RETURNED, S.REOPENED}), S.TRIAGED, frozenset({R.DESK, R.SYSTEM}),
        effects=("reclassify",), tells=REPORTER,
    ),
    Move.REJECT: Rule(
        "驳回", frozenset({S.SUBMITTED, S.TRIAGED, S.RETURNED, S.REOPENED}), S.REJECTED, frozenset({R.DESK}),
        effects=("end_dispute",), reason=True, stops=ALL_CLOCKS, tells=REPORTER,
    ),
    Move.MERGE: Rule(
        "合并", frozenset({S.SUBMITTED, S.TRIAGED, S.ASSIGNED, S.RETURNED, S.REOPENED}), S.MERGED,
        frozenset({R.DESK}), guards=("merge_target", "no_bill_disputed"), effects=("drop", "merge"), stops=ALL_CLOCKS,
        tells=REPORTER | FORMER,
    ),
    Move.CANCEL: Rule(
        "取消", frozenset({S.SUBMITTED, S.TRIAGED, S.ASSIGNED, S.RETURNED, S.REOPENED}), S.CANCELLED, OWNERS,
        effects=("drop", "end_dispute"), reason=True, stops=ALL_CLOCKS, tells=FORMER,
    ),
    Move.ASSIGN: Rule(
        "派单", frozenset({S.TRIAGED, S.RETURNED, S.REOPENED}), S.ASSIGNED, frozenset({R.DESK, R.SYSTEM}),
        guards=("worker_fit", "worker_has_room"), effects=("hand_over", "unbind"), tells=REPORTER | WORKER,
    ),
    Move.GRAB: Rule(
        "抢单", frozenset({S.TRIAGED, S.RETURNED}), S.ACCEPTED, frozenset({R.WORKER}),
        guards=("grabbable", "suits", "worker_fit", "worker_has_room"), effects=("hand_over", "accept"),
        stops=frozenset({C.RESPOND}), tells=REPORTER,
    ),
    Move.ACCEPT: Rule(
        "接单", frozenset({S.ASSIGNED, S.TRANSFERRED}), S.ACCEPTED, frozenset({R.ASSIGNEE}), effects=("accept",),
        stops=frozenset({C.RESPOND}), tells=REPORTER,
    ),
    Move.RETURN: Rule(
        "退单", frozenset({S.ASSIGNED, S.TRANSFERRED, S.ACCEPTED, S.ON_SITE}), S.RETURNED, frozenset({R.ASSIGNEE}),
        effects=("give_back",), reason=True, private=True,
    ),
    Move.TRANSFER: Rule(
        "转派", frozenset({S.ASSIGNED, S.TRANSFERRED, S.PAUSED}) | PAUSABLE, S.TRANSFERRED, frozenset({R.DESK}),
        guards=("worker_fit", "worker_has_room"), effects=("hand_over", "resume", "withdraw_quote"),
        reason=True, private=True, tells=REPORTER | WORKER | FORMER,
    ),
    Move.ARRIVE: Rule(
        "到场", frozenset({S.ACCEPTED}), S.ON_SITE, frozenset({R.ASSIGNEE}), guards=("work_approved",),
        stops=frozenset({C.RESPOND, C.ARRIVE}), tells=REPORTER,
    ),
    Move.QUOTE: Rule(
        "报价", frozenset({S.ON_SITE, S.QUOTED, S.AGREED}), S.QUOTED, frozenset({R.ASSIGNEE}),
        guards=("paid_category",), effects=("quote",), tells=REPORTER,
    ),
    Move.AGREE: Rule("同意报价", frozenset({S.QUOTED}), S.AGREED, OWNERS, effects=("agree",), tells=WORKER),
    Move.DECLINE: Rule(
        "不同意报价", frozenset({S.QUOTED}), S.ON_SITE, OWNERS, effects=("decline",), reason=True, tells=WORKER,
    ),
    Move.PAUSE: Rule(
        "挂起", PAUSABLE, S.PAUSED, frozenset({R.ASSIGNEE, R.DESK}), guards=("pause_ends",), effects=("pause",),
        reason=True, tells=REPORTER,
    ),
    Move.RESUME: Rule(
        "恢复", frozenset({S.PAUSED}), None, frozenset({R.ASSIGNEE, R.DESK, R.SYSTEM}), effects=("resume",),
        tells=REPORTER | WORKER,
    ),
    Move.FINISH: Rule(
        "完工", frozenset({S.ON_SITE, S.AGREED}), S.DONE, frozenset({R.ASSIGNEE}),
        guards=("price_agreed", "no_answer_owed"), effects=("use_parts", "finish"), stops=ALL_CLOCKS, tells=REPORTER,
    ),
    Move.SIGN_OFF: Rule(
        "验收", frozenset({S.DONE}), S.SIGNED_OFF, OWNERS, guards=("signed",), effects=("sign_off", "fall_due"),
    ),
    Move.AUTO_SIGN_OFF: Rule(
        "自动验收", frozenset({S.DONE}), S.AUTO_SIGNED_OFF, frozenset({R.SYSTEM}), effects=("sign_off", "fall_due"),
        tells=REPORTER,
    ),
    Move.PAY: Rule("付款", frozenset({S.SIGNED_OFF, S.AUTO_SIGNED_OFF}), S.PAID, frozenset({R.SYSTEM})),
    Move.RATE: Rule("评价", SETTLED, S.RATED, frozenset({R.REPORTER}), guards=("known_tags",), effects=("rate",)),
    Move.FOLLOW_UP: Rule(
        "回访", SETTLED | {S.RATED}, S.FOLLOWED_UP, frozenset({R.DESK}), guards=("another_calls",), reason=True,
        private=True,
    ),
    Move.CLOSE: Rule(
        "关闭", SETTLED | {S.RATED, S.FOLLOWED_UP}, S.CLOSED, frozenset({R.DESK, R.SYSTEM}),
        guards=("followed_up", "paid_for", "complaint_settled", "bad_rating_called"), effects=("close", "end_dispute"),
    ),
    Move.REOPEN: Rule(
        "重新打开", FINISHED, S.REOPENED, OWNERS, guards=("within_reopen_days",),
        effects=("withdraw_quote", "begin_anew", "reopen", "calm", "unbind"), reason=True,
    ),
    Move.URGE: Rule(
        "催单", UNDER_WAY, None, frozenset({R.REPORTER}), guards=("may_urge",), effects=("urge",),
        tells=WORKER | TO_DESK, stays=True,
    ),
    Move.BIND: Rule(
        "挂靠公告", frozenset({S.SUBMITTED, S.TRIAGED, S.RETURNED, S.REOPENED}), S.TRIAGED, frozenset({R.DESK}),
        guards=("outage_open",), effects=("bind",), stops=frozenset({C.RESPOND}), tells=REPORTER,
    ),
    Move.RESOLVE: Rule(
        "随公告完工", frozenset({S.TRIAGED}), S.DONE, frozenset({R.SYSTEM}), guards=("outage_over",),
        effects=("finish",), stops=ALL_CLOCKS, tells=REPORTER,
    ),
    Move.CLASSIFY: Rule(
        "定性", UNFINISHED, None, frozenset({R.DESK}), guards=("answered_kind",), effects=("classify",), stays=True,
    ),
    Move.CONTACT: Rule(
        "联系住户", UNFINISHED - {S.SUBMITTED}, None, frozenset({R.ASSIGNEE, R.DESK}), guards=("answered_kind",),
        stays=True, reason=True, stops=frozenset({C.RESPOND, C.CONTACT}), tells=REPORTER,
    ),
    Move.NOTE: Rule(
        "留言", frozenset(S) - ENDED, None, OWNERS, stays=True, reason=True, tells=REPORTER | WORKER,
    ),
    Move.REMARK: Rule(
        "内部备注", frozenset(S) - ENDED, None, frozenset({R.DESK}), stays=True, reason=True, private=True,
        tells=WORKER,
    ),
    Move.ANSWER: Rule(
        "书面答复", frozenset({S.TRIAGED, S.RETURNED, S.REOPENED, S.ACCEPTED, S.ON_SITE}), S.DONE,
        frozenset({R.ASSIGNEE, R.DESK}), guards=("answered_kind", "outcome_fits"), effects=("conclude", "finish"),
        reason=True, stops=ALL_CLOCKS, tells=REPORTER,
    ),
    Move.NOTE_CAUSE: Rule(
        "登记根因", frozenset(S) - ENDED - {S.CLOSED}, None, frozenset({R.DESK}), guards=("answered_kind",),
        effects=("note_cause",), stays=True, private=True,
    ),
    Move.REPLY_RATING: Rule(
        "回复评价", frozenset({S.RATED, S.FOLLOWED_UP, S.CLOSED}), None, frozenset({R.DESK}),
        effects=("reply_rating",), stays=True, reason=True, tells=REPORTER,
    ),
    Move.LOOK: Rule(
        "查看匿名报单人", frozenset(S), None, frozenset({R.DESK}), stays=True, reason=True, tells=REPORTER,
    ),
}  # fmt: skip

# What staff write beside a ticket: residents do not see that it happened.
ASIDE = frozenset(name for name, rule in MOVES.items() if rule.stays and rule.private)


def targets(rule: Rule) -> frozenset[State]:
    """Where the move may lead to; nowhere for one that leaves the state as it is."""
    if rule.stays:
        return frozenset()
    return PAUSABLE if rule.target is None else frozenset({rule.target})


# State → every other state that some move leads to.
STATE_MOVES: Mapping[State, frozenset[State]] = {
    state: frozenset(
        target
        for rule in MOVES.values()
        if state in rule.sources and not rule.stays
        for target in targets(rule)
        if target is not state
    )
    for state in State
}
