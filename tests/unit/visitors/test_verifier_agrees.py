"""The server and the reference verifier, written apart, read the same tokens and know the same hours (D10)."""

import base64
import random
from datetime import UTC, datetime

from backend.visitors import tokens, windows
from backend.visitors.tokens import Malformed
from backend.visitors.windows import Slot
from tests.factories_gates import verifier
from tests.visitor_vectors import vectors

WEEK_S = 7 * 86_400


def test_they_know_the_same_hours() -> None:
    """Random slots, at random instants and at the minutes at which slots begin and end, over a turn of the year."""
    draw = random.Random(10)
    for _ in range(1_500):
        slots = []
        while len(slots) < draw.randint(1, windows.MAX_SLOTS):
            slot = Slot(draw.randint(1, 127), draw.choice((0, 480, 1439)), draw.choice((1, 480, 1320, 1440)))
            slots += [slot] if slot.start_min != slot.end_min else []
        start_s = 1_798_732_800 + draw.randint(-2, 2) * 86_400
        for at_s in (start_s, start_s + draw.choice((1, 480, 1320)) * 60 - draw.randint(0, 1), draw.randrange(WEEK_S)):
            at = datetime.fromtimestamp(at_s, UTC)
            assert windows.is_open(tuple(slots), at) == verifier.in_hours(slots, at_s), (slots, at)


def test_they_read_the_same_tokens_and_refuse_the_same_texts() -> None:
    """Bytes of every field changed at random under a text that is canonical again: both read it, or neither does."""
    draw, both, neither = random.Random(27), 0, 0
    for vector in vectors()["tokens"]:
        if "says" not in vector:
            continue
        raw = base64.urlsafe_b64decode(vector["text"] + "=" * (-len(vector["text"]) % 4))
        for _ in range(300):
            changed = bytearray(raw)
            for _ in range(draw.randint(1, 3)):
                changed[draw.choice((0, 1, 4, 25, 29, 33, 43, 44, 45, 46, 47, draw.randrange(len(raw))))] ^= 1 << (
                    draw.randrange(8)
                )
            text = base64.urlsafe_b64encode(bytes(changed)).decode().rstrip("=")
            try:
                said = tokens.read(text).claims
            except Malformed:
                said = None
            try:
                token = verifier.decode(text)
            except verifier.Refused:
                token = None
            assert (said is None) == (token is None), text
            if said is None:
                neither += 1
                continue
            both += 1
            assert (token.form, token.subject, token.from_s, token.until_s, token.gates, token.slots) == (
                said.form, str(said.subject), said.from_s, said.until_s, said.gates, said.slots
            )  # fmt: skip
    assert both > 300 and neither > 300
