"""A tariff is read strictly: what is refused, and in which words (D8)."""

import ast
from pathlib import Path
from typing import Any

import pytest

from backend.kernel.errors import Invalid
from backend.parking.prices import tariff
from tests.architecture.test_house_rules import no_float_in_money
from tests.parking_tariffs import Document, all_day, kerb, made, segment, window

HOUR = segment(0, None, 60, 100)
ENGINE = ("tariff", "timetable", "stay", "metering", "pricing", "coupons", "explaining")

REFUSED: list[tuple[Document, str, str]] = [
    (kerb() | {"colour": "red"}, "colour", "没有这一项"),
    (kerb() | {"crossing": "somehow"}, "crossing", "只能是其中之一"),
    (kerb() | {"minimum_fen": "5"}, "minimum_fen", "应是一个整数"),
    (kerb() | {"minimum_fen": 1.5}, "minimum_fen", "应是一个整数"),
    (kerb() | {"grace_min": -1}, "grace_min", "不能小于 0"),
    (kerb() | {"days": []}, "days", "至少要有 1 项"),
    (kerb() | {"days": kerb()["days"] * 2}, "days", "工作日（working_day）应正好出现一次"),
    (kerb() | {"day": {"by": "calendar"}}, "day", "请不写 day"),
    (kerb() | {"free": {"minutes": 0, "kind": "deducted"}}, "free.minutes", "不能小于 1"),
    (kerb() | {"reentry": {"within_min": 0}}, "reentry.within_min", "不能小于 1"),
    (made(window("07:00", "21:00", HOUR)), "days.0.windows", "00:00 起有空缺"),
    (made(window("00:00", "21:00", HOUR)), "days.0.windows", "21:00 起有空缺"),
    (made(window("07:00", "21:00"), window("20:00", "07:00")), "days.0.windows", "20:00 起有重叠"),
    (made(window("07:00", "07:00", HOUR)), "days.0.windows.0", "不能相同"),
    (made(window("07:00", "00:00", HOUR)), "days.0.windows.0", "写 24:00"),
    (made(window("7:00", "21:00", HOUR)), "days.0.windows.0.starts", "格式不对"),
    (made(all_day(HOUR, cap_fen=100)), "days.0.windows.0", "每日封顶"),
    (made(all_day(segment(15, None, 15, 1))), "days.0.windows.0", "第 1 段的 from_min 应是 0"),
    (made(all_day(segment(0, 60, 15, 1))), "days.0.windows.0", "只有最后一段没有 to_min"),
    (made(all_day(segment(0, 60, 15, 1), segment(75, None, 15, 1))), "days.0.windows.0", "第 2 段的 from_min 应是 60"),
    (made(all_day(segment(0, 50, 15, 1), segment(50, None, 15, 1))), "days.0.windows.0", "整数倍"),
    (made(all_day(HOUR), minimum_fen=500, stay_cap_fen=400), "tariff", "最低收费"),
    (made(all_day(segment(0, None, 60, 100, cap_fen=400)), minimum_fen=500), "tariff", "最低收费"),
    (made(all_day(entry_fen=500), day={"by": "rolling", "cap_fen": 400}), "tariff", "按次收费"),
]


@pytest.mark.parametrize(("document", "field", "words"), REFUSED)
def test_d8_what_cannot_be_charged_is_refused_by_name(document: Document, field: str, words: str) -> None:
    with pytest.raises(Invalid) as refused:
        tariff.parse(document)
    found = {each["field"]: each["message"] for each in refused.value.details["fields"]}
    assert words in found[field]
    assert field in refused.value.message


@pytest.mark.parametrize("document", [{1: 2}, {"crossing": object()}, {"minimum_fen": 1 << 80}])
def test_what_is_no_json_is_refused(document: Any) -> None:
    with pytest.raises(Invalid, match="JSON"):
        tariff.parse(document)


def test_a_document_is_canonical() -> None:
    kept = tariff.document(tariff.parse(kerb()))
    assert tariff.parse(kept) == tariff.parse(kerb())
    assert kept["grace_min"] == 15
    assert kept["free"] is None
    assert kept["days"][0]["kinds"] == ["working_day", "weekend", "holiday"]


def test_a_tariff_that_was_used_is_equal_to_one_that_was_not() -> None:
    used = tariff.parse(kerb())
    assert used.timetable
    assert used == tariff.parse(kerb())
    assert tariff.document(used) == tariff.document(tariff.parse(kerb()))


@pytest.mark.parametrize("name", ENGINE)
def test_no_float_touches_a_price(name: str) -> None:
    path = Path(tariff.__file__).with_name(f"{name}.py")
    text = path.read_text()
    tree = ast.parse(text)
    assert list(no_float_in_money(path, tree, text.splitlines())) == []
    assert not [node.lineno for node in ast.walk(tree) if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)]
