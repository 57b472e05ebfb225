"""States of what people send, and their moves; the database holds the same lists (I-13)."""

from collections.abc import Mapping
from enum import StrEnum


class MediaState(StrEnum):
    """A picture, video or document. RECEIVING: being checked and stored; EXPIRED: its file is being deleted."""

    RECEIVING = "RECEIVING"
    UPLOADED = "UPLOADED"
    BOUND = "BOUND"
    EXPIRED = "EXPIRED"


MEDIA_MOVES: Mapping[MediaState, frozenset[MediaState]] = {
    MediaState.RECEIVING: frozenset({MediaState.UPLOADED, MediaState.EXPIRED}),
    MediaState.UPLOADED: frozenset({MediaState.BOUND, MediaState.EXPIRED}),
    MediaState.BOUND: frozenset(),
    MediaState.EXPIRED: frozenset(),
}
