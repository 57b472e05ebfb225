"""Encrypted phone data of old clients against the vectors of wechat-miniprogram.md section 9."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from wechatpy.crypto import WeChatWxaCrypto

from backend.wechat.apps import App, AppKind
from backend.wechat.errors import PhoneDataRefused
from backend.wechat.miniprogram import Phone, Session, decrypt_phone
from tests import vectors

APP = App(vectors.APPID, AppKind.MINIPROGRAM, UUID(int=1), "secret-of-the-app")
PRESSED_AT = datetime.fromtimestamp(1788230400, UTC)


def decrypt(encrypted: str = vectors.PHONE_ENCRYPTED, **changed: Any) -> Phone:
    given = {"app": APP, "session_key": vectors.PHONE_SESSION_KEY, "iv": vectors.PHONE_IV, "now": PRESSED_AT, **changed}
    return decrypt_phone(given["app"], given["session_key"], encrypted_data=encrypted, iv=given["iv"], now=given["now"])


def encrypted(document: Any) -> str:
    plain = document if isinstance(document, bytes) else json.dumps(document).encode()
    padding = 16 - len(plain) % 16
    key, iv = (base64.b64decode(text) for text in (vectors.PHONE_SESSION_KEY, vectors.PHONE_IV))
    cipher = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return base64.b64encode(cipher.update(plain + bytes([padding]) * padding) + cipher.finalize()).decode()


def test_the_phone_of_the_vector() -> None:
    assert decrypt() == Phone("13580006666", "86")


def test_data_of_another_account_is_refused() -> None:
    other = App("wx4f4bc4dec97d474b", AppKind.MINIPROGRAM, UUID(int=1), "secret")
    with pytest.raises(PhoneDataRefused):
        decrypt(app=other)


def test_data_under_a_rotated_session_key_is_refused() -> None:
    with pytest.raises(PhoneDataRefused):
        decrypt(session_key=vectors.USER_DATA_SESSION_KEY)


@pytest.mark.parametrize("minutes", [-6, 6, 60 * 24])
def test_stale_data_is_refused(minutes: int) -> None:
    with pytest.raises(PhoneDataRefused):
        decrypt(now=PRESSED_AT + timedelta(minutes=minutes))


def test_user_data_without_a_phone_is_refused() -> None:
    """The official sample opens, but it is a profile."""
    cipher = WeChatWxaCrypto(vectors.USER_DATA_SESSION_KEY, vectors.USER_DATA_IV, vectors.USER_DATA_APPID)
    opened = cipher.decrypt_message(vectors.USER_DATA_ENCRYPTED)
    assert (opened["openId"], opened["unionId"]) == (vectors.USER_DATA_OPENID, vectors.USER_DATA_UNIONID)
    app = App(vectors.USER_DATA_APPID, AppKind.MINIPROGRAM, UUID(int=1), "secret")
    with pytest.raises(PhoneDataRefused):
        decrypt_phone(
            app,
            vectors.USER_DATA_SESSION_KEY,
            encrypted_data=vectors.USER_DATA_ENCRYPTED,
            iv=vectors.USER_DATA_IV,
            now=datetime.fromtimestamp(vectors.USER_DATA_TIMESTAMP, UTC),
        )


@pytest.mark.parametrize(
    "rubbish",
    [
        "",
        "!",
        "AAAA",
        "支付",
        vectors.PHONE_ENCRYPTED[:-24],
        encrypted(b"[]"),
        encrypted(b"no json"),
        encrypted({"watermark": []}),
        encrypted({"watermark": {"appid": vectors.APPID, "timestamp": "x"}, "purePhoneNumber": "1", "countryCode": ""}),
        encrypted({"watermark": {"appid": vectors.APPID, "timestamp": 1788230400}, "purePhoneNumber": 5}),
        encrypted(
            {
                "watermark": {"appid": vectors.APPID, "timestamp": 1788230400},
                "purePhoneNumber": "<script>",
                "countryCode": "86",
            }
        ),
    ],
)
def test_rubbish_is_refused(rubbish: str) -> None:
    with pytest.raises(PhoneDataRefused):
        decrypt(rubbish)


@pytest.mark.parametrize("changed", [{"iv": ""}, {"iv": "AAAA"}, {"session_key": ""}, {"session_key": "?"}])
def test_keys_that_are_none_are_refused(changed: dict[str, str]) -> None:
    with pytest.raises(PhoneDataRefused):
        decrypt(**changed)


def test_secrets_do_not_appear_in_a_repr() -> None:
    assert APP.secret not in repr(APP)
    assert "the-session-key" not in repr(Session("o", None, "the-session-key"))
    assert "13580006666" not in repr(decrypt())
