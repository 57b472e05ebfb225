"""The token of a pass: the page's vectors, and every text that is not quite one of ours (D10, docs/gates.md)."""

import base64
import io
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from PIL import Image

from backend.visitors import judging, tokens
from backend.visitors.judging import TEXTS, Fault
from backend.visitors.states import Refusal
from backend.visitors.tokens import Claims, Form, Malformed
from backend.visitors.windows import MAX_SLOTS, Slot
from tests.visitor_vectors import vectors

KEY = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(vectors()["private_key_hex"]))
TEXT_OF = {each["name"]: each["text"] for each in vectors()["tokens"]}
SAID = [each for each in vectors()["tokens"] if "says" in each]
DAY = tokens.read(TEXT_OF["day"]).claims


def claims(says: dict[str, Any]) -> Claims:
    return Claims(
        Form(says["form"]), says["key_id"], says["community_no"], UUID(says["subject"]), says["from_s"],
        says["until_s"], says["entries"], bytes.fromhex(says["nonce"]), tuple(says["gates"]),
        tuple(Slot(*slot) for slot in says["slots"]),
    )  # fmt: skip


@pytest.mark.parametrize("vector", SAID, ids=lambda vector: vector["name"])
def test_the_vectors_of_the_page_are_what_is_signed_and_read(vector: dict[str, Any]) -> None:
    assert tokens.sign(claims(vector["says"]), KEY) == vector["text"]
    unproven = tokens.read(vector["text"])
    assert unproven.claims == claims(vector["says"])
    assert unproven.is_signed_by(KEY.public_key())
    assert len(vector["text"]) < 200


def judged(text: str, at: datetime) -> str:
    """The answer of a gate that knows the page's bundle, by the product's own parts."""
    bundle = vectors()["bundle"]
    try:
        unproven = tokens.read(text)
    except Malformed:
        return Fault.MALFORMED
    said = unproven.claims
    if said.community_no != bundle["community_no"]:
        return Fault.WRONG_COMMUNITY
    key = next((key for key in bundle["keys"] if key["id"] == said.key_id), None)
    if key is None:
        return Fault.UNKNOWN_KEY
    public = base64.urlsafe_b64decode(key["public_key"] + "=")
    if not unproven.is_signed_by(Ed25519PublicKey.from_public_bytes(public)):
        return Fault.BAD_SIGNATURE
    if at.timestamp() >= key["until_s"]:
        return Fault.KEY_ENDED
    known = {entry["id"]: entry for entry in bundle["entries"]}.get(str(said.subject), {"used": 0, "revoked": False})
    refused = judging.at_gate(said, bundle["gate_no"]) or (Refusal.REVOKED if known["revoked"] else None)
    refused = refused or judging.in_time(said, at)
    return refused or (Refusal.USED_UP if said.entries and known["used"] >= said.entries else "open")


@pytest.mark.parametrize("case", vectors()["cases"], ids=lambda case: f"{case['token']}@{case['at_s']}")
def test_the_server_answers_as_the_page_says(case: dict[str, Any]) -> None:
    assert judged(TEXT_OF[case["token"]], datetime.fromtimestamp(case["at_s"], UTC)) == case["answer"]


def test_every_bit_of_a_token_counts() -> None:
    """Each bit of the bytes, each bit of the text: no change is the same token, none is believed."""
    raw = base64.urlsafe_b64decode(TEXT_OF["day"] + "==")
    at = datetime.fromtimestamp(DAY.from_s + 43_200, UTC)
    for bit in range(len(raw) * 8):
        changed = bytearray(raw)
        changed[bit // 8] ^= 1 << bit % 8
        text = base64.urlsafe_b64encode(bytes(changed)).decode().rstrip("=")
        assert judged(text, at) in (
            Fault.MALFORMED, Fault.WRONG_COMMUNITY, Fault.UNKNOWN_KEY, Fault.BAD_SIGNATURE, Fault.KEY_ENDED
        ), bit  # fmt: skip
    for position in range(len(TEXT_OF["day"])):
        for bit in range(7):
            letters = list(TEXT_OF["day"])
            letters[position] = chr(ord(letters[position]) ^ 1 << bit)
            assert judged("".join(letters), at) != "open", (position, bit)


def test_only_one_text_has_these_bytes() -> None:
    """The spare bits of the last character, padding, the other alphabet, blanks: the same bytes, and refused."""
    text = TEXT_OF["day"]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    spare = [text[:-1] + alphabet[alphabet.index(text[-1]) ^ bits] for bits in range(1, 16)]
    other = [text.replace("-", "+").replace("_", "/")] if set(text) & set("-_") else []
    for same in (*spare, *other, text + "=", text + "==", f" {text}", f"{text}\n", f"{text[:9]} {text[9:]}"):
        with pytest.raises(Malformed):
            tokens.read(same)


@pytest.mark.parametrize("length", range(len(TEXT_OF["day"])))
def test_a_cut_token_is_none(length: int) -> None:
    with pytest.raises(Malformed):
        tokens.read(TEXT_OF["day"][:length])


@pytest.mark.parametrize("tail", ["A", "AA", "AAA", "AAAA", "A" * 500, "é", "访"])
def test_a_token_that_goes_on_is_none(tail: str) -> None:
    with pytest.raises(Malformed):
        tokens.read(TEXT_OF["day"] + tail)


def test_a_signature_for_another_purpose_opens_nothing() -> None:
    body = base64.urlsafe_b64decode(TEXT_OF["day"] + "==")[:-64]
    text = base64.urlsafe_b64encode(body + KEY.sign(body)).decode().rstrip("=")
    assert not tokens.read(text).is_signed_by(KEY.public_key())


@pytest.mark.parametrize(
    "change",
    [
        {"key_id": 0}, {"community_no": 1 << 32}, {"until_s": DAY.from_s}, {"until_s": 1 << 32}, {"entries": 1 << 16},
        {"nonce": b"short"}, {"gates": (2, 1)}, {"gates": (2, 2)}, {"gates": (0,)}, {"gates": tuple(range(1, 10))},
        {"slots": (Slot(0, 0, 1),)}, {"slots": (Slot(128, 0, 1),)}, {"slots": (Slot(1, 1440, 1),)},
        {"slots": (Slot(1, 0, 1441),)}, {"slots": (Slot(1, 0, 1),) * 5}, {"form": Form.LIVE_PASS},
        {"form": Form.LIVE_DOOR, "until_s": DAY.from_s + 30, "slots": (Slot(1, 0, 1),)},
    ],
)  # fmt: skip
def test_what_no_token_can_say_is_neither_signed_nor_read(change: dict[str, Any]) -> None:
    wrong = replace(DAY, **change)
    with pytest.raises(ValueError):
        tokens.sign(wrong, KEY)
    if (
        len(wrong.nonce) == tokens.NONCE_BYTES
        and max(wrong.community_no, wrong.until_s) < 1 << 32 > wrong.entries << 16
    ):
        body = b"".join(tokens._parts(wrong))
        text = base64.urlsafe_b64encode(body + KEY.sign(tokens.PURPOSE + body)).decode().rstrip("=")
        with pytest.raises(Malformed):
            tokens.read(text)


def test_the_largest_token_has_less_than_two_hundred_characters_and_fits_a_picture() -> None:
    text = TEXT_OF["largest"]
    said = tokens.read(text).claims
    assert (len(said.gates), len(said.slots), len(text)) == (tokens.MAX_GATES, MAX_SLOTS, 194)
    picture = Image.open(io.BytesIO(tokens.picture(text)))
    assert picture.format == "PNG" and picture.size[0] == picture.size[1] > 300


def test_every_refusal_has_words() -> None:
    assert TEXTS.keys() == set(Fault) | set(Refusal)
