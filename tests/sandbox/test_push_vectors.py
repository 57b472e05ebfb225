"""The sandbox's cryptography of pushes against section 9 of the official account page and of the mini-program page."""

import base64
import json

import pytest

from sandbox import push_crypto, push_texts
from tests import vectors

TOKEN, TIMESTAMP, NONCE = "PropTok2026", "1788230400", "1320562132"
AES_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
APPID = "wx1234567890abcdef"
FIELDS = {
    "ToUserName": "gh_123456789abc",
    "FromUserName": "oOpenId0001",
    "CreateTime": 1788230400,
    "MsgType": "event",
    "Event": "CLICK",
    "EventKey": "BILL_QUERY",
}
ENCRYPT = (
    "Q3stYC6hdFzMh9T8HCvyDMis7zmf7fd9eBlL2f4BcHFPlw1ZX6GiWqnh3h7M0JRT8/4HsCl8uKeanHjUkmkhAwO97YlWmUnwJqCvzHp6V5/Nxi7b"
    "/ajqXhoTGHn7n4ZB0BRnTqxjPsNZqDqxVIN+HFKgWPyD7r3MBHXCcu0I4gt40s1AfHcw1q1FTTSKaGpw7WL5yAPfqgIGfnsG8VfAjtgx2JqIugSu"
    "HRDzsOa4Oz84CtBmnw3b9MWfmEA2kTICjE0tIsXge6Z054L5fZR7TZ7IfAe/c4sXGAnYH3pt3vHIFleTnpw0rT+PtmJIn+bY5rjfygFOOQudXaXq"
    "ZiOWqjcwHZYpmFzxZ6zPpYL4k6y/yt5dcjf5bbmmE7g+lJbaGnAyYCJ2BTWKQi7N77J6HE2cP4vWEtyZ+AROgQkVYVM="
)
MSG_SIGNATURE = "39824a6424c66631f5e7839f179f570adda198e6"


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ((TOKEN, TIMESTAMP, NONCE), "46bbfc1133e4a2c94b5e7aa106b78de088fd60f4"),
        ((TOKEN, TIMESTAMP, NONCE, ENCRYPT), MSG_SIGNATURE),
        (
            (vectors.PUSH_TOKEN, vectors.URL_CHECK_TIMESTAMP, vectors.URL_CHECK_NONCE),
            vectors.URL_CHECK_SIGNATURE,
        ),
        ((vectors.PUSH_TOKEN, vectors.PUSH_TIMESTAMP, vectors.PUSH_NONCE), vectors.PUSH_SIGNATURE),
        (
            (
                vectors.PUSH_TOKEN,
                vectors.SAFE_MODE_TIMESTAMP,
                vectors.SAFE_MODE_NONCE,
                vectors.SAFE_MODE_ENCRYPT,
            ),
            vectors.SAFE_MODE_SIGNATURE,
        ),
        (
            (
                vectors.PUSH_TOKEN,
                vectors.SAFE_REPLY_TIMESTAMP,
                vectors.SAFE_REPLY_NONCE,
                vectors.SAFE_REPLY_ENCRYPT,
            ),
            vectors.SAFE_REPLY_SIGNATURE,
        ),
    ],
)
def test_signatures_are_those_of_the_pages(parts: tuple[str, ...], expected: str) -> None:
    assert push_crypto.signature(*parts) == expected
    assert push_crypto.signature(*reversed(parts)) == expected


def test_the_official_account_message_is_written_and_sealed_byte_for_byte() -> None:
    message = push_texts.write(push_texts.XML, FIELDS).encode()
    assert len(message) == 261
    assert push_crypto.seal(AES_KEY, APPID, message, b"0123456789abcdef") == ENCRYPT
    assert push_crypto.unseal(AES_KEY, ENCRYPT) == (message, APPID)


def test_the_mini_program_message_is_written_and_sealed_byte_for_byte() -> None:
    message = push_texts.write(push_texts.JSON, json.loads(vectors.SAFE_MODE_MESSAGE))
    assert message == vectors.SAFE_MODE_MESSAGE
    key, appid, random16 = vectors.SAFE_MODE_AES_KEY, vectors.SAFE_MODE_APPID, vectors.SAFE_MODE_RANDOM.encode()
    assert push_crypto.seal(key, appid, message.encode(), random16) == vectors.SAFE_MODE_ENCRYPT
    assert push_crypto.unseal(key, vectors.SAFE_MODE_ENCRYPT) == (message.encode(), appid)
    reply = (vectors.SAFE_REPLY_MESSAGE.encode(), appid)
    assert push_crypto.unseal(key, vectors.SAFE_REPLY_ENCRYPT) == reply


def test_what_no_such_key_has_sealed_is_refused() -> None:
    cut_short = base64.b64encode(base64.b64decode(ENCRYPT)[:-32]).decode()
    for encrypted in ("", "no base64!", ENCRYPT[:-4], cut_short):
        with pytest.raises(ValueError):
            push_crypto.unseal(AES_KEY, encrypted)
    with pytest.raises(ValueError):
        push_crypto.unseal("z" * 43, ENCRYPT)


def test_a_list_of_one_is_an_object_in_json_and_one_node_in_xml() -> None:
    one = {"SubscribeMsgPopupEvent": {"List": [{"TemplateId": "a"}]}}
    two = {"SubscribeMsgPopupEvent": {"List": [{"TemplateId": "a"}, {"TemplateId": "b"}]}}
    assert json.loads(push_texts.write(push_texts.JSON, one)) == {
        "SubscribeMsgPopupEvent": {"List": {"TemplateId": "a"}}
    }
    assert json.loads(push_texts.write(push_texts.JSON, two)) == two
    written = push_texts.write(push_texts.XML, two)
    assert written.count("<List><TemplateId><![CDATA[") == 2
    assert push_texts.write(push_texts.XML, {"Content": "a]]>b"}) == (
        "<xml><Content><![CDATA[a]]]]><![CDATA[>b]]></Content></xml>"
    )
