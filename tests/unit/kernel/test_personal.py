"""Phone numbers have one written form; masked forms show no more than they say."""

import pytest

from backend.kernel.personal import mask_name, mask_phone, normalise_phone


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("13812346666", "13812346666"),
        (" 138-1234-6666 ", "13812346666"),
        ("+8613812346666", "13812346666"),
        ("+86 138 1234 6666", "13812346666"),
        ("008613812346666", "13812346666"),
        ("8613812346666", "13812346666"),
        ("１３８１２３４６６６６", "13812346666"),
        ("138\u00a01234\u00a06666", "13812346666"),
        ("+852 9123 4567", "+85291234567"),
        ("0085291234567", "+85291234567"),
    ],
)
def test_a_number_has_one_written_form(text: str, expected: str) -> None:
    assert normalise_phone(text) == expected
    assert normalise_phone(expected) == expected


@pytest.mark.parametrize(
    "text",
    ["", "1381234666", "138123466666", "12812346666", "010-12345678", "abc", "+8612345", "+86010", "٠١٢٣٤٥٦٧٨٩٠"],
)
def test_what_is_no_mobile_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="mobile"):
        normalise_phone(text)


@pytest.mark.parametrize(
    ("phone", "expected"), [("13812346666", "138****6666"), ("+85291234567", "+85****4567"), ("12345", "*****")]
)
def test_a_masked_phone_keeps_three_and_four(phone: str, expected: str) -> None:
    assert mask_phone(phone) == expected


@pytest.mark.parametrize(("name", "expected"), [("张三", "张*"), ("欧阳娜娜", "欧*"), ("李", "李*"), ("", "")])
def test_a_masked_name_keeps_its_first_character(name: str, expected: str) -> None:
    assert mask_name(name) == expected
