"""States of notices and their moves, kinds, and what rules name; the database holds the same lists (I-13)."""

from collections.abc import Mapping
from enum import StrEnum


class NoticeState(StrEnum):
    """A notice. SCHEDULED: published by itself at its instant; EXPIRED: over by the clock."""

    DRAFT = "DRAFT"
    SCHEDULED = "SCHEDULED"
    PUBLISHED = "PUBLISHED"
    WITHDRAWN = "WITHDRAWN"
    EXPIRED = "EXPIRED"


NOTICE_MOVES: Mapping[NoticeState, frozenset[NoticeState]] = {
    NoticeState.DRAFT: frozenset({NoticeState.SCHEDULED, NoticeState.PUBLISHED, NoticeState.WITHDRAWN}),
    NoticeState.SCHEDULED: frozenset({NoticeState.DRAFT, NoticeState.PUBLISHED, NoticeState.WITHDRAWN}),
    NoticeState.PUBLISHED: frozenset({NoticeState.WITHDRAWN, NoticeState.EXPIRED}),
    NoticeState.WITHDRAWN: frozenset(),
    NoticeState.EXPIRED: frozenset(),
}


class NoticeKind(StrEnum):
    """What a notice is about (物业通知, 停水停电, 安全提醒, 社区活动, 政策法规)."""

    PROPERTY = "property"
    UTILITY = "utility"
    SAFETY = "safety"
    ACTIVITY = "activity"
    POLICY = "policy"


KIND_NAMES: Mapping[NoticeKind, str] = {
    NoticeKind.PROPERTY: "物业",
    NoticeKind.UTILITY: "停水停电",
    NoticeKind.SAFETY: "安全",
    NoticeKind.ACTIVITY: "活动",
    NoticeKind.POLICY: "政策",
}


class Parking(StrEnum):
    """Houses by what parking knows of them: a registered vehicle, or a card that is valid today."""

    VEHICLE = "vehicle"
    CARD = "card"


class SendingKind(StrEnum):
    """One round of messages about a notice (首次发送, 未读提醒)."""

    PUBLICATION = "publication"
    REMINDER = "reminder"
