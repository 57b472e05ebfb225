"""The JS-SDK's signature by the vectors (wechat-official-account.md section 9), and for whose pages it is made."""

import pytest

from backend.kernel.config import Settings
from backend.wechat import js_sdk
from backend.wechat.js_sdk import ForeignPage

TICKET = "sM4AOVdWfPE4DxkXGEs8VMCPGGVi4C3VM0P37wVUCFvkVAy_90u5h9nbSlYy3-Sl-HhTdfl2fzFy1AOcHKP7qg"
NONCE, TIMESTAMP = "Wm3WZYTPz0wzccnW", 1_414_587_457
SETTINGS = Settings(public_url="https://wy.example.com/", more_urls="https://pay.example.com")


@pytest.mark.parametrize(("url", "signature"), [
    ("http://mp.weixin.qq.com?params=value", "0f9de62fce790f9a083d5c99e95740ceb90c27ed"),
    ("http://mp.weixin.qq.com", "f4d90daf4b3bca3078ab155816175ba34c443a7b"),
])  # fmt: skip
def test_the_signature_is_that_of_the_vectors(url: str, signature: str) -> None:
    assert js_sdk.signature(TICKET, NONCE, TIMESTAMP, url) == signature


def test_d10_the_address_counts_up_to_the_fragment_and_as_the_browser_has_it() -> None:
    for url in ("https://wy.example.com/h5/?a=%E4%BD%A0&b=1", "https://pay.example.com/x", "https://wy.example.com"):
        assert js_sdk.own_page(SETTINGS, f"{url}#/bills?x=1") == url


@pytest.mark.parametrize("url", [
    "https://evil.example/", "https://wy.example.com.evil.example/", "https://wy.example.com@evil.example/",
    "http://wy.example.com/", "//wy.example.com/", "/h5/", "https://evil.example/#https://wy.example.com/", "",
])  # fmt: skip
def test_nothing_is_signed_for_another_site(url: str) -> None:
    with pytest.raises(ForeignPage):
        js_sdk.own_page(SETTINGS, url)
