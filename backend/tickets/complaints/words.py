"""The words of complaints (投诉): natures, urgencies, outcomes; the database holds the same lists (I-13, D9)."""

from enum import StrEnum

from backend.tickets.states import Kind

# Kinds that are answered in writing, not worked on site.
ANSWERED = frozenset({Kind.COMPLAINT, Kind.SUGGESTION, Kind.CONSULTATION, Kind.PRAISE})


class Nature(StrEnum):
    """性质: what it is about."""

    SERVICE = "service"
    FEES = "fees"
    CLEANING = "cleaning"
    GREENERY = "greenery"
    SECURITY = "security"
    FACILITIES = "facilities"
    PARKING = "parking"
    NOISE = "noise"
    NEIGHBOURS = "neighbours"
    OTHER = "other"


NATURE_TEXT = {
    Nature.SERVICE: "服务态度",
    Nature.FEES: "收费",
    Nature.CLEANING: "保洁",
    Nature.GREENERY: "绿化",
    Nature.SECURITY: "秩序安全",
    Nature.FACILITIES: "设施设备",
    Nature.PARKING: "停车",
    Nature.NOISE: "噪声",
    Nature.NEIGHBOURS: "邻里纠纷",
    Nature.OTHER: "其他",
}


class Urgency(StrEnum):
    """一般, 紧急, 重大."""

    USUAL = "usual"
    URGENT = "urgent"
    GRAVE = "grave"


class Outcome(StrEnum):
    """What came of it: of a suggestion 采纳, 未采纳; of a disputed bill 成立（作废）, 更正, 不成立."""

    ADOPTED = "adopted"
    NOT_ADOPTED = "not_adopted"
    UPHELD = "upheld"
    ADJUSTED = "adjusted"
    REJECTED = "rejected"


OF_SUGGESTION = frozenset({Outcome.ADOPTED, Outcome.NOT_ADOPTED})
OF_DISPUTE = frozenset({Outcome.UPHELD, Outcome.ADJUSTED, Outcome.REJECTED})
