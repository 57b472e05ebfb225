"""Scenes of mini-program codes (pitfalls E19) and what a picture is told by."""

import string

import pytest

from backend.kernel.egress import Answer
from backend.kernel.ids import random_text
from backend.wechat import answers, codes
from backend.wechat.errors import WechatError, WechatUnreadable


def test_e19_a_scene_is_short_and_of_wechats_characters_alone() -> None:
    for scene in ("a", "x" * 32, string.digits, "!#$&'()*+,/:;=?@-._~", random_text(codes.SCENE_LENGTH)):
        assert codes.checked(scene) == scene
    for scene in ("", "x" * 33, "1栋1单元101", "a%20b", "a b", "a\n", '"', "<x>", "[x]", "{x}", "|", "^", "`", "\\"):
        with pytest.raises(ValueError):
            codes.checked(scene)
    for page in codes.PAGES.values():
        assert not page.startswith("/") and "?" not in page


def test_a_picture_is_told_by_its_content_and_a_refusal_as_well() -> None:
    for start in answers.PICTURES:
        assert answers.read_picture(Answer(200, {}, start + b"rest")) == start + b"rest"
    with pytest.raises(WechatError) as refused:
        answers.read_picture(Answer(200, {"Content-Type": "image/jpeg"}, b'{"errcode":41030,"errmsg":"invalid page"}'))
    assert refused.value.errcode == codes.PAGE_MISSING
    for status, body in ((200, b'{"errcode":0}'), (200, b"<html>"), (200, b""), (502, answers.PNG)):
        with pytest.raises(WechatUnreadable):
            answers.read_picture(Answer(status, {}, body))
