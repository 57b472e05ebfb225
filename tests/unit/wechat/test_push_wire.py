"""Signatures and safe mode against the published vectors, and against wechatpy in both directions."""

import pytest
from wechatpy.crypto import PrpCrypto

from backend.wechat import push_wire
from backend.wechat.push_wire import PushRefused

TOKEN, ENCODING_KEY, APPID = "PropTok2026", "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG", "wx1234567890abcdef"
TIMESTAMP, NONCE = "1788230400", "1320562132"
MESSAGE = (
    "<xml><ToUserName><![CDATA[gh_123456789abc]]></ToUserName><FromUserName><![CDATA[oOpenId0001]]></FromUserName>"
    "<CreateTime>1788230400</CreateTime><MsgType><![CDATA[event]]></MsgType><Event><![CDATA[CLICK]]></Event>"
    "<EventKey><![CDATA[BILL_QUERY]]></EventKey></xml>"
)
ENCRYPT = (
    "Q3stYC6hdFzMh9T8HCvyDMis7zmf7fd9eBlL2f4BcHFPlw1ZX6GiWqnh3h7M0JRT8/4HsCl8uKeanHjUkmkhAwO97YlWmUnwJqCvzHp6V5/Nxi7b"
    "/ajqXhoTGHn7n4ZB0BRnTqxjPsNZqDqxVIN+HFKgWPyD7r3MBHXCcu0I4gt40s1AfHcw1q1FTTSKaGpw7WL5yAPfqgIGfnsG8VfAjtgx2JqIugSu"
    "HRDzsOa4Oz84CtBmnw3b9MWfmEA2kTICjE0tIsXge6Z054L5fZR7TZ7IfAe/c4sXGAnYH3pt3vHIFleTnpw0rT+PtmJIn+bY5rjfygFOOQudXaXq"
    "ZiOWqjcwHZYpmFzxZ6zPpYL4k6y/yt5dcjf5bbmmE7g+lJbaGnAyYCJ2BTWKQi7N77J6HE2cP4vWEtyZ+AROgQkVYVM="
)
MINI_KEY, MINI_APPID = "A" * 43, "wxba5fad812f8e6fb9"
MINI_ENCRYPT = (
    "+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJGQqcvZqzDpVzazhZv6JsXUnnR"
    "8XGT740XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrfMZuMcp3Fn2Pede2IuQrKEYwKSqFIZoNqJ4M8EajAsjLY2km3"
    "2IIjdf8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgRtWygb3VIYnSeOBrebufAlr7F9mFUPAJGj04="
)


@pytest.mark.parametrize(
    ("parts", "signed"),
    [
        ((TOKEN, TIMESTAMP, NONCE), "46bbfc1133e4a2c94b5e7aa106b78de088fd60f4"),
        (("AAAAA", "1714036504", "1514711492"), "f464b24fc39322e44b38aa78f5edd27bd1441696"),
        (("AAAAA", "1714037059", "486452656"), "899cf89e464efb63f54ddac96b0a0a235f53aa78"),
        ((TOKEN, TIMESTAMP, NONCE, ENCRYPT), "39824a6424c66631f5e7839f179f570adda198e6"),
        (("AAAAA", "1714112445", "415670741", MINI_ENCRYPT), "046e02f8204d34f8ba5fa3b1db94908f3df2e9b3"),
        (
            ("AAAAA", "1713424427", "415670741",
             "ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ=="),
            "1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1",
        ),
    ],
)  # fmt: skip
def test_signatures_are_those_of_the_vectors(parts: tuple[str, ...], signed: str) -> None:
    push_wire.require_signed(signed, *parts)
    for wrong in (signed[:-1] + ("0" if signed[-1] != "0" else "1"), signed.upper(), "", "é"):
        with pytest.raises(PushRefused):
            push_wire.require_signed(wrong, *parts)


def test_e12_a_key_with_surplus_bits_opens_what_was_made_with_it() -> None:
    key = push_wire.key_of(ENCODING_KEY)
    assert key.hex() == "69b71d79f8218a39259a7a29aabb2dbafc31cb3d35db7e39ebbf3d0010831051"
    assert push_wire.opened(key, APPID, ENCRYPT).decode() == MESSAGE
    assert push_wire.sealed(key, APPID, MESSAGE.encode(), salt=b"0123456789abcdef") == ENCRYPT


def test_the_vectors_of_the_mini_program() -> None:
    key = push_wire.key_of(MINI_KEY)
    told = push_wire.opened(key, MINI_APPID, MINI_ENCRYPT)
    assert len(told) == 167
    assert told.startswith(b'{"ToUserName":"gh_97417a04a28d"') and told.endswith(b'"debug_str":"hello world"}')
    made = push_wire.sealed(key, MINI_APPID, b'{"demo_resp":"good luck"}', salt=b"707722b803182950")
    assert made == "ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ=="


@pytest.mark.parametrize("length", range(1, 70, 7))
def test_what_wechatpy_encrypts_is_read_and_the_other_way_round(length: int) -> None:
    key, words = push_wire.key_of(ENCODING_KEY), "邻" * length
    assert push_wire.opened(key, APPID, PrpCrypto(key).encrypt(words, APPID).decode()).decode() == words
    assert PrpCrypto(key).decrypt(push_wire.sealed(key, APPID, words.encode()), APPID) == words


def test_what_was_not_made_for_the_account_is_refused_whatever_the_bytes() -> None:
    key = push_wire.key_of(ENCODING_KEY)
    for appid in ("wx1234567890abcdeg", APPID[:-1], f"{APPID}x", ""):
        with pytest.raises(PushRefused):
            push_wire.opened(key, appid, ENCRYPT)
    odd = [ENCRYPT[:cut] for cut in (0, 4, 24, 44, len(ENCRYPT) - 24)]
    odd += ["!" * 44, ENCRYPT[4:], "A" * 64, ENCRYPT[::-1], "é" * 44, f"{ENCRYPT}\n"]
    for text in odd:
        with pytest.raises(PushRefused):
            push_wire.opened(key, APPID, text)


@pytest.mark.parametrize("text", ["", "A" * 42, "A" * 44, "A" * 42 + "=", "A" * 42 + "+", "A" * 42 + "é"])
def test_what_is_no_key_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="EncodingAESKey"):
        push_wire.key_of(text)
