"""The words of tickets (工单): states, kinds, clocks, who acts; the database holds the same lists (I-13, D9)."""

from enum import StrEnum


class State(StrEnum):
    """A ticket. Past DONE the work is over; QUOTED, AGREED and PAID belong to paid work alone."""

    SUBMITTED = "SUBMITTED"
    TRIAGED = "TRIAGED"
    ASSIGNED = "ASSIGNED"
    ACCEPTED = "ACCEPTED"
    ON_SITE = "ON_SITE"
    QUOTED = "QUOTED"
    AGREED = "AGREED"
    DONE = "DONE"
    SIGNED_OFF = "SIGNED_OFF"
    AUTO_SIGNED_OFF = "AUTO_SIGNED_OFF"
    PAID = "PAID"
    RATED = "RATED"
    FOLLOWED_UP = "FOLLOWED_UP"
    CLOSED = "CLOSED"
    PAUSED = "PAUSED"
    RETURNED = "RETURNED"
    TRANSFERRED = "TRANSFERRED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"
    REOPENED = "REOPENED"
    MERGED = "MERGED"


STATE_TEXT = {
    State.SUBMITTED: "已提交",
    State.TRIAGED: "已受理",
    State.ASSIGNED: "已派单",
    State.ACCEPTED: "已接单",
    State.ON_SITE: "已到场",
    State.QUOTED: "待确认报价",
    State.AGREED: "已同意报价",
    State.DONE: "已完工",
    State.SIGNED_OFF: "已验收",
    State.AUTO_SIGNED_OFF: "已自动验收",
    State.PAID: "已付款",
    State.RATED: "已评价",
    State.FOLLOWED_UP: "已回访",
    State.CLOSED: "已关闭",
    State.PAUSED: "已挂起",
    State.RETURNED: "已退单",
    State.TRANSFERRED: "已转派",
    State.CANCELLED: "已取消",
    State.REJECTED: "已驳回",
    State.REOPENED: "已重新打开",
    State.MERGED: "已合并",
}

# Somebody has the ticket in hand: it has its one open assignee in these states, and in no other (I-21).
IN_HAND = frozenset(
    {
        State.ASSIGNED, State.TRANSFERRED, State.ACCEPTED, State.ON_SITE, State.QUOTED, State.AGREED, State.PAUSED,
    }
)  # fmt: skip

# The work is over, and it may be reopened.
FINISHED = frozenset(
    {
        State.DONE, State.SIGNED_OFF, State.AUTO_SIGNED_OFF, State.PAID, State.RATED, State.FOLLOWED_UP, State.CLOSED,
    }
)  # fmt: skip

# No move leads out of these.
ENDED = frozenset({State.CANCELLED, State.REJECTED, State.MERGED})


class Kind(StrEnum):
    """报修（公共区域，户内）, 投诉, 建议, 咨询, 表扬."""

    REPAIR_PUBLIC = "repair_public"
    REPAIR_HOME = "repair_home"
    COMPLAINT = "complaint"
    SUGGESTION = "suggestion"
    CONSULTATION = "consultation"
    PRAISE = "praise"


class Role(StrEnum):
    """In which capacity somebody moves a ticket. ASSIGNEE: a worker who has it in hand, which the machine finds out."""

    REPORTER = "reporter"
    DESK = "desk"
    WORKER = "worker"
    ASSIGNEE = "assignee"
    SYSTEM = "system"


class Dispatch(StrEnum):
    """派单, 抢单, 轮值: how a category finds its worker."""

    ASSIGN = "assign"
    GRAB = "grab"
    ROTA = "rota"


class FollowUp(StrEnum):
    """回访: whether a ticket of the category is closed without a call; UNRATED: not unless it was rated."""

    NONE = "none"
    UNRATED = "unrated"
    ALWAYS = "always"


class ClockKind(StrEnum):
    """What is promised: somebody takes it in hand, is on site, has done it; of complaints also that the reporter is
    spoken to (首次联系), and has the written answer (书面答复)."""

    RESPOND = "respond"
    ARRIVE = "arrive"
    FINISH = "finish"
    CONTACT = "contact"
    ANSWER = "answer"


# What a category promises; the others are promised by nature and urgency.
OF_CATEGORY = (ClockKind.RESPOND, ClockKind.ARRIVE, ClockKind.FINISH)


CLOCK_TEXT = {ClockKind.RESPOND: "响应", ClockKind.ARRIVE: "到场", ClockKind.FINISH: "完工"}


class AlarmLevel(StrEnum):
    """预警, 超时, 升级: who is told that a promise ends, or has ended."""

    WARNING = "warning"
    DESK = "desk"
    MANAGER = "manager"


class OutageState(StrEnum):
    """An outage goes on, or is over."""

    OPEN = "OPEN"
    ENDED = "ENDED"


class Channel(StrEnum):
    """How a ticket came in: 小程序, 电话, 意见箱, 员工, 公众号."""

    MINIPROGRAM = "miniprogram"
    PHONE = "phone"
    PAPER = "paper"
    STAFF = "staff"
    OFFICIAL = "official"


class Ending(StrEnum):
    """Why an assignment is over."""

    TRANSFERRED = "transferred"
    RETURNED = "returned"
    DONE = "done"
    DROPPED = "dropped"
