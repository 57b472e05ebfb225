"""What is of this site, and what only looks so."""

import pytest

from backend.wechat.sites import is_below, is_ours

SITES = ("https://linli.example.cn", "https://pay.example.cn:8443")


@pytest.mark.parametrize(
    ("url", "ours"),
    [
        ("https://linli.example.cn", True),
        ("https://linli.example.cn/", True),
        ("https://linli.example.cn/p/bills?x=1", True),
        ("https://linli.example.cn?x=1", False),
        ("https://pay.example.cn:8443/p", True),
        ("https://linli.example.cn.evil.cn/", False),
        ("https://linli.example.cn@evil.cn/", False),
        ("https://linli.example.cnx", False),
        ("https://pay.example.cn/p", False),
        ("http://linli.example.cn/", False),
        ("//linli.example.cn/", False),
        ("/p/bills", False),
        ("", False),
    ],
)
def test_an_address_is_of_this_site(url: str, ours: bool) -> None:
    assert is_ours(url, SITES) is ours
    assert is_below(url, SITES) is (ours and url not in SITES)
