"""Every errcode that the protocol pages name has the meaning they give it."""

import pytest

from backend.kernel.egress import Answer
from backend.kernel.errors import Forbidden, Invalid, TooMany, Unavailable
from backend.wechat import answers
from backend.wechat.errcodes import CODES, UNHEARD, Meaning, advice_of, meaning_of
from backend.wechat.errors import WechatError, WechatUnreadable, for_people

# By page and section, read off protocols/ by hand.
PAGE = {
    Meaning.REFRESH_TOKEN: [40001, 40014, 42001],
    Meaning.RETRY: [-1, 43108, 45011, 44990, 44991, 10060001],
    Meaning.STOP_PERSON: [43004, 43019, 48002, 50005],
    Meaning.BACK_OFF_TODAY: [45009, 44993],
    Meaning.DROP: [43101],
    Meaning.LOG_IN_AGAIN: [40029, 40163, 41008, 42002, 42003, 42007, 61010, 87007, 87008, 87009],
    Meaning.PARK: [
        *(40226, 40013, 40125, 40097),  # mini-program 1
        *(40002, 41002, 41004, 43002, 40164, 40243, 50004, 50007, 89503, 89506, 89507, 48006),  # mini-program 2
        *(43107, 47003, 40037, 40003, 41030, 45168),  # mini-program 4
        *(40129, 40169, 85096, 40165, 40212, 85079, 85401, 85402, 85406, 85407, 85408),  # mini-program 6
        *(43104, 87020),  # mini-program 7
        *(47001, 48001, 48004, 45109),  # official account 2
        *(40016, 40017, 40018, 40019, 40020, 40022, 40023, 40024, 40025, 40026, 40027),  # official account 6
    ],
}


@pytest.mark.parametrize(("meaning", "errcode"), [(meaning, code) for meaning, codes in PAGE.items() for code in codes])
def test_meaning(meaning: Meaning, errcode: int) -> None:
    assert meaning_of(errcode) is meaning


def test_nothing_is_known_that_no_page_names() -> None:
    assert set(CODES) == {code for codes in PAGE.values() for code in codes}


def test_an_unheard_code_is_for_staff_to_see() -> None:
    assert meaning_of(987654) is Meaning.PARK
    assert advice_of(987654) == UNHEARD.advice


@pytest.mark.parametrize("advice", sorted({code.advice for code in (*CODES.values(), UNHEARD)}))
def test_what_staff_read_is_whole_sentences_in_chinese(advice: str) -> None:
    assert advice.endswith("。")
    assert len(advice) >= 15


@pytest.mark.parametrize(
    ("errcode", "shown"),
    [(40029, Invalid), (40163, Invalid), (40226, Forbidden), (45011, TooMany), (40125, Unavailable)],
)
def test_what_a_resident_is_told(errcode: int, shown: type[Exception]) -> None:
    assert isinstance(for_people(WechatError(errcode, "text")), shown)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(500, {}, b'{"errcode":0}'),
        Answer(200, {}, b"<html>"),
        Answer(200, {}, b'{"errcode":0'),
        Answer(200, {}, b"[]"),
        Answer(200, {}, b'{"errcode":"0"}'),
    ],
)
def test_what_is_no_answer_of_the_interface(answer: Answer) -> None:
    with pytest.raises(WechatUnreadable):
        answers.read(answer)


def test_success_with_and_without_errcode() -> None:
    assert answers.read(Answer(200, {}, b'{"errcode":0,"errmsg":"ok"}'))["errmsg"] == "ok"
    assert answers.read(Answer(200, {}, b'{"openid":"o"}')) == {"openid": "o"}
