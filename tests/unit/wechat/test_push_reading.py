"""Bodies of pushes: XML and JSON into one form, what is odd refused, and what makes a push one."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
import xmltodict
from wechatpy import parse_message

from backend.wechat import passive_replies, push_reading
from backend.wechat.apps import AppKind
from backend.wechat.push_reading import Message
from backend.wechat.push_wire import PushRefused

EVERY = {"ToUserName": "gh_123456789abc", "FromUserName": "oOpenId0001", "CreateTime": 1788230400}
AT = datetime(2026, 9, 1, 2, 0, tzinfo=UTC)


def of_xml(**fields: Any) -> Message:
    body = xmltodict.unparse({"xml": {**EVERY, **fields}}, full_document=False).encode()
    return push_reading.read("wx1", push_reading.document(body, AppKind.OFFICIAL))


def of_json(**fields: Any) -> Message:
    body = json.dumps({**EVERY, **fields}).encode()
    return push_reading.read("wx1", push_reading.document(body, AppKind.MINIPROGRAM))


def event(name: str = "CLICK", **fields: Any) -> dict[str, Any]:
    return {"MsgType": "event", "Event": name, **fields}


def test_event_names_are_compared_in_lower_case() -> None:
    for name in ("SCAN", "scan", "Scan"):
        assert of_xml(**event(name, EventKey="x")).event == "scan"
    assert (
        of_xml(**event("TEMPLATESENDJOBFINISH", MsgID="20", Status="success")).push().event == "templatesendjobfinish"
    )


def test_e9_the_list_is_a_list_for_one_and_for_many_in_both_formats() -> None:
    one, two = {"TemplateId": "T1", "SubscribeStatusString": "accept"}, {"TemplateId": "T2", "PopupScene": "0"}
    name = "subscribe_msg_popup_event"
    for told, expected in ((one, [one]), ([one], [one]), ([one, two], [one, two])):
        assert of_json(**event(name, List=told)).fields["List"] == expected
        wrapped = {"SubscribeMsgPopupEvent": {"List": told}}
        message = of_xml(**event(name, **wrapped))
        assert message.fields["List"] == expected
        assert "SubscribeMsgPopupEvent" not in message.fields


def test_xml_and_json_of_one_push_are_the_same_push() -> None:
    one = {"TemplateId": "T1", "SubscribeStatusString": "accept", "PopupScene": "0"}
    as_json = of_json(**event("subscribe_msg_popup_event", List=one))
    as_xml = of_xml(**event("subscribe_msg_popup_event", SubscribeMsgPopupEvent={"List": one}))
    assert (as_json.key, as_json.at, as_json.fields) == (as_xml.key, as_xml.at, as_xml.fields)


def test_a_copy_has_the_key_of_the_first_and_nothing_else_has() -> None:
    text = {"MsgType": "text", "Content": "你好"}
    keys = [
        of_xml(**text, MsgId="1").key, of_xml(**text, MsgId="2").key, of_xml(**event("subscribe")).key,
        of_xml(**event("unsubscribe")).key, of_xml(**event(EventKey="A")).key, of_xml(**event(EventKey="B")).key,
        of_xml(**event("TEMPLATESENDJOBFINISH", MsgID="20", Status="success")).key,
        of_xml(**event("TEMPLATESENDJOBFINISH", MsgID="21", Status="success")).key,
        of_xml(**{**event("subscribe"), "FromUserName": "oOpenId0002"}).key,
        of_xml(**{**event("subscribe"), "CreateTime": 1788230401}).key,
    ]  # fmt: skip
    assert len(set(keys)) == len(keys)
    assert of_xml(**text, MsgId="1").key == keys[0]
    assert of_xml(**event("SUBSCRIBE", EventKey="", Ticket="again")).key == keys[2]
    told = {**EVERY, **event("subscribe")}
    assert push_reading.read("wx2", {**told, "CreateTime": "1788230400"}).key != keys[2]


@pytest.mark.parametrize(
    "body",
    [
        b"", b"<xml></xml>", b"<xml>text</xml>", b"<xml><a></xml>", b"<html/>", b"\xff\xfe<xml/>", b'{"a":1}', b"null",
        b'<!DOCTYPE xml [<!ENTITY a "b">]><xml><ToUserName>&a;</ToUserName></xml>',
        b'<!DOCTYPE xml [<!ENTITY a SYSTEM "file:///etc/passwd">]><xml><Content>&a;</Content></xml>',
        b"<xml><Content>" + b"x" * push_reading.MAX_BYTES + b"</Content></xml>",
    ],
)  # fmt: skip
def test_what_is_no_push_of_an_official_account_is_refused(body: bytes) -> None:
    with pytest.raises(PushRefused):
        push_reading.read("wx1", push_reading.document(body, AppKind.OFFICIAL))


@pytest.mark.parametrize("told", ['"b"', 'SYSTEM "file:///etc/hostname"'])
def test_no_entity_is_put_in_whatever_else_is_right(told: str) -> None:
    body = xmltodict.unparse({"xml": {**EVERY, "MsgType": "text", "Content": "b", "MsgId": "1"}}, full_document=False)
    assert push_reading.document(body.encode(), AppKind.OFFICIAL)["Content"] == "b"
    odd = f"<!DOCTYPE xml [<!ENTITY a {told}>]>" + body.replace(">b<", ">&a;<")
    with pytest.raises(PushRefused):
        push_reading.document(odd.encode(), AppKind.OFFICIAL)


@pytest.mark.parametrize("body", [b"[]", b'{"a"', b"1", b'{"Content":"\\u0000"}', b"[" * 2000, b'{"a":"\\ud800"}'])
def test_what_is_no_push_of_a_mini_program_is_refused(body: bytes) -> None:
    with pytest.raises(PushRefused):
        push_reading.read("wx1", push_reading.document(body, AppKind.MINIPROGRAM))


@pytest.mark.parametrize(
    "odd",
    [
        {"FromUserName": ""}, {"FromUserName": "o\n1"}, {"FromUserName": "欧"}, {"FromUserName": "o" * 200},
        {"CreateTime": "-1"}, {"CreateTime": "x"}, {"CreateTime": "9" * 30}, {"CreateTime": "１"},
        {"MsgType": "x" * 99}, {"Event": ""}, {"Event": "x" * 99}, {"ToUserName": {"a": "b"}},
    ],
)  # fmt: skip
def test_odd_fields_are_refused(odd: dict[str, Any]) -> None:
    with pytest.raises(PushRefused):
        push_reading.read("wx1", {**EVERY, "CreateTime": "1788230400", **event(), **odd})


@pytest.mark.parametrize(
    "words", ["好的", "a]]>b", "]]>", "]]]]>>", "<Content>&amp;", "x" * 5000, "邻" * 1000, "a\0\x1bb"]
)
def test_a_reply_is_read_by_wechatpy_as_it_was_meant(words: str) -> None:
    asked = of_xml(MsgType="text", Content="你好", MsgId="1")
    reply = passive_replies.text_reply(asked, words, at=AT)
    shown = parse_message(reply)
    assert (shown.target, shown.source) == ("oOpenId0001", "gh_123456789abc")
    plain = words.replace("\0", "").replace("\x1b", "")
    assert shown.content == plain.encode()[: passive_replies.MAX_TEXT_BYTES].decode(errors="ignore")
