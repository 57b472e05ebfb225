"""What people type to name a house (D1)."""

import pytest

from backend.property import search


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("1栋101", ["1", "101"]),
        ("1-1-101", ["1", "1", "101"]),
        ("1号楼1单元101室", ["1", "1", "101"]),
        ("１号楼１单元１０１室", ["1", "1", "101"]),
        ("一栋二单元101", ["1", "2", "101"]),
        ("十二栋三单元1203", ["12", "3", "1203"]),
        ("二十一幢101", ["21", "101"]),
        ("a座1201", ["A", "1201"]),
        ("01-02-0101", ["1", "2", "101"]),
        ("1#2-301", ["1", "2", "301"]),
        (" 1 栋  101 ", ["1", "101"]),
        ("1期2栋101", ["1期2", "101"]),
        ("", []),
        ("栋", []),
        ("%_\\", []),
        ("000", ["0"]),
    ],
)
def test_tokens(typed: str, found: list[str]) -> None:
    assert search.tokens(typed) == tuple(found)


@pytest.mark.parametrize("building", ["1", "1栋", "1号楼", "1幢", "一栋", "１栋"])
@pytest.mark.parametrize("unit", ["1", "1单元", "一单元"])
@pytest.mark.parametrize("door", ["101", "101室", "101号"])
def test_every_way_to_write_a_house_leads_to_one_key(building: str, unit: str, door: str) -> None:
    codes = search.building_code(building), search.unit_code(unit), search.door_code(door)
    assert codes == ("1", "1", "101")
    assert search.key_of(*codes) == "1-1-101"


def test_a_door_with_a_hyphen_is_found_as_it_is_written() -> None:
    assert search.key_of("1", "", "S-01") == "1-S-1"
    wanted = search.patterns("1-S-01")
    assert wanted is not None
    assert wanted.exact == "1-S-1"


def test_two_tokens_may_leave_the_unit_out() -> None:
    wanted = search.patterns("1栋101")
    assert wanted is not None
    assert wanted.by_key == ("1-101%", "1-%-101%")


@pytest.mark.parametrize("typed", ["%", "_", "1%", "'; --", "\\", "\x00", "𠮷", "1" * 500])
def test_no_typed_text_becomes_a_wildcard(typed: str) -> None:
    wanted = search.patterns(typed)
    assert wanted is None or not set(wanted.exact) & set("%_\\")
