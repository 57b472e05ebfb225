"""SSRF (reliability.md section 3): a webhook's host is https, public and pinned."""

import asyncio
from collections.abc import Sequence

import pytest

from backend.kernel.egress import EgressUnreachable, Pinned, _PinnedResolver, check_public_https, pinned_egress
from backend.kernel.errors import Invalid


def resolving_to(*addresses: str):
    async def resolve(host: str, port: int) -> Sequence[str]:
        return addresses

    return resolve


def check(url: str, *addresses: str) -> Pinned:
    return asyncio.run(check_public_https(url, resolving_to(*addresses)))


def test_a_public_host_is_pinned_to_its_addresses() -> None:
    pinned = check("https://hook.example.com/a?b=1", "203.119.25.1", "2408:4001::1")
    assert pinned == Pinned("https://hook.example.com/a?b=1", "hook.example.com", ("203.119.25.1", "2408:4001::1"))


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
        "100.64.0.1", "0.0.0.0", "255.255.255.255", "224.0.0.1", "240.0.0.1", "192.0.2.1", "198.18.0.1",
        "198.51.100.1", "203.0.113.1", "192.0.0.1", "192.88.99.1", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1",
        "fd12::1", "fec0::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1",
        "64:ff9b::808:808", "2002:7f00:1::", "2001::1", "2001:db8::1", "100::1",
    ],
)  # fmt: skip
def test_a_host_that_is_not_public_is_refused(address: str) -> None:
    with pytest.raises(Invalid, match="公网"):
        check("https://hook.example.com/", address)
    with pytest.raises(Invalid, match="公网"):
        check("https://hook.example.com/", "203.119.25.1", address)


@pytest.mark.parametrize(
    "url",
    [
        "http://hook.example.com/",
        "https://user:pw@hook.example.com/",
        "https://hook.example.com\\@10.0.0.1/",
        "https:///path",
        "ftp://hook.example.com/",
        "hook.example.com",
        "https://hook.example.com/a b",
        "https://hook.example.com:99999/",
        "",
    ],
)
def test_an_address_that_is_not_plain_https_is_refused(url: str) -> None:
    with pytest.raises(Invalid, match="https"):
        check(url, "203.119.25.1")


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1", "[::1]", "localhost", "127.1"])
def test_odd_spellings_of_this_machine_are_refused(host: str) -> None:
    with pytest.raises(Invalid):
        asyncio.run(check_public_https(f"https://{host}/"))


def test_a_name_that_does_not_resolve_is_refused() -> None:
    async def nothing(host: str, port: int) -> Sequence[str]:
        raise OSError("no such host")

    with pytest.raises(Invalid, match="解析"):
        asyncio.run(check_public_https("https://hook.example.com/", nothing))
    with pytest.raises(Invalid):
        check("https://hook.example.com/")


def test_a_name_that_changes_after_the_check_is_not_asked_again() -> None:
    """DNS rebinding: the call goes to the pinned address, here a closed port of this machine."""

    async def scenario() -> None:
        pinned = Pinned("https://hook.example.com:9/", "hook.example.com", ("127.0.0.1",))
        resolved = await _PinnedResolver(pinned).resolve("hook.example.com", 9)
        assert [item["host"] for item in resolved] == ["127.0.0.1"]
        with pytest.raises(OSError, match="pinned"):
            await _PinnedResolver(pinned).resolve("other.example.com", 9)
        egress = pinned_egress(pinned)
        with pytest.raises(EgressUnreachable) as caught:
            await egress.request("POST", "https://hook.example.com:9/")
        assert "ConnectorError" in str(caught.value)
        assert "DNS" not in str(caught.value)
        await egress.close()

    asyncio.run(scenario())
