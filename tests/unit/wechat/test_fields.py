"""The values of message fields: what WeChat refuses is known before it is sent (wechat-miniprogram.md 4.2, E2)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.wechat.fields import RULES, check, fit, fit_all, kind_of


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("thing1", "thing"),
        ("short_thing12", "short_thing"),
        ("character_string3", "character_string"),
        ("phone_number4", "phone_number"),
        ("amount", "amount"),
        ("first", None),
        ("remark", None),
        ("thing1x", None),
        ("", None),
    ],
)
def test_the_kind_stands_in_the_key(key: str, kind: str | None) -> None:
    assert kind_of(key) == kind


@pytest.mark.parametrize(
    ("key", "value", "fits"),
    [
        ("thing1", "字" * 20, True),
        ("thing1", "字" * 21, False),
        ("thing1", "", False),
        ("thing1", "两\n行", False),
        ("thing1", " 前有空格", False),
        ("short_thing1", "五个字以内", True),
        ("short_thing1", "超过五个字了", False),
        ("number1", "123.45", True),
        ("number1", "12a", False),
        ("number1", "1" * 33, False),
        ("letter1", "abcXYZ", True),
        ("letter1", "abc1", False),
        ("symbol1", "-_-!"[0:1] + "!", True),
        ("symbol1", "a", False),
        ("character_string1", "WY2026-09/0001", True),
        ("character_string1", "物业费", False),
        ("character_string1", "a b", False),
        ("time1", "23:59", True),
        ("time1", "24:00", False),
        ("time1", "2026-09-01 10:00:00", True),
        ("time1", "2026年9月1日 10:00~2026年9月1日 12:00", True),
        ("time1", "明天", False),
        ("date1", "2026年09月01日", True),
        ("date1", "2026-09-01 10:00", True),
        ("date1", "09-01", False),
        ("amount1", "¥123.45", True),
        ("amount1", "￥123.45", True),
        ("amount1", "123.45元", True),
        ("amount1", "12345678.90", True),
        ("amount1", "123456789.90", False),
        ("amount1", "1.234", False),
        ("amount1", "-1.00", False),
        ("amount1", "1,234.00", False),
        ("amount1", "一百元", False),
        ("phone_number1", "+86-0766-66888866", True),
        ("phone_number1", "+86-0766-668888666", False),
        ("car_number1", "粤A8Z888挂", True),
        ("car_number1", "京A12345", True),
        ("car_number1", "京AD12345", True),
        ("car_number1", "京AD123456", False),
        ("name1", "欧阳司马", True),
        ("name1", "一二三四五六七八九十多", False),
        ("name1", "Zhang San", True),
        ("name1", "a" * 21, False),
        ("name1", "住户1号", False),
        ("phrase1", "已缴费", True),
        ("phrase1", "六个汉字太多", False),
        ("phrase1", "ok", False),
        ("const1", "缴费提醒", True),
        ("first", "什么都行", False),
    ],
)
def test_values_that_wechat_takes_and_refuses(key: str, value: str, fits: bool) -> None:
    assert (check(key, value) is None) is fits


@pytest.mark.parametrize(
    ("key", "value", "fitted"),
    [
        ("thing1", "阳光花园一期三号楼二单元一千二百零一室业主", "阳光花园一期三号楼二单元一千二百零一室…"),
        ("thing1", "第一行\r\n 第二行", "第一行 第二行"),
        ("thing1", "\u200b \n", "无"),
        ("short_thing1", "超过五个字了", "超过五个字"),
        ("character_string1", "3栋 101室 A", "3-101-A"),
        ("character_string1", "物业费", "-"),
        ("name1", "张三（1栋）", "张三栋"),
        ("name1", "Zhang San 3", "Zhang San"),
        ("name1", "12", "无"),
        ("name1", "A 1 A", "A A"),
        ("phrase1", "已缴费 OK", "已缴费"),
        ("phrase1", "正在等待缴费", "正在等待缴"),
        ("amount1", " ¥123.45 ", "¥123.45"),
        ("amount1", "123456789.90", "123456789.90"),
        ("time1", "2026-09-01\t10:00", "2026-09-01 10:00"),
    ],
)
def test_words_are_shortened_and_figures_never(key: str, value: str, fitted: str) -> None:
    assert fit(key, value) == fitted


def test_a_whole_message_is_fitted() -> None:
    assert fit_all({"thing1": "a\nb", "amount2": "1.00"}) == {"thing1": "a b", "amount2": "1.00"}


@given(
    kind=st.sampled_from([kind for kind, rule in RULES.items() if rule.shorten]),
    value=st.text(max_size=60),
)
def test_any_text_can_be_fitted_where_words_may_be_left_out(kind: str, value: str) -> None:
    assert check(f"{kind}1", fit(f"{kind}1", value)) is None


@given(kind=st.sampled_from(list(RULES)), value=st.text(max_size=60))
def test_what_is_fit_stays_as_it_is(kind: str, value: str) -> None:
    if check(f"{kind}1", value) is None:
        assert fit(f"{kind}1", value) == value
