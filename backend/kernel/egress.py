"""The only way out: every outbound HTTP call of the product.

Calls go to the origins named at start and nowhere else, follow no redirect, read no proxy from the environment, and
are bounded in time, size and number. An error tells by `sent` whether the peer may have acted: a caller that moves
money treats `sent` as "unknown, ask later" and never as "failed". Error texts name the origin alone, because addresses
carry tokens.
"""

import asyncio
import re
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache, lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import Connection
from prometheus_client import Histogram
from yarl import URL

from backend.kernel import metrics
from backend.kernel.errors import Invalid, Unavailable

CONNECTIONS_PER_HOST = 32
CONNECT_S = 3.0
READ_S = 10.0
TOTAL_S = 15.0
STREAM_TOTAL_S = 300.0
MAX_BYTES = 4 * 1024 * 1024
USER_AGENT = "linli"
CHUNK_BYTES = 64 * 1024
KNOWN_ADDRESSES = 64
# Printable ASCII without the backslash.
_PLAIN = re.compile(r"[!-\[\]-~]*")

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


class EgressError(Unavailable):
    """A call without a usable answer. `sent`: bytes of the request may have reached the peer."""

    outcome = "error"

    def __init__(self, where: str, *, sent: bool) -> None:
        super().__init__()
        self.sent = sent
        self.args = (f"{where} ({'sent' if sent else 'not sent'})",)


class EgressRefused(EgressError):
    """The address is not among those that this process may call; a fault of ours, nothing was sent."""

    status = 500
    code = "internal"
    retryable = False


class EgressTimeout(EgressError):
    """The request went out and no answer came in time: what the peer did is unknown."""

    outcome = "timeout"


class EgressUnreachable(EgressError):
    """No connection (`sent` is False), or it broke before the answer was whole (`sent` is True)."""

    outcome = "unreachable"


class EgressTooLarge(EgressError):
    """The answer is longer than the caller accepts."""

    outcome = "too_large"


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, of whatever status; header names are case-insensitive."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class _Call:
    """One call under way; `sent` turns true once a connection is ours."""

    method: str
    origin: str
    outcome: str = "abandoned"
    sent: bool = False

    def where(self, error: BaseException) -> str:
        return f"{self.method} {self.origin}: {type(error).__name__}"


_under_way: ContextVar[_Call] = ContextVar("call")


class Stream:
    """An answer whose body is read piece by piece, within the caller's limit of bytes."""

    def __init__(self, call: _Call, response: aiohttp.ClientResponse, max_bytes: int) -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        self._call, self._response, self._max_bytes = call, response, max_bytes

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body in pieces; EgressTooLarge, EgressTimeout or EgressUnreachable when it does not end well."""
        received = 0
        with _explained(self._call):
            async for chunk in self._response.content.iter_chunked(CHUNK_BYTES):
                received = self._counted(received, chunk)
                yield chunk

    async def whole(self) -> bytes:
        """All of the body; the same errors."""
        body = b""
        with _explained(self._call):
            while chunk := await self._response.content.readany():
                self._counted(len(body), chunk)
                body += chunk
        return body

    def _counted(self, received: int, chunk: bytes) -> int:
        if received + len(chunk) > self._max_bytes:
            raise EgressTooLarge(f"{self._call.method} {self._call.origin}: answer too large", sent=True)
        return received + len(chunk)


class Egress:
    """Outbound HTTP to a fixed set of origins (`https://host[:port]`; paths in `allowed` are ignored)."""

    def __init__(self, allowed: Iterable[str], *, resolver: AbstractResolver | None = None) -> None:
        self._allowed = frozenset(origin_of(url) for url in allowed)
        self._resolver = resolver
        self._session: aiohttp.ClientSession | None = None

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        total_s: float = TOTAL_S,
        max_bytes: int = MAX_BYTES,
    ) -> Answer:
        """Call `url`, sent byte for byte as given, and read the whole answer; EgressError when there is none."""
        async with self.stream(method, url, headers=headers, body=body, total_s=total_s, max_bytes=max_bytes) as answer:
            return Answer(answer.status, answer.headers, await answer.whole())

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        total_s: float = STREAM_TOTAL_S,
        max_bytes: int = MAX_BYTES,
    ) -> AsyncIterator[Stream]:
        """The same for an answer that is too long to hold, such as a statement file."""
        address, origin = _addressed(url)
        call = _Call(method, origin)
        if call.origin not in self._allowed:
            raise EgressRefused(f"{method} {call.origin}: not an allowed origin", sent=False)
        started_s = time.monotonic()
        _under_way.set(call)
        try:
            with _explained(call):
                response = await self._opened().request(
                    method,
                    address,
                    headers=headers,
                    data=body,
                    allow_redirects=False,
                    timeout=_patience(total_s),
                )
            async with response:
                yield Stream(call, response, max_bytes)
            call.outcome = f"{response.status // 100}xx"
        except EgressError as error:
            call.outcome = error.outcome
            raise
        finally:
            _observed(address.host, call.outcome).observe(time.monotonic() - started_s)

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=_Connector(limit=0, limit_per_host=CONNECTIONS_PER_HOST, resolver=self._resolver),
                headers={"User-Agent": USER_AGENT},
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            )
        return self._session


def origin_of(url: str) -> str:
    """Scheme, host and port of `url`; the default port is left out."""
    return _origin(_address(url))


@lru_cache(KNOWN_ADDRESSES)
def _addressed(url: str) -> tuple[URL, str]:
    """`url` and its origin, remembered: thousands of messages go to one address."""
    address = _address(url)
    return address, _origin(address)


def _address(url: str) -> URL:
    """`url` as it is, never requoted: signatures cover its bytes. EgressRefused for what could be read in two ways."""
    if not _PLAIN.fullmatch(url):
        raise EgressRefused("an address with characters that must be encoded", sent=False)
    try:
        address = URL(url, encoded=True)
        named = address.scheme in ("http", "https") and bool(address.host) and address.port is not None
    except ValueError:
        named = False
    if not named or address.user is not None or address.password is not None:
        raise EgressRefused("not an absolute http or https address without a user", sent=False)
    return address


def _origin(address: URL) -> str:
    return str(address.origin()).lower()


@cache
def _patience(total_s: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=total_s, sock_connect=CONNECT_S, sock_read=READ_S)


@lru_cache(KNOWN_ADDRESSES)
def _observed(host: str | None, outcome: str) -> Histogram:
    """The figure of one host and outcome."""
    return metrics.egress_call_s.labels(host, outcome)


@contextmanager
def _explained(call: _Call) -> Iterator[None]:
    """Turn what aiohttp raises into the errors of this module, without the texts that hold addresses."""
    try:
        yield
    except (aiohttp.ClientError, OSError) as error:
        if call.sent and isinstance(error, TimeoutError):
            raise EgressTimeout(call.where(error), sent=True) from None
        raise EgressUnreachable(call.where(error), sent=call.sent) from None


class _Connector(aiohttp.TCPConnector):
    """Marks a call as sent when it gets a connection: from then on bytes may leave.

    aiohttp's own tracing tells the same for a tenth of what a short call costs.
    """

    async def connect(
        self, req: aiohttp.ClientRequest, traces: list[Any], timeout: aiohttp.ClientTimeout
    ) -> Connection:
        connection = await super().connect(req, traces, timeout)
        _under_way.get().sent = True
        return connection


# Webhooks: the host is chosen by others, so its address is checked and pinned (reliability.md section 3, SSRF).

_NOT_PUBLIC_V4 = (IPv4Network("192.88.99.0/24"),)
_GLOBAL_V6 = IPv6Network("2000::/3")
_TUNNELS_V6 = (IPv6Network("2001::/23"), IPv6Network("2002::/16"), IPv6Network("3fff::/20"))


@dataclass(frozen=True, slots=True)
class Pinned:
    """An https address whose host was resolved once; calls go to `addresses`, whatever the name says later."""

    url: str
    host: str
    addresses: tuple[str, ...]


async def check_public_https(url: str, resolve: Resolve | None = None) -> Pinned:
    """Resolve the host of `url` and pin its addresses; Invalid unless it is https and every address is public."""
    try:
        address = _address(url)
    except EgressRefused as error:
        raise Invalid("回调地址看不懂，请填写完整的 https 地址。") from error
    host, port = address.host, address.port
    if address.scheme != "https" or host is None or port is None:
        raise Invalid("回调地址必须以 https:// 开头。")
    try:
        found = await (resolve or _resolve)(host, port)
    except OSError as error:
        raise Invalid("回调地址的域名解析不到，请检查后重试。") from error
    if not found or not all(_is_public(text) for text in found):
        raise Invalid("回调地址必须是公网地址，不能指向内网或本机。")
    return Pinned(url, host, tuple(found))


def pinned_egress(pinned: Pinned) -> Egress:
    """An egress that reaches the origin of `pinned` at its pinned addresses alone."""
    return Egress([pinned.url], resolver=_PinnedResolver(pinned))


def _is_public(text: str) -> bool:
    address: IPv4Address | IPv6Address = ip_address(text)
    if isinstance(address, IPv4Address):
        hidden = any(address in network for network in _NOT_PUBLIC_V4)
        return address.is_global and not address.is_multicast and not address.is_reserved and not hidden
    tunnelled = any(address in network for network in _TUNNELS_V6)
    return address.is_global and address in _GLOBAL_V6 and not tunnelled and address.scope_id is None


async def _resolve(host: str, port: int) -> list[str]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(item[4][0]) for item in found]


class _PinnedResolver(AbstractResolver):
    def __init__(self, pinned: Pinned) -> None:
        self._pinned = pinned

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if host != self._pinned.host:
            raise OSError("not the pinned host")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self._pinned.addresses
        ]

    async def close(self) -> None:
        """Nothing is held."""
