"""Every errcode that the protocol pages name has the meaning they give it."""

import pytest

from backend.kernel.egress import Answer
from backend.kernel.errors import Forbidden, Invalid, TooMany, Unavailable
from backend.wechat import answers
from backend.wechat.errors import Meaning, WechatError, WechatUnreadable, for_people, meaning_of

PAGE = {
    Meaning.REFRESH_TOKEN: [40001, 40014, 42001],
    Meaning.RETRY: [-1, 43108, 45011],
    Meaning.STOP_PERSON: [43004, 43019, 48002, 50005],
    Meaning.BACK_OFF_TODAY: [45009],
    Meaning.DROP: [43101],
    Meaning.PARK: [40003, 40013, 40037, 40125, 40164, 40243, 41030, 43107, 45168, 47001, 47003, 48001, 48004, 50004]
    + [45109, 50007, 89503, 89506, 89507],
}


@pytest.mark.parametrize(("meaning", "errcode"), [(meaning, code) for meaning, codes in PAGE.items() for code in codes])
def test_meaning(meaning: Meaning, errcode: int) -> None:
    assert meaning_of(errcode) is meaning


def test_an_unheard_code_is_for_staff_to_see() -> None:
    assert meaning_of(987654) is Meaning.PARK


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
