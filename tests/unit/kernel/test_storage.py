"""Files by key: whole or not there, nothing outside the store, addresses that end."""

import asyncio
import hmac
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, quote, urlsplit

import pytest
from aiohttp import web

from backend.kernel.clock import FrozenClock
from backend.kernel.config import ConfigError, Settings
from backend.kernel.egress import Egress
from backend.kernel.errors import NotFound, Unavailable
from backend.kernel.sigv4 import Credentials, Signer
from backend.kernel.storage import LocalStorage, S3Storage, content_type, open_storage, storage_origin

NOON = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
KEY = "imports/0190f3c1/roster.xlsx"
BAD_KEYS = [
    "", "/etc/passwd.txt", "../x.txt", "a/../../x.txt", "a//b.txt", "./a.txt", "a/.hidden.txt", "a", "a.exe", "a.TXT",
    "a b.txt", "中.txt", "a\0.txt", "a.txt\n", "a\\b.txt", "a.txt/", f"{'a' * 200}.txt", "a.b.txt", "%2e%2e/x.txt",
]  # fmt: skip


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOON)


@pytest.fixture
def local(tmp_path: Path, clock: FrozenClock) -> LocalStorage:
    return LocalStorage(tmp_path / "files", clock, base_url="https://linli.example/", secret=b"s" * 32)


def test_a_file_is_kept_replaced_and_forgotten(local: LocalStorage) -> None:
    async def scenario() -> None:
        await local.put(KEY, b"one")
        await local.put(KEY, b"two")
        assert await local.get(KEY) == b"two"
        await local.delete(KEY)
        await local.delete(KEY)
        with pytest.raises(NotFound):
            await local.get(KEY)

    asyncio.run(scenario())


@pytest.mark.parametrize("key", BAD_KEYS)
def test_a_key_names_nothing_outside_the_store(local: LocalStorage, key: str) -> None:
    for call in (local.put(key, b"x"), local.get(key), local.delete(key)):
        with pytest.raises(ValueError, match="key"):
            asyncio.run(call)
    with pytest.raises(ValueError, match="key"):
        local.url(key, 60)


def test_a_failed_write_leaves_the_old_file_and_no_other(
    local: LocalStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    asyncio.run(local.put(KEY, b"old"))
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="space"):
        asyncio.run(local.put(KEY, b"new"))
    assert asyncio.run(local.get(KEY)) == b"old"
    assert [path.name for path in (tmp_path / "files" / "imports" / "0190f3c1").iterdir()] == ["roster.xlsx"]


def test_an_address_permits_one_file_until_it_ends(local: LocalStorage, clock: FrozenClock) -> None:
    parts = urlsplit(local.url(KEY, 60))
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"https://linli.example/files/{KEY}"
    assert local.permits(KEY, **query)
    assert not local.permits("imports/0190f3c1/other.xlsx", **query)
    assert not local.permits(KEY, until=str(int(query["until"]) + 1), sign=query["sign"])
    assert not local.permits(KEY, until=query["until"], sign="")
    clock.advance(timedelta(seconds=60))
    assert not local.permits(KEY, **query)


def test_the_type_of_a_file_follows_from_its_key() -> None:
    assert content_type("a/b.pdf") == "application/pdf"


SIGNER = Signer(Credentials("access", "secret"), "cn-north-1")


class S3:
    """A bucket that recomputes every signature from the bytes on the wire, by the reference's steps."""

    def __init__(self) -> None:
        self.files: dict[str, tuple[bytes, str, str | None]] = {}
        self.status: int | None = None

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        if self.status is not None:
            return web.Response(status=self.status)
        if not (self._signed(request, body) or self._presigned(request)):
            return web.Response(status=403)
        name = request.raw_path.split("?")[0]
        if request.method == "PUT":
            self.files[name] = (body, request.headers["Content-Type"], request.headers.get("Content-Disposition"))
            return web.Response()
        if request.method == "DELETE":
            return web.Response(status=204 if self.files.pop(name, None) else 404)
        if name not in self.files:
            return web.Response(status=404)
        return web.Response(body=self.files[name][0])

    def _signed(self, request: web.Request, body: bytes) -> bool:
        if "Authorization" not in request.headers:
            return False
        fields = dict(part.split("=", 1) for part in request.headers["Authorization"].split(" ", 1)[1].split(","))
        names = fields["SignedHeaders"].split(";")
        block = "".join(f"{name}:{request.headers[name].strip()}\n" for name in names)
        digest = sha256(body).hexdigest()
        canonical = "\n".join([request.method, request.raw_path, "", block, fields["SignedHeaders"], digest])
        return fields["Signature"] == self._signature(canonical, request.headers["x-amz-date"]) and (
            request.headers["x-amz-content-sha256"] == digest
        )

    def _presigned(self, request: web.Request) -> bool:
        path, _, query = request.raw_path.partition("?")
        pairs = dict(parse_qsl(query))
        signature = pairs.pop("X-Amz-Signature", "")
        canonical_query = "&".join(f"{quote(k, safe='')}={quote(v, safe='')}" for k, v in sorted(pairs.items()))
        block = f"host:{request.headers['Host']}\n"
        canonical = "\n".join([request.method, path, canonical_query, block, "host", "UNSIGNED-PAYLOAD"])
        return bool(pairs) and signature == self._signature(canonical, pairs["X-Amz-Date"])

    def _signature(self, canonical: str, instant: str) -> str:
        scope = f"{instant[:8]}/cn-north-1/s3/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{instant}\n{scope}\n{sha256(canonical.encode()).hexdigest()}"
        key = b"AWS4secret"
        for part in (instant[:8], "cn-north-1", "s3", "aws4_request"):
            key = hmac.new(key, part.encode(), "sha256").digest()
        return hmac.new(key, text.encode(), "sha256").hexdigest()


@asynccontextmanager
async def bucket(clock: FrozenClock, signer: Signer = SIGNER):
    server = S3()
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    endpoint = f"http://127.0.0.1:{runner.addresses[0][1]}"
    egress = Egress([endpoint])
    try:
        yield server, S3Storage(egress, clock, endpoint=endpoint, bucket="linli", signer=signer), egress
    finally:
        await egress.close()
        await runner.cleanup()


def test_a_bucket_keeps_replaces_and_forgets_a_file(clock: FrozenClock) -> None:
    async def scenario() -> None:
        async with bucket(clock) as (server, storage, _):
            await storage.put(KEY, b"one")
            await storage.put(KEY, b"two" * 100_000)
            assert await storage.get(KEY) == b"two" * 100_000
            ((_, kind, disposition),) = server.files.values()
            assert (kind, disposition) == (content_type(KEY), "attachment")
            await storage.put("a/shown.jpg", b"x")
            assert list(server.files.values())[-1] == (b"x", "image/jpeg", None)
            await storage.put("a/empty.txt", b"")
            assert await storage.get("a/empty.txt") == b""
            await storage.delete(KEY)
            await storage.delete(KEY)
            with pytest.raises(NotFound):
                await storage.get(KEY)

    asyncio.run(scenario())


def test_a_bucket_reads_by_signed_address(clock: FrozenClock) -> None:
    async def scenario() -> None:
        async with bucket(clock) as (_, storage, egress):
            await storage.put(KEY, b"one")
            url = storage.url(KEY, 60)
            assert (await egress.request("GET", url)).body == b"one"
            assert (await egress.request("GET", url.replace("Expires=60", "Expires=61"))).status == 403

    asyncio.run(scenario())


def test_a_wrong_secret_is_refused_by_the_bucket(clock: FrozenClock) -> None:
    async def scenario() -> None:
        async with bucket(clock, Signer(Credentials("access", "other"), "cn-north-1")) as (_, storage, _egress):
            with pytest.raises(Unavailable):
                await storage.put(KEY, b"one")

    asyncio.run(scenario())


@pytest.mark.parametrize("status", [301, 403, 500, 503])
def test_a_bucket_that_fails_is_unavailable(clock: FrozenClock, status: int) -> None:
    async def scenario() -> None:
        async with bucket(clock) as (server, storage, _):
            server.status = status
            for call in (storage.put(KEY, b"x"), storage.get(KEY), storage.delete(KEY)):
                with pytest.raises(Unavailable):
                    await call

    asyncio.run(scenario())


@pytest.mark.parametrize("key", BAD_KEYS)
def test_a_key_names_nothing_outside_the_bucket(clock: FrozenClock, key: str) -> None:
    storage = S3Storage(Egress([]), clock, endpoint="http://127.0.0.1", bucket="linli", signer=SIGNER)
    with pytest.raises(ValueError, match="key"):
        asyncio.run(storage.get(key))


def test_the_settings_choose_the_store(tmp_path: Path, clock: FrozenClock) -> None:
    egress = Egress([])
    assert isinstance(open_storage(Settings(data_dir=tmp_path), egress, clock), LocalStorage)
    url = "s3://linli?endpoint=https://oss.example.com&region=cn-north-1"
    settings = Settings(data_dir=tmp_path, storage_url=url, storage_key="access", storage_secret="secret")
    assert isinstance(open_storage(settings, egress, clock), S3Storage)
    assert storage_origin(settings) == "https://oss.example.com"
    assert storage_origin(Settings()) is None


@pytest.mark.parametrize(
    "url",
    [
        "s3://linli",
        "s3://?endpoint=https://a",
        "file:///x",
        "s3://linli?endpoint=oss",
        "s3://linli?endpoint=https://a&x=1",
    ],
)
def test_an_unreadable_store_is_refused_in_chinese(tmp_path: Path, clock: FrozenClock, url: str) -> None:
    settings = Settings(data_dir=tmp_path, storage_url=url, storage_key="access", storage_secret="secret")
    with pytest.raises(ConfigError, match="storage_url"):
        open_storage(settings, Egress([]), clock)


def test_a_store_without_its_secret_is_refused(tmp_path: Path, clock: FrozenClock) -> None:
    settings = Settings(data_dir=tmp_path, storage_url="s3://linli?endpoint=https://oss.example.com")
    with pytest.raises(ConfigError, match="LINLI_STORAGE_SECRET"):
        open_storage(settings, Egress([]), clock)
