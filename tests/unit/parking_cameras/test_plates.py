"""Plates by hand: each kind of D8, what people write differently, what is none, and how wrong reads are found."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.kernel.errors import Invalid
from backend.parking import plates
from backend.parking.plates import Colour, Kind

TABLE = [
    ("粤B12345", Kind.BLUE, Colour.UNKNOWN),
    ("京AO0001", Kind.BLUE, Colour.UNKNOWN),
    ("沪C6A7B8", Kind.BLUE, Colour.UNKNOWN),
    ("粤BD12345", Kind.NEW_ENERGY, Colour.GREEN),
    ("京ADA1234", Kind.NEW_ENERGY, Colour.GREEN),
    ("粤B12345D", Kind.NEW_ENERGY, Colour.YELLOW_GREEN),
    ("粤B1234警", Kind.POLICE, Colour.WHITE),
    ("WJ粤1234X", Kind.ARMED_POLICE, Colour.WHITE),
    ("WJ12345", Kind.ARMED_POLICE, Colour.WHITE),
    ("KA12345", Kind.MILITARY, Colour.WHITE),
    ("使014578", Kind.EMBASSY, Colour.BLACK),
    ("沪A0023领", Kind.CONSULATE, Colour.BLACK),
    ("粤Z1234港", Kind.HONG_KONG, Colour.BLACK),
    ("粤Z1234澳", Kind.MACAO, Colour.BLACK),
    ("粤B1234学", Kind.LEARNER, Colour.YELLOW),
    ("粤B1234挂", Kind.TRAILER, Colour.YELLOW),
    ("川X0016应急", Kind.EMERGENCY, Colour.WHITE),
    ("民航A1234", Kind.CIVIL_AVIATION, Colour.UNKNOWN),
    ("粤B12345临", Kind.TEMPORARY, Colour.UNKNOWN),
    ("粤B1234试", Kind.TEMPORARY, Colour.UNKNOWN),
]
SAME = [
    ("粤b12345", "粤B12345"),
    (" 粤B·123 45 ", "粤B12345"),
    ("粤Ｂ－１２３４５", "粤B12345"),
    ("粤B.12345", "粤B12345"),
    ("粤BO234I", "粤B02341"),
    ("粤bdo1234", "粤BD01234"),
    ("使O145I8", "使014518"),
    ("O14518使", "使014518"),
    ("临粤B12345", "粤B12345临"),
    ("WJ·粤·1234x", "WJ粤1234X"),
]
NONE_AT_ALL = [
    "", " ", "粤", "12345", "粤B", "粤B1234", "粤I12345", "粤012345", "粤B123456", "龘B12345", "粤B1234五", "使12345",
    "粤B12345L", "A" * 33, "粤B\x0012345", "粤BI2345D6",
]  # fmt: skip


@pytest.mark.parametrize(("text", "kind", "colour"), TABLE)
def test_each_kind_is_told_by_its_form(text: str, kind: Kind, colour: Colour) -> None:
    plate = plates.read(text)
    assert (plate.kind, plate.colour, plate.doubtful) == (kind, colour, False)
    assert plates.read(plate.text) == plate


@pytest.mark.parametrize(("text", "written"), SAME)
def test_what_is_written_differently_is_one_text(text: str, written: str) -> None:
    assert plates.read(text).text == written


@pytest.mark.parametrize("text", NONE_AT_ALL)
def test_what_is_no_plate_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        plates.read(text)
    # The same sentence for all: it holds nothing of the text.
    assert str(refused.value) == "bad_plate: 车牌号格式不正确，请检查后重新填写，例如“粤B12345”。"


@pytest.mark.parametrize("text", ["无牌车", "_无_", "No Plate", "noPlate", "无牌"])
def test_the_words_for_no_plate(text: str) -> None:
    assert plates.read(text) is plates.NO_PLATE


def test_the_colour_decides_between_plates_of_one_form() -> None:
    told = {colour: plates.read("粤B12345", colour=colour) for colour in Colour}
    assert told[Colour.YELLOW].kind is Kind.YELLOW
    assert told[Colour.BLACK].kind is Kind.BLACK
    assert told[Colour.OTHER].kind is Kind.BLUE and told[Colour.OTHER].colour is Colour.UNKNOWN
    assert {colour for colour, plate in told.items() if plate.doubtful} == {
        Colour.GREEN, Colour.YELLOW_GREEN, Colour.WHITE,
    }  # fmt: skip


def test_a_blue_plate_of_eight_characters_is_doubtful() -> None:
    assert plates.read("粤BD12345", colour=Colour.BLUE).doubtful
    assert not plates.read("粤BD12345", colour=Colour.GREEN).doubtful


@pytest.mark.parametrize(
    ("text", "tail", "masked"),
    [("粤B12345", "12345", "粤B***45"), ("粤BD12345", "12345", "粤B***45"), ("粤B1234警", "1234警", "粤B***4警"),
     ("无牌车", "", "无牌车")],
)  # fmt: skip
def test_the_last_five_and_the_mask(text: str, tail: str, masked: str) -> None:
    plate = plates.read(text)
    assert plates.last_five(plate) == tail
    assert plates.mask(plate) == masked


def test_short_reads_are_masked_whole() -> None:
    assert plates.mask("粤B123") == "***"
    assert plates.last_five("B12") == "B12"


def test_wildcards_by_hand() -> None:
    assert plates.wildcards(plates.read("使014578")) == (
        "?014578", "使?14578", "使0?4578", "使01?578", "使014?78", "使0145?8", "使01457?",
    )  # fmt: skip
    assert plates.wildcards(plates.NO_PLATE) == ()


@given(st.integers(0, 6), st.sampled_from("0123456789ABCDEFGH"))
def test_two_plates_that_differ_in_one_character_share_one_wildcard(place: int, other: str) -> None:
    plate = plates.read("粤B12345")
    wrong = plate.text[:place] + other + plate.text[place + 1 :]
    shared = set(plates.wildcards(plate)) & set(plates.wildcards(wrong))
    assert len(shared) == (7 if wrong == plate.text else 1)


@given(st.text(max_size=40))
def test_any_text_is_a_plate_or_invalid(text: str) -> None:
    try:
        plate = plates.read(text)
    except Invalid:
        return
    assert len(plate.text) <= 9 and plates.read(plate.text or "无牌车") == plate
    plates.mask(text), plates.last_five(text), plates.wildcards(text)


@given(st.sampled_from([row[0] for row in TABLE]), st.lists(st.integers(0, 9), max_size=5), st.sampled_from(" ·-."))
def test_separators_and_case_change_nothing(text: str, places: list[int], mark: str) -> None:
    spread = text
    for place in places:
        spread = spread[:place] + mark + spread[place:]
    assert plates.read(spread.lower()) == plates.read(text)
