"""Outbound HTTP: fixed origins, bounded in time and size, and errors that tell whether the peer may have acted."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from backend.kernel import egress as egress_module
from backend.kernel import metrics
from backend.kernel.egress import (
    Egress,
    EgressError,
    EgressRefused,
    EgressTimeout,
    EgressTooLarge,
    EgressUnreachable,
    origin_of,
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@contextlib.asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def raw_server(
    reply: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[str]:
    server = await asyncio.start_server(reply, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


@contextlib.asynccontextmanager
async def opened(*allowed: str) -> AsyncIterator[Egress]:
    egress = Egress(allowed)
    try:
        yield egress
    finally:
        await egress.close()


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def echo(request: web.Request) -> web.Response:
    body = await request.read()
    return web.Response(
        status=201, body=body, headers={"X-Path": request.raw_path, "X-Agent": request.headers["User-Agent"]}
    )


def test_an_answer_has_status_headers_and_body() -> None:
    async def scenario() -> None:
        async with serving(echo) as url, opened(url) as egress:
            answer = await egress.request("POST", f"{url}/v3/pay", headers={"Accept": "x"}, body=b'{"a":1}')
            assert (answer.status, answer.body) == (201, b'{"a":1}')
            assert answer.headers["x-PATH"] == "/v3/pay"

    asyncio.run(scenario())


def test_an_address_goes_out_byte_for_byte_because_signatures_cover_it() -> None:
    async def scenario() -> None:
        async with serving(echo) as url, opened(url) as egress:
            path = "/v3/a%2Fb/%7e?x=%e4%b8%ad&y=a+b&z=%20'()"
            assert (await egress.request("GET", url + path)).headers["X-Path"] == path

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.2:{port}/",
        "https://127.0.0.1:{port}/",
        "http://127.0.0.1/",
        "http://localhost:{port}/",
        "http://127.0.0.1:{port}@evil.example/",
        "http://user@127.0.0.1:{port}/",
        "http://evil.example\\@127.0.0.1:{port}/",
        "http://127.0.0.1:{port}/a b",
        "http://127.0.0.1:{port}/a\r\nX: y",
        "http://127.0.0.1:{port}/中",
        "file:///etc/passwd",
        "//127.0.0.1:{port}/",
        "/path",
        "",
    ],
)
def test_any_other_address_is_refused_before_anything_is_sent(address: str) -> None:
    asked: list[str] = []

    async def note(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response()

    async def scenario() -> None:
        async with serving(note) as url, opened(url) as egress:
            with pytest.raises(EgressRefused) as caught:
                await egress.request("GET", address.format(port=url.rsplit(":", 1)[1]))
            assert not caught.value.sent

    asyncio.run(scenario())
    assert asked == []


def test_a_redirect_is_an_answer_and_not_followed() -> None:
    async def redirect(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "http://169.254.169.254/"})

    async def scenario() -> None:
        async with serving(redirect) as url, opened(url) as egress:
            assert (await egress.request("GET", url + "/")).status == 302

    asyncio.run(scenario())


def test_cookies_of_a_peer_are_not_kept() -> None:
    seen: list[str | None] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Cookie"))
        return web.Response(headers={"Set-Cookie": "a=b"})

    async def scenario() -> None:
        async with serving(handler) as url, opened(url) as egress:
            await egress.request("GET", url + "/")
            await egress.request("GET", url + "/")

    asyncio.run(scenario())
    assert seen == [None, None]


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port()}")

    async def scenario() -> None:
        async with serving(echo) as url, opened(url) as egress:
            assert (await egress.request("GET", url + "/")).status == 201

    asyncio.run(scenario())


def test_a_refused_connection_was_surely_not_sent() -> None:
    async def scenario() -> None:
        url = f"http://127.0.0.1:{closed_port()}"
        async with opened(url) as egress:
            with pytest.raises(EgressUnreachable) as caught:
                await egress.request("POST", url + "/", body=b"x")
            assert not caught.value.sent

    asyncio.run(scenario())


def test_an_unknown_host_was_surely_not_sent() -> None:
    async def scenario() -> None:
        async with opened("http://no-such-host.invalid") as egress:
            with pytest.raises(EgressUnreachable) as caught:
                await egress.request("POST", "http://no-such-host.invalid/", body=b"x")
            assert not caught.value.sent

    asyncio.run(scenario())


def test_tls_that_fails_was_surely_not_sent() -> None:
    async def scenario() -> None:
        async with serving(echo) as url:
            url = url.replace("http://", "https://")
            async with opened(url) as egress:
                with pytest.raises(EgressUnreachable) as caught:
                    await egress.request("POST", url + "/", body=b"x")
                assert not caught.value.sent

    asyncio.run(scenario())


@pytest.mark.parametrize("reply", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", b"nonsense\r\n\r\n"])
def test_an_answer_that_breaks_off_may_have_been_acted_upon(reply: bytes) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply)
        await writer.drain()
        writer.close()

    async def scenario() -> None:
        async with raw_server(answer) as url, opened(url) as egress:
            with pytest.raises(EgressUnreachable) as caught:
                await egress.request("POST", url + "/", body=b"x")
            assert caught.value.sent

    asyncio.run(scenario())


@pytest.mark.parametrize("first", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"])
@pytest.mark.parametrize("limit", ["total", "read"])
def test_silence_is_a_time_out_with_unknown_outcome(first: bytes, limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if limit == "read":
        monkeypatch.setattr(egress_module, "READ_S", 0.2)

    async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(first)
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()

    async def scenario() -> None:
        async with raw_server(silence) as url, opened(url) as egress:
            with pytest.raises(EgressTimeout) as caught:
                await egress.request("POST", url + "/", body=b"x", total_s=0.2 if limit == "total" else 5)
            assert caught.value.sent

    asyncio.run(scenario())


def test_a_post_is_sent_once_even_when_a_kept_connection_has_died() -> None:
    served: list[bytes] = []

    async def once_then_die(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n")
        await writer.drain()
        served.append(await reader.readuntil(b"\r\n\r\n"))
        writer.close()

    async def scenario() -> None:
        async with raw_server(once_then_die) as url, opened(url) as egress:
            await egress.request("POST", url + "/")
            with pytest.raises(EgressUnreachable) as caught:
                await egress.request("POST", url + "/")
            assert caught.value.sent

    asyncio.run(scenario())
    assert len(served) == 2


def test_an_answer_beyond_the_limit_is_refused() -> None:
    async def large(_: web.Request) -> web.Response:
        return web.Response(body=b"x" * 1001)

    async def scenario() -> None:
        async with serving(large) as url, opened(url) as egress:
            with pytest.raises(EgressTooLarge):
                await egress.request("GET", url + "/", max_bytes=1000)
            assert len((await egress.request("GET", url + "/", max_bytes=1001)).body) == 1001

    asyncio.run(scenario())


def test_a_compressed_answer_is_measured_unpacked() -> None:
    async def bomb(_: web.Request) -> web.Response:
        response = web.Response(body=b"\0" * 5_000_000)
        response.enable_compression(web.ContentCoding.gzip)
        return response

    async def scenario() -> None:
        async with serving(bomb) as url, opened(url) as egress:
            with pytest.raises(EgressTooLarge):
                await egress.request("GET", url + "/", max_bytes=100_000)

    asyncio.run(scenario())


def test_a_long_answer_can_be_read_in_pieces() -> None:
    async def large(_: web.Request) -> web.Response:
        return web.Response(body=b"x" * 1_000_000)

    async def scenario() -> None:
        async with serving(large) as url, opened(url) as egress:
            async with egress.stream("GET", url + "/") as answer:
                assert answer.status == 200
                sizes = [len(chunk) async for chunk in answer.chunks()]
            assert sum(sizes) == 1_000_000
            assert max(sizes) <= 65_536

    asyncio.run(scenario())


def test_the_error_of_a_reader_stays_its_own() -> None:
    async def scenario() -> None:
        async with serving(echo) as url, opened(url) as egress:
            with pytest.raises(OSError, match="disk full"):
                async with egress.stream("GET", url + "/"):
                    raise OSError("disk full")

    asyncio.run(scenario())


def test_errors_do_not_show_addresses_because_those_carry_tokens() -> None:
    async def scenario() -> None:
        url = f"http://127.0.0.1:{closed_port()}"
        async with opened(url) as egress:
            with pytest.raises(EgressError) as caught:
                await egress.request("GET", f"{url}/x?access_token=s3cr3t")
            error: BaseException | None = caught.value
            assert "s3cr3t" not in str(error)
            assert caught.value.__cause__ is None
            assert caught.value.__suppress_context__

    asyncio.run(scenario())


def test_cancelling_a_call_is_no_error_of_the_peer() -> None:
    async def hang(_: web.Request) -> web.Response:
        await asyncio.sleep(1)
        return web.Response()

    async def scenario() -> None:
        async with serving(hang) as url, opened(url) as egress:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await egress.request("GET", url + "/")

    asyncio.run(scenario())


def test_at_most_32_connections_are_open_to_one_host() -> None:
    now, most = 0, 0

    async def slow(_: web.Request) -> web.Response:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.05)
        now -= 1
        return web.Response()

    async def scenario() -> None:
        async with serving(slow) as url, opened(url) as egress:
            await asyncio.gather(*(egress.request("GET", url + "/") for _ in range(80)))

    asyncio.run(scenario())
    assert most == 32


def test_calls_are_counted_by_host_and_outcome() -> None:
    def count(outcome: str) -> float:
        samples: Any = metrics.egress_call_s.labels("127.0.0.1", outcome)._sum.get()
        return float(samples)

    async def scenario() -> None:
        async with serving(echo) as url, opened(url, f"http://127.0.0.1:{closed_port()}") as egress:
            await egress.request("GET", url + "/")

    before = count("2xx")
    asyncio.run(scenario())
    assert count("2xx") > before


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://api.weixin.qq.com/cgi-bin/token?x=1", "https://api.weixin.qq.com"),
        ("https://API.weixin.qq.com:443", "https://api.weixin.qq.com"),
        ("http://127.0.0.1:8090/", "http://127.0.0.1:8090"),
    ],
)
def test_an_origin_is_scheme_host_and_port(url: str, origin: str) -> None:
    assert origin_of(url) == origin
