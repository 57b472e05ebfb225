"""Passive replies (被动回复): what a push is answered with, in plain or in safe mode (official account 1.4, 1.5).

What people have written stands in CDATA, which it can never end: `]]>` is split in two.
"""

from datetime import datetime

from backend.wechat import push_wire
from backend.wechat.push_reading import Message

MAX_TEXT_BYTES = 2048
XML = "application/xml; charset=utf-8"


def text_reply(message: Message, text: str, *, at: datetime) -> str:
    """A text to whoever sent `message`, at most MAX_TEXT_BYTES of it."""
    whole = text.encode()[:MAX_TEXT_BYTES].decode(errors="ignore")
    return (
        f"<xml><ToUserName>{_cdata(message.openid)}</ToUserName>"
        f"<FromUserName>{_cdata(message.original_id)}</FromUserName>"
        f"<CreateTime>{int(at.timestamp())}</CreateTime><MsgType>{_cdata('text')}</MsgType>"
        f"<Content>{_cdata(whole)}</Content></xml>"
    )


def enveloped(reply: str, *, token: str, key: bytes, appid: str, nonce: str, at: datetime) -> str:
    """The reply of safe mode around a plain one."""
    encrypted, timestamp = push_wire.sealed(key, appid, reply.encode()), str(int(at.timestamp()))
    signature = push_wire.sign(token, timestamp, nonce, encrypted)
    return (
        f"<xml><Encrypt>{_cdata(encrypted)}</Encrypt><MsgSignature>{_cdata(signature)}</MsgSignature>"
        f"<TimeStamp>{timestamp}</TimeStamp><Nonce>{_cdata(nonce)}</Nonce></xml>"
    )


def _cdata(text: str) -> str:
    shown = "".join(letter for letter in text if letter in "\n\t" or letter.isprintable())
    return f"<![CDATA[{shown.replace(']]>', ']]]]><![CDATA[>')}]]>"
